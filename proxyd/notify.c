/* sd_notify(3) by a datagram of our own: it is a line of text, and libsystemd
 * would be a library more. */
#include "notify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static struct {
    int fd;
    struct sockaddr_un to;
    socklen_t len;
    int64_t every_ms, next_ms; /* of the watchdog; 0: there is none */
} state = { .fd = -1 };

static void open_socket(const char *name)
{
    size_t len = strlen(name);

    if ((*name != '/' && *name != '@') || len >= sizeof state.to.sun_path)
        return;
    state.to.sun_family = AF_UNIX;
    memcpy(state.to.sun_path, name, len + 1);
    if (*name == '@')
        state.to.sun_path[0] = '\0';
    state.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len +
                            (*name == '/'));
    state.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

/* Twice in its time, as sd_watchdog_enabled(3) advises. */
static void take_watchdog(const char *usec, const char *pid)
{
    if (!usec || (pid && strtol(pid, NULL, 10) != (long)getpid()))
        return;
    state.every_ms = (int64_t)(strtoull(usec, NULL, 10) / 2000);
}

void xf_notify_open(void)
{
    const char *name = getenv("NOTIFY_SOCKET");

    if (name)
        open_socket(name);
    take_watchdog(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void xf_notify(const char *format, ...)
{
    char text[512];
    va_list args;

    if (state.fd < 0)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sendto(state.fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
           (struct sockaddr *)&state.to, state.len);
}

void xf_notify_reloading(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    xf_notify("RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
              (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000);
}

int64_t xf_notify_watchdog(int64_t now_ms)
{
    if (state.fd < 0 || state.every_ms <= 0)
        return -1;
    if (now_ms >= state.next_ms) {
        xf_notify("WATCHDOG=1");
        state.next_ms = now_ms + state.every_ms;
    }
    return state.next_ms - now_ms;
}

void xf_notify_close(void)
{
    if (state.fd >= 0)
        close(state.fd);
    state.fd = -1;
}
