/*
 * The journal beside a part file: what the part is of, how much of it is safe,
 * and which name it was about to get. It is what a later transfer, or a later
 * process, believes; so each line is closed by a checksum over all before it,
 * and a line that is torn or altered ends the reading.
 *
 *     xferry-part 1 peer=juliet@example.net name=a%20b size=9 dev=1 ino=2 <sum>
 *     durable 16777216 <sum>
 *     as a%20b 33554432 <sum>
 */
#ifndef XF_STREAM_JOURNAL_H
#define XF_STREAM_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/name.h"
#include "stream/file.h"
#include "stream/part.h"

#define XF_JOURNAL_MAX (64u << 10)         /* bytes; begun anew before */
#define XF_JOURNAL_PEER_MAX (2 * 1023 + 1) /* a bare JID */
#define XF_JOURNAL_HASH_MAX 64
#define XF_JOURNAL_SUM 16 /* hex digits that close a line */

enum xf_journal_end {
    XF_JOURNAL_PART, /* no name was tried */
    XF_JOURNAL_AS,   /* `as`, if nobody has that name */
    XF_JOURNAL_OVER, /* `as`, in place of a file of that name */
};

struct xf_journal {
    int fd; /* -1: none */

    /* What it says; strings are "" and NULL in `of` where there is none. */
    struct xf_part_of of;
    uint64_t dev, ino; /* of the part */
    uint64_t durable;  /* bytes of the part */
    enum xf_journal_end end;
    char as[XF_NAME_MAX + 1];
    uint64_t as_size; /* bytes of the file, whole */

    /* Where `of` points to, once it was read. */
    char peer[XF_JOURNAL_PEER_MAX + 1];
    char name[XF_NAME_MAX + 1];
    char version[XF_PART_VERSION_MAX + 1];
    char hash[XF_JOURNAL_HASH_MAX + 1];

    size_t first;  /* bytes of the first line */
    size_t length; /* bytes of all good lines */
    char first_sum[XF_JOURNAL_SUM + 1];
    char sum[XF_JOURNAL_SUM + 1]; /* of the last good line */
};

/* Whether it can be written down at all: nothing is too long. */
bool xf_journal_fits(const struct xf_part_of *of);

/*
 * Begin one for the part `id` that is the file dev, ino. `journal` needs no
 * preparation; its `of` stays empty. Returns 0, or an XF_E_ code with errno
 * kept; then it is closed and what was made of it is removed.
 */
int xf_journal_create(struct xf_journal *journal, int dir, const char *id,
                      const struct xf_part_of *of, uint64_t dev, uint64_t ino);

/*
 * Open and read the one of the part `id`. False when there is none, it is not
 * ours or its first line is not good; then it is closed.
 */
bool xf_journal_open(struct xf_journal *journal, int dir, const char *id);
/* Again, since its owner may have gone on until now. False, as above. */
bool xf_journal_reread(struct xf_journal *journal);

/* What a journal of these bytes says; `fd` is left alone. False: nothing. */
bool xf_journal_parse(struct xf_journal *journal, const char *text, size_t len);

/*
 * Add a line, and sync the journal. What it says must be so on disk already.
 * Each returns 0, or an XF_E_ code with errno kept.
 */
int xf_journal_durable(struct xf_journal *journal, uint64_t bytes);
int xf_journal_as(struct xf_journal *journal, const char *name, uint64_t size,
                  bool over);
/* Forget what was durable, then note this: of a part that was cut. */
int xf_journal_restart(struct xf_journal *journal, uint64_t bytes);

void xf_journal_close(struct xf_journal *journal);

#endif
