/* How text that others chose is shown: no byte of it can move a cursor, ring
 * a bell, turn the direction of writing or begin a new line. */
#ifndef XF_CLI_ESCAPE_H
#define XF_CLI_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define XF_ESCAPE_BYTE 0x80000000u /* flag: a byte that is not UTF-8 */

/*
 * Read one character. Returns the bytes it takes, 0 at the end. A byte that
 * begins no well-formed character is taken alone, as XF_ESCAPE_BYTE | byte.
 */
size_t xf_escape_char(const char *text, size_t len, uint32_t *c);

/* Controls, direction marks, invisible characters, non-characters. */
bool xf_escape_is_unsafe(uint32_t c);

/*
 * Write `text`; what is unsafe as \x1B or \u{202E}, a backslash doubled.
 * Returns the number of characters written. NULL is "".
 */
size_t xf_escape(FILE *out, const char *text);
size_t xf_escape_n(FILE *out, const char *text, size_t len);

#endif
