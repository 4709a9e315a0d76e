/* A table of chains that doubles, and SipHash-2-4 for its keys. */
#include "base/map.h"

#include <assert.h>
#include <string.h>

#include "base/sys.h"

#define FIRST_SIZE 16

/* --- SipHash (Aumasson and Bernstein, 2012) ------------------------------ */

static uint64_t turned(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void rounds(uint64_t v[4], int count)
{
    for (int i = 0; i < count; i++) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = turned(v[1], 13) ^ v[0];
        v[3] = turned(v[3], 16) ^ v[2];
        v[0] = turned(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = turned(v[1], 17) ^ v[2];
        v[3] = turned(v[3], 21) ^ v[0];
        v[2] = turned(v[2], 32);
    }
}

static void word(uint64_t v[4], uint64_t m)
{
    v[3] ^= m;
    rounds(v, 2);
    v[0] ^= m;
}

static uint64_t hash_of(const uint64_t secret[2], const void *key, size_t len)
{
    uint64_t v[4] = { secret[0] ^ 0x736f6d6570736575u,
                      secret[1] ^ 0x646f72616e646f6du,
                      secret[0] ^ 0x6c7967656e657261u,
                      secret[1] ^ 0x7465646279746573u };
    const uint8_t *at = key;
    size_t left = len;
    uint64_t last = (uint64_t)len << 56;

    for (; left >= 8; left -= 8, at += 8) {
        uint64_t m = 0;

        for (int i = 0; i < 8; i++)
            m |= (uint64_t)at[i] << 8 * i;
        word(v, m);
    }
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)at[i] << 8 * i;
    word(v, last);
    v[2] ^= 0xff;
    rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* --- the table ----------------------------------------------------------- */

void xf_map_init(struct xf_map *m, const uint64_t secret[2])
{
    *m = (struct xf_map){ .secret = { secret[0], secret[1] } };
}

void xf_map_clear(struct xf_map *m)
{
    xf_sys_free(m->buckets);
    m->buckets = NULL;
    m->size = m->count = 0;
}

struct xf_map_item *xf_map_find(const struct xf_map *m, const void *key,
                                size_t len)
{
    struct xf_map_item *item;
    uint64_t hash;

    if (m->size == 0)
        return NULL;
    hash = hash_of(m->secret, key, len);
    for (item = m->buckets[hash & (m->size - 1)]; item; item = item->chain) {
        if (item->hash == hash && item->len == len &&
            memcmp(item->key, key, len) == 0)
            return item;
    }
    return NULL;
}

static void put(struct xf_map *m, struct xf_map_item *item)
{
    struct xf_map_item **bucket = &m->buckets[item->hash & (m->size - 1)];

    item->chain = *bucket;
    *bucket = item;
}

static bool grow(struct xf_map *m)
{
    struct xf_map_item **old = m->buckets;
    size_t old_size = m->size, size = old_size ? 2 * old_size : FIRST_SIZE;
    struct xf_map_item **new = xf_sys_alloc(size * sizeof(void *));

    if (!new)
        return false;
    m->buckets = new;
    m->size = size;
    for (size_t i = 0; i < old_size; i++) {
        while (old[i]) {
            struct xf_map_item *item = old[i];

            old[i] = item->chain;
            put(m, item);
        }
    }
    xf_sys_free(old);
    return true;
}

bool xf_map_add(struct xf_map *m, struct xf_map_item *item, const void *key,
                size_t len)
{
    if (m->count == m->size && !grow(m))
        return false;
    *item = (struct xf_map_item){ .hash = hash_of(m->secret, key, len),
                                  .key = key,
                                  .len = len };
    put(m, item);
    m->count++;
    return true;
}

void xf_map_remove(struct xf_map *m, struct xf_map_item *item)
{
    struct xf_map_item **at = &m->buckets[item->hash & (m->size - 1)];

    while (*at != item) {
        assert(*at);
        at = &(*at)->chain;
    }
    *at = item->chain;
    m->count--;
}

struct xf_map_item *xf_map_next(const struct xf_map *m,
                                const struct xf_map_item *item)
{
    size_t i = 0;

    if (item && item->chain)
        return item->chain;
    if (item)
        i = (size_t)(item->hash & (m->size - 1)) + 1;
    for (; i < m->size; i++) {
        if (m->buckets[i])
            return m->buckets[i];
    }
    return NULL;
}
