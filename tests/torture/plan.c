/* The gate of the torture: counts the calls of one end, and lets one of them
 * fail or be the last. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "shim.h"
#include "torture.h"

struct plan plan;
unsigned char plan_calls[CALLS_MAX];

/* What a kernel really says; 0 ends a list. EINTR is not among them, since
 * `base/sys` takes it, and not what only a mistake of ours would give. */
static const struct {
    const char *name;
    int errnos[10];
} kinds[XF_SYS_CALLS] = {
    [XF_SYS_ALLOC] = { "alloc", { ENOMEM } },
    [XF_SYS_CLOCK] = { "clock", { 0 } },
    [XF_SYS_RANDOM] = { "random", { ENOSYS, EIO } },
    [XF_SYS_OPEN] = { "open",
                      { EMFILE, ENFILE, ENOMEM, EACCES, EROFS, ENOSPC, EDQUOT,
                        EIO } },
    [XF_SYS_CLOSE] = { "close", { EIO, ENOSPC, EDQUOT } },
    [XF_SYS_READ] = { "read", { EIO, ENOMEM } },
    [XF_SYS_WRITE] = { "write", { EIO, ENOSPC, EDQUOT, EROFS } },
    [XF_SYS_STAT] = { "stat", { EIO, EACCES, ENOMEM } },
    [XF_SYS_SYNC] = { "sync", { EIO, ENOSPC, EDQUOT, EROFS, EINVAL } },
    [XF_SYS_LINK] = { "link", { EIO, ENOSPC, EDQUOT, EROFS, EACCES, ENOMEM } },
    [XF_SYS_UNLINK] = { "unlink", { EIO, EROFS, EACCES, ENOMEM } },
    [XF_SYS_RENAME] = { "rename",
                        { EIO, ENOSPC, EDQUOT, EROFS, EACCES, ENOMEM, EINVAL,
                          EEXIST } },
    [XF_SYS_ALLOCATE] = { "allocate",
                          { ENOSPC, EDQUOT, EIO, EOPNOTSUPP, ENOSYS } },
    [XF_SYS_LOCK] = { "lock", { ENOLCK, EWOULDBLOCK, EOPNOTSUPP } },
    [XF_SYS_LIST] = { "list", { EMFILE, ENFILE, ENOMEM, EIO } },
    [XF_SYS_SOCKET] = { "socket",
                        { EMFILE, ENFILE, ENOMEM, ENOBUFS, EAFNOSUPPORT } },
    [XF_SYS_CONNECT] = { "connect",
                         { ECONNREFUSED, ENETUNREACH, ETIMEDOUT, EADDRNOTAVAIL,
                           EAGAIN } },
    [XF_SYS_BIND] = { "bind", { EADDRINUSE, EADDRNOTAVAIL, EACCES } },
    [XF_SYS_LISTEN] = { "listen", { EADDRINUSE } },
    [XF_SYS_ACCEPT] = { "accept",
                        { EMFILE, ENFILE, ENOMEM, EAGAIN, ECONNABORTED } },
    [XF_SYS_RECV] = { "recv", { ECONNRESET, EAGAIN, ENOMEM, ETIMEDOUT } },
    [XF_SYS_SEND] = { "send", { ECONNRESET, EPIPE, EAGAIN, ENOBUFS } },
    [XF_SYS_SENDFILE] = { "sendfile",
                          { ECONNRESET, EPIPE, EAGAIN, EIO, ENOMEM } },
    [XF_SYS_SHUTDOWN] = { "shutdown", { ENOTCONN } },
    [XF_SYS_SOCKOPT] = { "sockopt", { ENOBUFS, EINVAL } },
    [XF_SYS_PIPE] = { "pipe", { EMFILE, ENFILE, EPERM } },
    [XF_SYS_SPLICE] = { "splice",
                        { ECONNRESET, EPIPE, EAGAIN, EINVAL, ENOMEM } },
    [XF_SYS_EPOLL] = { "epoll", { EMFILE, ENOMEM, ENOSPC } },
};

unsigned plan_errnos(enum xf_sys_call call)
{
    unsigned n = 0;

    while (kinds[call].errnos[n] != 0)
        n++;
    return n;
}

const char *plan_call_name(enum xf_sys_call call)
{
    return kinds[call].name;
}

static int gate(enum xf_sys_call call, void *ctx)
{
    struct plan *p = ctx;
    unsigned n;

    if (stage_now != p->who || !(p->kinds & CALL(call)))
        return 0;
    p->count++;
    if (p->at == 0 && p->count < CALLS_MAX)
        plan_calls[p->count] = (unsigned char)call;
    if (p->at == 0 || p->count < p->at || (p->count > p->at && !p->on))
        return 0;
    p->met = true;
    p->call = call;
    if (p->deed == DIE_BEFORE)
        (void)kill(getpid(), SIGKILL);
    if (p->deed == DIE_BEHIND) {
        shim_die_behind = true;
        return 0;
    }
    n = plan_errnos(call);
    p->met_err = p->err ? p->err : n ? kinds[call].errnos[p->variant % n] : 0;
    return p->met_err;
}

void plan_set(const struct plan *p)
{
    plan = *p;
    xf_sys_set_gate(gate, &plan);
}

void plan_clear(void)
{
    xf_sys_set_gate(NULL, NULL);
}
