/* What a thing that is stepped waits for; whoever owns the loop watches it. */
#ifndef XF_STREAM_WANT_H
#define XF_STREAM_WANT_H

#define XF_WANT_READ 1
#define XF_WANT_WRITE 2

#endif
