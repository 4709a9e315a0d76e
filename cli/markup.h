/* Just enough of XML to tell about a stanza: its tags and texts in order.
 * The library has parsed it before; this reader only must not be fooled or
 * run over the end. */
#ifndef XF_CLI_MARKUP_H
#define XF_CLI_MARKUP_H

#include <stdbool.h>
#include <stddef.h>

struct xf_slice {
    const char *text; /* NULL: not there */
    size_t len;
};

enum xf_piece_kind {
    XF_PIECE_OPEN,
    XF_PIECE_EMPTY,
    XF_PIECE_CLOSE,
    XF_PIECE_TEXT,
};

struct xf_piece {
    enum xf_piece_kind kind;
    struct xf_slice text;  /* all of it, with the brackets of a tag */
    struct xf_slice name;  /* of a tag, without prefix */
    struct xf_slice attrs; /* of an opening tag */
};

bool xf_slice_is(struct xf_slice s, const char *text);

/*
 * The next tag or text that is not blank. Returns where to go on, or NULL at
 * the end.
 */
const char *xf_markup_next(const char *p, struct xf_piece *piece);

/* The first tag; false when there is none. */
bool xf_markup_root(const char *stanza, struct xf_piece *root);

/*
 * The first opening tag of that name whose xmlns ends in `xmlns` (NULL: any).
 * Returns where to go on, or NULL.
 */
const char *xf_markup_find(const char *stanza, const char *name,
                           const char *xmlns, struct xf_piece *tag);

unsigned xf_markup_count(const char *stanza, const char *name);

/* The raw value of an attribute of an opening tag. */
struct xf_slice xf_markup_attr(const struct xf_piece *tag, const char *name);

#endif
