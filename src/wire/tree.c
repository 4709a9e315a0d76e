/*
 * Building a tree in an arena. Text comes in pieces of any size: it doubles
 * its room, and mostly grows in place.
 */
#include "wire/tree.h"

#include <assert.h>
#include <string.h>

#define XML_NS "http://www.w3.org/XML/1998/namespace"

/* "namespace SEP name": where the name begins. */
static const char *local_part(const char *name)
{
    const char *sep = strchr(name, XF_TREE_SEP);

    return sep ? sep + 1 : name;
}

/* Most elements have their parent's namespace, and then share its string. */
static const char *namespace_of(struct xf_tree *t, const char *name,
                                const struct xf_el *parent)
{
    const char *local = local_part(name);
    size_t len = local > name ? (size_t)(local - name) - 1 : 0;

    if (len == 0)
        return "";
    if (parent && strlen(parent->ns) == len &&
        memcmp(parent->ns, name, len) == 0)
        return parent->ns;
    return xf_arena_text(&t->arena, name, len);
}

static const char *attr_name(struct xf_tree *t, const char *name)
{
    static const char prefix[] = "xml:";
    size_t len = strlen(name);
    char *out;

    if (!strchr(name, XF_TREE_SEP))
        return xf_arena_text(&t->arena, name, len);
    name = local_part(name);
    len = strlen(name);
    out = xf_arena_alloc(&t->arena, sizeof prefix + len);
    if (out) {
        memcpy(out, prefix, sizeof prefix - 1);
        memcpy(out + sizeof prefix - 1, name, len);
    }
    return out;
}

/* In a namespace other than xml's: without its prefix it would pass for ours. */
static bool foreign(const char *name)
{
    return strchr(name, XF_TREE_SEP) &&
           (strncmp(name, XML_NS, sizeof XML_NS - 1) != 0 ||
            name[sizeof XML_NS - 1] != XF_TREE_SEP);
}

static bool add_attrs(struct xf_tree *t, struct xf_el *el, const char **atts)
{
    struct xf_attr **tail = &el->attrs;

    for (; atts[0]; atts += 2) {
        struct xf_attr *a;

        if (foreign(atts[0]))
            continue;
        a = xf_arena_alloc(&t->arena, sizeof *a);
        if (!a)
            return false;
        a->name = attr_name(t, atts[0]);
        a->value = xf_arena_text(&t->arena, atts[1], strlen(atts[1]));
        if (!a->name || !a->value)
            return false;
        *tail = a;
        tail = &a->next;
    }
    return true;
}

struct xf_el *xf_tree_open(struct xf_tree *t, const char *name,
                           const char **atts)
{
    /* Top-level elements are not strung to the stream's: it has no end. */
    struct xf_tree_frame *parent =
        t->depth > 1 ? &t->frames[t->depth - 1] : NULL;
    struct xf_el *el = xf_arena_alloc(&t->arena, sizeof *el);
    const char *local = local_part(name);

    assert(t->depth <= XF_XML_DEPTH_MAX);
    if (!el)
        return NULL;
    el->text = "";
    el->ns = namespace_of(t, name, parent ? parent->el : NULL);
    el->name = xf_arena_text(&t->arena, local, strlen(local));
    if (!el->ns || !el->name || !add_attrs(t, el, atts))
        return NULL;
    if (parent && parent->last)
        parent->last->next = el;
    else if (parent)
        parent->el->children = el;
    if (parent)
        parent->last = el;
    t->frames[t->depth++] = (struct xf_tree_frame){ .el = el };
    return el;
}

bool xf_tree_text(struct xf_tree *t, const char *text, size_t len)
{
    struct xf_tree_frame *f = &t->frames[t->depth - 1];

    assert(t->depth > 0);
    if (len >= f->cap - f->len) {
        size_t need = f->len + len + 1;
        size_t cap = need > 2 * f->cap ? need : 2 * f->cap;
        char *grown = xf_arena_grow(&t->arena, f->text, f->cap, cap);

        if (!grown)
            return false;
        f->text = grown;
        f->cap = cap;
    }
    memcpy(f->text + f->len, text, len);
    f->len += len;
    return true;
}

struct xf_el *xf_tree_close(struct xf_tree *t)
{
    struct xf_tree_frame *f = &t->frames[t->depth - 1];

    assert(t->depth > 0);
    t->depth--;
    if (f->text) {
        f->text[f->len] = '\0';
        f->el->text = f->text;
        f->el->text_len = f->len;
    }
    return f->el;
}
