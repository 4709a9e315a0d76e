/* Between stream and sink: nothing lost, nothing doubled, nobody waits. */
#include "rig.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "stream/intake.h"

#define BUFFER XF_INTAKE_BUFFER

static struct xf_intake *in;
static struct rig_jobs jobs;
static unsigned told;

static void tell(void *ctx)
{
    (void)ctx;
    told++;
}

static void tell_and_free(void *ctx)
{
    (void)ctx;
    told++;
    xf_intake_free(in);
}

static const struct xf_intake_sums *sums_of(enum xf_digest_kind kind)
{
    static struct xf_intake_sums sums;

    sums.md5 = kind == XF_DIGEST_MD5;
    sums.sha256 = kind == XF_DIGEST_SHA256;
    return &sums;
}

static void begin_with(uint64_t size, struct xf_jobs *runner,
                       enum xf_digest_kind digest, void (*notify)(void *))
{
    struct xf_error_info info;
    struct xf_sink *sink;

    told = 0;
    rig_jobs_init(&jobs);
    assert_int_equal(
        rig_sink(&sink, rig_dir, "file", size, XF_SINK_RENAME, &info), 0);
    assert_int_equal(xf_intake_new(&in, sink, runner ? runner : &jobs.jobs,
                                   sums_of(digest), notify, NULL),
                     0);
}

static void begin(uint64_t size)
{
    begin_with(size, NULL, XF_DIGEST_NONE, tell);
}

/* Gone, and nothing left. */
static void give_up(void)
{
    xf_intake_free(in);
    rig_run_all(&jobs);
    assert_int_equal(rig_entries(), 0);
}

static void assert_failed(int code, const char *text)
{
    assert_non_null(xf_intake_error(in));
    assert_int_equal(xf_intake_error(in)->code, code);
    assert_string_equal(xf_intake_error(in)->text, text);
    assert_false(xf_intake_finished(in));
    assert_int_equal(xf_intake_space(in), 0);
    assert_int_equal(xf_intake_put(in, "", 0), code);
    give_up();
}

static void assert_delivered(const void *bytes, size_t len)
{
    assert_null(xf_intake_error(in));
    assert_true(xf_intake_finished(in));
    assert_int_equal(xf_intake_written(in), len);
    assert_string_equal(xf_intake_name(in), "file");
    xf_intake_free(in);
    rig_assert_file("file", bytes, len);
    assert_int_equal(rig_entries(), 1);
    rig_empty(".");
}

/* Read up to `n` bytes into the room there is; how many were taken. */
static size_t read_in(const char *bytes, size_t n)
{
    size_t len;
    char *room = xf_intake_room(in, &len);

    if (!room)
        return 0;
    if (n > len)
        n = len;
    memcpy(room, bytes, n);
    assert_int_equal(xf_intake_commit(in, n), 0);
    return n;
}

/* Pieces of any size, read or put, and a writer that is sometimes slow. */
static void bytes_arrive_in_order_however_they_come(void **state)
{
    size_t len = 3000000;
    char *bytes = rig_bytes(len);

    (void)state;
    for (unsigned round = 0; round < 30; round++) {
        size_t done = 0;

        begin(round % 2 ? len : XF_SINK_SIZE_UNKNOWN);
        while (done < len) {
            size_t n = rig_random(round % 3 ? 200000 : 2 * BUFFER);

            if (n > len - done)
                n = len - done;
            if (rig_random(2) == 0)
                done += read_in(bytes + done, n);
            else if (n <= xf_intake_space(in) &&
                     xf_intake_put(in, bytes + done, n) == 0)
                done += n;
            assert_int_equal(xf_intake_bytes(in), done);
            if (rig_random(3) == 0)
                rig_run(&jobs);
        }
        assert_int_equal(xf_intake_finish(in, NULL), 0);
        rig_run_all(&jobs);
        assert_false(xf_intake_verified(in));
        assert_delivered(bytes, len);
    }
    free(bytes);
}

static void a_reader_is_stopped_when_four_buffers_are_busy(void **state)
{
    char *bytes = rig_bytes(5 * BUFFER);
    size_t len, done = 0;

    (void)state;
    begin(5 * BUFFER);
    for (int i = 0; i < 4; i++)
        done += read_in(bytes + done, BUFFER);
    assert_int_equal(done, 4 * BUFFER);
    assert_null(xf_intake_room(in, &len));
    assert_int_equal(xf_intake_space(in), 0);
    assert_true(rig_run(&jobs)); /* the first one is written */
    assert_int_equal(told, 1);
    assert_int_equal(xf_intake_written(in), BUFFER);
    assert_int_equal(xf_intake_space(in), BUFFER);
    done += read_in(bytes + done, BUFFER);
    assert_int_equal(done, 5 * BUFFER);
    assert_int_equal(xf_intake_finish(in, NULL), 0);
    rig_run_all(&jobs);
    assert_delivered(bytes, 5 * BUFFER);
    free(bytes);
}

/* Many together have no more than the stock, but each comes on. */
static void who_finds_the_stock_used_up_has_one_small_buffer(void **state)
{
    struct xf_stock stock = { .bytes = 7 * BUFFER, .most = 8 * BUFFER };
    char *bytes = rig_bytes(BUFFER * 3);
    size_t len, done;

    (void)state;
    begin(BUFFER * 3);
    xf_intake_share(in, &stock);
    done = read_in(bytes, BUFFER); /* the last of it, handed to the writer */
    assert_int_equal(stock.bytes, stock.most);
    assert_null(xf_intake_room(in, &len));
    assert_int_equal(xf_intake_space(in), 0);
    assert_true(rig_run(&jobs));
    assert_int_equal(stock.bytes, 7 * BUFFER);

    stock.bytes = 9 * BUFFER; /* by others */
    assert_non_null(xf_intake_room(in, &len));
    assert_int_equal(len, XF_INTAKE_SMALL);
    done += read_in(bytes + done, XF_INTAKE_SMALL);
    assert_null(xf_intake_room(in, &len));
    /* What has come in a block already has to go somewhere. */
    assert_int_equal(xf_intake_put(in, bytes + done, 70000), 0);
    done += 70000;
    assert_int_equal(xf_intake_space(in), 2 * XF_INTAKE_SMALL - 70000);
    rig_run_all(&jobs);
    assert_int_equal(stock.bytes, 9 * BUFFER);

    stock.bytes = 0;
    while (done < BUFFER * 3) {
        assert_non_null(xf_intake_room(in, &len));
        done += read_in(bytes + done,
                        len < BUFFER * 3 - done ? len : BUFFER * 3 - done);
        rig_run_all(&jobs);
    }
    assert_int_equal(xf_intake_finish(in, NULL), 0);
    rig_run_all(&jobs);
    assert_delivered(bytes, BUFFER * 3);
    assert_int_equal(stock.bytes, 0);
    free(bytes);
}

static void a_block_is_taken_whole_or_not_at_all(void **state)
{
    size_t len = (size_t)XF_INTAKE_BUFFERS_MAX * BUFFER;
    char *bytes = rig_bytes(len);

    (void)state;
    begin(XF_SINK_SIZE_UNKNOWN);
    assert_int_equal(xf_intake_put(in, bytes, len - 10), 0);
    assert_int_equal(xf_intake_put(in, bytes, 11), XF_E_BUSY);
    assert_null(xf_intake_error(in));
    assert_int_equal(xf_intake_bytes(in), len - 10);
    assert_int_equal(xf_intake_space(in), 0);
    rig_run_all(&jobs);
    assert_int_equal(xf_intake_put(in, bytes + len - 10, 10), 0);
    assert_int_equal(xf_intake_finish(in, NULL), 0);
    rig_run_all(&jobs);
    assert_delivered(bytes, len);
    free(bytes);
}

static void small_blocks_are_gathered_while_the_writer_is_busy(void **state)
{
    char *bytes = rig_bytes(4096 * 100);

    (void)state;
    begin(4096 * 100);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(xf_intake_put(in, bytes + 4096 * i, 4096), 0);
    assert_int_equal(jobs.submitted, 1);
    assert_true(rig_run(&jobs));
    assert_int_equal(xf_intake_written(in), 4096);
    assert_true(rig_run(&jobs));
    assert_int_equal(xf_intake_written(in), 4096 * 100);
    assert_int_equal(jobs.submitted, 2);
    assert_int_equal(xf_intake_finish(in, NULL), 0);
    rig_run_all(&jobs);
    assert_delivered(bytes, 4096 * 100);
    free(bytes);
}

/* --- sizes --------------------------------------------------------------- */

static void exactly_the_size_is_delivered(void **state)
{
    (void)state;
    begin(0);
    assert_int_equal(xf_intake_finish(in, NULL), 0);
    rig_run_all(&jobs);
    assert_int_equal(told, 1);
    assert_delivered("", 0);
    begin(3);
    assert_int_equal(xf_intake_put(in, "abc", 3), 0);
    assert_int_equal(xf_intake_finish(in, NULL), 0);
    assert_false(xf_intake_finished(in));
    rig_run_all(&jobs);
    assert_delivered("abc", 3);
}

static void an_unknown_size_ends_where_it_ends(void **state)
{
    (void)state;
    begin(XF_SINK_SIZE_UNKNOWN);
    assert_int_equal(xf_intake_finish(in, NULL), 0);
    rig_run_all(&jobs);
    assert_delivered("", 0);
    begin(XF_SINK_SIZE_UNKNOWN);
    assert_int_equal(xf_intake_put(in, "abc", 3), 0);
    assert_int_equal(xf_intake_finish(in, NULL), 0);
    rig_run_all(&jobs);
    assert_delivered("abc", 3);
}

static void less_than_the_size_is_short(void **state)
{
    (void)state;
    begin(3);
    assert_int_equal(xf_intake_put(in, "ab", 2), 0);
    rig_run_all(&jobs);
    assert_int_equal(xf_intake_finish(in, NULL), XF_E_SHORT);
    assert_failed(XF_E_SHORT, "stream ended at byte 2 of 3; not delivered");
}

static void more_than_the_size_is_long(void **state)
{
    (void)state;
    begin(3);
    assert_int_equal(xf_intake_put(in, "ab", 2), 0);
    assert_int_equal(xf_intake_put(in, "cd", 2), XF_E_LONG);
    assert_int_equal(xf_intake_bytes(in), 2);
    assert_int_equal(xf_intake_finish(in, NULL), XF_E_LONG);
    assert_failed(XF_E_LONG, "more than the 3 bytes offered; not delivered");
    begin(3);
    assert_int_equal(read_in("abc", 3), 3);
    assert_non_null(xf_intake_room(in, &(size_t){ 0 }));
    assert_int_equal(xf_intake_commit(in, 1), XF_E_LONG);
    assert_failed(XF_E_LONG, "more than the 3 bytes offered; not delivered");
    begin(0);
    assert_int_equal(xf_intake_put(in, "a", 1), XF_E_LONG);
    assert_failed(XF_E_LONG, "more than the 0 bytes offered; not delivered");
}

static void nothing_is_taken_after_the_end(void **state)
{
    size_t len;

    (void)state;
    begin(XF_SINK_SIZE_UNKNOWN);
    assert_int_equal(xf_intake_finish(in, NULL), 0);
    assert_int_not_equal(xf_intake_put(in, "a", 1), 0);
    assert_null(xf_intake_room(in, &len));
    assert_int_not_equal(xf_intake_finish(in, NULL), 0);
    rig_run_all(&jobs);
    assert_delivered("", 0);
}

/* --- sums ---------------------------------------------------------------- */

#define MD5_ABC "900150983cd24fb0d6963f7d28e17f72"
#define MD5_ABC_UPPER "900150983CD24FB0D6963F7D28E17F72"

static int finish_abc(const char *expected)
{
    int code;

    begin_with(3, NULL, XF_DIGEST_MD5, tell);
    assert_int_equal(xf_intake_put(in, "ab", 2), 0);
    assert_int_equal(xf_intake_put(in, "c", 1), 0);
    code =
        xf_intake_finish(in, &(struct xf_intake_expected){ .md5 = expected });
    rig_run_all(&jobs);
    return code;
}

static void a_right_sum_is_verified(void **state)
{
    (void)state;
    assert_int_equal(finish_abc(MD5_ABC), 0);
    assert_true(xf_intake_verified(in));
    assert_delivered("abc", 3);
    assert_int_equal(finish_abc(MD5_ABC_UPPER), 0);
    assert_true(xf_intake_verified(in));
    assert_delivered("abc", 3);
    assert_int_equal(finish_abc(NULL), 0);
    assert_false(xf_intake_verified(in));
    assert_delivered("abc", 3);
}

static void a_wrong_sum_is_not_delivered(void **state)
{
    (void)state;
    assert_int_equal(finish_abc("900150983cd24fb0d6963f7d28e17f73"), 0);
    assert_false(xf_intake_verified(in));
    assert_failed(XF_E_HASH, "content does not match its hash; not delivered");
    assert_int_equal(finish_abc("900150983cd24fb0d6963f7d28e17f7"), XF_E_HASH);
    assert_failed(XF_E_HASH, "its hash is not one");
}

/* --- errors -------------------------------------------------------------- */

static void an_error_of_a_job_is_told_and_stays(void **state)
{
    struct rig_gate gate = { .only = XF_SYS_WRITE, .fail = 1, .err = ENOSPC };

    (void)state;
    begin(9);
    rig_gate_on(&gate);
    assert_int_equal(xf_intake_put(in, "abc", 3), 0);
    assert_int_equal(xf_intake_put(in, "def", 3), 0);
    rig_run_all(&jobs);
    rig_gate_off();
    assert_int_equal(told, 1);
    assert_int_equal(xf_intake_put(in, "ghi", 3), XF_E_NOSPC);
    assert_int_equal(xf_intake_finish(in, NULL), XF_E_NOSPC);
    assert_failed(XF_E_NOSPC, "write file: No space left on device");
}

static void an_error_at_the_end_is_told(void **state)
{
    struct rig_gate gate = { .only = XF_SYS_SYNC, .fail = 1, .err = EIO };

    (void)state;
    begin(3);
    rig_gate_on(&gate);
    assert_int_equal(xf_intake_put(in, "abc", 3), 0);
    assert_int_equal(xf_intake_finish(in, NULL), 0);
    rig_run_all(&jobs);
    rig_gate_off();
    assert_int_equal(told, 2);
    assert_failed(XF_E_IO, "sync file: Input/output error");
}

static void lack_of_memory_is_an_error_only_when_nobody_would_call(void **state)
{
    struct rig_gate gate = {
        .only = XF_SYS_ALLOC, .fail = 1, .onward = true, .err = ENOMEM
    };
    char *bytes = rig_bytes(2 * BUFFER);
    size_t len;

    (void)state;
    begin(2 * BUFFER);
    assert_int_equal(read_in(bytes, BUFFER), BUFFER);
    rig_gate_on(&gate);
    assert_null(xf_intake_room(in, &len));
    assert_null(xf_intake_error(in));
    rig_run_all(&jobs); /* gives its buffer back */
    assert_int_equal(read_in(bytes + BUFFER, BUFFER), BUFFER);
    rig_gate_off();
    assert_int_equal(xf_intake_finish(in, NULL), 0);
    rig_run_all(&jobs);
    assert_delivered(bytes, 2 * BUFFER);
    free(bytes);

    begin(3);
    rig_gate_on(&gate);
    assert_null(xf_intake_room(in, &len));
    rig_gate_off();
    assert_failed(XF_E_LIMIT, "receive file: out of memory");
    begin(3);
    rig_gate_on(&gate);
    assert_int_equal(xf_intake_put(in, "abc", 3), XF_E_LIMIT);
    rig_gate_off();
    assert_failed(XF_E_LIMIT, "receive file: out of memory");
}

/* --- freeing ------------------------------------------------------------- */

static void what_is_given_up_leaves_nothing(void **state)
{
    (void)state;
    xf_intake_free(NULL);
    begin(3);
    give_up();
    begin(3);
    assert_int_equal(xf_intake_put(in, "ab", 2), 0);
    give_up(); /* before its job ran */
    assert_int_equal(told, 0);
    begin(3);
    assert_int_equal(xf_intake_put(in, "ab", 2), 0);
    rig_run_all(&jobs);
    give_up();
    begin(3);
    assert_int_equal(xf_intake_put(in, "abc", 3), 0);
    assert_int_equal(xf_intake_finish(in, NULL), 0);
    give_up(); /* the job would have delivered it */
    assert_int_equal(told, 0);
    begin(3);
    assert_int_equal(xf_intake_put(in, "abc", 3), 0);
    rig_run_all(&jobs);
    assert_int_equal(xf_intake_finish(in, NULL), 0);
    give_up();
}

/* Not even when the owner lets go while the job gives the file its name. */
static int free_at_rename(enum xf_sys_call call, void *ctx)
{
    (void)ctx;
    if (call == XF_SYS_RENAME)
        xf_intake_free(in);
    return 0;
}

static void what_is_given_up_while_it_gets_its_name_is_not_delivered(
    void **state)
{
    (void)state;
    begin(3);
    assert_int_equal(xf_intake_put(in, "abc", 3), 0);
    rig_run_all(&jobs);
    assert_int_equal(xf_intake_finish(in, NULL), 0);
    xf_sys_set_gate(free_at_rename, NULL);
    told = 0;
    rig_run_all(&jobs);
    xf_sys_set_gate(NULL, NULL);
    assert_int_equal(told, 0);
    assert_int_equal(rig_entries(), 0);
}

/* With a runner that is done before submit returns. */
static void it_may_be_freed_by_whom_it_tells(void **state)
{
    size_t len;

    (void)state;
    begin_with(3, &xf_jobs_inline, XF_DIGEST_NONE, tell_and_free);
    assert_int_equal(xf_intake_put(in, "ab", 2), 0);
    assert_int_equal(told, 1);
    assert_int_equal(rig_entries(), 0);
    begin_with(3, &xf_jobs_inline, XF_DIGEST_NONE, tell_and_free);
    memcpy(xf_intake_room(in, &len), "ab", 2);
    assert_int_equal(xf_intake_commit(in, 2), 0);
    assert_int_equal(told, 1);
    assert_int_equal(rig_entries(), 0);
    begin_with(0, &xf_jobs_inline, XF_DIGEST_NONE, tell_and_free);
    assert_int_equal(xf_intake_finish(in, NULL), 0);
    assert_int_equal(told, 1);
    rig_assert_file("file", "", 0);
    rig_empty(".");
    begin_with(0, NULL, XF_DIGEST_NONE, tell_and_free);
    assert_int_equal(xf_intake_finish(in, NULL), 0);
    rig_run_all(&jobs);
    assert_int_equal(told, 1);
    rig_assert_file("file", "", 0);
}

/* --- threads ------------------------------------------------------------- */

/* One worker; what is done waits in a pipe. */
struct worker {
    struct xf_jobs jobs;
    int in[2], out[2];
    pthread_t thread;
};

static void hand_over(struct xf_jobs *to, struct xf_job *job)
{
    struct worker *w = (struct worker *)to;

    assert_int_equal(write(w->in[1], &job, sizeof job), sizeof job);
}

static void *work(void *ctx)
{
    struct worker *w = ctx;
    struct xf_job *job;

    while (read(w->in[0], &job, sizeof job) == sizeof job) {
        job->run(job);
        if (write(w->out[1], &job, sizeof job) != sizeof job)
            break;
    }
    close(w->out[1]);
    return NULL;
}

static void start_worker(struct worker *w)
{
    w->jobs.submit = hand_over;
    assert_int_equal(pipe(w->in), 0);
    assert_int_equal(pipe(w->out), 0);
    assert_int_equal(pthread_create(&w->thread, NULL, work, w), 0);
}

static bool take_done(struct worker *w)
{
    struct xf_job *job;

    if (read(w->out[0], &job, sizeof job) != sizeof job)
        return false;
    job->done(job);
    return true;
}

static void stop_worker(struct worker *w)
{
    close(w->in[1]);
    while (take_done(w))
        ;
    pthread_join(w->thread, NULL);
    close(w->in[0]);
    close(w->out[0]);
}

static void a_worker_in_a_thread_delivers_the_same(void **state)
{
    size_t len = 20u << 20, done = 0;
    char *bytes = rig_bytes(len);
    uint8_t sum[XF_DIGEST_MAX];
    char hex[2 * XF_DIGEST_MAX + 1];
    struct worker w;

    (void)state;
    assert_true(xf_digest_of(XF_DIGEST_MD5, bytes, len, sum));
    xf_hex(sum, 16, hex);
    start_worker(&w);
    begin_with(len, &w.jobs, XF_DIGEST_MD5, tell);
    while (done < len) {
        size_t n = read_in(bytes + done, len - done);

        done += n;
        if (n == 0)
            assert_true(take_done(&w));
    }
    assert_int_equal(
        xf_intake_finish(in, &(struct xf_intake_expected){ .md5 = hex }), 0);
    for (int i = 0; i < 1000 && !xf_intake_finished(in); i++)
        assert_true(take_done(&w));
    assert_true(xf_intake_verified(in));
    assert_delivered(bytes, len);

    begin_with(len, &w.jobs, XF_DIGEST_MD5, tell);
    assert_int_equal(read_in(bytes, BUFFER), BUFFER);
    assert_int_equal(read_in(bytes, BUFFER), BUFFER);
    xf_intake_free(in); /* in the middle of its job, more or less */
    stop_worker(&w);
    assert_int_equal(rig_entries(), 0);
    free(bytes);
}

/* --- any call fails ------------------------------------------------------ */

static int receive_all(const char *bytes, size_t len, const char *hex)
{
    struct xf_error_info info;
    struct xf_sink *sink = NULL;
    int code;

    in = NULL;
    code = rig_sink(&sink, rig_dir, "file", len, XF_SINK_RENAME, &info);
    if (code != 0)
        return code;
    code = xf_intake_new(&in, sink, &xf_jobs_inline, sums_of(XF_DIGEST_MD5),
                         tell, NULL);
    if (code != 0) {
        xf_sink_discard(sink);
        return code;
    }
    for (size_t done = 0; done < len && code == 0; done += 50000)
        code = xf_intake_put(in, bytes + done,
                             len - done < 50000 ? len - done : 50000);
    if (code == 0)
        code = xf_intake_finish(in, &(struct xf_intake_expected){ .md5 = hex });
    if (code == 0 && !xf_intake_finished(in))
        code = xf_intake_error(in)->code;
    xf_intake_free(in);
    return code;
}

static void fail_at_each_call(int err, bool onward)
{
    struct rig_gate gate = { .only = -1, .err = err, .onward = onward };
    size_t len = 300000;
    char *bytes = rig_bytes(len);
    uint8_t sum[XF_DIGEST_MAX];
    char hex[2 * XF_DIGEST_MAX + 1];

    assert_true(xf_digest_of(XF_DIGEST_MD5, bytes, len, sum));
    xf_hex(sum, 16, hex);
    do {
        int code;

        gate.fail++;
        rig_gate_on(&gate);
        code = receive_all(bytes, len, hex);
        rig_gate_off();
        if (code == 0 || rig_exists("file"))
            rig_assert_file("file", bytes, len);
        if (code != 0 && !onward)
            assert_int_equal(rig_entries(), 0);
        rig_empty(".");
    } while (gate.failed && gate.fail < 1000);
    assert_in_range(gate.fail, 15, 999);
    free(bytes);
}

static void no_failing_call_delivers_a_wrong_file(void **state)
{
    static const int errs[] = { EIO, ENOSPC, EINTR, ENOMEM, EDQUOT, EROFS };

    (void)state;
    for (unsigned i = 0; i < sizeof errs / sizeof errs[0]; i++) {
        fail_at_each_call(errs[i], false);
        fail_at_each_call(errs[i], true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(bytes_arrive_in_order_however_they_come),
        RIG_TEST(a_reader_is_stopped_when_four_buffers_are_busy),
        RIG_TEST(who_finds_the_stock_used_up_has_one_small_buffer),
        RIG_TEST(a_block_is_taken_whole_or_not_at_all),
        RIG_TEST(small_blocks_are_gathered_while_the_writer_is_busy),
        RIG_TEST(exactly_the_size_is_delivered),
        RIG_TEST(an_unknown_size_ends_where_it_ends),
        RIG_TEST(less_than_the_size_is_short),
        RIG_TEST(more_than_the_size_is_long),
        RIG_TEST(nothing_is_taken_after_the_end),
        RIG_TEST(a_right_sum_is_verified),
        RIG_TEST(a_wrong_sum_is_not_delivered),
        RIG_TEST(an_error_of_a_job_is_told_and_stays),
        RIG_TEST(an_error_at_the_end_is_told),
        RIG_TEST(lack_of_memory_is_an_error_only_when_nobody_would_call),
        RIG_TEST(what_is_given_up_leaves_nothing),
        RIG_TEST(what_is_given_up_while_it_gets_its_name_is_not_delivered),
        RIG_TEST(it_may_be_freed_by_whom_it_tells),
        RIG_TEST(a_worker_in_a_thread_delivers_the_same),
        RIG_TEST(no_failing_call_delivers_a_wrong_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
