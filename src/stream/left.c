/*
 * A part is locked by whom it belongs to, and so is the file it becomes, until
 * its journal has gone: what can be locked was left behind.
 */
#include "stream/left.h"

#include <errno.h>

#include "base/sys.h"

bool xf_left_read(struct xf_left *left, int dir)
{
    left->fd = -1;
    left->named = false;
    left->state = XF_PART_ABSENT;
    left->known = xf_journal_open(&left->journal, dir, left->id);
    return left->known;
}

void xf_left_let_go(struct xf_left *left)
{
    if (left->fd >= 0)
        xf_sys_close(left->fd);
    left->fd = -1;
    xf_journal_close(&left->journal);
}

bool xf_left_is_of_journal(const struct xf_left *left)
{
    return left->fd >= 0 && left->st.st_dev == left->journal.dev &&
           left->st.st_ino == left->journal.ino;
}

/*
 * The part has gone: it may have got its name just before the end. Whoever
 * gave it that name may also be about to tell, and holds its lock then.
 */
static void take_named(struct xf_left *left, int dir)
{
    const struct xf_journal *journal = &left->journal;
    enum xf_part_state state;

    if (journal->end == XF_JOURNAL_PART)
        return;
    state = xf_part_take(dir, journal->as, false, &left->fd, &left->st);
    if (state == XF_PART_BUSY)
        left->state = state;
    if (state != XF_PART_OURS)
        return;
    left->named = xf_left_is_of_journal(left) &&
                  (uint64_t)left->st.st_size == journal->as_size;
    if (!left->named) {
        xf_sys_close(left->fd);
        left->fd = -1;
    }
}

/* Where names are made by linking, a crash leaves both. */
static bool has_both_names(const struct xf_left *left, int dir)
{
    return left->journal.end != XF_JOURNAL_PART &&
           xf_left_is_of_journal(left) &&
           (uint64_t)left->st.st_size == left->journal.as_size &&
           xf_part_is_at(dir, left->journal.as, &left->st);
}

bool xf_left_take(struct xf_left *left, int dir)
{
    char file[XF_PART_FILE + 1];

    xf_part_file(left->id, XF_PART_BYTES, file);
    left->state = xf_part_take(dir, file, true, &left->fd, &left->st);
    /* Its owner may have gone on since we read it. */
    if (left->known)
        left->known = xf_journal_reread(&left->journal);
    if (left->known && left->state == XF_PART_ABSENT)
        take_named(left, dir);
    else if (left->known && left->state == XF_PART_OURS)
        left->named = has_both_names(left, dir);
    if (left->state != XF_PART_BUSY && left->state != XF_PART_CLOSED)
        return true;
    xf_left_let_go(left);
    return false;
}

/* The part first: it is found by its journal. */
bool xf_left_remove(const struct xf_left *left, int dir)
{
    char file[XF_PART_FILE + 1];

    xf_part_file(left->id, XF_PART_BYTES, file);
    if (left->state != XF_PART_ABSENT && xf_sys_unlinkat(dir, file) < 0)
        return false;
    xf_part_file(left->id, XF_PART_JOURNAL, file);
    return xf_sys_unlinkat(dir, file) == 0 || errno == ENOENT;
}
