/* A queue of bytes that grows up to a ceiling: in behind, out in front. */
#ifndef XF_BASE_BUF_H
#define XF_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Bytes wait at data[head] .. data[head + len - 1]. What does not fit under
 * `max` or in memory sets `failed` and changes nothing else; so does all that
 * comes after it, lest the text go on behind a hole. A writer checks once at
 * the end. Initialise with xf_buf_init().
 */
struct xf_buf {
    char *data;
    size_t head, len, cap, max;
    bool failed;
};

void xf_buf_init(struct xf_buf *b, size_t max);
void xf_buf_clear(struct xf_buf *b); /* frees; may be used again */
void xf_buf_reset(struct xf_buf *b); /* empties, keeps memory, not failed */

const char *xf_buf_bytes(const struct xf_buf *b); /* first waiting byte */

void xf_buf_put(struct xf_buf *b, const void *bytes, size_t len);
void xf_buf_puts(struct xf_buf *b, const char *text);
void xf_buf_putc(struct xf_buf *b, char c);
void xf_buf_printf(struct xf_buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for `len` more bytes behind, or NULL; xf_buf_add() makes them count. */
char *xf_buf_room(struct xf_buf *b, size_t len);
void xf_buf_add(struct xf_buf *b, size_t len);

/* Drop `len` bytes in front (at most what waits). */
void xf_buf_take(struct xf_buf *b, size_t len);

/* A NUL behind the last byte, not counted; the text, or "" when failed. */
const char *xf_buf_text(struct xf_buf *b);

#endif
