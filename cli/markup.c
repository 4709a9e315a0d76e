/* Just enough of XML to tell about a stanza; what it means is not known
 * here. */
#include "markup.h"

#include <string.h>

#define CDATA "<![CDATA["

bool xf_slice_is(struct xf_slice s, const char *text)
{
    return s.text && s.len == strlen(text) && memcmp(s.text, text, s.len) == 0;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct xf_slice slice(const char *from, const char *to)
{
    return (struct xf_slice){ from, (size_t)(to - from) };
}

static struct xf_slice trim(struct xf_slice s)
{
    while (s.len && blank(s.text[0])) {
        s.text++;
        s.len--;
    }
    while (s.len && blank(s.text[s.len - 1]))
        s.len--;
    return s;
}

/* Behind the '>' that ends the tag at `p`, which may stand in quotes too. */
static const char *end_of_tag(const char *p)
{
    char quote = 0;

    for (; *p; p++) {
        if (quote)
            quote = *p == quote ? 0 : quote;
        else if (*p == '"' || *p == '\'')
            quote = *p;
        else if (*p == '>')
            return p + 1;
    }
    return p;
}

static const char *read_tag(const char *p, struct xf_piece *piece)
{
    const char *end = end_of_tag(p);
    const char *last = end[-1] == '>' ? end - 1 : end; /* behind the inside */
    const char *name;

    piece->text = slice(p, end);
    p++;
    piece->kind = p < last && *p == '/' ? XF_PIECE_CLOSE : XF_PIECE_OPEN;
    p += piece->kind == XF_PIECE_CLOSE;
    if (piece->kind == XF_PIECE_OPEN && last > p && last[-1] == '/') {
        piece->kind = XF_PIECE_EMPTY;
        last--;
    }
    for (name = p; p < last && !blank(*p); p++)
        if (*p == ':')
            name = p + 1;
    piece->name = slice(name, p);
    piece->attrs = slice(p, last);
    return end;
}

static const char *read_cdata(const char *p, struct xf_piece *piece)
{
    const char *end = strstr(p, "]]>");

    end = end ? end + 3 : p + strlen(p);
    piece->kind = XF_PIECE_TEXT;
    piece->text = slice(p, end);
    return end;
}

const char *xf_markup_next(const char *p, struct xf_piece *piece)
{
    *piece = (struct xf_piece){ .kind = XF_PIECE_TEXT };
    while (*p) {
        const char *end;

        if (strncmp(p, CDATA, strlen(CDATA)) == 0)
            return read_cdata(p, piece);
        if (*p == '<')
            return read_tag(p, piece);
        end = p + strcspn(p, "<");
        piece->text = trim(slice(p, end));
        if (piece->text.len)
            return end;
        p = end;
    }
    return NULL;
}

static bool opens(const struct xf_piece *piece)
{
    return piece->kind == XF_PIECE_OPEN || piece->kind == XF_PIECE_EMPTY;
}

bool xf_markup_root(const char *stanza, struct xf_piece *root)
{
    return xf_markup_next(stanza, root) != NULL && opens(root);
}

static bool ends_in(struct xf_slice s, const char *end)
{
    size_t len = strlen(end);

    return s.text && s.len >= len &&
           memcmp(s.text + s.len - len, end, len) == 0;
}

const char *xf_markup_find(const char *stanza, const char *name,
                           const char *xmlns, struct xf_piece *tag)
{
    const char *p = stanza;

    while ((p = xf_markup_next(p, tag)) != NULL)
        if (opens(tag) && xf_slice_is(tag->name, name) &&
            (!xmlns || ends_in(xf_markup_attr(tag, "xmlns"), xmlns)))
            return p;
    return NULL;
}

unsigned xf_markup_count(const char *stanza, const char *name)
{
    struct xf_piece piece;
    const char *p = stanza;
    unsigned n = 0;

    while ((p = xf_markup_next(p, &piece)) != NULL)
        n += opens(&piece) && xf_slice_is(piece.name, name);
    return n;
}

struct xf_slice xf_markup_attr(const struct xf_piece *tag, const char *name)
{
    const char *p = tag->attrs.text;
    const char *end = p + tag->attrs.len;

    while (p < end) {
        const char *key, *key_end, *value;

        while (p < end && blank(*p))
            p++;
        for (key = p; p < end && *p != '=' && !blank(*p);)
            p++;
        key_end = p;
        while (p < end && *p != '"' && *p != '\'')
            p++;
        if (p == end)
            break;
        value = p + 1;
        p = memchr(value, *p, (size_t)(end - value));
        if (!p)
            break;
        if (xf_slice_is(slice(key, key_end), name))
            return slice(value, p);
        p++;
    }
    return (struct xf_slice){ NULL, 0 };
}
