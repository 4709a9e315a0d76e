/* Whether secrets are taken only from where nobody else could put or see
 * them. */
#include "cli_test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "account.h"

static char dir[] = "/tmp/xferry-account-XXXXXX";
static char path[128];

static void write_file(const char *at, const char *text, mode_t mode)
{
    FILE *f;

    unlink(at);
    f = fopen(at, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(at, mode), 0);
}

static int read_path(const char *at, char **text, char *error)
{
    bool missing;

    return xf_account_read_private(at, text, &missing, error);
}

static void a_private_file_is_read_whole(void **state)
{
    char error[XF_OPTIONS_ERROR];
    char *text;

    (void)state;
    write_file(path, "secret\nmore\n", 0600);
    assert_int_equal(read_path(path, &text, error), 0);
    assert_string_equal(text, "secret\nmore\n");
    free(text);
    write_file(path, "", 0400);
    assert_int_equal(read_path(path, &text, error), 0);
    assert_string_equal(text, "");
    free(text);
}

static void any_bit_for_others_is_refused_with_file_and_mode(void **state)
{
    (void)state;
    for (mode_t bit = 1; bit < 0100; bit <<= 1) {
        char error[XF_OPTIONS_ERROR];
        char expected[32];
        char *text;

        write_file(path, "secret\n", 0600 | bit);
        assert_int_equal(read_path(path, &text, error), XF_E_PERM);
        assert_null(text);
        assert_non_null(strstr(error, path));
        snprintf(expected, sizeof expected, "mode 06%02o", (unsigned)bit);
        assert_non_null(strstr(error, expected));
    }
}

static void what_is_no_regular_file_of_ours_is_refused(void **state)
{
    char error[XF_OPTIONS_ERROR];
    char link_path[160], fifo_path[160];
    char *text;

    (void)state;
    snprintf(link_path, sizeof link_path, "%s.link", path);
    snprintf(fifo_path, sizeof fifo_path, "%s.fifo", path);
    write_file(path, "secret\n", 0600);
    assert_int_equal(symlink(path, link_path), 0);
    assert_int_equal(read_path(link_path, &text, error), XF_E_PERM);
    assert_non_null(strstr(error, "symbolic link"));
    assert_int_equal(mkfifo(fifo_path, 0600), 0);
    assert_int_equal(read_path(fifo_path, &text, error), XF_E_PERM);
    assert_int_equal(read_path(dir, &text, error), XF_E_PERM);
    unlink(link_path);
    unlink(fifo_path);
}

static void a_file_of_another_user_is_refused(void **state)
{
    char error[XF_OPTIONS_ERROR];
    char *text;

    (void)state;
    if (geteuid() != 0) {
        print_message("# not tried: only root can give files away\n");
        return;
    }
    write_file(path, "secret\n", 0600);
    assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
    assert_int_equal(read_path(path, &text, error), XF_E_PERM);
    assert_non_null(strstr(error, "12345"));
}

static void a_file_that_is_not_there_is_told_apart(void **state)
{
    char error[XF_OPTIONS_ERROR];
    bool missing = false;
    char *text;

    (void)state;
    unlink(path);
    assert_int_equal(xf_account_read_private(path, &text, &missing, error),
                     XF_E_IO);
    assert_true(missing);
}

static void begin(struct xf_account *a, struct xf_options *o)
{
    memset(a, 0, sizeof *a);
    xf_options_init(o, XF_COMMAND_SEND);
    unsetenv("XFERRY_PASSWORD");
    unsetenv("XFERRY_ACCOUNT");
}

static void the_first_line_is_the_password(void **state)
{
    struct xf_account a;
    struct xf_options o;

    (void)state;
    begin(&a, &o);
    write_file(path, " pass word \r\nnot this\n", 0600);
    xf_options_set(&o, XF_LAYER_ARGUMENTS, "account", "a@h");
    xf_options_set(&o, XF_LAYER_ARGUMENTS, "password-file", path);
    assert_int_equal(xf_account_password(&a, &o), 0);
    assert_string_equal(o.config.password, " pass word ");
    xf_account_forget(&o);
    assert_null(o.config.password);
    for (size_t i = 0; i < sizeof o.password; i++)
        assert_int_equal(o.password[i], 0);
}

static void a_command_gives_the_password_or_its_failure(void **state)
{
    static const struct {
        const char *command;
        int result;
    } rows[] = {
        { "echo secret; echo more", 0 },
        { "echo secret; exit 3", XF_E_AUTH },
        { "true", XF_E_AUTH },
        { "kill -9 $$", XF_E_AUTH },
        { "head -c 2000 /dev/zero | tr '\\0' x", XF_E_AUTH },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct xf_account a;
        struct xf_options o;

        begin(&a, &o);
        xf_options_set(&o, XF_LAYER_ARGUMENTS, "account", "a@h");
        xf_options_set(&o, XF_LAYER_ARGUMENTS, "password-command",
                       rows[i].command);
        assert_int_equal(xf_account_password(&a, &o), rows[i].result);
        if (rows[i].result == 0)
            assert_string_equal(o.config.password, "secret");
    }
}

static void the_environment_is_read_once_and_wiped(void **state)
{
    struct xf_account a;
    struct xf_options o;

    (void)state;
    begin(&a, &o);
    xf_options_set(&o, XF_LAYER_ARGUMENTS, "account", "a@h");
    setenv("XFERRY_PASSWORD", "secret", 1);
    assert_int_equal(xf_account_password(&a, &o), 0);
    assert_string_equal(o.config.password, "secret");
    assert_null(getenv("XFERRY_PASSWORD"));
}

static void without_an_account_nothing_is_asked(void **state)
{
    struct xf_account a;
    struct xf_options o;

    (void)state;
    begin(&a, &o);
    setenv("XFERRY_PASSWORD", "secret", 1);
    assert_int_equal(xf_account_password(&a, &o), XF_E_USAGE);
    assert_non_null(getenv("XFERRY_PASSWORD"));
}

static void make_config(const char *text, mode_t mode)
{
    char at[160];

    snprintf(at, sizeof at, "%s/xferry", dir);
    mkdir(at, 0700);
    snprintf(at, sizeof at, "%s/xferry/config", dir);
    write_file(at, text, mode);
    setenv("XDG_CONFIG_HOME", dir, 1);
}

static void the_configuration_must_be_private(void **state)
{
    struct xf_account a;
    struct xf_options o;

    (void)state;
    begin(&a, &o);
    make_config("account = a@h\n", 0644);
    assert_int_equal(xf_account_configure(&a, &o), XF_E_PERM);
    assert_non_null(strstr(a.error, "/xferry/config"));
    assert_non_null(strstr(a.error, "0644"));
    xf_account_clear(&a);
    make_config("account = a@h\n", 0600);
    assert_int_equal(xf_account_configure(&a, &o), 0);
    assert_string_equal(o.config.account, "a@h");
    xf_account_clear(&a);
}

static void the_environment_names_the_account_before_the_file(void **state)
{
    struct xf_account a;
    struct xf_options o;

    (void)state;
    begin(&a, &o);
    make_config("account = a@h\n", 0600);
    setenv("XFERRY_ACCOUNT", "b@h", 1);
    assert_int_equal(xf_account_configure(&a, &o), 0);
    assert_string_equal(o.config.account, "b@h");
    xf_account_clear(&a);
}

/* It would be shown to a server it is not meant for. */
static void a_configured_password_is_for_its_account_only(void **state)
{
    struct xf_account a;
    struct xf_options o;

    (void)state;
    make_config("account = a@h\npassword-command = echo secret\n", 0600);
    begin(&a, &o);
    assert_int_equal(xf_account_configure(&a, &o), 0);
    assert_int_equal(xf_account_password(&a, &o), 0);
    assert_string_equal(o.config.password, "secret");
    xf_account_clear(&a);

    begin(&a, &o);
    xf_options_set(&o, XF_LAYER_ARGUMENTS, "account", "b@h");
    setenv("XFERRY_PASSWORD", "other", 1);
    assert_int_equal(xf_account_configure(&a, &o), 0);
    assert_int_equal(xf_account_password(&a, &o), 0);
    assert_string_equal(o.config.password, "other");
    assert_null(o.password_command);
    xf_account_clear(&a);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/secret", dir);
    return 0;
}

static int tear_down(void **state)
{
    char at[160];

    (void)state;
    unlink(path);
    snprintf(at, sizeof at, "%s/xferry/config", dir);
    unlink(at);
    snprintf(at, sizeof at, "%s/xferry", dir);
    rmdir(at);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_private_file_is_read_whole),
        cmocka_unit_test(any_bit_for_others_is_refused_with_file_and_mode),
        cmocka_unit_test(what_is_no_regular_file_of_ours_is_refused),
        cmocka_unit_test(a_file_of_another_user_is_refused),
        cmocka_unit_test(a_file_that_is_not_there_is_told_apart),
        cmocka_unit_test(the_first_line_is_the_password),
        cmocka_unit_test(a_command_gives_the_password_or_its_failure),
        cmocka_unit_test(the_environment_is_read_once_and_wiped),
        cmocka_unit_test(without_an_account_nothing_is_asked),
        cmocka_unit_test(the_configuration_must_be_private),
        cmocka_unit_test(the_environment_names_the_account_before_the_file),
        cmocka_unit_test(a_configured_password_is_for_its_account_only),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
