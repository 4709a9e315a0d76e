/* Finding one's way in a tree that was read. */
#include "wire/xml.h"

#include <string.h>

const char *xf_el_attr(const struct xf_el *el, const char *name)
{
    const struct xf_attr *a = el ? el->attrs : NULL;

    while (a && strcmp(a->name, name) != 0)
        a = a->next;
    return a ? a->value : NULL;
}

bool xf_el_is(const struct xf_el *el, const char *name, const char *ns)
{
    return el && strcmp(el->name, name) == 0 && strcmp(el->ns, ns) == 0;
}

static struct xf_el *first(struct xf_el *el, const char *name, const char *ns)
{
    while (el && !xf_el_is(el, name, ns))
        el = el->next;
    return el;
}

struct xf_el *xf_el_child(const struct xf_el *el, const char *name,
                          const char *ns)
{
    return el ? first(el->children, name, ns) : NULL;
}

struct xf_el *xf_el_next(const struct xf_el *el, const char *name,
                         const char *ns)
{
    return el ? first(el->next, name, ns) : NULL;
}

struct xf_el *xf_el_child_in(const struct xf_el *el, const char *ns)
{
    struct xf_el *child = el ? el->children : NULL;

    while (child && strcmp(child->ns, ns) != 0)
        child = child->next;
    return child;
}

const char *xf_el_child_text(const struct xf_el *el, const char *name,
                             const char *ns)
{
    const struct xf_el *child = xf_el_child(el, name, ns);

    return child ? child->text : NULL;
}

void xf_el_cut_text(struct xf_el *el, size_t max)
{
    char *text;

    if (!el || el->text_len <= max)
        return;
    text = (char *)el->text; /* the reader's memory, which is ours */
    while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
        max--;
    text[max] = '\0';
    el->text_len = max;
}
