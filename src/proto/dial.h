/*
 * Which of several addresses to connect to, when, and which wins. Knows no
 * sockets: it says "start i", "drop i", and is told what became of it. Apart
 * from SOCKS and from Stream Initiation, which only name the addresses.
 */
#ifndef XF_PROTO_DIAL_H
#define XF_PROTO_DIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XF_DIAL_MAX 32

struct xf_dial_plan {
    int64_t stagger_ms; /* next start after this, or at once after a failure;
                           a negative value: one after the other */
    int64_t each_ms;    /* for one address, handshake included */
    int64_t total_ms;   /* for all */
};

/* 250 ms, 5 s, 12 s; and for libpurple, which has no timer and takes one
 * connection only: one after the other, 3 s each, 30 s in all. */
extern const struct xf_dial_plan xf_dial_staggered;
extern const struct xf_dial_plan xf_dial_in_turn;

enum xf_dial_try {
    XF_DIAL_WAITING,
    XF_DIAL_TRYING,
    XF_DIAL_FAILED,
    XF_DIAL_WON,
};

struct xf_dial {
    struct xf_dial_plan plan;
    size_t count;
    enum xf_dial_try tries[XF_DIAL_MAX];
    int64_t give_up[XF_DIAL_MAX]; /* of those under way */
    int64_t next_start;
    int64_t end;
    int winner; /* -1 */
    bool over;
};

enum xf_dial_do {
    XF_DIAL_NOTHING, /* until xf_dial_deadline() */
    XF_DIAL_START,   /* connect to `index`, then ask again */
    XF_DIAL_DROP,    /* close `index` (late, or another has won), ask again */
    XF_DIAL_USE,     /* told once, after all others are dropped */
    XF_DIAL_GIVE_UP, /* told once, all closed: none could be reached */
};

struct xf_dial_todo {
    enum xf_dial_do what;
    size_t index;
};

/* `count` above XF_DIAL_MAX is cut to it. */
void xf_dial_init(struct xf_dial *d, const struct xf_dial_plan *plan,
                  size_t count, int64_t now_ms);

/* The handshake with `index` has ended, well or not. */
void xf_dial_result(struct xf_dial *d, size_t index, bool well);

/* What to do now; called until it says NOTHING, USE or GIVE_UP. */
struct xf_dial_todo xf_dial_next(struct xf_dial *d, int64_t now_ms);

int64_t xf_dial_deadline(const struct xf_dial *d); /* INT64_MAX: none */

#endif
