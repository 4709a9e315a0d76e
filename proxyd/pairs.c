/* A table by number that doubles when it is full. The numbers rise one by one,
 * so their low bits spread them well. */
#include "pairs.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 256

static struct xf_pair **bucket(const struct xf_pairs *pairs, uint64_t id)
{
    return &pairs->buckets[id & (pairs->size - 1)];
}

/* What cannot grow gets slower, and nothing else. */
static void grow(struct xf_pairs *pairs)
{
    struct xf_pairs more = { .size =
                                 pairs->size ? 2 * pairs->size : FIRST_SIZE };

    more.buckets = calloc(more.size, sizeof *more.buckets);
    if (!more.buckets)
        return;
    for (size_t i = 0; i < pairs->size; i++)
        while (pairs->buckets[i]) {
            struct xf_pair *pair = pairs->buckets[i];
            struct xf_pair **to = bucket(&more, pair->id);

            pairs->buckets[i] = pair->next;
            pair->next = *to;
            *to = pair;
        }
    free(pairs->buckets);
    more.count = pairs->count;
    *pairs = more;
}

struct xf_pair *xf_pairs_add(struct xf_pairs *pairs, uint64_t id,
                             const char *names)
{
    size_t len = strlen(names) + 1;
    struct xf_pair *pair;

    if (pairs->count == pairs->size)
        grow(pairs);
    pair = pairs->buckets ? malloc(sizeof *pair + len) : NULL;
    if (!pair)
        return NULL;
    pair->id = id;
    pair->told = 0;
    pair->why = NULL;
    memcpy(pair->names, names, len);
    pair->next = *bucket(pairs, id);
    *bucket(pairs, id) = pair;
    pairs->count++;
    return pair;
}

struct xf_pair *xf_pairs_find(const struct xf_pairs *pairs, uint64_t id)
{
    struct xf_pair *pair = pairs->buckets ? *bucket(pairs, id) : NULL;

    while (pair && pair->id != id)
        pair = pair->next;
    return pair;
}

void xf_pairs_remove(struct xf_pairs *pairs, uint64_t id)
{
    struct xf_pair **at = pairs->buckets ? bucket(pairs, id) : NULL;
    struct xf_pair *pair;

    while (at && *at && (*at)->id != id)
        at = &(*at)->next;
    if (!at || !*at)
        return;
    pair = *at;
    *at = pair->next;
    free(pair);
    pairs->count--;
}

void xf_pairs_each(const struct xf_pairs *pairs,
                   void (*each)(void *data, struct xf_pair *pair), void *data)
{
    for (size_t i = 0; i < pairs->size; i++)
        for (struct xf_pair *p = pairs->buckets[i]; p; p = p->next)
            each(data, p);
}

void xf_pairs_clear(struct xf_pairs *pairs)
{
    for (size_t i = 0; i < pairs->size; i++)
        while (pairs->buckets[i])
            xf_pairs_remove(pairs, pairs->buckets[i]->id);
    free(pairs->buckets);
    *pairs = (struct xf_pairs){ 0 };
}
