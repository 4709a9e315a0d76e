/* The table of codes, and how errno and sentences get into it. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct row {
    int code;
    const char *name;
    const char *text;
};

static const struct row rows[] = {
    { XF_OK, "OK", "no error" },
    { XF_E_USAGE, "E-USAGE", "wrong use or argument" },
    { XF_E_AUTH, "E-AUTH", "the server refused the login" },
    { XF_E_TLS, "E-TLS", "the TLS check failed" },
    { XF_E_STREAM, "E-STREAM", "the stream to the server ended" },
    { XF_E_NOPEER, "E-NOPEER", "the contact is not online" },
    { XF_E_DECLINED, "E-DECLINED", "the contact declined the file" },
    { XF_E_NOMETHOD, "E-NOMETHOD", "no transfer method in common" },
    { XF_E_OFFER, "E-OFFER", "malformed offer" },
    { XF_E_NAME, "E-NAME", "the file name is refused" },
    { XF_E_SIZE, "E-SIZE", "the size is refused" },
    { XF_E_EXISTS, "E-EXISTS", "the file exists and is not overwritten" },
    { XF_E_POLICY, "E-POLICY", "the contact may not send to you" },
    { XF_E_BUSY, "E-BUSY", "too many at once" },
    { XF_E_CONNECT, "E-CONNECT", "no path to the contact" },
    { XF_E_PROXY, "E-PROXY", "the proxy failed" },
    { XF_E_PROTO, "E-PROTO", "the contact broke the protocol" },
    { XF_E_STALL, "E-STALL", "no progress for too long" },
    { XF_E_GONE, "E-GONE", "the contact went away" },
    { XF_E_CANCELLED, "E-CANCELLED", "cancelled" },
    { XF_E_SHORT, "E-SHORT", "the stream ended before the end of the file" },
    { XF_E_LONG, "E-LONG", "more bytes came than were offered" },
    { XF_E_HASH, "E-HASH", "the content does not match its hash" },
    { XF_E_SRC, "E-SRC", "the file changed while it was sent" },
    { XF_E_CRYPTO, "E-CRYPTO", "decryption failed" },
    { XF_E_NOENC, "E-NOENC", "the contact cannot do encryption" },
    { XF_E_NOSPC, "E-NOSPC", "no space left" },
    { XF_E_IO, "E-IO", "reading or writing failed" },
    { XF_E_PERM, "E-PERM", "the file system does not allow it" },
    { XF_E_LIMIT, "E-LIMIT", "out of memory or descriptors" },
    { XF_E_RESUME, "E-RESUME", "cannot go on where it stopped" },
    { XF_E_INTERNAL, "E-INTERNAL", "internal error" },
};

int xf_err_from_errno(int err)
{
    switch (err) {
    case ENOSPC:
    case EDQUOT:
        return XF_E_NOSPC;
    case EACCES:
    case EPERM:
    case EROFS:
        return XF_E_PERM;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        return XF_E_LIMIT;
    case EEXIST:
        return XF_E_EXISTS;
    default:
        return XF_E_IO;
    }
}

static const struct row *find(int code)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].code == code)
            return &rows[i];
    }
    return NULL;
}

const char *xf_err_name(int code)
{
    const struct row *row = find(code);

    return row ? row->name : "E-?";
}

const char *xf_err_text(int code)
{
    const struct row *row = find(code);

    return row ? row->text : "unknown error";
}

/* Bytes of a UTF-8 character by its first byte; 1 for what begins none. */
static size_t character_len(unsigned char lead)
{
    if (lead >= 0xf0)
        return 4;
    if (lead >= 0xe0)
        return 3;
    return lead >= 0xc0 ? 2 : 1;
}

/* Drop a last character of which bytes are missing. */
static void drop_half_character(char *text)
{
    size_t end = strlen(text), lead = end;

    while (lead > 0 && end - lead < 4) {
        lead--;
        if (((unsigned char)text[lead] & 0xc0) != 0x80)
            break;
    }
    if (lead < end && end - lead < character_len((unsigned char)text[lead]))
        text[lead] = '\0';
}

int xf_err_set(struct xf_error_info *info, int code, const char *format, ...)
{
    char text[XF_TEXT_MAX]; /* the old text may be one of the arguments */
    va_list args;
    int len;

    if (!info)
        return code;
    va_start(args, format);
    len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0)
        text[0] = '\0';
    if (len >= (int)sizeof text)
        drop_half_character(text);
    info->code = code;
    memcpy(info->text, text, strlen(text) + 1);
    return code;
}
