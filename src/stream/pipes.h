/*
 * The pipes that bytes are spliced through, lent to who has bytes in hand,
 * and the buffer of who gets none.
 */
#ifndef XF_STREAM_PIPES_H
#define XF_STREAM_PIPES_H

#include <stddef.h>

#define XF_PIPE_SIZE (256u << 10) /* bytes in a pipe */
#define XF_PIPE_COPY (64u << 10)  /* bytes in the buffer */
#define XF_PIPES_PATIENCE                                                      \
    1000 /* the kernel said no: ask again after so
                                      many who got none */

struct xf_pipe {
    struct xf_pipe *next; /* of those at home */
    int ends[2];          /* read, written */
};

struct xf_pipes {
    struct xf_pipe *home; /* empty ones */
    unsigned most, opened, lent;
    unsigned patience;
    char *copy; /* XF_PIPE_COPY bytes; nothing is kept there */
};

/* 0 or XF_E_LIMIT. Pipes are opened when first lent. */
int xf_pipes_init(struct xf_pipes *pipes, unsigned most);

/* All lent ones were given back. NULL and zeroes are fine. */
void xf_pipes_clear(struct xf_pipes *pipes);

/* An empty pipe, NULL when there is none to be had. */
struct xf_pipe *xf_pipes_lend(struct xf_pipes *pipes);

/* `left`: bytes that are still in it, and go with it. NULL is fine. */
void xf_pipes_give_back(struct xf_pipes *pipes, struct xf_pipe *pipe,
                        size_t left);

#endif
