/*
 * Chunks with a mark that moves up. After a stanza that needed several they
 * become one of the same size, so that the stanzas of a stream of blocks, all
 * alike, are each built in one chunk without a call to the allocator.
 */
#include "wire/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "base/sys.h"

#define FIRST_SIZE 4096

struct xf_arena_chunk {
    struct xf_arena_chunk *next;
    size_t size, used;
    alignas(max_align_t) char bytes[];
};

static size_t aligned(size_t n)
{
    return (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

static struct xf_arena_chunk *add_chunk(struct xf_arena *a, size_t size)
{
    struct xf_arena_chunk *c = xf_sys_alloc(sizeof *c + size);

    if (!c)
        return NULL;
    c->next = a->chunks;
    c->size = size;
    a->chunks = c;
    a->total += size;
    return c;
}

/* `size` is aligned. Not zeroed. */
static char *take(struct xf_arena *a, size_t size)
{
    struct xf_arena_chunk *c = a->chunks;
    char *piece;

    if (!c || size > c->size - c->used) {
        /* As much again as there is: few chunks, however large the stanza. */
        size_t want = a->total > FIRST_SIZE ? a->total : FIRST_SIZE;

        c = add_chunk(a, size > want ? size : want);
        if (!c)
            return NULL;
    }
    piece = c->bytes + c->used;
    c->used += size;
    return piece;
}

void *xf_arena_alloc(struct xf_arena *a, size_t size)
{
    void *piece = take(a, aligned(size));

    if (piece)
        memset(piece, 0, size);
    return piece;
}

char *xf_arena_text(struct xf_arena *a, const char *text, size_t len)
{
    char *copy = take(a, aligned(len + 1));

    if (copy) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

char *xf_arena_grow(struct xf_arena *a, char *bytes, size_t size,
                    size_t new_size)
{
    struct xf_arena_chunk *c = a->chunks;
    size_t more = aligned(new_size) - aligned(size);
    char *piece;

    if (bytes && bytes + aligned(size) == c->bytes + c->used &&
        more <= c->size - c->used) {
        c->used += more;
        return bytes;
    }
    piece = take(a, aligned(new_size));
    if (piece && bytes)
        memcpy(piece, bytes, size);
    return piece;
}

void xf_arena_reset(struct xf_arena *a)
{
    size_t total = a->total;

    if (a->chunks && !a->chunks->next && total <= XF_ARENA_KEEP) {
        a->chunks->used = 0;
        return;
    }
    xf_arena_clear(a);
    /* No memory now is no matter: the next piece will ask again. */
    if (total > 0)
        add_chunk(a, total < XF_ARENA_KEEP ? total : XF_ARENA_KEEP);
}

void xf_arena_clear(struct xf_arena *a)
{
    while (a->chunks) {
        struct xf_arena_chunk *c = a->chunks;

        a->chunks = c->next;
        xf_sys_free(c);
    }
    a->total = 0;
}
