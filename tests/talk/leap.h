/*
 * A clock that can be put forward, for what is a minute long by design. Linked
 * into a test program it takes the place of the C library's clock_gettime(),
 * also for the event loop. Nobody's sleep becomes shorter by it.
 */
#ifndef XF_TALK_LEAP_H
#define XF_TALK_LEAP_H

/* From now on it is `ms` later than it was. */
void talk_leap(int ms);

#endif
