/* The messages between front and worker, and the descriptors they carry. */
#include "channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int channel_open(int ends[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                      ends);
}

/* ETOOMANYREFS: as many descriptors as the user may have are under way. */
static enum channel_result result_of(int err)
{
    switch (err) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
    case ETOOMANYREFS:
        return CHANNEL_LATER;
    default:
        return CHANNEL_OVER;
    }
}

union control {
    char room[CMSG_SPACE(2 * sizeof(int))];
    struct cmsghdr head;
};

enum channel_result channel_send(int channel, const void *bytes, size_t len,
                                 const int *fds)
{
    struct iovec part = { (void *)(uintptr_t)bytes, len };
    union control control = { { 0 } };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    ssize_t n;

    if (fds) {
        struct cmsghdr *head;

        message.msg_control = control.room;
        message.msg_controllen = sizeof control.room;
        head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(2 * sizeof(int));
        memcpy(CMSG_DATA(head), fds, 2 * sizeof(int));
    }
    do {
        n = sendmsg(channel, &message, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? result_of(errno) : CHANNEL_DONE;
}

/* Whatever came, so that nothing is left open by accident: two, or none. */
static void take(struct msghdr *message, int fds[2])
{
    int got[2];

    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head;
         head = CMSG_NXTHDR(message, head)) {
        size_t count;

        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(got, CMSG_DATA(head), (count < 2 ? count : 2) * sizeof(int));
        if (count == 2) {
            memcpy(fds, got, sizeof got);
            return;
        }
        if (count == 1)
            close(got[0]);
    }
}

enum channel_result channel_receive(int channel, void *bytes, size_t max,
                                    size_t *len, int fds[2])
{
    struct iovec part = { bytes, max };
    union control control;
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    ssize_t n;

    if (fds) {
        fds[0] = fds[1] = -1;
        message.msg_control = control.room;
        message.msg_controllen = sizeof control.room;
    }
    do {
        n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 ? result_of(errno) : CHANNEL_OVER;
    if (fds)
        take(&message, fds);
    *len = (size_t)n;
    return CHANNEL_DONE;
}
