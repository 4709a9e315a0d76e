/*
 * Part files and journals as they lie in a directory: what they are called,
 * and how one that is there is taken hold of. What is in them is for sink and
 * journal.
 */
#ifndef XF_STREAM_PART_H
#define XF_STREAM_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#define XF_PART_ID 16 /* hex digits, by chance */
#define XF_PART_FILE (sizeof ".xf-.journal" - 1 + XF_PART_ID)

enum xf_part_kind { XF_PART_BYTES, XF_PART_JOURNAL };

/* ".xf-<id>.part" or ".xf-<id>.journal" */
void xf_part_file(const char *id, enum xf_part_kind kind,
                  char out[XF_PART_FILE + 1]);
/* Whether `file` is called like that; then `id` and `kind` say which. */
bool xf_part_read_file(const char *file, char id[XF_PART_ID + 1],
                       enum xf_part_kind *kind);

enum xf_part_state {
    XF_PART_OURS,   /* a regular file of our user; open, and locked by us */
    XF_PART_ABSENT, /* there is none */
    XF_PART_BUSY,   /* another one has it locked, or took it away just now */
    XF_PART_ODD,    /* no regular file, a symbolic link for one */
    XF_PART_CLOSED, /* of another user, or cannot be opened or locked */
};

/*
 * Take hold of the file `name`, to be written to with `write`. For
 * XF_PART_OURS alone `fd` and `st` are set; who closes `fd` lets go of it.
 */
enum xf_part_state xf_part_take(int dir, const char *name, bool write, int *fd,
                                struct stat *st);

/* Whether this name in the directory is (still) this file. */
bool xf_part_is_at(int dir, const char *name, const struct stat *st);

#endif
