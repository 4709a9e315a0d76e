/*
 * Loss of power: what a receiver does to its directory is written down, and
 * the directory is rebuilt as each moment may have left it. What was synced is
 * there; the rest is there, or half there, or not, in any order.
 *
 * Of each such directory: if success had been told, the file is whole; no
 * journal says that more is durable than is there; a transfer that begins
 * with it delivers the file.
 */
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim.h"
#include "stream/journal.h"
#include "torture.h"

#define DEEDS 4000
#define INODES 8
#define NAMES 8
#define SIZE 300000
#define LARGE_SIZE ((33u << 20) + 12345)
#define SUBSETS 10000 /* of what was not synced, by chance */

struct deed {
    enum shim_what what;
    char name[64], to[64];
    uint64_t ino, offset;
    size_t len;
    char *bytes; /* of a journal; those of the file are known */
};

static struct deed deeds[DEEDS];
static size_t count, told_at; /* deeds before success was told; DEEDS: never */
static uint64_t dir_ino;
static char *source;
static size_t source_size;

/* --- written down ------------------------------------------------------------- */

static void forget(void)
{
    for (size_t i = 0; i < count; i++)
        free(deeds[i].bytes);
    count = 0;
    told_at = DEEDS;
}

static void note(const struct shim_deed *d)
{
    struct deed *deed = &deeds[count];

    if (stage_now != J || count == DEEDS)
        return;
    *deed = (struct deed){
        .what = d->what, .ino = d->ino, .offset = d->offset, .len = d->len
    };
    (void)snprintf(deed->name, sizeof deed->name, "%s", d->name ? d->name : "");
    (void)snprintf(deed->to, sizeof deed->to, "%s", d->to ? d->to : "");
    if (d->what == SHIM_WRITE) {
        deed->bytes = malloc(d->len);
        if (!deed->bytes)
            abort();
        memcpy(deed->bytes, d->bytes, d->len);
    }
    count++;
}

static void look_for_end(struct stage *st)
{
    if (told_at == DEEDS &&
        (st->side[J].told.done > 0 || st->side[R].told.done > 0))
        told_at = count;
}

/* --- a directory as it may be ---------------------------------------------------- */

struct inode {
    uint64_t ino;
    char *bytes;
    size_t size, room;
};

struct world {
    struct inode inodes[INODES];
    size_t inodes_count;
    struct {
        char name[64];
        uint64_t ino; /* 0: no such name */
    } names[NAMES];
    size_t names_count;
};

static struct inode *inode_of(struct world *w, uint64_t ino)
{
    for (size_t i = 0; i < w->inodes_count; i++)
        if (w->inodes[i].ino == ino)
            return &w->inodes[i];
    if (w->inodes_count == INODES)
        abort();
    w->inodes[w->inodes_count].ino = ino;
    return &w->inodes[w->inodes_count++];
}

static void set_name(struct world *w, const char *name, uint64_t ino)
{
    size_t i = 0;

    while (i < w->names_count && strcmp(w->names[i].name, name) != 0)
        i++;
    if (i == NAMES)
        abort();
    if (i == w->names_count) {
        (void)snprintf(w->names[i].name, sizeof w->names[i].name, "%s", name);
        w->names_count++;
    }
    w->names[i].ino = ino;
}

static uint64_t ino_of(const struct world *w, const char *name)
{
    for (size_t i = 0; i < w->names_count; i++)
        if (strcmp(w->names[i].name, name) == 0)
            return w->names[i].ino;
    return 0;
}

static void grow(struct inode *inode, size_t size)
{
    if (size > inode->room) {
        size_t room = size < 1u << 20 ? 1u << 20 : size + (4u << 20);
        char *bytes = realloc(inode->bytes, room);

        if (!bytes)
            abort();
        memset(bytes + inode->room, 0, room - inode->room);
        inode->bytes = bytes;
        inode->room = room;
    }
    if (size > inode->size)
        inode->size = size;
}

/* The first `part` bytes of it; `length_only`: and none of them. */
static void write_it(struct world *w, const struct deed *d, size_t part,
                     bool length_only)
{
    struct inode *inode = inode_of(w, d->ino);

    grow(inode, (size_t)d->offset + part);
    if (!length_only && part > 0)
        memcpy(inode->bytes + d->offset, d->bytes, part);
}

static void cut_it(struct world *w, const struct deed *d)
{
    struct inode *inode = inode_of(w, d->ino);

    if (inode->size > d->offset) {
        memset(inode->bytes + d->offset, 0, inode->size - (size_t)d->offset);
        inode->size = (size_t)d->offset;
    }
    grow(inode, (size_t)d->offset);
}

static void do_it(struct world *w, const struct deed *d)
{
    switch (d->what) {
    case SHIM_CREATE:
        set_name(w, d->name, d->ino);
        (void)inode_of(w, d->ino);
        return;
    case SHIM_WRITE:
        write_it(w, d, d->len, false);
        return;
    case SHIM_TRUNCATE:
        cut_it(w, d);
        return;
    case SHIM_LINK:
        set_name(w, d->to, d->ino);
        return;
    case SHIM_RENAME:
        set_name(w, d->name, 0);
        set_name(w, d->to, d->ino);
        return;
    case SHIM_UNLINK:
        set_name(w, d->name, 0);
        return;
    case SHIM_SYNC:
        return;
    }
}

static bool is_of_names(const struct deed *d)
{
    return d->what == SHIM_CREATE || d->what == SHIM_LINK ||
           d->what == SHIM_RENAME || d->what == SHIM_UNLINK;
}

/* Was it made durable by a sync before deed `end`? */
static bool is_synced(size_t at, size_t end)
{
    uint64_t ino = is_of_names(&deeds[at]) ? dir_ino : deeds[at].ino;

    for (size_t i = at + 1; i < end; i++)
        if (deeds[i].what == SHIM_SYNC && deeds[i].ino == ino)
            return true;
    return false;
}

static uint64_t dice = 88172645463325252ull;

static unsigned roll(unsigned n)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (unsigned)((dice >> 20) % n);
}

enum luck { ALL_LOST, ALL_THERE, BY_CHANCE };

/* What is not synced is lost, there, or half there; what came later may be
 * there without what came before. */
static void rebuild(struct world *w, size_t end, enum luck luck)
{
    unsigned bias = 1 + roll(8);

    for (size_t i = 0; i < end; i++) {
        const struct deed *d = &deeds[i];

        if (luck == ALL_THERE || is_synced(i, end)) {
            do_it(w, d);
        } else if (luck == BY_CHANCE && roll(8) < bias) {
            if (d->what == SHIM_WRITE && roll(3) == 0)
                write_it(w, d, roll((unsigned)d->len + 1), roll(2) == 0);
            else
                do_it(w, d);
        }
    }
}

static void clear_world(struct world *w)
{
    for (size_t i = 0; i < w->inodes_count; i++)
        free(w->inodes[i].bytes);
    memset(w, 0, sizeof *w);
}

/* --- judged ------------------------------------------------------------------------ */

static bool is_source(const struct inode *inode, size_t first)
{
    return inode->size >= first &&
           (first == 0 || memcmp(inode->bytes, source, first) == 0);
}

static const char *judge_journal(struct world *w, const struct inode *inode)
{
    static struct xf_journal journal;
    struct inode *part;

    journal.fd = -1;
    if (inode->size == 0 ||
        !xf_journal_parse(&journal, inode->bytes, inode->size))
        return NULL;
    part = inode_of(w, journal.ino);
    return is_source(part, (size_t)journal.durable)
               ? NULL
               : "more is called durable than is there";
}

static const char *judge(struct world *w, size_t end)
{
    uint64_t ino = ino_of(w, "a.bin");

    for (size_t i = 0; i < w->names_count; i++) {
        const char *what;

        if (w->names[i].ino == 0 || !strstr(w->names[i].name, ".journal"))
            continue;
        what = judge_journal(w, inode_of(w, w->names[i].ino));
        if (what)
            return what;
    }
    if (ino != 0) {
        const struct inode *inode = inode_of(w, ino);

        if (inode->size != source_size || !is_source(inode, source_size))
            return "it has its name, and is not whole";
    }
    return end >= told_at && ino == 0 ? "success was told, and it is not there"
                                      : NULL;
}

/* On disk, inodes and all. */
static void put_on_disk(struct stage *st, struct world *w)
{
    shim_inodes = 0;
    stage_empty(st);
    for (size_t i = 0; i < w->names_count; i++) {
        const struct inode *inode;
        struct stat info;
        char path[200];
        int fd;

        if (w->names[i].ino == 0)
            continue;
        inode = inode_of(w, w->names[i].ino);
        (void)snprintf(path, sizeof path, "%s/%s", st->in, w->names[i].name);
        for (size_t k = 0; k < i; k++) { /* a second name */
            char first[200];

            if (w->names[k].ino != w->names[i].ino)
                continue;
            (void)snprintf(first, sizeof first, "%s/%s", st->in,
                           w->names[k].name);
            if (link(first, path) < 0)
                abort();
            path[0] = '\0';
            break;
        }
        if (!path[0])
            continue;
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, inode->bytes ? inode->bytes : "",
                            inode->size) != (ssize_t)inode->size)
            abort();
        if (fstat(fd, &info) < 0 || shim_inodes == SHIM_INODES)
            abort();
        shim_inode[shim_inodes].real = info.st_ino;
        shim_inode[shim_inodes++].told = inode->ino;
        close(fd);
    }
}

static unsigned played, went_on, bare;

static const char *play_on(struct stage *st, struct world *w)
{
    bool there = ino_of(w, "a.bin") != 0;
    struct found found;
    const char *what;

    put_on_disk(st, w);
    stage_again(st);
    wire_clear(st->wire);
    stage_play(st);
    found = stage_look(st);
    what = st->hung;
    if (!what && (st->side[J].told.done != 1 || st->side[R].told.done != 1))
        what = "the next transfer does not deliver it";
    if (!what && found.whole != 1 && !(there && found.whole == 2))
        what = "it is not there once";
    if (!what && found.other > 0)
        what = "another file lies there";
    /* A part whose journal was lost is nobody's; `xferry gc` finds it. */
    bare += found.parts > 0 || found.journals > 0;
    played++;
    went_on += st->side[J].told.resumed > 0;
    stage_close(st);
    shim_inodes = 0;
    return what;
}

/* --- the loop ------------------------------------------------------------------------ */

static void read_source(struct stage *st)
{
    char path[128];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/a.bin", st->out);
    source_size = st->size;
    source = malloc(source_size + 1);
    f = fopen(path, "r");
    if (!source || !f || fread(source, 1, source_size, f) != source_size)
        abort();
    fclose(f);
}

static void record(struct stage *st, void (*prepare)(struct stage *st))
{
    struct plan p = { .who = SIDES };
    struct stat info;

    if (fstat(st->in_fd, &info) < 0)
        abort();
    dir_ino = info.st_ino;
    forget();
    stage_empty(st);
    stage_again(st);
    plan_set(&p);
    if (prepare)
        prepare(st);
    st->on_turn = look_for_end;
    shim_observer = note;
    stage_play(st);
    shim_observer = NULL;
    st->on_turn = NULL;
    plan_clear();
    stage_close(st);
}

static void one(struct row *row, struct stage *st, size_t end, enum luck luck,
                bool on_disk)
{
    static struct world w;
    const char *what;

    (void)snprintf(torture_at, sizeof torture_at, "power %s at %zu", row->way,
                   end);
    rebuild(&w, end, luck);
    what = judge(&w, end);
    if (!what && on_disk)
        what = play_on(st, &w);
    row_point(row, NULL, what, "behind deed %zu of %zu (%d)", end, count,
              (int)luck);
    clear_world(&w);
}

static void by_link(struct stage *st)
{
    const struct plan p = {
        .who = J, .kinds = CALL(XF_SYS_RENAME), .at = 1, .err = EINVAL
    };

    (void)st;
    plan_set(&p);
}

/* It breaks in the middle, and goes on by itself. */
static void break_it(struct stage *st)
{
    *wire_cut(st->wire) =
        (struct cut){ .on = true, .from = 1, .at = st->size / 2 };
}

static void power_row(const char *name, enum way way, size_t size,
                      enum xf_exists exists, void (*prepare)(struct stage *st),
                      unsigned subsets, unsigned every)
{
    struct row row = { "power loss", name, way_is[way], 0, 0, 0, "" };
    struct stage st;

    stage_new(&st, way, size);
    st.exists = exists;
    read_source(&st);
    record(&st, prepare);
    row.points = (unsigned)count;
    if (told_at == DEEDS)
        row_point(&row, &st, "nothing was delivered", "undisturbed");
    played = went_on = bare = 0;
    /* Of a long one some of the moments, when time is short. */
    if (size > SIZE && torture_step > 1)
        every = 50;
    for (size_t end = 0; end <= count; end++) {
        bool on_disk = end % every == 0;

        if (size > SIZE && torture_step > 1 && end % 7 != 0)
            continue;

        one(&row, &st, end, ALL_LOST, on_disk);
        one(&row, &st, end, ALL_THERE, on_disk);
    }
    for (unsigned i = 0; i < subsets / torture_step; i++)
        one(&row, &st, roll((unsigned)count + 1), BY_CHANCE,
            i % (every * 10) == 0);
    (void)snprintf(row.more, sizeof row.more,
                   "%u played on, %u of these went on, %u left a bare part",
                   played, went_on, bare);
    free(source);
    forget();
    stage_free(&st);
    row_print(&row);
}

void torture_power(void)
{
    power_row("plain", IN_BAND, SIZE, XF_EXISTS_RENAME, NULL, SUBSETS, 1);
    power_row("plain", DIRECT, SIZE, XF_EXISTS_RENAME, NULL, SUBSETS, 1);
    power_row("broken", DIRECT, SIZE, XF_EXISTS_RENAME, break_it, SUBSETS, 1);
    power_row("by link", DIRECT, SIZE, XF_EXISTS_RENAME, by_link, SUBSETS, 1);
    power_row("over", DIRECT, SIZE, XF_EXISTS_OVERWRITE, NULL, SUBSETS, 1);
    power_row("33 MiB", DIRECT, LARGE_SIZE, XF_EXISTS_RENAME, NULL, 200, 10);
}
