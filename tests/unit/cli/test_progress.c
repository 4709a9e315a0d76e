/* Whether the bar fits its terminal and says the right numbers. */
#include "cli_test.h"

#include <xferry/xferry.h>

#include "progress.h"

static unsigned columns_of(const char *text)
{
    unsigned n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void the_bar_is_as_long_as_the_part(void **state)
{
    char line[XF_PROGRESS_MAX];

    (void)state;
    xf_progress_bar(line, 80, 0, 100, 0);
    assert_string_equal(line, "                               0 %  ");
    xf_progress_bar(line, 80, 61, 100, 18.4e6);
    assert_string_equal(
        line, "  ███████████████▎            61 %  18.4 MB/s  ETA 0:00");
    xf_progress_bar(line, 80, 100, 100, 0);
    assert_string_equal(line, "  █████████████████████████  100 %  ");
    xf_progress_bar(line, 80, 0, 0, 0); /* an empty file is whole */
    assert_non_null(strstr(line, "100 %"));
}

static void time_left_is_rest_by_rate(void **state)
{
    char line[XF_PROGRESS_MAX];

    (void)state;
    xf_progress_bar(line, 80, 0, 67000, 1000);
    assert_non_null(strstr(line, "1.0 kB/s  ETA 1:07"));
    xf_progress_bar(line, 80, 0, 3723000, 1000);
    assert_non_null(strstr(line, "ETA 1:02:03"));
    xf_progress_bar(line, 80, 0, UINT64_MAX - 1, 0.001);
    assert_non_null(strstr(line, "ETA 99:59:59"));
}

static void it_fits_every_width_that_has_room_for_the_numbers(void **state)
{
    char line[XF_PROGRESS_MAX];

    (void)state;
    for (unsigned columns = 40; columns < 200; columns++)
        for (uint64_t done = 0; done <= 1000; done += 7) {
            xf_progress_bar(line, columns, done, 1000, 999.9e6);
            assert_true(columns_of(line) < columns);
        }
}

static void more_bytes_than_offered_do_not_break_it(void **state)
{
    char line[XF_PROGRESS_MAX];

    (void)state;
    xf_progress_bar(line, 80, 200, 100, 10);
    assert_non_null(strstr(line, "100 %"));
    assert_null(strstr(line, "ETA"));
    xf_progress_bar(line, 80, 5000000, XF_SIZE_UNKNOWN, 10);
    assert_string_equal(line, "  5.0 MB  10 bytes/s");
}

static void sizes_are_short(void **state)
{
    static const struct {
        double n;
        const char *text;
    } rows[] = {
        { 0, "0 bytes" },      { 999, "999 bytes" }, { 1000, "1.0 kB" },
        { 18.4e6, "18.4 MB" }, { 244e6, "244 MB" },  { 999.7e6, "1.0 GB" },
        { 5e12, "5.0 TB" },    { 5e16, "50000 TB" },
    };
    char text[32];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        xf_progress_bytes(text, rows[i].n);
        assert_string_equal(text, rows[i].text);
    }
}

/* Scripts read our pipe; nothing that is redrawn belongs there. */
static void nothing_is_drawn_but_on_a_terminal(void **state)
{
    struct xf_progress p;
    FILE *f = tmpfile();

    (void)state;
    assert_non_null(f);
    xf_progress_init(&p, f);
    assert_false(p.terminal);
    xf_progress_show(&p, "line", true);
    xf_progress_hide(&p);
    fflush(f);
    assert_int_equal(ftell(f), 0);
    fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bar_is_as_long_as_the_part),
        cmocka_unit_test(time_left_is_rest_by_rate),
        cmocka_unit_test(it_fits_every_width_that_has_room_for_the_numbers),
        cmocka_unit_test(more_bytes_than_offered_do_not_break_it),
        cmocka_unit_test(sizes_are_short),
        cmocka_unit_test(nothing_is_drawn_but_on_a_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
