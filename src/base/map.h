/*
 * Things found by their key, also where strangers choose the keys: a secret
 * goes into the hash, so that nobody can make them clash. The items are members
 * of the caller's structures; the map owns none of them.
 */
#ifndef XF_BASE_MAP_H
#define XF_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `key` points into the caller's structure and stays while it is in a map. */
struct xf_map_item {
    struct xf_map_item *chain;
    uint64_t hash;
    const void *key;
    size_t len;
};

struct xf_map {
    struct xf_map_item **buckets;
    size_t size; /* a power of two, or 0 */
    size_t count;
    uint64_t secret[2];
};

void xf_map_init(struct xf_map *m, const uint64_t secret[2]);
void xf_map_clear(struct xf_map *m); /* forgets the items, frees none */

struct xf_map_item *xf_map_find(const struct xf_map *m, const void *key,
                                size_t len);
/* Its key is not in it yet. False: no memory, nothing has changed. */
bool xf_map_add(struct xf_map *m, struct xf_map_item *item, const void *key,
                size_t len);
void xf_map_remove(struct xf_map *m, struct xf_map_item *item);

/*
 * The one behind `item` in no
 * order: NULL begins and ends; only `item` itself may be removed meanwhile, once
 * the one behind it is known.
 */
struct xf_map_item *xf_map_next(const struct xf_map *m,
                                const struct xf_map_item *item);

#endif
