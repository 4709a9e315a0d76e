/* A file over a socket: whole, or with a reason, and the end known for sure. */
#include "rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream/pump.h"

static struct xf_error_info info;
static struct rig_jobs jobs;

/* --- sending ------------------------------------------------------------- */

static struct xf_source *source;
static struct xf_pump *sender;
static int peer;

static void make_source(const void *bytes, size_t len)
{
    rig_make("source", bytes, len);
    assert_int_equal(xf_source_open(&source, rig_file("source"), &info), 0);
}

static void begin_sending(const void *bytes, size_t len)
{
    int fds[2];

    make_source(bytes, len);
    rig_connect(fds);
    assert_int_equal(xf_pump_send(&sender, source, 0, len, fds[0]), 0);
    peer = fds[1];
}

static void end_sending(void)
{
    xf_pump_free(sender);
    xf_source_close(source);
    if (peer >= 0)
        close(peer);
}

static enum xf_pump_status step_sender(void)
{
    uint64_t before = xf_pump_bytes(sender);
    enum xf_pump_status status = xf_pump_step(sender);

    assert_true(xf_pump_bytes(sender) - before <= XF_PUMP_STEP);
    return status;
}

/* Take what comes, up to `max` bytes; how many. */
static size_t drain(char *buf, size_t max)
{
    size_t have = 0;
    ssize_t n;

    while (have < max && (n = recv(peer, buf + have, max - have, 0)) > 0)
        have += (size_t)n;
    return have;
}

/* Until the sender waits for our end, or has failed. */
static size_t take_all(char *buf, size_t max)
{
    size_t have = 0;

    for (int i = 0; i < 100000; i++) {
        enum xf_pump_status status = step_sender();

        have += drain(buf + have, max - have);
        if (status != XF_PUMP_AGAIN || xf_pump_waiting(sender))
            break;
    }
    return have;
}

static enum xf_pump_status step_when_ready(void)
{
    assert_int_equal(xf_pump_wants(sender), XF_WANT_READ);
    assert_true(rig_readable(xf_pump_fd(sender)));
    return step_sender();
}

static void assert_sender_failed(int code, const char *words)
{
    assert_int_equal(xf_pump_step(sender), XF_PUMP_FAILED);
    assert_int_equal(xf_pump_wants(sender), 0);
    assert_int_equal(xf_pump_error(sender)->code, code);
    if (!strstr(xf_pump_error(sender)->text, words))
        assert_string_equal(xf_pump_error(sender)->text, words);
    assert_false(xf_pump_lingered(sender));
    end_sending();
}

static const size_t lens[] = { 0, 1, 597, 65536, (1u << 20) + 1, 9u << 20 };

static void the_end_follows_the_last_byte_and_is_answered(void **state)
{
    char *bytes = rig_bytes(9u << 20), *buf = malloc(10u << 20);

    (void)state;
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        size_t have;

        begin_sending(bytes, lens[i]);
        have = take_all(buf, lens[i] + 1);
        assert_true(xf_pump_waiting(sender));
        while (have < lens[i]) {
            assert_true(rig_readable(peer));
            have += drain(buf + have, lens[i] + 1 - have);
        }
        assert_int_equal(have, lens[i]);
        assert_memory_equal(buf, bytes, have);
        rig_assert_end(peer); /* before we said a thing */
        assert_int_equal(step_sender(), XF_PUMP_AGAIN);
        close(peer);
        peer = -1;
        assert_int_equal(step_when_ready(), XF_PUMP_DONE);
        assert_int_equal(xf_pump_wants(sender), 0);
        assert_null(xf_pump_error(sender));
        assert_true(xf_pump_lingered(sender));
        assert_int_equal(xf_pump_bytes(sender), lens[i]);
        end_sending();
    }
    free(bytes);
    free(buf);
}

static void a_range_of_the_file_is_sent(void **state)
{
    char *bytes = rig_bytes(100000), *buf = malloc(100000);
    int fds[2];

    (void)state;
    make_source(bytes, 100000);
    rig_connect(fds);
    peer = fds[1];
    assert_int_equal(xf_pump_send(&sender, source, 1234, 50000, fds[0]), 0);
    assert_int_equal(step_sender(), XF_PUMP_AGAIN);
    rig_recv(peer, buf, 50000);
    rig_assert_end(peer);
    assert_memory_equal(buf, bytes + 1234, 50000);
    end_sending();
    free(bytes);
    free(buf);
}

/* More than the kernel takes at once: it wants to write, and waits. */
static void a_slow_receiver_is_waited_for(void **state)
{
    size_t len = 30u << 20, have = 0;
    char *bytes = rig_bytes(len), *buf = malloc(len + 1);

    (void)state;
    begin_sending(bytes, len);
    for (int i = 0; i < 100 && xf_pump_bytes(sender) < len; i++) {
        uint64_t before = xf_pump_bytes(sender);

        assert_int_equal(step_sender(), XF_PUMP_AGAIN);
        if (xf_pump_bytes(sender) == before)
            break;
    }
    assert_true(xf_pump_bytes(sender) < len);
    assert_int_equal(xf_pump_wants(sender), XF_WANT_WRITE);
    have = take_all(buf, len + 1);
    while (have < len) {
        assert_true(rig_readable(peer));
        have += drain(buf + have, len + 1 - have);
    }
    assert_memory_equal(buf, bytes, len);
    end_sending();
    free(bytes);
    free(buf);
}

/* It read to the end, and had no use for it. */
static void a_reset_after_the_last_byte_is_a_failure(void **state)
{
    char buf[597];

    (void)state;
    memset(buf, 'x', sizeof buf);
    begin_sending(buf, sizeof buf);
    assert_int_equal(step_sender(), XF_PUMP_AGAIN);
    rig_recv(peer, buf, sizeof buf);
    rig_assert_end(peer);
    rig_reset(peer);
    peer = -1;
    assert_int_equal(step_when_ready(), XF_PUMP_FAILED);
    end_sending();
}

/* More than one buffer, and the receiver goes with most of it unseen. */
static void a_reset_before_the_last_byte_is_a_failure(void **state)
{
    size_t len = 30u << 20;
    char *bytes = rig_bytes(len);
    char byte;

    (void)state;
    begin_sending(bytes, len);
    assert_int_equal(step_sender(), XF_PUMP_AGAIN);
    rig_recv(peer, &byte, 1);
    rig_reset(peer);
    peer = -1;
    for (int i = 0; i < 100 && step_sender() == XF_PUMP_AGAIN; i++)
        assert_true(rig_writable(xf_pump_fd(sender)));
    assert_sender_failed(XF_E_GONE, "connection lost at byte ");
    free(bytes);
}

static void shrink_buffers(int from, int to)
{
    int small = 4096;

    setsockopt(from, SOL_SOCKET, SO_SNDBUF, &(int){ 1 << 20 }, sizeof(int));
    setsockopt(to, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
}

#define TAIL 60000

/* All has left us, but much of it lies in our own kernel. */
static void begin_with_a_tail_under_way(void)
{
    char *bytes = rig_bytes(TAIL);

    begin_sending(bytes, TAIL);
    shrink_buffers(xf_pump_fd(sender), peer);
    for (int i = 0; i < 1000 && !xf_pump_waiting(sender); i++) {
        assert_int_equal(step_sender(), XF_PUMP_AGAIN);
        usleep(100);
    }
    assert_true(xf_pump_waiting(sender));
    free(bytes);
}

static void a_reset_with_bytes_under_way_is_a_failure(void **state)
{
    (void)state;
    begin_with_a_tail_under_way();
    rig_reset(peer);
    peer = -1;
    assert_int_equal(step_when_ready(), XF_PUMP_FAILED);
    assert_sender_failed(XF_E_GONE, "bytes unacknowledged");
}

static void a_close_with_bytes_under_way_is_a_failure(void **state)
{
    char buf[65536];

    (void)state;
    begin_with_a_tail_under_way();
    while (drain(buf, sizeof buf) > 0)
        ;
    /* Nothing unread is left for this instant, so this is an end; what comes
     * later is answered by a reset. */
    close(peer);
    peer = -1;
    for (int i = 0; i < 3000 && step_sender() == XF_PUMP_AGAIN; i++)
        usleep(1000);
    assert_sender_failed(XF_E_GONE, "bytes unacknowledged");
}

static void who_waits_no_longer_knows_whether_all_has_arrived(void **state)
{
    char buf[597];

    (void)state;
    begin_with_a_tail_under_way();
    assert_false(xf_pump_lingered(sender));
    assert_sender_failed(XF_E_GONE, "bytes unacknowledged");
    memset(buf, 'x', sizeof buf);
    begin_sending(buf, sizeof buf);
    assert_false(xf_pump_lingered(sender));
    assert_int_equal(step_sender(), XF_PUMP_AGAIN);
    rig_recv(peer, buf, sizeof buf);
    rig_assert_end(peer);
    usleep(100000); /* the ack of our end may be a delayed one */
    assert_true(xf_pump_lingered(sender));
    assert_int_equal(xf_pump_step(sender), XF_PUMP_DONE);
    end_sending();
}

/* It has nothing to say and says so at once; that is not its end. */
static void a_receiver_that_shuts_its_side_early_gets_all(void **state)
{
    char *buf = malloc(TAIL + 1);
    size_t have = 0;

    (void)state;
    begin_with_a_tail_under_way();
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    assert_true(rig_readable(xf_pump_fd(sender)));
    assert_int_equal(step_sender(), XF_PUMP_AGAIN);
    assert_int_equal(xf_pump_wants(sender), 0);
    while (have < TAIL) {
        assert_true(rig_readable(peer));
        have += drain(buf + have, TAIL + 1 - have);
    }
    rig_assert_end(peer);
    for (int i = 0; i < 1000 && step_sender() == XF_PUMP_AGAIN; i++)
        usleep(1000);
    assert_int_equal(xf_pump_step(sender), XF_PUMP_DONE);
    end_sending();
    free(buf);
}

static void some_stray_bytes_are_dropped_many_are_an_error(void **state)
{
    char *bytes = rig_bytes(XF_PUMP_STRAY_MAX + 1);

    (void)state;
    begin_sending("abc", 3);
    assert_int_equal(step_sender(), XF_PUMP_AGAIN);
    rig_send(peer, bytes, 1000);
    assert_int_equal(step_when_ready(), XF_PUMP_AGAIN);
    rig_send(peer, bytes, XF_PUMP_STRAY_MAX - 1000);
    while (rig_waiting(xf_pump_fd(sender)) > 0)
        assert_int_equal(step_when_ready(), XF_PUMP_AGAIN);
    rig_recv(peer, bytes, 3);
    close(peer);
    peer = -1;
    assert_int_equal(step_when_ready(), XF_PUMP_DONE);
    end_sending();

    begin_sending("abc", 3);
    assert_int_equal(step_sender(), XF_PUMP_AGAIN);
    rig_send(peer, bytes, XF_PUMP_STRAY_MAX + 1);
    for (int i = 0; i < 100 && step_when_ready() == XF_PUMP_AGAIN; i++)
        ;
    assert_sender_failed(XF_E_PROTO, "data of its own");
    free(bytes);
}

/* Whoever gets the last byte takes the file for whole. */
static void of_a_changed_source_the_last_bytes_are_kept_back(void **state)
{
    size_t len = 30u << 20;
    char *bytes = rig_bytes(len), *buf = malloc(len + 1);

    (void)state;
    for (int how = 0; how < 3; how++) {
        size_t have;

        begin_sending(bytes, len);
        assert_int_equal(step_sender(), XF_PUMP_AGAIN);
        assert_true(xf_pump_bytes(sender) < len);
        usleep(20000);
        if (how == 0)
            assert_int_equal(truncate(rig_file("source"), 100000), 0);
        if (how == 1)
            assert_int_equal(truncate(rig_file("source"), (off_t)len + 1), 0);
        if (how == 2)
            rig_make("source", bytes, len);
        have = take_all(buf, len + 1);
        assert_true(have < len);
        assert_sender_failed(XF_E_SRC, "changed while being sent");
    }
    free(bytes);
    free(buf);
}

static void a_source_changed_with_the_last_byte_is_not_called_sent(void **state)
{
    char byte;

    (void)state;
    begin_sending("", 0);
    rig_make("source", "x", 1);
    assert_int_equal(step_sender(), XF_PUMP_FAILED);
    assert_int_equal(recv(peer, &byte, 1, 0), -1);
    assert_sender_failed(XF_E_SRC, "changed while being sent");
}

static void where_sendfile_cannot_the_bytes_are_copied(void **state)
{
    struct rig_gate gate = {
        .only = XF_SYS_SENDFILE, .fail = 1, .onward = true, .err = EINVAL
    };
    size_t len = 3000000, have;
    char *bytes = rig_bytes(len), *buf = malloc(len + 1);

    (void)state;
    begin_sending(bytes, len);
    rig_gate_on(&gate);
    have = take_all(buf, len + 1);
    rig_gate_off();
    while (have < len) {
        assert_true(rig_readable(peer));
        have += drain(buf + have, len + 1 - have);
    }
    assert_memory_equal(buf, bytes, len);
    assert_int_equal(gate.calls, 1);
    end_sending();
    free(bytes);
    free(buf);
}

static void a_source_that_cannot_be_read_is_an_error(void **state)
{
    struct rig_gate gate = { .only = XF_SYS_SENDFILE, .fail = 1, .err = EIO };

    (void)state;
    begin_sending("abc", 3);
    rig_gate_on(&gate);
    assert_int_equal(step_sender(), XF_PUMP_FAILED);
    rig_gate_off();
    assert_sender_failed(XF_E_IO, "Input/output error");
}

/* --- receiving ----------------------------------------------------------- */

static struct xf_intake *intake;
static struct xf_pump *receiver;
static unsigned told;

static void tell(void *ctx)
{
    (void)ctx;
    told++;
}

static void begin_receiving_with(uint64_t size, struct xf_jobs *runner,
                                 void (*notify)(void *))
{
    struct xf_sink *sink;
    int fds[2];

    told = 0;
    rig_jobs_init(&jobs);
    rig_connect(fds);
    peer = fds[1];
    assert_int_equal(
        rig_sink(&sink, rig_dir, "file", size, XF_SINK_RENAME, &info), 0);
    assert_int_equal(xf_intake_new(&intake, sink, runner,
                                   &(struct xf_intake_sums){ .md5 = false },
                                   notify, NULL),
                     0);
    assert_int_equal(xf_pump_receive(&receiver, intake, fds[0]), 0);
}

static void begin_receiving(uint64_t size)
{
    begin_receiving_with(size, &xf_jobs_inline, tell);
}

static void end_receiving(void)
{
    xf_pump_free(receiver);
    xf_intake_free(intake);
    rig_run_all(&jobs);
    if (peer >= 0)
        close(peer);
}

static enum xf_pump_status step_receiver(void)
{
    uint64_t before = xf_pump_bytes(receiver);
    enum xf_pump_status status;

    if (xf_pump_wants(receiver) == XF_WANT_READ)
        assert_true(rig_readable(xf_pump_fd(receiver)));
    status = xf_pump_step(receiver);
    assert_true(xf_pump_bytes(receiver) - before <= XF_PUMP_STEP);
    return status;
}

static enum xf_pump_status receive_on(void)
{
    enum xf_pump_status status = XF_PUMP_AGAIN;

    for (int i = 0; i < 100000 && status == XF_PUMP_AGAIN; i++)
        status = step_receiver();
    return status;
}

static void assert_receiver_failed(int code, const char *text)
{
    assert_int_equal(xf_pump_step(receiver), XF_PUMP_FAILED);
    assert_int_equal(xf_pump_wants(receiver), 0);
    assert_int_equal(xf_pump_error(receiver)->code, code);
    if (!strstr(xf_pump_error(receiver)->text, text))
        assert_string_equal(xf_pump_error(receiver)->text, text);
    end_receiving();
    assert_int_equal(rig_entries(), 0);
}

static void assert_received(const void *bytes, size_t len)
{
    assert_int_equal(xf_pump_wants(receiver), 0);
    assert_null(xf_pump_error(receiver));
    assert_int_equal(xf_intake_finish(intake, NULL), 0);
    assert_true(xf_intake_finished(intake));
    end_receiving();
    rig_assert_file("file", bytes, len);
    assert_int_equal(rig_entries(), 1);
    rig_empty(".");
}

static void the_last_byte_is_the_end_whether_or_not_it_is_closed(void **state)
{
    char *bytes = rig_bytes(65536);

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        begin_receiving(lens[i]);
        rig_send(peer, bytes, lens[i]);
        if (i % 2 == 0)
            assert_int_equal(shutdown(peer, SHUT_WR), 0);
        assert_int_equal(lens[i] > 0 ? receive_on() : xf_pump_step(receiver),
                         XF_PUMP_DONE);
        assert_received(bytes, lens[i]);
    }
    free(bytes);
}

static void a_reset_behind_the_last_byte_does_no_harm(void **state)
{
    (void)state;
    begin_receiving(3);
    rig_send(peer, "abc", 3);
    assert_int_equal(receive_on(), XF_PUMP_DONE);
    rig_reset(peer);
    peer = -1;
    assert_received("abc", 3);
}

static void an_end_before_the_last_byte_is_short(void **state)
{
    (void)state;
    begin_receiving(3);
    close(peer);
    peer = -1;
    assert_int_equal(receive_on(), XF_PUMP_FAILED);
    assert_receiver_failed(XF_E_SHORT,
                           "stream ended at byte 0 of 3; not delivered");
    begin_receiving(3);
    rig_send(peer, "ab", 2);
    close(peer);
    peer = -1;
    assert_int_equal(receive_on(), XF_PUMP_FAILED);
    assert_receiver_failed(XF_E_SHORT,
                           "stream ended at byte 2 of 3; not delivered");
}

static void a_reset_before_the_last_byte_is_gone(void **state)
{
    (void)state;
    begin_receiving(3);
    rig_send(peer, "ab", 2);
    assert_int_equal(step_receiver(), XF_PUMP_AGAIN);
    rig_reset(peer);
    peer = -1;
    assert_int_equal(receive_on(), XF_PUMP_FAILED);
    assert_receiver_failed(XF_E_GONE, "connection lost at byte 2 of 3");
}

static void one_byte_or_a_mib_too_many_is_long(void **state)
{
    size_t len = 100000 + (1u << 20);
    char *bytes = rig_bytes(len);

    (void)state;
    begin_receiving(100000);
    rig_send(peer, bytes, 100001);
    close(peer);
    peer = -1;
    for (int i = 0; i < 1000 && rig_waiting(xf_pump_fd(receiver)) < 100001; i++)
        usleep(1000);
    assert_int_equal(receive_on(), XF_PUMP_FAILED);
    assert_receiver_failed(XF_E_LONG,
                           "more than the 100000 bytes offered; not delivered");
    begin_receiving(0);
    rig_send(peer, bytes, 1);
    assert_int_equal(step_receiver(), XF_PUMP_FAILED);
    assert_receiver_failed(XF_E_LONG,
                           "more than the 0 bytes offered; not delivered");
    begin_receiving(100000);
    setsockopt(xf_pump_fd(receiver), SOL_SOCKET, SO_RCVBUF, &(int){ 4u << 20 },
               sizeof(int));
    for (size_t done = 0; done < len;) {
        ssize_t n = send(peer, bytes + done, len - done, MSG_NOSIGNAL);

        if (n <= 0)
            break;
        done += (size_t)n;
    }
    for (int i = 0; i < 1000 && rig_waiting(xf_pump_fd(receiver)) < 100001; i++)
        usleep(1000);
    assert_int_equal(receive_on(), XF_PUMP_FAILED);
    assert_int_equal(xf_pump_bytes(receiver), 100000);
    assert_receiver_failed(XF_E_LONG,
                           "more than the 100000 bytes offered; not delivered");
    free(bytes);
}

static void an_unknown_size_ends_with_the_stream(void **state)
{
    (void)state;
    begin_receiving(XF_SINK_SIZE_UNKNOWN);
    rig_send(peer, "abc", 3);
    assert_int_equal(step_receiver(), XF_PUMP_AGAIN);
    assert_int_equal(shutdown(peer, SHUT_WR), 0);
    assert_int_equal(receive_on(), XF_PUMP_DONE);
    assert_received("abc", 3);
    begin_receiving(XF_SINK_SIZE_UNKNOWN);
    rig_send(peer, "abc", 3);
    assert_int_equal(step_receiver(), XF_PUMP_AGAIN);
    rig_reset(peer);
    peer = -1;
    assert_int_equal(receive_on(), XF_PUMP_FAILED);
    assert_receiver_failed(XF_E_GONE, "connection lost at byte 3: ");
}

/* No more is read than can be written; the rest waits in the kernel. */
static void a_slow_disk_stops_the_reading(void **state)
{
    size_t len = 3u << 20, sent = 0;
    char *bytes = rig_bytes(len);
    unsigned stops = 0;

    (void)state;
    begin_receiving_with(len, &jobs.jobs, tell);
    for (int i = 0; i < 100000; i++) {
        ssize_t n = send(peer, bytes + sent, len - sent, MSG_NOSIGNAL);
        enum xf_pump_status status;

        if (n > 0)
            sent += (size_t)n;
        status = xf_pump_step(receiver);
        assert_int_not_equal(status, XF_PUMP_FAILED);
        assert_true(xf_pump_bytes(receiver) - xf_intake_written(intake) <=
                    XF_INTAKE_BUFFERS * XF_INTAKE_BUFFER);
        if (status == XF_PUMP_DONE)
            break;
        if (xf_pump_wants(receiver) == 0) {
            stops++;
            assert_true(rig_run(&jobs));
        }
    }
    assert_true(stops >= 2);
    assert_int_equal(xf_intake_finish(intake, NULL), 0);
    rig_run_all(&jobs);
    end_receiving();
    rig_assert_file("file", bytes, len);
    free(bytes);
}

/* Both ways, for others want their turn, or a rate is to be held. */
static void a_step_moves_no_more_than_it_may(void **state)
{
    char *bytes = rig_bytes(100000);

    (void)state;
    begin_receiving(100000);
    xf_pump_set_most(receiver, 30000);
    rig_send(peer, bytes, 100000);
    for (uint64_t had = 0; had < 100000;) {
        assert_true(rig_readable(xf_pump_fd(receiver)));
        assert_int_not_equal(xf_pump_step(receiver), XF_PUMP_FAILED);
        assert_in_range(xf_pump_bytes(receiver) - had, 1, 30000);
        had = xf_pump_bytes(receiver);
    }
    assert_int_equal(receive_on(), XF_PUMP_DONE);
    assert_int_equal(xf_intake_finish(intake, NULL), 0);
    end_receiving();
    rig_assert_file("file", bytes, 100000);
    free(bytes);
}

static void a_full_disk_ends_the_receiving(void **state)
{
    struct rig_gate gate = { .only = XF_SYS_WRITE, .fail = 1, .err = ENOSPC };

    (void)state;
    begin_receiving(6);
    rig_gate_on(&gate);
    rig_send(peer, "abc", 3);
    assert_int_equal(receive_on(), XF_PUMP_FAILED);
    rig_gate_off();
    assert_receiver_failed(XF_E_NOSPC, "write file: No space left on device");

    begin_receiving_with(6, &jobs.jobs, tell);
    rig_send(peer, "abc", 3);
    assert_int_equal(step_receiver(), XF_PUMP_AGAIN);
    rig_gate_on(&gate);
    rig_run_all(&jobs);
    rig_gate_off();
    assert_int_equal(told, 1);
    assert_int_equal(xf_pump_wants(receiver), 0);
    assert_receiver_failed(XF_E_NOSPC, "write file: No space left on device");
}

/* --- told within a step -------------------------------------------------- */

static void tell_and_step(void *ctx)
{
    tell(ctx);
    assert_int_equal(xf_pump_step(receiver), XF_PUMP_AGAIN);
}

static void tell_and_free(void *ctx)
{
    tell(ctx);
    xf_pump_free(receiver);
    xf_intake_free(intake);
    receiver = NULL;
    intake = NULL;
}

static void it_may_be_stepped_and_freed_by_whom_the_intake_tells(void **state)
{
    (void)state;
    begin_receiving_with(3, &xf_jobs_inline, tell_and_step);
    rig_send(peer, "abc", 3);
    assert_int_equal(receive_on(), XF_PUMP_DONE);
    assert_true(told > 0);
    end_receiving();
    begin_receiving_with(3, &xf_jobs_inline, tell_and_free);
    rig_send(peer, "abc", 3);
    assert_true(rig_readable(xf_pump_fd(receiver)));
    assert_int_equal(xf_pump_step(receiver), XF_PUMP_AGAIN);
    assert_null(receiver);
    assert_int_equal(told, 1);
    end_receiving();
    assert_int_equal(rig_entries(), 0);
}

/* --- both ends ----------------------------------------------------------- */

static struct xf_intake *make_intake(uint64_t size, struct xf_jobs *runner)
{
    struct xf_intake *in = NULL;
    struct xf_sink *sink = NULL;

    if (rig_sink(&sink, rig_dir, "file", size, XF_SINK_RENAME, &info) != 0)
        return NULL;
    if (xf_intake_new(&in, sink, runner,
                      &(struct xf_intake_sums){ .md5 = false }, tell,
                      NULL) != 0)
        xf_sink_discard(sink);
    return in;
}

/* Step both until the receiver has the file; its code. */
static int carry(struct xf_pump *from, struct xf_pump *to, struct xf_intake *in)
{
    enum xf_pump_status a = XF_PUMP_AGAIN, b = XF_PUMP_AGAIN;

    for (int i = 0; i < 100000 && b == XF_PUMP_AGAIN; i++) {
        a = xf_pump_step(from);
        b = xf_pump_step(to);
        if (a == XF_PUMP_FAILED)
            return xf_pump_error(from)->code;
    }
    if (b != XF_PUMP_DONE)
        return b == XF_PUMP_FAILED ? xf_pump_error(to)->code : XF_E_STALL;
    b = (enum xf_pump_status)xf_intake_finish(in, NULL);
    return b != 0 ? (int)b
                  : (xf_intake_finished(in) ? 0 : xf_intake_error(in)->code);
}

/* A whole transfer within this process; the code of how it ended. */
static int transfer(uint64_t len)
{
    struct xf_source *src = NULL;
    struct xf_pump *from = NULL, *to = NULL;
    struct xf_intake *in = NULL;
    int fds[2], code;

    rig_connect(fds);
    code = xf_source_open(&src, rig_file("source"), &info);
    if (code == 0) {
        code = XF_E_LIMIT;
        in = make_intake(len, &xf_jobs_inline);
    }
    if (in && xf_pump_send(&from, src, 0, len, fds[0]) == 0)
        fds[0] = -1;
    if (in && xf_pump_receive(&to, in, fds[1]) == 0)
        fds[1] = -1;
    if (from && to)
        code = carry(from, to, in);
    xf_pump_free(from);
    xf_pump_free(to);
    xf_intake_free(in);
    xf_source_close(src);
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    return code;
}

static void a_file_arrives_as_it_was(void **state)
{
    char *bytes = rig_bytes(9u << 20);

    (void)state;
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        rig_make("source", bytes, lens[i]);
        assert_int_equal(transfer(lens[i]), 0);
        rig_assert_file("file", bytes, lens[i]);
        rig_empty(".");
    }
    free(bytes);
}

/* EINTR and EAGAIN mean later; all else means failed, and nothing is there. */
static void fail_at_each_call(int err, bool onward)
{
    struct rig_gate gate = { .only = -1, .err = err, .onward = onward };
    char *bytes = rig_bytes(700000);

    do {
        int code;

        rig_make("source", bytes, 700000);
        gate.fail++;
        rig_gate_on(&gate);
        code = transfer(700000);
        rig_gate_off();
        if (code == 0 || rig_exists("file"))
            rig_assert_file("file", bytes, 700000);
        if (code != 0 && !onward)
            assert_int_equal(rig_entries(), 1);
        rig_empty(".");
    } while (gate.failed && gate.fail < 1000);
    assert_in_range(gate.fail, 20, 999);
    free(bytes);
}

static void no_failing_call_makes_a_wrong_file(void **state)
{
    static const int errs[] = { EIO, EPIPE, ECONNRESET, ENOSPC, ENOMEM };

    (void)state;
    for (unsigned i = 0; i < sizeof errs / sizeof errs[0]; i++)
        fail_at_each_call(errs[i], false);
    fail_at_each_call(EIO, true);
}

/* Of the calls on the socket, each once. */
static void a_socket_that_says_later_is_asked_later(void **state)
{
    static const enum xf_sys_call calls[] = { XF_SYS_SENDFILE, XF_SYS_RECV };
    static const int errs[] = { EINTR, EAGAIN };
    char *bytes = rig_bytes(700000);

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct rig_gate gate = { .only = (int)calls[i / 2],
                                 .err = errs[i % 2] };

        do {
            rig_make("source", bytes, 700000);
            gate.fail++;
            rig_gate_on(&gate);
            assert_int_equal(transfer(700000), 0);
            rig_gate_off();
            rig_assert_file("file", bytes, 700000);
            rig_empty(".");
        } while (gate.failed && gate.fail < 1000);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(the_end_follows_the_last_byte_and_is_answered),
        RIG_TEST(a_range_of_the_file_is_sent),
        RIG_TEST(a_slow_receiver_is_waited_for),
        RIG_TEST(a_reset_after_the_last_byte_is_a_failure),
        RIG_TEST(a_reset_before_the_last_byte_is_a_failure),
        RIG_TEST(a_reset_with_bytes_under_way_is_a_failure),
        RIG_TEST(a_close_with_bytes_under_way_is_a_failure),
        RIG_TEST(who_waits_no_longer_knows_whether_all_has_arrived),
        RIG_TEST(a_receiver_that_shuts_its_side_early_gets_all),
        RIG_TEST(some_stray_bytes_are_dropped_many_are_an_error),
        RIG_TEST(of_a_changed_source_the_last_bytes_are_kept_back),
        RIG_TEST(a_source_changed_with_the_last_byte_is_not_called_sent),
        RIG_TEST(where_sendfile_cannot_the_bytes_are_copied),
        RIG_TEST(a_source_that_cannot_be_read_is_an_error),
        RIG_TEST(the_last_byte_is_the_end_whether_or_not_it_is_closed),
        RIG_TEST(a_reset_behind_the_last_byte_does_no_harm),
        RIG_TEST(an_end_before_the_last_byte_is_short),
        RIG_TEST(a_reset_before_the_last_byte_is_gone),
        RIG_TEST(one_byte_or_a_mib_too_many_is_long),
        RIG_TEST(an_unknown_size_ends_with_the_stream),
        RIG_TEST(a_slow_disk_stops_the_reading),
        RIG_TEST(a_step_moves_no_more_than_it_may),
        RIG_TEST(a_full_disk_ends_the_receiving),
        RIG_TEST(it_may_be_stepped_and_freed_by_whom_the_intake_tells),
        RIG_TEST(a_file_arrives_as_it_was),
        RIG_TEST(no_failing_call_makes_a_wrong_file),
        RIG_TEST(a_socket_that_says_later_is_asked_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
