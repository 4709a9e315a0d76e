/* The pairs that were handed to workers: what is to be told of each. */
#ifndef XFERRY_PROXYD_PAIRS_H
#define XFERRY_PROXYD_PAIRS_H

#include <stddef.h>
#include <stdint.h>

/* `names` lies behind the struct: one block of memory a pair. */
struct xf_pair {
    struct xf_pair *next; /* of its bucket */
    uint64_t id;
    uint64_t told;   /* bytes the quotas know of */
    const char *why; /* it was we who ended it; static, or NULL */
    char names[];    /* "from=… to=…", as the log shows it */
};

struct xf_pairs {
    struct xf_pair **buckets; /* a power of two of them; NULL: none yet */
    size_t size, count;
};

/* A new one. NULL: out of memory. */
struct xf_pair *xf_pairs_add(struct xf_pairs *pairs, uint64_t id,
                             const char *names);

/* The one with that number, or NULL. */
struct xf_pair *xf_pairs_find(const struct xf_pairs *pairs, uint64_t id);

/* Free it; nothing if there is none. */
void xf_pairs_remove(struct xf_pairs *pairs, uint64_t id);

/* Call `each` with every one; it may remove none. */
void xf_pairs_each(const struct xf_pairs *pairs,
                   void (*each)(void *data, struct xf_pair *pair), void *data);

void xf_pairs_clear(struct xf_pairs *pairs);

#endif
