/* Codes: from errno, into names and into words. */
#ifndef XF_BASE_ERR_H
#define XF_BASE_ERR_H

#include <stddef.h>

#include <xferry/error.h>

#define XF_TEXT_MAX 1024 /* bytes of an error text, NUL included */

/* ENOSPC and EDQUOT, EACCES and EPERM, EMFILE and ENOMEM, ...; else IO. */
int xf_err_from_errno(int err);

const char *xf_err_name(int code); /* "E-AUTH"; "E-?" for what is no code */
const char *xf_err_text(int code); /* a short sentence without full stop */

/* An error with words of its own; what a failure is handed on as. */
struct xf_error_info {
    int code;
    char text[XF_TEXT_MAX];
};

/*
 * Set both. The text is cut at a character, never within one; the old text
 * may be an argument. NULL is fine. Returns `code`.
 */
int xf_err_set(struct xf_error_info *info, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
