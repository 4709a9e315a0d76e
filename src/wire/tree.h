/*
 * A stanza's tree as it grows: elements opened and closed, text in between.
 * Where they come from is for the reader.
 */
#ifndef XF_WIRE_TREE_H
#define XF_WIRE_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/arena.h"
#include "wire/xml.h"

/* Between namespace and name. No XML document can contain it. */
#define XF_TREE_SEP '\x01'

/* An element whose end tag has not come. */
struct xf_tree_frame {
    struct xf_el *el, *last; /* `last`: its youngest child */
    char *text;
    size_t len, cap; /* of text */
};

/* All zero is an empty one. */
struct xf_tree {
    struct xf_arena arena;
    struct xf_tree_frame frames[1 + XF_XML_DEPTH_MAX]; /* [0]: the stream */
    size_t depth;                                      /* of open elements */
};

/*
 * A start tag: names are "namespace SEP name", attributes name and value in
 * turn, up to NULL. Attributes of foreign namespaces are left out. Returns
 * NULL when there is no memory. At most 1 + XF_XML_DEPTH_MAX may be open.
 */
struct xf_el *xf_tree_open(struct xf_tree *t, const char *name,
                           const char **atts);
/* Text of the innermost open element; false: no memory. */
bool xf_tree_text(struct xf_tree *t, const char *text, size_t len);
/* The end tag of the innermost, which is returned. */
struct xf_el *xf_tree_close(struct xf_tree *t);

#endif
