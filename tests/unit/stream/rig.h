/*
 * What the tests of this floor share: a directory of their own, a runner that
 * is slow on command, sockets, and a gate that counts or fails calls.
 */
#ifndef TESTS_STREAM_RIG_H
#define TESTS_STREAM_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sys.h"
#include "stream/file.h"
#include "stream/job.h"

/* --- a directory --------------------------------------------------------- */

/* Per test: a new empty directory; at the end no descriptor is left open. */
extern int rig_dir;
extern char rig_path[64];
int rig_setup(void **state);
int rig_teardown(void **state);
#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

/* Entries of the directory, without "." and "..". */
unsigned rig_entries(void);
bool rig_exists(const char *name);
/* Remove the files in it, or in a directory in it. */
void rig_empty(const char *name);
/* The name of the only part file; static. */
const char *rig_part(void);
void rig_make(const char *name, const void *bytes, size_t len);
/* Exactly these bytes, in a regular file. */
void rig_assert_file(const char *name, const void *bytes, size_t len);
/* rig_path/name; static. */
const char *rig_file(const char *name);
/* `len` bytes that do not repeat soon; freed by the caller. */
char *rig_bytes(size_t len);
/* Numbers that are the same in every run. */
uint32_t rig_random(uint32_t below);

/* --- sinks --------------------------------------------------------------- */

/* A new one in `dir`, of a file that a contact offers without hash. */
int rig_sink(struct xf_sink **out, int dir, const char *name, uint64_t size,
             enum xf_sink_exists exists, struct xf_error_info *info);

/* --- jobs ---------------------------------------------------------------- */

struct rig_jobs {
    struct xf_jobs jobs;
    struct xf_job *first, **last;
    unsigned submitted;
};

/* Jobs wait until rig_run(). */
void rig_jobs_init(struct rig_jobs *jobs);
/* Run one and call its done; false when there is none. */
bool rig_run(struct rig_jobs *jobs);
void rig_run_all(struct rig_jobs *jobs);

/* --- sockets ------------------------------------------------------------- */

/* Two ends of a TCP connection over loopback, both non-blocking. */
void rig_connect(int fds[2]);
/* Close, so that the other side sees a reset. */
void rig_reset(int fd);
/* Wait up to ten seconds until it is readable; false when it is not. */
bool rig_readable(int fd);
bool rig_writable(int fd);
/* Bytes that wait to be read. */
int rig_waiting(int fd);
void rig_send(int fd, const void *bytes, size_t len);
/* Exactly `len` bytes. */
void rig_recv(int fd, void *bytes, size_t len);
/* The other side has ended in order. */
void rig_assert_end(int fd);

/* --- the gate ------------------------------------------------------------ */

struct rig_gate {
    int only;      /* an xf_sys_call that counts, or -1 for each */
    unsigned fail; /* the call that fails, 1 is the first; 0: none */
    bool onward;   /* and all behind it */
    int err;
    unsigned calls; /* so far */
    bool failed;    /* some call did */
    enum xf_sys_call log[4096];
};

void rig_gate_on(struct rig_gate *gate);
void rig_gate_off(void);

#endif
