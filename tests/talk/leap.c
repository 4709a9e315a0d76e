/* The clock of a test program; see the header. */
#include "leap.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_int ahead_ms;

int clock_gettime(clockid_t clock, struct timespec *ts)
{
    int ms = atomic_load(&ahead_ms);
    long result = syscall(SYS_clock_gettime, clock, ts);

    if (result != 0 ||
        (clock != CLOCK_MONOTONIC && clock != CLOCK_MONOTONIC_COARSE))
        return (int)result;
    ts->tv_sec += ms / 1000;
    ts->tv_nsec += (ms % 1000) * 1000000L;
    if (ts->tv_nsec >= 1000000000L) {
        ts->tv_nsec -= 1000000000L;
        ts->tv_sec++;
    }
    return 0;
}

void talk_leap(int ms)
{
    atomic_fetch_add(&ahead_ms, ms);
}
