/*
 * Bytes and the disk: a rate that is to be held, and disks that are slow for
 * one file while others go on.
 */
#include "talk.h"

#include <pthread.h>

#include "base/sys.h"

static void only(struct talk *t, enum xf_via via)
{
    for (int who = 0; who < TALK_SIDES; who++) {
        t->side[who].config.via[0] = via;
        t->side[who].config.via[1] = XF_VIA_NONE;
    }
}

/* --- a rate ------------------------------------------------------------------- */

#define RATE 400000
#define SIZE 200000 /* half a second of it */

/* Slower is the machine's business. */
static void held(enum xf_via via, uint64_t romeo, uint64_t juliet,
                 unsigned files)
{
    static const char *const names[] = { "a.bin", "b.bin", "c.bin", "d.bin" };
    struct talk *t = talk_new();
    int64_t begun, took;

    only(t, via);
    t->side[R].config.limit = romeo;
    t->side[J].config.limit = juliet;
    talk_begin(t);
    begun = talk_now();
    for (unsigned i = 0; i < files; i++)
        talk_offer_new(t, names[i], SIZE / files);
    talk_until_over(t, files, files);
    took = talk_now() - begun;
    assert_in_range(took, SIZE * INT64_C(1000) / RATE * 95 / 100, TALK_MS);
    for (unsigned i = 0; i < files; i++)
        talk_check_same(t, names[i], names[i]);
    talk_free(t);
}

static void a_sender_holds_its_rate(void **state)
{
    (void)state;
    held(XF_VIA_DIRECT, RATE, 0, 1);
    held(XF_VIA_IBB, RATE, 0, 1);
}

static void a_receiver_holds_its_rate_by_not_reading(void **state)
{
    (void)state;
    held(XF_VIA_DIRECT, 0, RATE, 1);
}

static void a_receiver_in_band_holds_it_by_its_answers(void **state)
{
    struct talk *t = talk_new();
    int64_t begun;

    (void)state;
    only(t, XF_VIA_IBB);
    t->side[J].config.limit = RATE;
    t->side[R].config.block_size = 4096;
    t->side[J].info = talk_stranger; /* so one block at a time */
    talk_begin(t);
    begun = talk_now();
    talk_offer_new(t, "a.bin", SIZE);
    talk_until_over(t, 1, 1);
    assert_in_range(talk_now() - begun, SIZE * INT64_C(900) / RATE, TALK_MS);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_free(t);
}

static void a_block_of_ours_that_breaks_the_rate_is_refused(void **state)
{
    struct talk *t = talk_new();
    const struct talk_note *open;

    (void)state;
    only(t, XF_VIA_IBB);
    t->side[J].config.limit = RATE;
    t->side[R].config.block_size = 65535;
    talk_begin(t);
    talk_offer_new(t, "a.bin", SIZE);
    talk_until_over(t, 1, 1);
    open = talk_attempt(t, J, XF_VIA_IBB, XF_ATTEMPT_OPEN, 1);
    assert_non_null(open);
    assert_in_range(open->block_size, 1024, RATE / 15);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_free(t);
}

static void all_files_share_the_rate(void **state)
{
    (void)state;
    held(XF_VIA_DIRECT, RATE, 0, 4);
    held(XF_VIA_DIRECT, 0, RATE, 4);
    held(XF_VIA_IBB, RATE, 0, 4);
}

/* --- slow disks ----------------------------------------------------------------- */

/* Writes of other threads than ours wait, as many as are to hang. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t change;
    pthread_t ours;
    unsigned hang, hung;
    bool over;
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER,
           .change = PTHREAD_COND_INITIALIZER };

static int gate(enum xf_sys_call call, void *ctx)
{
    (void)ctx;
    if (call != XF_SYS_WRITE || pthread_equal(pthread_self(), disk.ours))
        return 0;
    pthread_mutex_lock(&disk.lock);
    if (disk.hung < disk.hang) {
        disk.hung++;
        while (!disk.over)
            pthread_cond_wait(&disk.change, &disk.lock);
    }
    pthread_mutex_unlock(&disk.lock);
    return 0;
}

static void hang(unsigned writes)
{
    disk.ours = pthread_self();
    disk.hang = writes;
    disk.hung = 0;
    disk.over = false;
    xf_sys_set_gate(gate, NULL);
}

static void go_on(void)
{
    pthread_mutex_lock(&disk.lock);
    disk.over = true;
    pthread_cond_broadcast(&disk.change);
    pthread_mutex_unlock(&disk.lock);
}

static bool all_hang(void)
{
    bool all;

    pthread_mutex_lock(&disk.lock);
    all = disk.hung == disk.hang;
    pthread_mutex_unlock(&disk.lock);
    return all;
}

/* So many files whose writes hang, and then one that does not. */
static void one_goes_on_beside(unsigned slow, enum xf_via via)
{
    static const char *const names[] = { "a.bin", "b.bin", "c.bin" };
    struct talk *t = talk_new();
    int64_t begun = talk_now();

    only(t, via);
    t->side[J].config.workers = 2;
    hang(slow);
    talk_begin(t);
    for (unsigned i = 0; i < slow; i++)
        talk_offer_new(t, names[i], 3000000);
    while (!all_hang()) {
        talk_run(t, 10);
        assert_in_range(talk_now() - begun, 0, TALK_MS);
    }
    talk_offer_new(t, "quick.bin", 3000000);
    talk_until_over(t, 1, 1);
    assert_string_equal(talk_note(t, J, XF_EVENT_DONE, 1)->name, "quick.bin");
    talk_check_same(t, "quick.bin", "quick.bin");
    go_on();
    talk_until_over(t, slow + 1, slow + 1);
    for (unsigned i = 0; i < slow; i++)
        talk_check_same(t, names[i], names[i]);
    talk_free(t);
    xf_sys_set_gate(NULL, NULL);
}

static void a_disk_that_hangs_holds_up_its_own_file_only(void **state)
{
    (void)state;
    one_goes_on_beside(1, XF_VIA_DIRECT);
    one_goes_on_beside(1, XF_VIA_IBB);
}

static void disks_that_hang_do_not_use_up_the_workers(void **state)
{
    (void)state;
    one_goes_on_beside(3, XF_VIA_DIRECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sender_holds_its_rate),
        cmocka_unit_test(a_receiver_holds_its_rate_by_not_reading),
        cmocka_unit_test(a_receiver_in_band_holds_it_by_its_answers),
        cmocka_unit_test(a_block_of_ours_that_breaks_the_rate_is_refused),
        cmocka_unit_test(all_files_share_the_rate),
        cmocka_unit_test(a_disk_that_hangs_holds_up_its_own_file_only),
        cmocka_unit_test(disks_that_hang_do_not_use_up_the_workers),
    };

    return cmocka_run_group_tests_name("plane", tests, NULL, NULL);
}
