/* Whose account and which password; the login itself is the library's. */
#include "account.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;

static int fail(char *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(char *error, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error, XF_OPTIONS_ERROR, format, args);
    va_end(args);
    return code;
}

static int code_of(int err)
{
    if (err == EACCES || err == EPERM)
        return XF_E_PERM;
    return err == ENOMEM || err == EMFILE ? XF_E_LIMIT : XF_E_IO;
}

static int check_private(int fd, const char *path, char *error)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return fail(error, XF_E_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return fail(error, XF_E_PERM, "%s is not a regular file", path);
    if (st.st_uid != geteuid())
        return fail(error, XF_E_PERM, "%s belongs to another user, number %lu",
                    path, (unsigned long)st.st_uid);
    if (st.st_mode & 077)
        return fail(error, XF_E_PERM,
                    "%s has mode %04o: others may touch it; `chmod 600` it",
                    path, (unsigned)(st.st_mode & 07777));
    return 0;
}

/* The whole of a descriptor, up to `max` bytes; NULL with errno. */
static char *read_all(int fd, size_t max)
{
    char *text = malloc(max + 1);
    size_t len = 0;
    ssize_t n = 1;

    while (text && n != 0 && len < max) {
        n = read(fd, text + len, max - len);
        if (n < 0 && errno != EINTR) {
            explicit_bzero(text, len);
            free(text);
            return NULL;
        }
        len += n > 0 ? (size_t)n : 0;
    }
    if (text)
        text[len] = '\0';
    return text;
}

int xf_account_read_private(const char *path, char **out, bool *missing,
                            char error[XF_OPTIONS_ERROR])
{
    /* Not waiting for the writer of a FIFO, nor taking a terminal. */
    int fd =
        open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int err;

    *out = NULL;
    *missing = fd < 0 && errno == ENOENT;
    if (fd < 0 && errno == ELOOP)
        return fail(error, XF_E_PERM, "%s is a symbolic link", path);
    if (fd < 0)
        return fail(error, code_of(errno), "%s: %s", path, strerror(errno));
    err = check_private(fd, path, error);
    if (!err && !(*out = read_all(fd, XF_PRIVATE_MAX)))
        err = fail(error, code_of(errno), "%s: %s", path, strerror(errno));
    close(fd);
    return err;
}

static char *config_path(void)
{
    const char *dir = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    char *path = NULL;
    int n = -1;

    /* A relative one is to be ignored (XDG Base Directory, environment). */
    if (dir && *dir == '/')
        n = asprintf(&path, "%s/xferry/config", dir);
    else if (home && *home == '/')
        n = asprintf(&path, "%s/.config/xferry/config", home);
    return n < 0 ? NULL : path;
}

/* A password of the configuration goes to the account there, to no other. */
static void keep_passwords_apart(struct xf_options *o)
{
    if (!o->file_account || strcmp(o->file_account, o->config.account) == 0)
        return;
    if (xf_options_layer(o, "password-file") == XF_LAYER_FILE)
        o->password_file = NULL;
    if (xf_options_layer(o, "password-command") == XF_LAYER_FILE)
        o->password_command = NULL;
}

int xf_account_configure(struct xf_account *a, struct xf_options *o)
{
    const char *named = getenv("XFERRY_ACCOUNT");
    bool missing;
    int err;

    if (named && *named &&
        xf_options_set(o, XF_LAYER_ENVIRONMENT, "account", named) != 0)
        return fail(a->error, XF_E_USAGE, "XFERRY_ACCOUNT: %s", o->error);
    a->config_path = config_path();
    if (!a->config_path)
        return 0;
    err = xf_account_read_private(a->config_path, &a->config_text, &missing,
                                  a->error);
    if (err)
        return missing ? 0 : err;
    if (xf_options_file(o, a->config_path, a->config_text) != 0)
        return fail(a->error, XF_E_USAGE, "%s", o->error);
    return 0;
}

/* The first line of `text` becomes the password. */
static int take_first_line(struct xf_account *a, struct xf_options *o,
                           const char *text, const char *source, int code)
{
    size_t len = strcspn(text, "\r\n");

    if (len == 0)
        return fail(a->error, code, "%s: there is no password in it", source);
    if (len >= sizeof o->password)
        return fail(a->error, code, "%s: the password is too long", source);
    memcpy(o->password, text, len);
    o->password[len] = '\0';
    return 0;
}

static int from_file(struct xf_account *a, struct xf_options *o,
                     const char *path)
{
    char *text;
    bool missing;
    int err = xf_account_read_private(path, &text, &missing, a->error);

    if (err)
        return err;
    err = take_first_line(a, o, text, path, XF_E_AUTH);
    explicit_bzero(text, strlen(text));
    free(text);
    return err;
}

static int start_command(const char *command, int out, pid_t *pid)
{
    char *argv[] = { (char *)"sh", (char *)"-c", (char *)command, NULL };
    posix_spawn_file_actions_t actions;
    int err = posix_spawn_file_actions_init(&actions);

    if (err)
        return err;
    err = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (!err)
        err = posix_spawn(pid, "/bin/sh", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return err;
}

static int end_command(struct xf_account *a, pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return fail(a->error, XF_E_IO, "password command: %s",
                        strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return fail(a->error, XF_E_AUTH, "the password command failed (%s %d)",
                WIFEXITED(status) ? "exit" : "signal",
                WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static int from_command(struct xf_account *a, struct xf_options *o,
                        const char *command)
{
    int fds[2];
    char *text;
    pid_t pid;
    int err, end;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return fail(a->error, XF_E_LIMIT, "pipe: %s", strerror(errno));
    err = start_command(command, fds[1], &pid);
    close(fds[1]);
    if (err) {
        close(fds[0]);
        return fail(a->error, code_of(err), "/bin/sh: %s", strerror(err));
    }
    text = read_all(fds[0], XF_PRIVATE_MAX);
    close(fds[0]);
    end = end_command(a, pid);
    if (!text)
        return fail(a->error, XF_E_LIMIT, "out of memory");
    err = end ? end
              : take_first_line(a, o, text, "the password command", XF_E_AUTH);
    explicit_bzero(text, strlen(text));
    free(text);
    return err;
}

/* Taken out of the environment too, where children and `ps e` could see it. */
static int from_environment(struct xf_account *a, struct xf_options *o,
                            char *value)
{
    int err = take_first_line(a, o, value, "XFERRY_PASSWORD", XF_E_AUTH);

    explicit_bzero(value, strlen(value));
    unsetenv("XFERRY_PASSWORD");
    return err;
}

static volatile sig_atomic_t caught;

static void catch_signal(int signal)
{
    caught = signal;
}

/* A line without echo; a signal ends it, and comes again after the echo. */
static ssize_t read_hidden(int tty, char *line, size_t size)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction catcher = { .sa_handler = catch_signal };
    struct sigaction before[3];
    struct termios visible, hidden;
    ssize_t n;

    if (tcgetattr(tty, &visible) != 0)
        return -1;
    hidden = visible;
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK);
    hidden.c_lflag |= ECHONL;
    for (int i = 0; i < 3; i++)
        sigaction(signals[i], &catcher, &before[i]);
    tcsetattr(tty, TCSAFLUSH, &hidden);
    do
        n = read(tty, line, size);
    while (n < 0 && errno == EINTR && !caught);
    tcsetattr(tty, TCSAFLUSH, &visible);
    for (int i = 0; i < 3; i++)
        sigaction(signals[i], &before[i], NULL);
    if (caught)
        raise(caught);
    return n;
}

static int from_terminal(struct xf_account *a, struct xf_options *o)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    char line[XF_PASSWORD_MAX];
    ssize_t n;
    int err;

    if (tty < 0)
        return fail(a->error, XF_E_USAGE,
                    "no password: give --password-file, --password-command "
                    "or XFERRY_PASSWORD");
    dprintf(tty, "password for %s: ", o->config.account);
    n = read_hidden(tty, line, sizeof line - 1);
    close(tty);
    line[n > 0 ? n : 0] = '\0';
    err = take_first_line(a, o, line, "the terminal", XF_E_USAGE);
    explicit_bzero(line, sizeof line);
    return err;
}

static int find_password(struct xf_account *a, struct xf_options *o)
{
    char *value = getenv("XFERRY_PASSWORD");
    bool by_argument =
        xf_options_layer(o, "password-file") == XF_LAYER_ARGUMENTS ||
        xf_options_layer(o, "password-command") == XF_LAYER_ARGUMENTS;
    enum xf_layer file = xf_options_layer(o, "password-file");
    enum xf_layer command = xf_options_layer(o, "password-command");

    if (value && *value && !by_argument)
        return from_environment(a, o, value);
    if (o->password_file && (!o->password_command || file >= command))
        return from_file(a, o, o->password_file);
    if (o->password_command)
        return from_command(a, o, o->password_command);
    return from_terminal(a, o);
}

int xf_account_password(struct xf_account *a, struct xf_options *o)
{
    int err;

    if (!o->config.account)
        return fail(a->error, XF_E_USAGE,
                    "no account: give --account JID, XFERRY_ACCOUNT, or "
                    "`account = JID` in %s",
                    a->config_path ? a->config_path : "a configuration");
    keep_passwords_apart(o);
    err = find_password(a, o);
    if (!err)
        o->config.password = o->password;
    return err;
}

void xf_account_forget(struct xf_options *o)
{
    explicit_bzero(o->password, sizeof o->password);
    o->config.password = NULL;
}

void xf_account_clear(struct xf_account *a)
{
    free(a->config_path);
    free(a->config_text);
    a->config_path = NULL;
    a->config_text = NULL;
}
