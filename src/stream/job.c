/* The runner that needs no thread; the one with threads is api/pool. */
#include "stream/job.h"

static void submit(struct xf_jobs *jobs, struct xf_job *job)
{
    (void)jobs;
    job->run(job);
    job->done(job);
}

struct xf_jobs xf_jobs_inline = { submit };
