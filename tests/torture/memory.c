/*
 * Memory fails, once, at each allocation: ours by the gate, those of the
 * libraries beside us by the hooks that they have for it. Out: E-LIMIT or a
 * whole file. (GNU SASL and libidn have no hooks.)
 */
#include <ares.h>
#include <expat.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "torture.h"

#define SIZE 100000

static bool fails(enum lib lib)
{
    if (stage_now != plan.who || plan.lib != lib)
        return false;
    plan.count++;
    if (plan.at == 0 || plan.count != plan.at)
        return false;
    plan.met = true;
    return true;
}

#define HOOKS(prefix, lib)                                                     \
    static void *prefix##_malloc(size_t size)                                  \
    {                                                                          \
        return fails(lib) ? NULL : malloc(size);                               \
    }                                                                          \
    static void *prefix##_realloc(void *p, size_t size)                        \
    {                                                                          \
        return fails(lib) ? NULL : realloc(p, size);                           \
    }

HOOKS(expat, EXPAT)
HOOKS(uv, UV)
HOOKS(ares, ARES)

static void *uv_calloc(size_t count, size_t size)
{
    return fails(UV) ? NULL : calloc(count, size);
}

static void *crypto_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails(CRYPTO) ? NULL : malloc(size);
}

static void *crypto_realloc(void *p, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails(CRYPTO) ? NULL : realloc(p, size);
}

static void crypto_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

/* In the place of expat's own, with our memory. */
XML_Parser XML_ParserCreateNS(const XML_Char *encoding, XML_Char separator)
{
    static const XML_Memory_Handling_Suite suite = { expat_malloc,
                                                     expat_realloc, free };
    XML_Char between[2] = { separator, '\0' };

    return XML_ParserCreate_MM(encoding, &suite, between);
}

void memory_begin(void)
{
    plan.who = SIDES;
    if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) !=
            1 ||
        uv_replace_allocator(uv_malloc, uv_realloc, uv_calloc, free) != 0 ||
        ares_library_init_mem(ARES_LIB_INIT_ALL, ares_malloc, free,
                              ares_realloc) != 0)
        abort();
}

/* Proxies that were not found for want of memory are looked for again after
 * ten minutes: that is for the next session. */
static bool anew(const struct stage *st, const struct plan *p)
{
    return p->at % 2 == 0 || st->way == BY_PROXY;
}

/* In a process of its own: a library may abort. */
static const char *apart(struct stage *st, const struct plan *p, bool *aborted)
{
    static char text[400];
    const char *what;
    int pipes[2], status;
    ssize_t n;
    pid_t pid;

    if (pipe(pipes) < 0 || (pid = fork()) < 0)
        abort();
    if (pid == 0) {
        close(pipes[0]);
        (void)!freopen("/dev/null", "w", stderr);
        what = attempt(st, p, false, anew(st, p));
        if (what)
            (void)!write(pipes[1], what, strlen(what));
        _exit(what != NULL);
    }
    close(pipes[1]);
    n = read(pipes[0], text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    close(pipes[0]);
    while (waitpid(pid, &status, 0) < 0)
        continue;
    if (n > 0)
        return text;
    /* Its abort(), or a NULL of its own that it goes through. */
    *aborted = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    return NULL;
}

static const char *here(struct stage *st, const struct plan *p)
{
    const char *what = attempt(st, p, false, anew(st, p));
    const struct told *t = &st->side[p->who].told;

    if (!what && t->refused != 0 && t->refused != XF_E_LIMIT)
        what = "refused with another code";
    return what;
}

static void one_row(enum lib lib, enum who who, enum way way)
{
    static const char *const names[] = { "memory", "expat", "OpenSSL", "libuv",
                                         "c-ares" };
    struct row row = { names[lib], who_is[who], way_is[way], 0, 0, 0, "" };
    struct plan p = { .who = who,
                      .lib = lib,
                      .kinds = lib == OURS ? CALL(XF_SYS_ALLOC) : 0 };
    unsigned aborts = 0;
    struct stage st;
    char more[60] = "";

    stage_new(&st, way, SIZE);
    for (int i = 0; i < 2; i++) {
        const char *what = here(&st, &p);

        if (i > 0 && what)
            row_point(&row, &st, what, "undisturbed");
    }
    seen = (struct seen){ 0 };
    row.points = plan.count;
    for (unsigned n = 1; n <= row.points; n += torture_step) {
        const char *what;
        bool aborted = false;

        (void)snprintf(torture_at, sizeof torture_at, "%s %s %s %u", row.loop,
                       row.who, row.way, n);
        p.at = n;
        what = lib == UV ? apart(&st, &p, &aborted) : here(&st, &p);
        aborts += aborted;
        row_point(&row, &st, what, "allocation %u", n);
    }
    stage_free(&st);
    if (lib == UV)
        (void)snprintf(more, sizeof more, "%u ended within libuv", aborts);
    seen_more(&row, more);
    row_print(&row);
}

void torture_memory(void)
{
    for (int lib = 0; lib < LIBS; lib++)
        for (int way = 0; way < WAYS; way++)
            for (int who = 0; who < SIDES; who++)
                one_row((enum lib)lib, (enum who)who, (enum way)way);
}
