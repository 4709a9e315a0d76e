/* What the files of the sink share: opening and writing, finding what an
 * earlier transfer left, publishing. */
#ifndef XF_STREAM_SINK_INSIDE_H
#define XF_STREAM_SINK_INSIDE_H

#include "base/name.h"
#include "stream/file.h"
#include "stream/journal.h"
#include "stream/part.h"

struct xf_sink {
    int dir;
    int fd;                    /* the part, later the file; locked */
    struct xf_journal journal; /* its `fd` and lines; `of` is not used here */
    uint64_t size;             /* or XF_SINK_SIZE_UNKNOWN */
    uint64_t written;          /* bytes */
    uint64_t durable;          /* of these, synced and noted */
    enum xf_sink_exists exists;
    bool resumed;     /* an earlier transfer made the part */
    bool reserved;    /* the space was asked for */
    bool has_part;    /* the part file has a name in the directory */
    bool has_journal; /* and so has the journal */
    bool dir_synced;  /* with these two names in it */
    bool found_named; /* by an earlier transfer, which could not tell of it */
    bool published;   /* the final name is ours, and was nobody's before */
    bool complete;    /* ... and synced: the journal has nothing left to say */
    bool lost;        /* a sync has failed: nobody knows what is on disk */
    char id[XF_PART_ID + 1];
    char part[XF_PART_FILE + 1];
    char wanted[XF_NAME_MAX + 1];
    char name[XF_NAME_MAX + 1];
};

/* "CALL NAME: what errno says", and its code. */
int xf_sink_failed(const struct xf_sink *sink, const char *call,
                   struct xf_error_info *info);

/* XF_E_EXISTS when `wanted` is taken and not to be replaced, as asked. */
int xf_sink_look_at_name(const struct xf_sink *sink,
                         struct xf_error_info *info);

/* Once it is synced, what an earlier transfer could not: or else an error. */
int xf_sink_sync_directory(struct xf_sink *sink, struct xf_error_info *info);

/* The file at the final name is ours. Who has moved it away since, and put
 * another one there, keeps that. */
bool xf_sink_has_name(const struct xf_sink *sink);

/* Both are tried; what cannot be removed stays, and is found by the next. */
void xf_sink_remove_part(struct xf_sink *sink);
void xf_sink_remove_journal(struct xf_sink *sink);

/*
 * Look through the directory for what earlier transfers left of this peer and
 * name. With `resume` the best that is of the same thing becomes the sink's;
 * the others, unless somebody has them locked, are removed if `tidy`. What
 * cannot be read is not there.
 */
void xf_sink_find(struct xf_sink *sink, const struct xf_part_of *of,
                  bool resume, bool tidy);

#endif
