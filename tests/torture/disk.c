/*
 * A disk that is full, a small tmpfs: before the file is begun, in the middle
 * of it, when its journal is. E-NOSPC, nothing is kept; when there is room
 * again, the next try delivers it. (A tmpfs never fills at a sync; that is
 * for fail-at-N.)
 */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim.h"
#include "torture.h"

#define SIZE 2000000
#define NOT_HERE 77

static char filler[128];
static const char *fill_at; /* "journal": when it is made */
static unsigned fill_after; /* writes */

static void fill(void)
{
    static const char bytes[65536];
    int fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    shim_observer = NULL;
    while (fd >= 0 && write(fd, bytes, sizeof bytes) > 0)
        continue;
    while (fd >= 0 && write(fd, bytes, 512) > 0)
        continue;
    if (fd >= 0)
        close(fd);
}

static void watch(const struct shim_deed *deed)
{
    if (deed->what == SHIM_CREATE && fill_at && strstr(deed->name, fill_at))
        fill();
    else if (deed->what == SHIM_WRITE && fill_after > 0 && deed->len > 1000 &&
             --fill_after == 0)
        fill();
}

static const char *try(struct stage *st, const char *at, unsigned after,
                       bool full)
{
    /* No room is reserved, so that it can run out later. */
    const struct plan p = {
        .who = J, .kinds = CALL(XF_SYS_ALLOCATE), .at = 1, .err = EOPNOTSUPP
    };
    const struct told *r = &st->side[R].told, *j = &st->side[J].told;
    const char *what;
    struct found found;

    fill_at = at;
    fill_after = after;
    if (full)
        fill();
    stage_empty(st);
    stage_again(st);
    plan_set(&p);
    shim_observer = watch;
    stage_play(st);
    shim_observer = NULL;
    plan_clear();
    what = stage_judge(st);
    found = stage_look(st);
    if (!what && (j->failed != 1 || j->code != XF_E_NOSPC))
        what = "the receiver does not say E-NOSPC";
    if (!what && (r->failed != 1 || r->code != XF_E_DECLINED))
        what = "the sender was not told";
    if (!what && found.whole + found.parts + found.journals > 0)
        what = "something is kept";
    if (what)
        return what;
    (void)unlink(filler);
    stage_again(st);
    stage_offer(st);
    stage_run(st);
    what = stage_judge(st);
    if (!what && j->done != 1)
        what = "with room again it is not delivered";
    stage_close(st);
    return what;
}

static int all(struct stage *st)
{
    struct row row = { "full disk", "receiver", way_is[st->way], 4, 0, 0, "" };
    char disk[100];

    (void)snprintf(disk, sizeof disk, "%s/disk", st->dir);
    if (mkdir(disk, 0700) < 0 || unshare(CLONE_NEWNS) < 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", disk, "tmpfs", 0, "size=3m") < 0)
        return NOT_HERE;
    (void)snprintf(filler, sizeof filler, "%s/filler", disk);
    (void)snprintf(st->in, sizeof st->in, "%.70s/in", disk);
    (void)mkdir(st->in, 0700);
    close(st->in_fd);
    st->in_fd = open(st->in, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    row_point(&row, st, try(st, NULL, 0, true), "at the beginning");
    row_point(&row, st, try(st, ".part", 0, false), "when the part is made");
    row_point(&row, st, try(st, ".journal", 0, false), "at the journal's line");
    row_point(&row, st, try(st, NULL, 3, false), "in the middle");
    row_print(&row);
    return row.wrong > 0;
}

void torture_disk(void)
{
    for (int way = 0; way < WAYS; way++) {
        struct stage st;
        char disk[100];
        int status = 0;
        pid_t pid;

        stage_new(&st, (enum way)way, SIZE);
        fflush(stdout);
        pid = fork();
        if (pid == 0)
            _exit(all(&st));
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
        if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_HERE)
            printf("# full disk: not here, nothing may be mounted\n");
        else if (status != 0)
            torture_wrong++;
        (void)snprintf(disk, sizeof disk, "%s/disk", st.dir);
        (void)rmdir(disk);
        stage_free(&st);
    }
}
