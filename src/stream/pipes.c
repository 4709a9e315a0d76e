/* A stack of empty pipes: the one used last is warm. */
#include "stream/pipes.h"

#include "base/err.h"
#include "base/sys.h"

int xf_pipes_init(struct xf_pipes *pipes, unsigned most)
{
    *pipes = (struct xf_pipes){ .most = most };
    pipes->copy = xf_sys_alloc(XF_PIPE_COPY);
    return pipes->copy ? 0 : XF_E_LIMIT;
}

static void destroy(struct xf_pipes *pipes, struct xf_pipe *pipe)
{
    xf_sys_close(pipe->ends[0]);
    xf_sys_close(pipe->ends[1]);
    xf_sys_free(pipe);
    pipes->opened--;
}

void xf_pipes_clear(struct xf_pipes *pipes)
{
    struct xf_pipe *pipe;

    if (!pipes)
        return;
    while ((pipe = pipes->home) != NULL) {
        pipes->home = pipe->next;
        destroy(pipes, pipe);
    }
    xf_sys_free(pipes->copy);
    pipes->copy = NULL;
}

static struct xf_pipe *open_one(struct xf_pipes *pipes)
{
    struct xf_pipe *pipe;

    if (pipes->opened >= pipes->most)
        return NULL;
    if (pipes->patience > 0) {
        pipes->patience--;
        return NULL;
    }
    pipe = xf_sys_alloc(sizeof *pipe);
    if (pipe && xf_sys_pipe(pipe->ends, XF_PIPE_SIZE) < 0) {
        xf_sys_free(pipe);
        pipe = NULL;
    }
    if (pipe)
        pipes->opened++;
    else
        pipes->patience = XF_PIPES_PATIENCE;
    return pipe;
}

struct xf_pipe *xf_pipes_lend(struct xf_pipes *pipes)
{
    struct xf_pipe *pipe = pipes->home;

    if (pipe)
        pipes->home = pipe->next;
    else
        pipe = open_one(pipes);
    if (pipe)
        pipes->lent++;
    return pipe;
}

void xf_pipes_give_back(struct xf_pipes *pipes, struct xf_pipe *pipe,
                        size_t left)
{
    if (!pipe)
        return;
    pipes->lent--;
    if (left > 0) {
        destroy(pipes, pipe);
        return;
    }
    pipe->next = pipes->home;
    pipes->home = pipe;
}
