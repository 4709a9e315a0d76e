/* `xferry send`: offers all files at once and ends when each has ended. */
#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "errors.h"
#include "run.h"

struct sending {
    size_t left; /* transfers that have not ended */
};

static int tell(int code, const char *subject, const char *text)
{
    xf_errors_print(stderr, code, subject, text);
    return code;
}

/* The library asks again when it opens the file; this is for the words. */
static int check_file(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return tell(errno == EACCES ? XF_E_PERM : XF_E_IO, path,
                    strerror(errno));
    if (!S_ISREG(st.st_mode))
        return tell(XF_E_USAGE, path, "not a regular file");
    return 0;
}

int xf_send_check(const struct xf_options *options)
{
    for (size_t i = 0; i + 1 < options->operands_len; i++) {
        int err = check_file(options->operands[i]);

        if (err)
            return err;
    }
    return 0;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* An offer that did not come to be is told like one that failed. */
static void refuse(struct xf_run *run, const char *path, const char *to,
                   int code)
{
    struct xf_event ev = {
        .type = XF_EVENT_FAILED,
        .peer = to,
        .name = last_part(path),
        .total = XF_SIZE_UNKNOWN,
        .code = code,
        .outgoing = true,
    };

    if (code == XF_E_USAGE)
        ev.text = "the contact is not a JID, or the name cannot be sent";
    xf_report_event(&run->report, NULL, &ev, NULL, true);
    xf_run_fail(run, code);
}

static void offer(struct xf_run *run, const char *path, const char *to)
{
    const struct xf_options *o = run->options;
    struct sending *sending = run->command;
    const char *name = o->offer.name ? o->offer.name : last_part(path);
    struct xf_transfer *transfer;
    struct xf_item *item;
    int err = xf_offer_file(run->session, to, path, &o->offer, &transfer);

    if (err) {
        refuse(run, path, to, err);
        return;
    }
    sending->left++;
    item = xf_report_follow(&run->report, transfer, name, true);
    if (item)
        item->path = strdup(path);
    else
        xf_transfer_cancel(transfer);
}

static void take(struct xf_run *run, struct xf_item *item,
                 const struct xf_event *ev)
{
    struct sending *sending = run->command;

    (void)item;
    if ((ev->type == XF_EVENT_DONE || ev->type == XF_EVENT_FAILED) &&
        --sending->left == 0)
        xf_run_close(run);
}

int xf_send(struct xf_options *options)
{
    struct sending sending = { 0 };
    struct xf_run run = { .on_event = take, .command = &sending };
    size_t files = options->operands_len - 1;

    if (xf_run_begin(&run, options) == 0) {
        for (size_t i = 0; i < files; i++)
            offer(&run, options->operands[i], options->operands[files]);
        if (sending.left)
            xf_run_loop(&run);
    }
    return xf_run_end(&run);
}
