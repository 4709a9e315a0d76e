/* Numbers, base64, hex and text as they stand on the wire and on a screen. */
#ifndef XF_BASE_ENCODE_H
#define XF_BASE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Decimal digits only, no sign, no blanks, at most `max`. True when so. */
bool xf_read_uint(const char *text, uint64_t max, uint64_t *out);

#define XF_BASE64_LEN(n) (((n) + 2) / 3 * 4) /* characters for n bytes */
#define XF_BASE64_BYTES(n) ((n) / 4 * 3)     /* at most, for n characters */

/* Writes XF_BASE64_LEN(len) characters, no NUL. */
void xf_base64_encode(const void *bytes, size_t len, char *out);

/*
 * Strict (XEP-0047, 4; RFC 4648, 3.3): only the alphabet, padding only at the
 * end and of the right length, spare bits zero, no blanks. `out` has
 * XF_BASE64_BYTES(len) bytes and may hold anything after an error. Returns
 * bytes written, or -1.
 */
ssize_t xf_base64_decode(const char *text, size_t len, void *out);

/* Lower-case; writes 2 * len characters and a NUL. */
void xf_hex(const void *bytes, size_t len, char *out);
/* Either case, exactly 2 * len digits and a NUL. */
bool xf_unhex(const char *text, void *out, size_t len);

/* Well-formed UTF-8 without surrogates and non-shortest forms. */
bool xf_utf8_valid(const char *text, size_t len);

/* 128 random bits as 32 hex digits and a NUL; false when none can be had. */
#define XF_ID_LEN 32
bool xf_random_id(char out[XF_ID_LEN + 1]);

#endif
