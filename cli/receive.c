/* `xferry receive`: who may send, what is taken, and when it is enough. */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

#include "errors.h"
#include "run.h"

#define ASKED_MAX 64 /* offers that wait for the user's word */

struct receiving {
    int dir;
    uint64_t ended;                   /* that count */
    uint64_t running;                 /* accepted and not ended */
    struct xf_item *asked[ASKED_MAX]; /* the first is being asked about */
    char *descs[ASKED_MAX];
    size_t asked_len;
};

static int refuse(int code, const char *subject, const char *text)
{
    xf_errors_print(stderr, code, subject, text);
    return code;
}

static const char *dir_of(const struct xf_options *options)
{
    return options->operands_len ? options->operands[0] : ".";
}

/* Held from here on: what its path becomes later does not matter. */
int xf_receive_check(const struct xf_options *options, int *dir_fd)
{
    const char *dir = dir_of(options);
    struct xf_progress screen;

    xf_progress_init(&screen, stderr);
    if (!options->from[0] && !(screen.terminal && isatty(STDIN_FILENO)))
        return refuse(XF_E_USAGE, NULL,
                      "nothing would be accepted: name who may send with "
                      "--from JID (or --from any), or run in a terminal to "
                      "be asked");
    *dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*dir_fd < 0)
        return refuse(xf_errors_from_errno(errno), dir, strerror(errno));
    return 0;
}

/* --- who and what -------------------------------------------------------- */

/*
 * The part before the resource is lower case once it is prepared (RFC 6122);
 * the user may have typed it otherwise. Resources are as they are.
 */
static bool same_jid(const char *allowed, const char *peer)
{
    size_t bare = strcspn(allowed, "/");

    if (strcspn(peer, "/") != bare || strncasecmp(allowed, peer, bare) != 0)
        return false;
    return !allowed[bare] || strcmp(allowed + bare, peer + bare) == 0;
}

static bool is_allowed(const struct xf_options *options, const char *peer)
{
    if (!options->from[0])
        return true; /* whoever it is, the user is asked */
    for (size_t i = 0; options->from[i]; i++)
        if (strcmp(options->from[i], "any") == 0 ||
            (peer && same_jid(options->from[i], peer)))
            return true;
    return false;
}

static bool is_enough(const struct xf_run *run, uint64_t n)
{
    return run->options->count && n >= run->options->count;
}

static void accept_file(struct xf_run *run, struct xf_item *item)
{
    struct receiving *rx = run->command;

    if (is_enough(run, rx->ended + rx->running)) {
        xf_transfer_decline(item->transfer, XF_E_BUSY, "enough files");
        return;
    }
    rx->running++;
    item->accepted = true;
    /* What goes wrong now comes back as XF_EVENT_FAILED. */
    xf_transfer_accept(item->transfer, rx->dir, run->options->exists);
}

/* --- asking -------------------------------------------------------------- */

static void ask_next(struct xf_run *run)
{
    struct receiving *rx = run->command;

    run->wants_input = rx->asked_len > 0;
    if (!run->wants_input)
        return;
    /* What was typed before the question was seen is no answer to it. */
    tcflush(STDIN_FILENO, TCIFLUSH);
    xf_report_ask(&run->report, rx->asked[0], rx->descs[0]);
}

static void ask(struct xf_run *run, struct xf_item *item, const char *desc)
{
    struct receiving *rx = run->command;

    if (rx->asked_len == ASKED_MAX) {
        xf_transfer_decline(item->transfer, XF_E_BUSY, NULL);
        return;
    }
    rx->asked[rx->asked_len] = item;
    rx->descs[rx->asked_len] = desc ? strdup(desc) : NULL;
    if (rx->asked_len++ == 0)
        ask_next(run);
}

/* The offer is answered, or lapsed while the user read the question. */
static void unask(struct xf_run *run, const struct xf_item *item)
{
    struct receiving *rx = run->command;
    size_t i = 0;

    while (i < rx->asked_len && rx->asked[i] != item)
        i++;
    if (i == rx->asked_len)
        return;
    free(rx->descs[i]);
    rx->asked_len--;
    for (size_t k = i; k < rx->asked_len; k++) {
        rx->asked[k] = rx->asked[k + 1];
        rx->descs[k] = rx->descs[k + 1];
    }
    if (i == 0) {
        xf_report_unask(&run->report);
        ask_next(run);
    }
}

static void take_answer(struct xf_run *run)
{
    struct receiving *rx = run->command;
    char line[64];
    ssize_t n = read(STDIN_FILENO, line, sizeof line);
    struct xf_item *item;

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (rx->asked_len == 0)
        return;
    item = rx->asked[0];
    unask(run, item);
    if (n > 0 && (line[0] == 'y' || line[0] == 'Y'))
        accept_file(run, item);
    else
        xf_transfer_decline(item->transfer, XF_E_DECLINED, NULL);
}

/* --- events -------------------------------------------------------------- */

static void take_offer(struct xf_run *run, struct xf_item *item,
                       const struct xf_event *ev)
{
    const struct xf_options *o = run->options;

    if (run->closing) /* as good as gone; another may come in our place */
        xf_transfer_decline(ev->transfer, XF_E_NOPEER, NULL);
    else if (!is_allowed(o, ev->peer))
        xf_transfer_decline(ev->transfer, XF_E_POLICY, "not accepted");
    else if (ev->total != XF_SIZE_UNKNOWN && ev->total > o->max_size)
        xf_transfer_decline(ev->transfer, XF_E_SIZE, "too large");
    else if (o->from[0])
        accept_file(run, item);
    else
        ask(run, item, ev->desc);
}

/* A size that nobody announced is held to the limit as it grows. */
static void watch_size(struct xf_run *run, struct xf_item *item,
                       const struct xf_event *ev)
{
    if (!item || item->told || ev->done <= run->options->max_size)
        return;
    item->told = true;
    xf_report_error(&run->report, XF_E_SIZE, item->name,
                    "it grew larger than --max-size");
    xf_run_fail(run, XF_E_SIZE);
    xf_transfer_cancel(ev->transfer);
}

/*
 * Offers that we, the user or the rules turned away are no failures of ours:
 * else any stranger could end the command.
 */
static bool concerns(const struct xf_run *run, const struct xf_item *item,
                     const struct xf_event *ev)
{
    if (item && item->accepted)
        return !item->told;
    return ev->code != XF_E_POLICY && ev->code != XF_E_DECLINED &&
           ev->code != XF_E_BUSY && ev->code != XF_E_NOPEER &&
           run->options->from[0] && is_allowed(run->options, ev->peer);
}

static void take_end(struct xf_run *run, const struct xf_item *item,
                     const struct xf_event *ev)
{
    struct receiving *rx = run->command;

    unask(run, item);
    if (item && item->accepted)
        rx->running--;
    if ((item && item->accepted) || concerns(run, item, ev))
        rx->ended++;
    if (is_enough(run, rx->ended) && rx->running == 0)
        xf_run_close(run);
}

static void take(struct xf_run *run, struct xf_item *item,
                 const struct xf_event *ev)
{
    switch (ev->type) {
    case XF_EVENT_OFFER:
        take_offer(run, item, ev);
        break;
    case XF_EVENT_PROGRESS:
        watch_size(run, item, ev);
        break;
    case XF_EVENT_DONE:
    case XF_EVENT_FAILED:
        take_end(run, item, ev);
        break;
    case XF_EVENT_ONLINE:
    case XF_EVENT_LOST:
    case XF_EVENT_OFFLINE:
    case XF_EVENT_OFFERED:
    case XF_EVENT_ACCEPTED:
    case XF_EVENT_RESUMED:
    case XF_EVENT_ATTEMPT:
    case XF_EVENT_TRACE:
    case XF_EVENT_PROBE:
        break;
    }
}

int xf_receive(struct xf_options *options, int dir_fd)
{
    struct receiving rx = { .dir = dir_fd };
    struct xf_run run = { .on_event = take,
                          .on_input = take_answer,
                          .concerns = concerns,
                          .takes_offers = true,
                          .command = &rx };

    if (xf_run_begin(&run, options) == 0) {
        run.report.asks = !options->from[0];
        run.report.dir = dir_of(options);
        xf_run_loop(&run);
    }
    while (rx.asked_len > 0)
        free(rx.descs[--rx.asked_len]);
    return xf_run_end(&run);
}
