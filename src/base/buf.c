/*
 * The byte queue: one block of memory that slides and doubles; the ceiling is
 * the caller's, what to do about a full queue too.
 */
#include "base/buf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"

#define FIRST_CAP 256

void xf_buf_init(struct xf_buf *b, size_t max)
{
    /* Twice this and the NULs must still be a size_t. */
    *b = (struct xf_buf){ .max = max < SIZE_MAX / 4 ? max : SIZE_MAX / 4 };
}

void xf_buf_clear(struct xf_buf *b)
{
    xf_sys_free(b->data);
    xf_buf_init(b, b->max);
}

void xf_buf_reset(struct xf_buf *b)
{
    b->head = 0;
    b->len = 0;
    b->failed = false;
}

const char *xf_buf_bytes(const struct xf_buf *b)
{
    return b->data ? b->data + b->head : "";
}

static void slide(struct xf_buf *b)
{
    if (b->len > 0)
        memmove(b->data, b->data + b->head, b->len);
    b->head = 0;
}

/* Room for `need` bytes from the start on; `need` is at most max + 1. */
static bool grow(struct xf_buf *b, size_t need)
{
    size_t cap = b->cap < FIRST_CAP / 2 ? FIRST_CAP : b->cap * 2;
    char *data;

    if (cap > 2 * (b->max + 1))
        cap = 2 * (b->max + 1);
    if (cap < need)
        cap = need;
    if (b->head > 0)
        slide(b);
    data = xf_sys_resize(b->data, cap);
    if (!data)
        return false;
    b->data = data;
    b->cap = cap;
    return true;
}

char *xf_buf_room(struct xf_buf *b, size_t len)
{
    size_t need;

    if (b->failed || len > b->max - b->len) {
        b->failed = true;
        return NULL;
    }
    need = b->len + len + 1; /* the NUL of xf_buf_text() */
    if (b->head > b->cap || need > b->cap - b->head) {
        /*
         * Slide only when no more bytes move than were taken since the last
         * time, else a nearly full queue would move itself at every put. With
         * twice max as its largest size this case comes round in the end.
         */
        if (need <= b->cap && b->head >= b->len) {
            slide(b);
        } else if (!grow(b, need)) {
            b->failed = true;
            return NULL;
        }
    }
    return b->data + b->head + b->len;
}

void xf_buf_add(struct xf_buf *b, size_t len)
{
    assert(len <= b->max - b->len);
    assert(len == 0 || b->head + b->len + len < b->cap);
    b->len += len;
}

void xf_buf_put(struct xf_buf *b, const void *bytes, size_t len)
{
    char *room = xf_buf_room(b, len);

    if (!room || len == 0)
        return;
    memcpy(room, bytes, len);
    xf_buf_add(b, len);
}

void xf_buf_puts(struct xf_buf *b, const char *text)
{
    xf_buf_put(b, text, strlen(text));
}

void xf_buf_putc(struct xf_buf *b, char c)
{
    xf_buf_put(b, &c, 1);
}

void xf_buf_printf(struct xf_buf *b, const char *format, ...)
{
    va_list args, again;
    char *room = NULL;
    int len;

    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    if (len < 0)
        b->failed = true;
    else
        room = xf_buf_room(b, (size_t)len);
    if (room) {
        (void)vsnprintf(room, (size_t)len + 1, format, again);
        xf_buf_add(b, (size_t)len);
    }
    va_end(again);
    va_end(args);
}

void xf_buf_take(struct xf_buf *b, size_t len)
{
    if (len < b->len) {
        b->head += len;
        b->len -= len;
    } else {
        b->head = 0;
        b->len = 0;
    }
}

const char *xf_buf_text(struct xf_buf *b)
{
    char *end;

    if (b->failed || (end = xf_buf_room(b, 0)) == NULL)
        return "";
    *end = '\0';
    return b->data + b->head;
}
