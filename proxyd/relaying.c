/*
 * A worker: orders come over the channel, news of the pairs goes back. It ends
 * with its channel, which is the front's word whether that left or died; no
 * signal of a terminal or a service manager reaches it before.
 */
#include "relaying.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <xferry/relay.h>

#include "channel.h"

#define ORDERS_A_TURN 64
#define OUTBOX_MOVED                                                           \
    1024 /* beyond it only ends are kept: the next word of a
                             pair says as much */

struct relaying {
    int channel;
    bool over;
    struct xf_relay *relay;
    struct news *outbox; /* `sent` of `used` have gone */
    size_t sent, used, room;
};

static void put(struct relaying *w, struct news one)
{
    if (w->used == w->room) {
        size_t room = w->room > 0 ? w->room * 2 : 256;
        struct news *more = realloc(w->outbox, room * sizeof *more);

        if (!more) {
            /* A pair whose end cannot be told would be kept for ever. */
            w->over = true;
            return;
        }
        w->outbox = more;
        w->room = room;
    }
    w->outbox[w->used++] = one;
}

static void put_stats(struct relaying *w)
{
    struct xf_relay_stats stats;

    xf_relay_stats(w->relay, &stats);
    put(w, (struct news){ .what = NEWS_STATS,
                          .id = stats.bytes,
                          .from_a = stats.copied,
                          .from_b = stats.pipes,
                          .ms = stats.lent });
}

static void collect(struct relaying *w)
{
    const struct xf_relay_event *ev;
    bool any = false;

    while ((ev = xf_relay_next(w->relay)) != NULL) {
        if (ev->type == XF_RELAY_MOVED && w->used >= OUTBOX_MOVED)
            continue;
        put(w, (struct news){ .what = ev->type == XF_RELAY_END ? NEWS_END
                                                               : NEWS_MOVED,
                              .reason = ev->reason,
                              .id = ev->id,
                              .from_a = ev->from_a,
                              .from_b = ev->from_b,
                              .ms = ev->ms });
        any = true;
    }
    if (any)
        put_stats(w);
}

static void flush(struct relaying *w)
{
    while (w->sent < w->used && !w->over) {
        size_t count = w->used - w->sent;
        enum channel_result result;

        if (count > CHANNEL_NEWS_MAX)
            count = CHANNEL_NEWS_MAX;
        result = channel_send(w->channel, w->outbox + w->sent,
                              count * sizeof(struct news), NULL);
        if (result == CHANNEL_LATER)
            return;
        if (result == CHANNEL_OVER)
            w->over = true;
        w->sent += count;
    }
    w->sent = w->used = 0;
}

static void adopt(struct relaying *w, const struct order *order,
                  const struct xf_relay_limits *limits, const int fds[2])
{
    if (fds[0] >= 0 &&
        xf_relay_adopt(w->relay, order->id, fds[0], fds[1], limits) == 0)
        return;
    if (fds[0] >= 0) {
        close(fds[0]);
        close(fds[1]);
    }
    put(w, (struct news){
               .what = NEWS_END, .reason = XF_RELAY_FAILED, .id = order->id });
}

static void obey(struct relaying *w, const struct order *order,
                 const int fds[2])
{
    const struct xf_relay_limits limits = { .rate = order->rate,
                                            .group = order->group,
                                            .group_rate = order->group_rate,
                                            .idle_s = order->idle_s };

    switch (order->what) {
    case ORDER_ADOPT:
        adopt(w, order, &limits, fds);
        break;
    case ORDER_LIMITS:
        (void)xf_relay_set_limits(w->relay, order->id, &limits);
        break;
    case ORDER_CLOSE:
        xf_relay_close(w->relay, order->id);
        break;
    }
}

static void listen_to_front(struct relaying *w)
{
    for (int i = 0; i < ORDERS_A_TURN && !w->over; i++) {
        struct order order;
        int fds[2];
        size_t len;

        switch (channel_receive(w->channel, &order, sizeof order, &len, fds)) {
        case CHANNEL_DONE:
            obey(w, &order, fds);
            break;
        case CHANNEL_LATER:
            return;
        case CHANNEL_OVER:
            w->over = true;
            break;
        }
    }
}

/* The front does not take the news: wait until it does, a moment at a time,
 * and go on relaying. */
static void wait_for_front(struct relaying *w)
{
    struct pollfd polls[2] = {
        { w->channel, POLLOUT, 0 },
        { xf_relay_fd(w->relay), POLLIN, 0 },
    };

    (void)poll(polls, 2, xf_relay_timeout(w->relay));
}

static void turn(struct relaying *w)
{
    bool full = w->used > 0;

    if (full)
        wait_for_front(w);
    if (xf_relay_wait(w->relay, full ? 0 : -1))
        listen_to_front(w);
    collect(w);
    flush(w);
}

/* The front decides when it is over: what a service manager or a terminal
 * says, it says to all. */
static void be_deaf(void)
{
    static const int signals[] = { SIGINT,  SIGTERM, SIGHUP,
                                   SIGPIPE, SIGUSR1, SIGUSR2 };
    sigset_t none;

    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        (void)signal(signals[i], SIG_IGN);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Of the front's descriptors some may be other pairs, or other channels whose
 * end must be seen. */
static void keep_only(int fd)
{
    if (fd > 3)
        (void)close_range(3, (unsigned)fd - 1, 0);
    (void)close_range((unsigned)fd + 1, ~0u, 0);
}

static void raise_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

_Noreturn void relaying_run(int channel, unsigned pipes)
{
    struct relaying w = { .channel = channel };

    be_deaf();
    keep_only(channel);
    raise_limit();
    (void)prctl(PR_SET_NAME, "xferry-relay");
    if (xf_relay_new(&w.relay, pipes) != 0 ||
        xf_relay_attend(w.relay, channel) != 0)
        _exit(1);
    while (!w.over)
        turn(&w);
    xf_relay_free(w.relay);
    free(w.outbox);
    _exit(0);
}
