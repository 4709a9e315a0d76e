/* One setting: what it is called, what it takes, what it means. */
#ifndef XFERRY_PROXYD_KEYS_H
#define XFERRY_PROXYD_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

enum xf_kind {
    XF_KIND_TEXT,
    XF_KIND_LIST, /* of texts: each time it is given it adds one */
    XF_KIND_NUMBER,
    XF_KIND_SIZE,    /* bytes, with k, M, G or T for powers of 1024 */
    XF_KIND_SECONDS, /* with s, m or h */
    XF_KIND_CHOICE,  /* one of the words in `unit` */
};

struct xf_key {
    const char *name;
    enum xf_kind kind;
    uint64_t least, most; /* of a number; of a list its entries */
    const char *standard; /* the default; NULL: none */
    bool reloads;
    const char *unit; /* what stands for the value in --help */
    const char *meaning;
};

extern const struct xf_key xf_keys[XF_CONF_KEYS];

/* Read a number of the key's kind; false: not one, or out of its range. */
bool xf_key_number(const struct xf_key *key, const char *text, uint64_t *out);

/* Which of a choice's words it is, or -1. */
int xf_key_choice(const struct xf_key *key, const char *text);

#endif
