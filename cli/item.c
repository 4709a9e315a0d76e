/* A transfer as we follow it; how it is told is left to the report. */
#include "item.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "progress.h"

#define RATE_INTERVAL_MS 250 /* shorter ones are noise */

struct xf_item *xf_item_new(struct xf_transfer *t, const char *name,
                            bool sending)
{
    struct xf_item *item = calloc(1, sizeof *item);

    if (!item || !(item->name = strdup(name ? name : ""))) {
        free(item);
        return NULL;
    }
    item->transfer = t;
    item->id = xf_transfer_id(t);
    item->sending = sending;
    xf_transfer_set_data(t, item);
    return item;
}

void xf_item_free(struct xf_item *item)
{
    free(item->name);
    free(item->peer);
    free(item->path);
    free(item);
}

static void open_item(struct xf_item *item, const struct xf_event *ev)
{
    item->open = true;
    item->via = ev->via;
    item->opened_at = item->rated_at = item->done = ev->offset;
    item->opened_ms = item->rated_ms = xf_progress_now();
    item->rate = 0;
}

/* A quarter new, three quarters old: calm, yet it follows in a second. */
static void rate_item(struct xf_item *item)
{
    int64_t now = xf_progress_now();
    int64_t ms = now - item->rated_ms;
    double rate;

    if (ms < RATE_INTERVAL_MS || item->done < item->rated_at)
        return;
    rate = (double)(item->done - item->rated_at) * 1000 / (double)ms;
    item->rate = item->rate > 0 ? item->rate * 0.75 + rate * 0.25 : rate;
    item->rated_ms = now;
    item->rated_at = item->done;
}

int64_t xf_item_moving_ms(const struct xf_item *item, const struct xf_event *ev)
{
    int64_t ms = item && item->open ? xf_progress_now() - item->opened_ms : 0;

    return ms > 0 ? ms : ev->elapsed_ms;
}

double xf_item_whole_rate(const struct xf_item *item, const struct xf_event *ev)
{
    uint64_t from = item ? item->opened_at : 0;
    int64_t ms = xf_item_moving_ms(item, ev);

    if (ms <= 0 || ev->done < from)
        return 0;
    return (double)(ev->done - from) * 1000 / (double)ms;
}

/* The library was given a descriptor; the user thinks in paths. */
static char *path_in(const char *dir, const char *path)
{
    char *joined = NULL;

    if (!dir || strchr(path, '/') || strcmp(dir, ".") == 0)
        return strdup(path);
    if (asprintf(&joined, "%s%s%s", dir,
                 *dir && dir[strlen(dir) - 1] == '/' ? "" : "/", path) < 0)
        return NULL;
    return joined;
}

void xf_item_update(struct xf_item *item, const struct xf_event *ev,
                    const char *dir)
{
    if (ev->peer && (!item->peer || strcmp(item->peer, ev->peer) != 0)) {
        free(item->peer);
        item->peer = strdup(ev->peer);
    }
    switch (ev->type) {
    case XF_EVENT_OFFER:
    case XF_EVENT_OFFERED:
        item->total = ev->total;
        break;
    case XF_EVENT_ATTEMPT:
        if (ev->attempt == XF_ATTEMPT_OPEN)
            open_item(item, ev);
        break;
    case XF_EVENT_PROGRESS:
        item->done = ev->done;
        item->total = ev->total;
        rate_item(item);
        break;
    case XF_EVENT_DONE:
        if (!item->sending && ev->path) {
            free(item->path);
            item->path = path_in(dir, ev->path);
        }
        break;
    case XF_EVENT_ONLINE:
    case XF_EVENT_OFFLINE:
    case XF_EVENT_ACCEPTED:
    case XF_EVENT_RESUMED:
    case XF_EVENT_FAILED:
    case XF_EVENT_LOST:
    case XF_EVENT_TRACE:
    case XF_EVENT_PROBE:
        break;
    }
}
