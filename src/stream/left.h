/*
 * What a transfer has left in a directory, part and journal together: read,
 * taken hold of, removed. Whether it is of any use is for others.
 */
#ifndef XF_STREAM_LEFT_H
#define XF_STREAM_LEFT_H

#include <stdbool.h>
#include <sys/stat.h>

#include "stream/journal.h"
#include "stream/part.h"

struct xf_left {
    char id[XF_PART_ID + 1]; /* set by the caller, then read */
    bool known;              /* there is a good journal */
    struct xf_journal journal;
    enum xf_part_state state; /* of the part, once it was taken */
    int fd;                   /* part or file, locked; -1: neither */
    struct stat st;           /* of `fd` */
    bool named; /* it has got its final name, `journal.as`; that is the file */
};

/* Read the journal of `id`, take nothing. Returns `known`. */
bool xf_left_read(struct xf_left *left, int dir);

/*
 * Take hold of the part, or of the file it has become, and read the journal
 * again. True when all of it is in our hands, be there a part or none; else it
 * is somebody's, and nothing is held.
 */
bool xf_left_take(struct xf_left *left, int dir);

/* Whether what is held is the file that the journal is of. */
bool xf_left_is_of_journal(const struct xf_left *left);

/*
 * Remove part and journal of what is taken, never what has its final name.
 * False, with errno, when one of them stays.
 */
bool xf_left_remove(const struct xf_left *left, int dir);

/* Close all; whatever was done to it before. */
void xf_left_let_go(struct xf_left *left);

#endif
