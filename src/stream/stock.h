/*
 * What all intakes of a session have in buffers, together: so many do not need
 * as much memory as one that is alone may have.
 */
#ifndef XF_STREAM_STOCK_H
#define XF_STREAM_STOCK_H

#include <stddef.h>

struct xf_stock {
    size_t bytes; /* in use, or at hand */
    size_t most;  /* beyond that each has one small buffer at a time */
};

#endif
