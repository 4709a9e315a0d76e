/*
 * Between the program and its kernel: calls of the C library that this file
 * puts its own in place of, so that clocks leap (the same in all processes of
 * a test), counts are short, a process dies right behind a call, and what is
 * done to a directory is written down.
 */
#ifndef XF_TORTURE_SHIM_H
#define XF_TORTURE_SHIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One for all processes of a test. */
struct shim_shared {
    atomic_llong ahead_ms; /* of the monotonic clock */
    atomic_llong wall_s;   /* of the other one */
    atomic_ullong carried; /* bytes that went into sockets, not stanzas */
};
extern struct shim_shared *shim_shared;

/* Map it; before any fork. */
void shim_begin(void);

int64_t shim_now_ms(void); /* monotonic, with leaps */
void shim_leap(int64_t ms);

/* SIGKILL behind the next call of a file or a socket in this process. */
extern bool shim_die_behind;

/* Reads, writes, receives and sends move so many bytes at most; 0: all. */
extern size_t shim_short;

/* What happens to files, in order; NULL: nobody listens. */
enum shim_what {
    SHIM_CREATE,   /* name, ino */
    SHIM_WRITE,    /* ino, offset, bytes, len */
    SHIM_TRUNCATE, /* ino, offset */
    SHIM_SYNC,     /* ino; of a directory too */
    SHIM_LINK,     /* name -> to, ino */
    SHIM_RENAME,   /* name -> to, ino */
    SHIM_UNLINK,   /* name, ino */
};
struct shim_deed {
    enum shim_what what;
    const char *name, *to;
    uint64_t ino, offset;
    const void *bytes;
    size_t len;
};
extern void (*shim_observer)(const struct shim_deed *deed);

/* Have files in a rebuilt directory the inodes that they had. */
#define SHIM_INODES 16
extern struct {
    uint64_t real, told;
} shim_inode[SHIM_INODES];
extern size_t shim_inodes;

#endif
