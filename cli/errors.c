/* Errors as the user reads them; one table for messages, help and manual. */
#include "errors.h"

#include <errno.h>

#include <xferry/xferry.h>

#include "escape.h"

static const struct {
    int code;
    const char *advice;
} table[] = {
    { XF_OK, NULL },
    { XF_E_USAGE, NULL },
    { XF_E_AUTH, "check the account and where its password comes from" },
    { XF_E_TLS, "if the server has an authority of its own, name it with "
                "--ca-file" },
    { XF_E_STREAM, "check the network, or name the server with --server" },
    { XF_E_NOPEER, "add the contact, give a full JID, or wait with --wait" },
    { XF_E_DECLINED, NULL },
    { XF_E_NOMETHOD, "allow more ways with --via" },
    { XF_E_OFFER, NULL },
    { XF_E_NAME, "ask the sender to rename the file" },
    { XF_E_SIZE, "see --max-size" },
    { XF_E_EXISTS, "move the file away, or see --exists" },
    { XF_E_POLICY, "see --from" },
    { XF_E_BUSY, "try again later" },
    { XF_E_CONNECT, "see --address and --proxy, or allow ibb with --via" },
    { XF_E_PROXY, "name another with --proxy, or allow more with --via" },
    { XF_E_PROTO, "--trace shows the conversation" },
    { XF_E_STALL, "try again" },
    { XF_E_GONE, "try again when the contact is back" },
    { XF_E_CANCELLED, NULL },
    { XF_E_SHORT, "send it again" },
    { XF_E_LONG, "send it again" },
    { XF_E_HASH, "send it again" },
    { XF_E_SRC, "send it again when the file is at rest" },
    { XF_E_CRYPTO, NULL },
    { XF_E_NOENC, NULL },
    { XF_E_NOSPC, "make room and try again" },
    { XF_E_IO, NULL },
    { XF_E_PERM, NULL },
    { XF_E_LIMIT, "raise the limits of this process (ulimit)" },
    { XF_E_RESUME, "send it again from the start" },
    { XF_E_INTERNAL, "please report this, with --trace" },
};

#define CODES (sizeof table / sizeof *table)

int xf_errors_code(size_t i)
{
    return i < CODES ? table[i].code : -1;
}

int xf_errors_from_errno(int err)
{
    if (err == ENOTDIR)
        return XF_E_USAGE;
    if (err == EACCES || err == EPERM)
        return XF_E_PERM;
    return err == EMFILE || err == ENFILE || err == ENOMEM ? XF_E_LIMIT
                                                           : XF_E_IO;
}

const char *xf_errors_advice(int code)
{
    for (size_t i = 0; i < CODES; i++)
        if (table[i].code == code)
            return table[i].advice;
    return NULL;
}

void xf_errors_print(FILE *out, int code, const char *subject, const char *text)
{
    const char *advice = xf_errors_advice(code);

    fputs("xferry: ", out);
    if (subject) {
        xf_escape(out, subject);
        fputs(": ", out);
    }
    xf_escape(out, text && *text ? text : xf_error_text(code));
    fprintf(out, " (%s)", xf_error_name(code));
    if (advice)
        fprintf(out, "; %s", advice);
    fputc('\n', out);
    fflush(out);
}

void xf_errors_table(FILE *out)
{
    fputs("Exit status:\n"
          "    0                every file was delivered, or sent as asked\n",
          out);
    for (size_t i = 1; i < CODES; i++)
        fprintf(out, "  %3d  %-11s %s\n", table[i].code,
                xf_error_name(table[i].code), xf_error_text(table[i].code));
    fputs("  129, 130, 143     ended by SIGHUP, SIGINT, SIGTERM\n", out);
}
