/* Blocks out of a source, in order; read ahead so that they seldom wait. */
#include "stream/ibb.h"

#define AHEAD (1u << 20) /* bytes the kernel is asked to fetch at once */

void xf_ibb_reader_init(struct xf_ibb_reader *reader,
                        const struct xf_source *source, uint64_t offset,
                        uint64_t length)
{
    *reader = (struct xf_ibb_reader){
        .source = source,
        .next = offset,
        .end = offset + length,
        .fetched = offset,
    };
}

/* Half of what was fetched is still unread when the next part is asked for. */
static void fetch_ahead(struct xf_ibb_reader *reader)
{
    if (reader->fetched >= reader->end ||
        reader->fetched > reader->next + AHEAD / 2)
        return;
    xf_source_will_read(reader->source, reader->fetched, AHEAD);
    reader->fetched += AHEAD;
}

/*
 * Looked at behind each read: whoever gets the last block has the whole file,
 * so it must not be one that was put together from two.
 */
ssize_t xf_ibb_reader_next(struct xf_ibb_reader *reader, void *buf,
                           size_t block_size, struct xf_error_info *info)
{
    uint64_t left = xf_ibb_reader_left(reader);
    size_t len = left < block_size ? (size_t)left : block_size;
    ssize_t n;

    fetch_ahead(reader);
    n = xf_source_read(reader->source, buf, len, reader->next, info);
    if (n < 0)
        return n;
    if ((size_t)n < len || xf_source_changed(reader->source))
        return -xf_source_set_changed(reader->source, info);
    reader->next += len;
    return n;
}

uint64_t xf_ibb_reader_left(const struct xf_ibb_reader *reader)
{
    return reader->end - reader->next;
}
