/* Whether message, help and manual have one table of codes. */
#include "cli_test.h"

#include <xferry/xferry.h>

#include "errors.h"

static void every_code_of_the_library_is_in_the_table(void **state)
{
    (void)state;
    for (int code = 1; code < 128; code++) {
        bool known = strcmp(xf_error_name(code), "E-?") != 0;
        bool listed = false;

        for (size_t i = 0; xf_errors_code(i) >= 0; i++)
            listed = listed || xf_errors_code(i) == code;
        assert_int_equal(known, listed);
    }
    assert_int_equal(xf_errors_code(0), 0);
}

static void the_manual_has_the_same_lines(void **state)
{
    static char manual[65536];
    FILE *f = fopen(XF_MANUAL, "r");

    (void)state;
    assert_non_null(f);
    manual[fread(manual, 1, sizeof manual - 1, f)] = '\0';
    fclose(f);
    for (size_t i = 1; xf_errors_code(i) >= 0; i++) {
        int code = xf_errors_code(i);
        char line[128];

        snprintf(line, sizeof line, "\n%3d  %-11s %s\n", code,
                 xf_error_name(code), xf_error_text(code));
        if (!strstr(manual, line))
            fail_msg("the manual lacks: %s", line);
    }
}

static void help_has_the_same_lines(void **state)
{
    struct ink ink;

    (void)state;
    xf_errors_table(ink_begin(&ink));
    ink_end(&ink);
    for (size_t i = 1; xf_errors_code(i) >= 0; i++) {
        int code = xf_errors_code(i);
        char line[128];

        snprintf(line, sizeof line, "%d  %-11s %s\n", code, xf_error_name(code),
                 xf_error_text(code));
        assert_non_null(strstr(ink.text, line));
    }
    free(ink.text);
}

static void an_error_is_one_line_that_says_what_to_do(void **state)
{
    struct ink ink;

    (void)state;
    xf_errors_print(ink_begin(&ink), XF_E_NAME, "a\nb", "evil \x1b[0m");
    assert_string_equal(ink_end(&ink),
                        "xferry: a\\x0Ab: evil \\x1B[0m (E-NAME); ask the "
                        "sender to rename the file\n");
    free(ink.text);
    xf_errors_print(ink_begin(&ink), XF_E_CANCELLED, NULL, NULL);
    assert_string_equal(ink_end(&ink), "xferry: cancelled (E-CANCELLED)\n");
    free(ink.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_of_the_library_is_in_the_table),
        cmocka_unit_test(the_manual_has_the_same_lines),
        cmocka_unit_test(help_has_the_same_lines),
        cmocka_unit_test(an_error_is_one_line_that_says_what_to_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
