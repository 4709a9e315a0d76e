/* A word to systemd, where it asked for one (sd_notify(3)). */
#ifndef XFERRY_PROXYD_NOTIFY_H
#define XFERRY_PROXYD_NOTIFY_H

#include <stdint.h>

/* Take NOTIFY_SOCKET and WATCHDOG_USEC out of the environment. */
void xf_notify_open(void);

/* Send "READY=1", "STOPPING=1", or several lines of that kind. Nobody there,
 * or nobody who listens: nothing happens. */
void xf_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Tell that the program reloads; READY=1 has to follow. */
void xf_notify_reloading(void);

/* Pet the watchdog when it is due. Returns the milliseconds until it is due
 * again, or -1 where there is none. */
int64_t xf_notify_watchdog(int64_t now_ms);

void xf_notify_close(void);

#endif
