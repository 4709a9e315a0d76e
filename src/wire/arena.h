/*
 * Memory of one stanza's tree: many small pieces, given back all at once and
 * kept for the next stanza.
 */
#ifndef XF_WIRE_ARENA_H
#define XF_WIRE_ARENA_H

#include <stddef.h>

#define XF_ARENA_KEEP (256u * 1024u) /* bytes held between stanzas */

struct xf_arena_chunk;

/* All zero is an empty one. */
struct xf_arena {
    struct xf_arena_chunk *chunks; /* the newest first */
    size_t total;                  /* bytes in all of them */
};

/* Zeroed and aligned; NULL when there is no memory. */
void *xf_arena_alloc(struct xf_arena *a, size_t size);
/* A copy with a NUL behind. */
char *xf_arena_text(struct xf_arena *a, const char *text, size_t len);
/* More room for bytes; in place where they are the newest piece. */
char *xf_arena_grow(struct xf_arena *a, char *bytes, size_t size,
                    size_t new_size);

void xf_arena_reset(struct xf_arena *a); /* all pieces are gone */
void xf_arena_clear(struct xf_arena *a); /* and the memory, too */

#endif
