/*
 * What earlier transfers have left in a directory: gone on with, or removed.
 * A journal that was not read to its first line, a part that somebody holds, a
 * file that is not ours: all these are left alone.
 */
#include "stream/sink_inside.h"

#include <string.h>

#include "base/sys.h"
#include "stream/left.h"

#define JOURNALS_MAX 4096 /* looked into; the rest is not there */

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_same(const struct xf_part_of *a, const struct xf_part_of *b)
{
    return a->size == b->size && same_text(a->version, b->version) &&
           same_text(a->hash, b->hash);
}

static bool is_usable(const struct xf_left *left, const struct xf_part_of *of)
{
    if (!is_same(&left->journal.of, of))
        return false;
    return left->named ||
           (left->state == XF_PART_OURS && xf_left_is_of_journal(left));
}

/* Of two the one that is further; published is furthest. */
static bool is_better(const struct xf_left *left, const struct xf_sink *sink)
{
    return left->named ||
           (!sink->found_named && (uint64_t)left->st.st_size > sink->written);
}

static void remove_left(int dir, struct xf_left *left, bool tidy)
{
    if (tidy)
        (void)xf_left_remove(left, dir);
    xf_left_let_go(left);
}

/* Give the sink's to `left`, to be removed. */
static void take_back(struct xf_sink *sink, struct xf_left *left)
{
    memcpy(left->id, sink->id, sizeof left->id);
    left->state = sink->has_part ? XF_PART_OURS : XF_PART_ABSENT;
    left->fd = sink->fd;
    left->journal.fd = sink->journal.fd;
}

static void hand_over(struct xf_sink *sink, struct xf_left *left)
{
    uint64_t size = (uint64_t)left->st.st_size;

    sink->fd = left->fd;
    sink->journal = left->journal;
    /* They would point into `left`. */
    sink->journal.of = (struct xf_part_of){ 0 };
    sink->resumed = true;
    sink->has_journal = true;
    sink->has_part = left->state != XF_PART_ABSENT;
    sink->found_named = left->named;
    sink->written = size;
    sink->durable = left->journal.durable < size ? left->journal.durable : size;
    memcpy(sink->id, left->id, sizeof sink->id);
    xf_part_file(sink->id, XF_PART_BYTES, sink->part);
    if (left->named)
        memcpy(sink->name, left->journal.as, sizeof sink->name);
}

static void look_at(struct xf_sink *sink, const struct xf_part_of *of,
                    bool resume, bool tidy, struct xf_left *left)
{
    struct xf_left other;

    if (!xf_left_read(left, sink->dir))
        return;
    if (!same_text(left->journal.of.peer, of->peer) ||
        !same_text(left->journal.of.name, of->name)) {
        xf_left_let_go(left);
        return;
    }
    if (!xf_left_take(left, sink->dir) || !left->known) {
        xf_left_let_go(left);
        return;
    }
    if (!resume || !is_usable(left, of) ||
        (sink->resumed && !is_better(left, sink))) {
        remove_left(sink->dir, left, tidy);
        return;
    }
    if (sink->resumed) {
        take_back(sink, &other);
        remove_left(sink->dir, &other, tidy);
    }
    hand_over(sink, left);
}

void xf_sink_find(struct xf_sink *sink, const struct xf_part_of *of,
                  bool resume, bool tidy)
{
    struct xf_left *left = xf_sys_alloc(sizeof *left);
    struct xf_sys_list *list = left ? xf_sys_list_open(sink->dir) : NULL;
    unsigned seen = 0;
    const char *file;

    while (list && seen < JOURNALS_MAX &&
           (file = xf_sys_list_next(list)) != NULL) {
        enum xf_part_kind kind;

        if (!xf_part_read_file(file, left->id, &kind) ||
            kind != XF_PART_JOURNAL)
            continue;
        seen++;
        look_at(sink, of, resume, tidy, left);
    }
    xf_sys_list_close(list);
    xf_sys_free(left);
}
