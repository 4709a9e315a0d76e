/* The life of a session in a command; which files go where is not known
 * here. */
#include "run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "account.h"

#define CLOSE_MS 5000 /* for what is queued, and the stream's end */
#define STAY_MS 40000 /* ... when a sender may have yet to hear of its file */

static void stop_at_once(int signal)
{
    _exit(128 + signal);
}

static void signal_set(sigset_t *set)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction now;

    sigemptyset(set);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        /* What nohup(1) or a shell had ignored stays so. */
        if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaddset(set, signals[i]);
}

/* Blocked before the library makes threads, so that none takes them. */
static int take_signals(struct xf_run *run)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    signal_set(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    run->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return run->signals < 0 ? XF_E_LIMIT : 0;
}

/* Each transfer takes some, and a shell's own limit is for programs that use
 * select(2). */
static void raise_descriptors(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

int xf_run_begin(struct xf_run *run, struct xf_options *options)
{
    int err;

    run->options = options;
    run->signals = -1;
    options->config.send_only = !run->takes_offers;
    xf_report_init(&run->report, options, stdout, stderr);
    raise_descriptors();
    err = take_signals(run);
    if (!err)
        err = xf_session_new(&run->session, &options->config);
    xf_account_forget(options);
    if (err) {
        xf_report_error(&run->report, err, NULL,
                        err == XF_E_USAGE ? "the account, the dialect, or an "
                                            "address or list is not right"
                                          : NULL);
        xf_run_fail(run, err);
    }
    return err;
}

void xf_run_fail(struct xf_run *run, int code)
{
    if (!run->code && !run->signal)
        run->code = code;
}

void xf_run_close(struct xf_run *run)
{
    if (run->closing)
        return;
    run->closing = true;
    run->close_by = xf_progress_now() + (run->signal ? CLOSE_MS : STAY_MS);
    xf_session_close(run->session);
}

/* The first signal asks, the second is obeyed by the kernel's own hand. */
static void take_signal(struct xf_run *run)
{
    struct sigaction action = { .sa_handler = stop_at_once };
    struct signalfd_siginfo info;
    sigset_t set;

    if (read(run->signals, &info, sizeof info) != sizeof info)
        return;
    run->signal = (int)info.ssi_signo;
    signal_set(&set);
    for (int s = 1; s < 32; s++)
        if (sigismember(&set, s) == 1)
            sigaction(s, &action, NULL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);

    for (struct xf_item *item = run->report.items; item; item = item->next)
        xf_transfer_cancel(item->transfer);
    xf_run_close(run);
}

static void take_offline(struct xf_run *run, const struct xf_event *ev)
{
    int code = ev->code ? ev->code : XF_E_STREAM;

    /* What goes over a bytestream needs the server no more. */
    run->lost = true;
    if (run->closing)
        return;
    /* Each transfer may have said the same before. */
    if (run->code != code)
        xf_report_error(&run->report, code, NULL, ev->text);
    xf_run_fail(run, code);
}

static bool is_concern(const struct xf_run *run, const struct xf_item *item,
                       const struct xf_event *ev)
{
    if (run->signal && ev->code == XF_E_CANCELLED)
        return false;
    if (run->lost && ev->code == run->code)
        return false; /* the lost connection has been told */
    return !run->concerns || run->concerns(run, item, ev);
}

static void take_event(struct xf_run *run, const struct xf_event *ev)
{
    struct xf_item *item = ev->transfer ? xf_transfer_data(ev->transfer) : NULL;
    bool concern = ev->type == XF_EVENT_FAILED && is_concern(run, item, ev);

    if (ev->type == XF_EVENT_OFFER && !item) {
        item = xf_report_follow(&run->report, ev->transfer, ev->name, false);
        if (!item) {
            xf_transfer_decline(ev->transfer, XF_E_LIMIT, NULL);
            return;
        }
    }
    xf_report_event(&run->report, item, ev, xf_session_jid(run->session),
                    concern);
    if (concern)
        xf_run_fail(run, ev->code);
    if (ev->type == XF_EVENT_OFFLINE)
        take_offline(run, ev);
    run->on_event(run, item, ev);
    if (item && (ev->type == XF_EVENT_DONE || ev->type == XF_EVENT_FAILED))
        xf_report_drop(&run->report, item);
    if (run->lost && (run->closing || !run->report.items))
        run->over = true;
}

static void take_events(struct xf_run *run)
{
    const struct xf_event *ev;

    while ((ev = xf_session_next(run->session)) != NULL)
        take_event(run, ev);
}

static int timeout_of(const struct xf_run *run)
{
    int timeout = xf_session_timeout(run->session);
    int64_t left;

    if (!run->closing)
        return timeout;
    left = run->close_by - xf_progress_now();
    if (left < 0)
        left = 0;
    return timeout < 0 || left < timeout ? (int)left : timeout;
}

static void wait_and_dispatch(struct xf_run *run)
{
    struct pollfd fds[] = {
        { .fd = xf_session_fd(run->session), .events = POLLIN },
        { .fd = run->signal ? -1 : run->signals, .events = POLLIN },
        { .fd = run->wants_input ? STDIN_FILENO : -1, .events = POLLIN },
    };

    if (poll(fds, 3, timeout_of(run)) < 0 && errno != EINTR) {
        xf_report_error(&run->report, XF_E_INTERNAL, "poll", strerror(errno));
        xf_run_fail(run, XF_E_INTERNAL);
        run->over = true;
        return;
    }
    if (fds[1].revents)
        take_signal(run);
    if (fds[2].revents && run->wants_input)
        run->on_input(run);
    if (xf_session_dispatch(run->session) != 0) {
        xf_report_error(&run->report, XF_E_INTERNAL, NULL, NULL);
        xf_run_fail(run, XF_E_INTERNAL);
        run->over = true;
    }
}

void xf_run_loop(struct xf_run *run)
{
    take_events(run);
    while (!run->over) {
        wait_and_dispatch(run);
        take_events(run);
        if (run->closing && xf_progress_now() >= run->close_by)
            run->over = true;
    }
}

/* A script must not take a line that is lost for one that never was. */
static void check_output(struct xf_run *run)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return;
    xf_report_error(&run->report, XF_E_IO, "standard output", NULL);
    xf_run_fail(run, XF_E_IO);
}

int xf_run_end(struct xf_run *run)
{
    check_output(run);
    xf_report_clear(&run->report);
    xf_session_free(run->session);
    if (run->signals >= 0)
        close(run->signals);
    if (run->code)
        return run->code;
    return run->signal ? 128 + run->signal : 0;
}
