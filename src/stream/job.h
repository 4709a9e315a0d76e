/*
 * What may block is a job: described here, run by somebody else, usually in a
 * thread of a pool. Who runs it, and when, is not known on this floor.
 */
#ifndef XF_STREAM_JOB_H
#define XF_STREAM_JOB_H

/*
 * Embedded in what it works for. From submit to `done` it belongs to the
 * runner, and what it touches belongs to it.
 */
struct xf_job {
    void (*run)(struct xf_job *job);  /* in any thread; may block */
    void (*done)(struct xf_job *job); /* in the session's thread, once */
    struct xf_job *next;              /* for the runner's queue */
};

/*
 * A runner. submit() cannot fail. Every job handed in comes to its `done`,
 * also when the runner is about to be freed: many free themselves there.
 */
struct xf_jobs {
    void (*submit)(struct xf_jobs *jobs, struct xf_job *job);
};

/*
 * Runs the job and calls its `done` before submit() returns. So a caller that
 * submits may find itself finished, or freed, on the line behind; what is on
 * this floor is written for that.
 */
extern struct xf_jobs xf_jobs_inline;

#endif
