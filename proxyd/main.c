/* xferry-proxy: its options, its secret, its workers, and then the loop. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <xferry/xferry.h>

#include "config.h"
#include "notify.h"
#include "run.h"
#include "setup.h"
#include "worker.h"

#define PIPES 192 /* for all workers together: see XF_RELAY_PIPES */

/* The command line, kept for a reload: its options go above the file. */
struct arguments {
    int count;
    char **words;
    const char *file; /* NULL: the usual one, if it is there */
    bool check, help, version;
};

static int complain(int code, const char *text)
{
    fprintf(stderr, "xferry-proxy: %s (%s)\n", text, xf_error_name(code));
    return code;
}

static int usage(const char *text)
{
    fprintf(stderr, "xferry-proxy: %s; see xferry-proxy --help\n", text);
    return XF_E_USAGE;
}

static int help(void)
{
    fputs(
        "Usage: xferry-proxy [options]\n\n"
        "A SOCKS5 bytestreams proxy (XEP-0065), as an external component of "
        "any XMPP\nserver.\n\n"
        "  -c, --config FILE\n        read this instead of " XF_CONF_FILE "\n"
        "  --check\n        say whether the settings are right and what they "
        "mean, and end\n"
        "  -h, --help; -V, --version\n\n"
        "Each key of the file is an option, too, and goes above the file:\n\n",
        stdout);
    xf_conf_help(stdout);
    fputs("\nSIGHUP reads the file anew; SIGTERM ends it once its pairs have "
          "ended or\ntheir time is up, a second one at once. Exit status: 0, "
          "or a code of\n`xferry help exit`.\n",
          stdout);
    return 0;
}

/* The value of an option: behind its =, or the next word. */
static const char *value_of(const struct arguments *a, int *i,
                            const char *equals)
{
    if (equals)
        return equals + 1;
    return *i + 1 < a->count ? a->words[++*i] : NULL;
}

static int take_option(struct arguments *a, struct xf_conf *conf, int *i)
{
    const char *word = a->words[*i], *value;
    const char *equals = strchr(word, '=');
    char name[48];

    snprintf(name, sizeof name, "%.*s",
             equals ? (int)(equals - word) : (int)strlen(word), word);
    if (!equals && (!strcmp(name, "-h") || !strcmp(name, "--help")))
        a->help = true;
    else if (!equals && (!strcmp(name, "-V") || !strcmp(name, "--version")))
        a->version = true;
    else if (!equals && !strcmp(name, "--check"))
        a->check = true;
    else if (strncmp(name, "--", 2) != 0 && strcmp(name, "-c") != 0)
        return usage("an option begins with --");
    else if (!(value = value_of(a, i, equals)))
        return usage("an option needs a value");
    else if (!strcmp(name, "-c") || !strcmp(name, "--config"))
        a->file = value;
    else if (xf_conf_option(conf, name + 2, value) != 0)
        return usage(conf->error);
    return 0;
}

static int take_options(struct arguments *a, struct xf_conf *conf)
{
    int err = 0;

    for (int i = 1; i < a->count && !err; i++)
        err = take_option(a, conf, &i);
    return err;
}

/* What stands in the file, with what the arguments say above it. */
static int read_settings(void *data, struct xf_conf *conf)
{
    struct arguments *a = data;
    int err = take_options(a, conf);

    if (!err)
        err = xf_conf_file(conf, a->file ? a->file : XF_CONF_FILE,
                           a->file != NULL);
    return err ? err : xf_conf_finish(conf);
}

/*
 * A page that is not swapped, not dumped, and empty in every child: workers
 * have no business with the secret.
 */
static char *secret_page(void)
{
    char *page = mmap(NULL, XF_CONF_SECRET_MAX, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return NULL;
    madvise(page, XF_CONF_SECRET_MAX, MADV_WIPEONFORK);
    madvise(page, XF_CONF_SECRET_MAX, MADV_DONTDUMP);
    mlock(page, XF_CONF_SECRET_MAX);
    return page;
}

static void forget(char *page)
{
    explicit_bzero(page, XF_CONF_SECRET_MAX);
    munmap(page, XF_CONF_SECRET_MAX);
}

/* No core, and nobody of our user attaches to us. */
static void close_shutters(void)
{
    static const struct rlimit none = { 0, 0 };

    prctl(PR_SET_DUMPABLE, 0);
    setrlimit(RLIMIT_CORE, &none);
}

/* 0 to 2 are there, if only as /dev/null: no socket is to become one of them.
 */
static void fill_standard_streams(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}

static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void advise(const struct xf_conf *conf)
{
    uint64_t workers = conf->value[XF_CONF_WORKERS].number;
    uint64_t pairs = conf->value[XF_CONF_PAIRS].number;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct rlimit limit = { 0, 0 };
    uint64_t room;

    getrlimit(RLIMIT_NOFILE, &limit);
    if (workers == 0)
        workers = processors > 0 ? (uint64_t)processors : 1;
    /* Two for each pair; a few dozen of its own and two for each pipe. */
    room = limit.rlim_max > 2 * PIPES + 64
               ? (limit.rlim_max - 2 * PIPES - 64) / 2 * workers
               : 0;
    printf("# %lu workers of %lu descriptors each have room for %lu pairs%s\n",
           (unsigned long)workers, (unsigned long)limit.rlim_max,
           (unsigned long)room, room < pairs ? ", fewer than `pairs`" : "");
    if (conf->value[XF_CONF_ALLOW].count == 0 && conf->section_count == 0)
        puts("# nobody may use it: there is no `allow`");
}

/* Right is what would start, so the secret is looked at, too. */
static int check(struct xf_conf *conf, const char *secret)
{
    struct xf_setup setup;
    int err = xf_setup_make(&setup, conf, secret);

    xf_setup_clear(&setup);
    if (err)
        return complain(err, conf->error);
    xf_conf_tell(conf, stdout);
    advise(conf);
    puts("# the settings are right");
    return 0;
}

static int work(struct arguments *a, struct xf_conf *conf, char *secret)
{
    struct xf_run_start start = {
        .conf = conf, .secret = secret, .read = read_settings, .data = a
    };
    struct xf_setup setup;
    /* A mistake is told before there are processes to be ended. */
    int err = xf_setup_make(&setup, conf, secret);

    xf_setup_clear(&setup);
    if (err)
        return complain(err, conf->error);
    raise_descriptors();
    xf_run_signals();
    err = workers_start(&start.workers,
                        (unsigned)conf->value[XF_CONF_WORKERS].number, PIPES);
    if (err)
        return complain(err, "no worker can be started");
    xf_notify_open();
    err = xf_run(&start);
    workers_free(start.workers);
    xf_notify_close();
    return err;
}

static int read_and_work(struct arguments *a, struct xf_conf *conf)
{
    char *secret = secret_page();
    int err;

    if (!secret)
        return complain(XF_E_LIMIT, "out of memory");
    err = xf_conf_secret(conf, secret);
    fill_standard_streams();
    if (err)
        complain(err, conf->error);
    else if (a->check)
        err = check(conf, secret);
    else
        err = work(a, conf, secret);
    forget(secret);
    return err;
}

int main(int argc, char **argv)
{
    struct arguments a = { .count = argc, .words = argv };
    struct xf_conf conf = { 0 };
    int err;

    close_shutters();
    err = take_options(&a, &conf);
    xf_conf_clear(&conf);
    conf = (struct xf_conf){ 0 };
    if (err)
        return err;
    if (a.help)
        return help();
    if (a.version)
        return printf("xferry-proxy %s\n", xf_version()) < 0 ? XF_E_IO : 0;
    err = read_settings(&a, &conf);
    err = err ? complain(err, conf.error) : read_and_work(&a, &conf);
    xf_conf_clear(&conf);
    return err;
}
