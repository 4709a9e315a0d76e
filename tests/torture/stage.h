/*
 * Two ends of a transfer under torture: each in this process or in one of its
 * own, stanzas carried by a server that is played here, bytestreams on
 * loopback, by a proxy or a relay that are played here too. What each end
 * told is kept, the directory is judged, and time leaps when all wait.
 */
#ifndef XF_TORTURE_STAGE_H
#define XF_TORTURE_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <xferry/xferry.h>

#define FILES_MAX 8

/* Romeo sends, Juliet receives. */
enum who { R, J, SIDES };
extern const char *const who_is[SIDES];

enum way { IN_BAND, DIRECT, BY_PROXY, WAYS };
extern const char *const way_is[WAYS];

/* What one end has told of its transfers. */
struct told {
    int refused;     /* code of the call that made its session, or offered */
    int loop;        /* what a dispatch that failed has said */
    unsigned offers; /* that it was told of, or made */
    unsigned done, failed;
    bool confirmed; /* one of those done was */
    bool bad;       /* ended twice, no reason, more bytes than there are */
    int code;       /* of the last that failed */
    char text[200];
    uint64_t resumed; /* where a stream went on, the last one */
    uint64_t moved;   /* as told by progress, the last one */
};

struct note;
struct wire;
struct way_on; /* a stanza on its way */

struct side {
    const char *jid;
    struct xf_config config;
    bool apart;                                   /* in a process of its own */
    void (*before)(struct side *side, void *ctx); /* runs first in there */
    void *ctx;
    bool there;
    struct told told;
    /* here */
    struct xf_session *s;
    uint64_t open_ids[64];
    unsigned open_count;
    /* apart */
    pid_t pid;
    int sock, epoll;
    struct asleep *asleep; /* shared */
    int status;            /* of its end */
};

struct stage {
    enum way way;
    struct side side[SIDES];
    char dir[64], in[80], out[80];
    int in_fd;
    size_t size;
    unsigned files; /* offered at once, "a.bin", "b.bin", ... */
    enum xf_exists exists;
    const char *hash;
    struct wire *wire;
    struct way_on *way_on, **last;
    bool moved;
    uint64_t stanza_bytes; /* of files, in stanzas */
    unsigned stanzas;      /* carried so far */
    void (*on_stanza)(struct stage *st, enum who from, const char *xml);
    void (*on_turn)(struct stage *st);
    void *ctx;
    bool no_leaps;
    const char *hung; /* why a run was given up; NULL: it was not */
};

/* Whose code runs right now, in this process; SIDES: nobody's. */
extern enum who stage_now;

/* A directory of its own, and the files to be sent. */
void stage_new(struct stage *st, enum way way, size_t size);
void stage_files(struct stage *st, unsigned n); /* that many, not one */
void stage_way(struct stage *st, enum way way); /* before it begins */
void stage_free(struct stage *st);
/* Clear what was told; nothing may be running. */
void stage_again(struct stage *st);
void stage_empty(struct stage *st); /* the receiver's directory */

/* An end comes up; false when its session could not be made. */
bool stage_begin(struct stage *st, enum who who);
void stage_offer(struct stage *st); /* all files, by Romeo, if he is here */
/* It is ended: as by a kill when it is apart. The other one is told. */
void stage_end(struct stage *st, enum who who);
/* Has a process of its own ended? */
bool stage_fell(struct stage *st, enum who who);

/* One turn. True when anything happened. */
bool stage_turn(struct stage *st);
/* Until every transfer of both has ended, or nothing more can come. */
void stage_run(struct stage *st);
/* Begin both, offer, run. */
void stage_play(struct stage *st);
void stage_close(struct stage *st); /* both */

/* What lies in the receiver's directory. */
struct found {
    unsigned whole, other, parts, journals;
    unsigned empty; /* parts and journals without a byte */
};
struct found stage_look(struct stage *st);

/* Is what was told true? NULL, or what is wrong. `one` file was offered. */
const char *stage_judge(struct stage *st);

uint64_t stage_bytes(void); /* of memory in use */
unsigned stage_fds(void);

/* --- proxy and relay ------------------------------------------------------- */

/* Cut a TCP connection that goes through the relay. */
struct cut {
    bool on;
    unsigned connection; /* 0: the first one that is made */
    unsigned from;       /* bytes of 0: who dialled, 1: who was dialled */
    uint64_t at;         /* so many of these bytes go through */
    bool reset;
    bool done;
};

struct wire *wire_new(void);
void wire_free(struct wire *w);
/* Forget all connections. */
void wire_clear(struct wire *w);
bool wire_step(struct wire *w);
uint16_t wire_proxy_port(struct wire *w);
bool wire_activate(struct wire *w);
/* A port that leads to `port`, through the relay. */
uint16_t wire_through(struct wire *w, uint16_t port);
struct cut *wire_cut(struct wire *w);
/* Bytes that went from the side `from` of connection `n` in the last run. */
uint64_t wire_bytes(struct wire *w, unsigned connection, unsigned from);

#endif
