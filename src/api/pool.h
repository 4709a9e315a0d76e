/*
 * A few threads for what blocks: writes, syncs, hashes. Of the session's own,
 * not libuv's process-wide pool, which an embedder may need itself. With no
 * workers a job runs where it is submitted.
 *
 * A disk that hangs takes the thread that writes to it. While none has come
 * back for XF_POOL_STUCK_MS and jobs wait, one more is made, up to the ceiling:
 * the files of other disks go on.
 */
#ifndef XF_API_POOL_H
#define XF_API_POOL_H

#include "net/loop.h"
#include "stream/job.h"

#define XF_POOL_WORKERS_MAX 16
#define XF_POOL_STUCK_MS 200

struct xf_pool;

/* `done` of each job is called by the loop's thread. XF_E_LIMIT on failure. */
int xf_pool_new(struct xf_pool **out, struct xf_loop *loop, int workers);

/* Runs what is queued, waits for it, then frees. NULL is fine. */
void xf_pool_free(struct xf_pool *pool);

/* The runner to hand to what has jobs. Belongs to the pool. */
struct xf_jobs *xf_pool_jobs(struct xf_pool *pool);

#endif
