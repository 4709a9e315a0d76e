/*
 * A play: one session of ours and a peer that follows a text. What stands in
 * the text is in README.md; who runs it is play.c.
 */
#ifndef XF_PLAY_H
#define XF_PLAY_H

#include "../talk/talk.h"

#define PLAY_VARS 96
#define PLAY_ACTORS 12
#define PLAY_SAID 8192
#define PLAY_LINE 65536
#define PLAY_MS 8000 /* what takes longer does not come */

struct play_var {
    char name[32];
    char *value;
};

/* A TCP socket of the peer, of its proxy or of a stranger. */
struct play_actor {
    char name[32];
    int fd;
    bool listens;
    struct talk_hole hole;
    bool is_hole;
};

struct play {
    const char *path;
    unsigned line; /* which is played */
    char *text;    /* of it */
    struct talk *t;
    bool begun;
    unsigned transfers; /* begun so far */
    struct play_var vars[PLAY_VARS];
    size_t vars_count;
    struct play_actor actors[PLAY_ACTORS];
    size_t actors_count;
    char *said[PLAY_SAID]; /* by us, and not looked at yet */
    size_t said_count;
    bool noted[TALK_NOTES]; /* events looked at */
    char *late;             /* what the peer says at... */
    int64_t late_at;
    int within_ms;
    char *file; /* the bytes of the file that goes */
    size_t file_len;
    char file_name[256];
    FILE *log;
    char *log_text;
    size_t log_len;
};

/* --- text -------------------------------------------------------------------- */

const char *play_get(const struct play *p, const char *name); /* or NULL */
void play_set(struct play *p, const char *name, const char *value);
/* With the value of each {name}; the caller frees it. */
char *play_expand(struct play *p, const char *text);
/* The whole text fits the pattern; what it caught is set. */
bool play_match(struct play *p, const char *pattern, const char *text);
/* The next word, taken off; "" at the end. Static, good for some calls. */
const char *play_word(char **text);
/* True, and it is taken off, if the text goes on with it. */
bool play_takes(char **text, const char *words);
int play_ms(struct play *p, const char *word); /* "200ms", "3s" */
size_t play_number(struct play *p, const char *word);

/* --- what happens --------------------------------------------------------------- */

_Noreturn void play_fail(struct play *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* One turn of the world; what we say is collected. */
void play_turn(struct play *p);
void play_log(struct play *p, const char *mark, const char *text);
void play_begin(struct play *p); /* the session is there from here on */
/* The peer says it. */
void play_say(struct play *p, const char *xml);
/* The oldest of what we said, waited for; the caller frees it. */
char *play_next_said(struct play *p);
/* One line of the text. */
void play_line(struct play *p, char *line);
void play_tcp(struct play *p, char *line);
void play_blocks(struct play *p, char *line); /* the peer says them */
void play_take(struct play *p, char *line);   /* we say them */
void play_actors_close(struct play *p);

#endif
