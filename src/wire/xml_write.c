/* Writing elements straight into a buffer, escaped; what, is for others. */
#include "wire/xml.h"

#include <assert.h>
#include <string.h>

#include "base/encode.h"

void xf_xml_writer_init(struct xf_xml_writer *w, struct xf_buf *buf)
{
    *w = (struct xf_xml_writer){ .buf = buf };
}

/* Before anything that is not an attribute. */
static void end_tag(struct xf_xml_writer *w)
{
    if (w->in_tag)
        xf_buf_putc(w->buf, '>');
    w->in_tag = false;
}

/*
 * Blanks other than a space would be normalised in an attribute, a carriage
 * return everywhere (XML 1.0, 2.11 and 3.3.3).
 */
static const char *reference(char c, bool attr)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return attr ? "&quot;" : NULL;
    case '\t':
        return attr ? "&#9;" : NULL;
    case '\n':
        return attr ? "&#10;" : NULL;
    case '\r':
        return "&#13;";
    default:
        return NULL;
    }
}

/* XML 1.0, 2.2: not the C0 controls but blanks, nor U+FFFE and U+FFFF. */
static bool valid(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
            return false;
        if (c == 0xef && len - i >= 3 && (uint8_t)text[i + 1] == 0xbf &&
            (uint8_t)text[i + 2] >= 0xbe)
            return false;
    }
    return xf_utf8_valid(text, len);
}

bool xf_xml_can_write(const char *text)
{
    return valid(text, strlen(text));
}

static void put(struct xf_xml_writer *w, const char *text, bool attr)
{
    size_t len = strlen(text), from = 0;

    if (!valid(text, len)) {
        w->buf->failed = true;
        return;
    }
    for (size_t i = 0; i < len; i++) {
        const char *ref = reference(text[i], attr);

        if (!ref)
            continue;
        xf_buf_put(w->buf, text + from, i - from);
        xf_buf_puts(w->buf, ref);
        from = i + 1;
    }
    xf_buf_put(w->buf, text + from, len - from);
}

void xf_xml_open(struct xf_xml_writer *w, const char *name, const char *ns)
{
    end_tag(w);
    xf_buf_putc(w->buf, '<');
    xf_buf_puts(w->buf, name);
    w->in_tag = true;
    xf_xml_attr(w, "xmlns", ns);
}

void xf_xml_attr(struct xf_xml_writer *w, const char *name, const char *value)
{
    assert(w->in_tag);
    if (!value)
        return;
    xf_buf_putc(w->buf, ' ');
    xf_buf_puts(w->buf, name);
    xf_buf_puts(w->buf, "=\"");
    put(w, value, true);
    xf_buf_putc(w->buf, '"');
}

void xf_xml_attr_uint(struct xf_xml_writer *w, const char *name, uint64_t value)
{
    char text[21];
    char *at = text + sizeof text - 1;

    *at = '\0';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    xf_xml_attr(w, name, at);
}

void xf_xml_text(struct xf_xml_writer *w, const char *text)
{
    end_tag(w);
    put(w, text, false);
}

void xf_xml_base64(struct xf_xml_writer *w, const void *bytes, size_t len)
{
    char *room;

    end_tag(w);
    room = xf_buf_room(w->buf, XF_BASE64_LEN(len));
    if (!room || len == 0)
        return;
    xf_base64_encode(bytes, len, room);
    xf_buf_add(w->buf, XF_BASE64_LEN(len));
}

void xf_xml_close(struct xf_xml_writer *w, const char *name)
{
    end_tag(w);
    xf_buf_puts(w->buf, "</");
    xf_buf_puts(w->buf, name);
    xf_buf_putc(w->buf, '>');
}

void xf_xml_end(struct xf_xml_writer *w, const char *name)
{
    if (!w->in_tag) {
        xf_xml_close(w, name);
        return;
    }
    w->in_tag = false;
    xf_buf_puts(w->buf, "/>");
}

static void copy(struct xf_xml_writer *w, const struct xf_el *el,
                 const char *around)
{
    bool same = around && strcmp(around, el->ns) == 0;

    xf_xml_open(w, el->name, same ? NULL : el->ns);
    for (const struct xf_attr *a = el->attrs; a; a = a->next)
        xf_xml_attr(w, a->name, a->value);
    if (el->text_len > 0)
        xf_xml_text(w, el->text);
    for (const struct xf_el *c = el->children; c; c = c->next)
        copy(w, c, el->ns);
    xf_xml_end(w, el->name);
}

/* As deep as the reader allows, no deeper. */
void xf_xml_copy(struct xf_xml_writer *w, const struct xf_el *el)
{
    copy(w, el, "jabber:client");
}
