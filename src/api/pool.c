/* The worker threads of a session; what a job is, is stream/job's matter. */
#include "api/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/sys.h"

struct queue {
    struct xf_job *first, **last;
};

struct xf_pool {
    struct xf_jobs jobs; /* first: a runner is its pool */
    struct xf_wake *wake;
    struct xf_loop *loop;
    struct xf_timer *stuck;
    bool watched; /* the timer is on */
    pthread_mutex_t lock;
    pthread_cond_t some;
    struct queue waiting, finished;
    bool stop;
    bool came; /* a job came back since the timer was set */
    int count;
    pthread_t threads[XF_POOL_WORKERS_MAX];
};

static void put(struct queue *q, struct xf_job *job)
{
    job->next = NULL;
    *q->last = job;
    q->last = &job->next;
}

static struct xf_job *take(struct queue *q)
{
    struct xf_job *job = q->first;

    if (job) {
        q->first = job->next;
        if (!q->first)
            q->last = &q->first;
    }
    return job;
}

static void *work(void *arg)
{
    struct xf_pool *pool = arg;

    pthread_mutex_lock(&pool->lock);
    for (;;) {
        struct xf_job *job = take(&pool->waiting);

        if (!job && pool->stop)
            break;
        if (!job) {
            pthread_cond_wait(&pool->some, &pool->lock);
            continue;
        }
        pthread_mutex_unlock(&pool->lock);
        job->run(job);
        pthread_mutex_lock(&pool->lock);
        put(&pool->finished, job);
        pool->came = true;
        xf_wake_send(pool->wake);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static void tell_done(void *ctx)
{
    struct xf_pool *pool = ctx;

    for (;;) {
        struct xf_job *job;

        pthread_mutex_lock(&pool->lock);
        job = take(&pool->finished);
        pthread_mutex_unlock(&pool->lock);
        if (!job)
            return;
        job->done(job);
    }
}

static void watch(struct xf_pool *pool)
{
    pool->watched = true;
    xf_timer_set(pool->stuck, xf_loop_now(pool->loop) + XF_POOL_STUCK_MS);
}

static void submit(struct xf_jobs *jobs, struct xf_job *job)
{
    struct xf_pool *pool = (struct xf_pool *)jobs;

    if (pool->count == 0) {
        job->run(job);
        job->done(job);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    put(&pool->waiting, job);
    pthread_cond_signal(&pool->some);
    pthread_mutex_unlock(&pool->lock);
    if (!pool->watched)
        watch(pool);
}

/* Signals are the embedder's: its handlers run in its own threads. */
static int start(struct xf_pool *pool, int workers)
{
    sigset_t all, old;
    int err = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (err == 0 && pool->count < workers) {
        if (pthread_create(&pool->threads[pool->count], NULL, work, pool) != 0)
            err = XF_E_LIMIT;
        else
            pool->count++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return err;
}

static void look(void *ctx)
{
    struct xf_pool *pool = ctx;
    bool waits, stuck;

    pthread_mutex_lock(&pool->lock);
    waits = pool->waiting.first != NULL;
    stuck = waits && !pool->came;
    pool->came = false;
    pthread_mutex_unlock(&pool->lock);
    /* Without memory for one it stays as it is. */
    if (stuck && pool->count < XF_POOL_WORKERS_MAX)
        (void)start(pool, pool->count + 1);
    pool->watched = false;
    if (waits)
        watch(pool);
}

int xf_pool_new(struct xf_pool **out, struct xf_loop *loop, int workers)
{
    struct xf_pool *pool = xf_sys_alloc(sizeof *pool);
    int err;

    if (!pool)
        return XF_E_LIMIT;
    pool->jobs.submit = submit;
    pool->waiting.last = &pool->waiting.first;
    pool->finished.last = &pool->finished.first;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->some, NULL);
    if (workers > XF_POOL_WORKERS_MAX)
        workers = XF_POOL_WORKERS_MAX;
    pool->loop = loop;
    if ((err = xf_wake_new(loop, tell_done, pool, &pool->wake)) != 0 ||
        (err = xf_timer_new(loop, look, pool, &pool->stuck)) != 0 ||
        (err = start(pool, workers)) != 0) {
        xf_pool_free(pool);
        return err;
    }
    *out = pool;
    return 0;
}

void xf_pool_free(struct xf_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->some);
    pthread_mutex_unlock(&pool->lock);
    while (pool->count > 0)
        pthread_join(pool->threads[--pool->count], NULL);
    tell_done(pool);
    xf_timer_free(pool->stuck);
    xf_wake_free(pool->wake);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->some);
    xf_sys_free(pool);
}

struct xf_jobs *xf_pool_jobs(struct xf_pool *pool)
{
    return &pool->jobs;
}
