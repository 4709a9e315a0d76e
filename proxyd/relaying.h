/* The worker's own side: what a process does that relays for a front. */
#ifndef PROXYD_RELAYING_H
#define PROXYD_RELAYING_H

/*
 * Relay what comes over the channel until it ends. Leaves nothing open but
 * the channel and descriptors 0 to 2; for a process that was just forked.
 * Never returns.
 */
_Noreturn void relaying_run(int channel, unsigned pipes);

#endif
