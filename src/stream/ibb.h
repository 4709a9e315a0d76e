/*
 * The bytes of in-band blocks, out of a source. Counting and pacing blocks is
 * for proto/ibb; what is received goes into an intake.
 */
#ifndef XF_STREAM_IBB_H
#define XF_STREAM_IBB_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "stream/file.h"

/* Stored by the caller; set by init, needs no clearing. */
struct xf_ibb_reader {
    const struct xf_source *source; /* the caller's */
    uint64_t next;    /* where the next block begins in the file */
    uint64_t end;     /* where the last one ends */
    uint64_t fetched; /* the kernel was told to fetch up to here */
};

void xf_ibb_reader_init(struct xf_ibb_reader *reader,
                        const struct xf_source *source, uint64_t offset,
                        uint64_t length);

/*
 * The next block: `block_size` bytes, fewer only at the end. The size may
 * differ from call to call.
 *
 * Returns the bytes in `buf`, 0 when all were read, or a negative XF_E_ code
 * with `info`: XF_E_SRC (the source changed; the last block was not given
 * out), XF_E_IO.
 */
ssize_t xf_ibb_reader_next(struct xf_ibb_reader *reader, void *buf,
                           size_t block_size, struct xf_error_info *info);

/* Bytes that are still to come. */
uint64_t xf_ibb_reader_left(const struct xf_ibb_reader *reader);

#endif
