/*
 * Splices through a lent pipe. Bytes come in only once all before them are
 * out and `out` takes some: so a pipe is held for long by none but a
 * direction whose `out` stopped in the middle of it.
 */
#include "stream/flow.h"

#include <errno.h>

static bool later(int err)
{
    return err == EAGAIN || err == EWOULDBLOCK || err == EINTR;
}

static void let_go(struct xf_flow *flow, struct xf_pipes *pipes)
{
    xf_pipes_give_back(pipes, flow->pipe, flow->held);
    flow->pipe = NULL;
    flow->held = 0;
}

void xf_flow_stop(struct xf_flow *flow, struct xf_pipes *pipes)
{
    let_go(flow, pipes);
    flow->over = true;
}

static enum xf_flow_status stop_with(struct xf_flow *flow, int err,
                                     enum xf_flow_status broken)
{
    flow->err = err;
    return xf_sys_is_broken(err) ? broken : XF_FLOW_FAILED;
}

/* What came of a call on `in`, which brought no bytes. */
static enum xf_flow_status nothing_came(struct xf_flow *flow, ssize_t n)
{
    if (n == 0 && !flow->broken) {
        flow->ending = true;
        return XF_FLOW_MORE;
    }
    if (n == 0) {
        flow->err = ECONNRESET;
        return XF_FLOW_CUT;
    }
    if (!later(errno))
        return stop_with(flow, errno, XF_FLOW_CUT);
    flow->readable = false;
    return XF_FLOW_AGAIN;
}

/* And of one on `out`, which took none. */
static enum xf_flow_status nothing_went(struct xf_flow *flow, ssize_t n)
{
    if (n < 0 && !later(errno))
        return stop_with(flow, errno, XF_FLOW_SHUT);
    flow->writable = false;
    return XF_FLOW_AGAIN;
}

static enum xf_flow_status take_in(struct xf_flow *flow, size_t len,
                                   uint64_t *taken)
{
    ssize_t n = xf_sys_splice(flow->in, flow->pipe->ends[1], len, NULL);

    if (n <= 0)
        return nothing_came(flow, n);
    flow->held = (size_t)n;
    *taken += (size_t)n;
    return XF_FLOW_MORE;
}

static enum xf_flow_status put_out(struct xf_flow *flow,
                                   struct xf_sys_sigpipe *held)
{
    ssize_t n = xf_sys_splice(flow->pipe->ends[0], flow->out, flow->held, held);

    if (n <= 0)
        return nothing_went(flow, n);
    flow->held -= (size_t)n;
    flow->moved += (size_t)n;
    return XF_FLOW_MORE;
}

/*
 * Without a pipe. The bytes stay where they are until it is known how many
 * `out` takes: so none has to be kept, of however many directions.
 */
static enum xf_flow_status copy(struct xf_flow *flow, struct xf_pipes *pipes,
                                size_t len, uint64_t *taken)
{
    ssize_t n = xf_sys_recv(flow->in, pipes->copy,
                            len < XF_PIPE_COPY ? len : XF_PIPE_COPY, MSG_PEEK);

    if (n <= 0)
        return nothing_came(flow, n);
    n = xf_sys_send(flow->out, pipes->copy, (size_t)n);
    if (n <= 0)
        return nothing_went(flow, n);
    flow->moved += (size_t)n;
    flow->copied += (size_t)n;
    *taken += (size_t)n;
    if (xf_sys_drop(flow->in, (size_t)n) == n)
        return XF_FLOW_MORE;
    /* They would go out twice. */
    flow->err = EIO;
    return XF_FLOW_FAILED;
}

static enum xf_flow_status pass_on_end(struct xf_flow *flow)
{
    if (xf_sys_shutdown(flow->out, SHUT_WR) < 0)
        return stop_with(flow, errno, XF_FLOW_SHUT);
    return XF_FLOW_DONE;
}

/* One call; MORE when another is due. */
static enum xf_flow_status move(struct xf_flow *flow, struct xf_pipes *pipes,
                                uint64_t most, uint64_t *taken,
                                struct xf_sys_sigpipe *held)
{
    uint64_t left = most - *taken;
    size_t len = left < XF_PIPE_SIZE ? (size_t)left : XF_PIPE_SIZE;

    if (flow->held > 0)
        return put_out(flow, held);
    if (flow->ending)
        return pass_on_end(flow);
    if (!flow->pipe)
        flow->pipe = xf_pipes_lend(pipes);
    if (!flow->pipe)
        return copy(flow, pipes, len, taken);
    return take_in(flow, len, taken);
}

static bool is_stuck(const struct xf_flow *flow)
{
    if (flow->ending && flow->held == 0)
        return false;
    return !flow->writable || (flow->held == 0 && !flow->readable);
}

enum xf_flow_status xf_flow_step(struct xf_flow *flow, struct xf_pipes *pipes,
                                 uint64_t most, uint64_t *taken,
                                 struct xf_sys_sigpipe *held)
{
    enum xf_flow_status status = XF_FLOW_MORE;

    *taken = 0;
    while (status == XF_FLOW_MORE && !is_stuck(flow)) {
        /* No small piece to fill a turn: its call costs as much. */
        if (flow->held == 0 && !flow->ending &&
            (*taken >= most || *taken >= XF_FLOW_TURN))
            break;
        status = move(flow, pipes, most, taken, held);
    }
    if (status == XF_FLOW_MORE && is_stuck(flow))
        status = XF_FLOW_AGAIN;
    if (status > XF_FLOW_MORE)
        xf_flow_stop(flow, pipes);
    else if (flow->held == 0)
        let_go(flow, pipes);
    return status;
}
