/* A transfer as we follow it: what it is, how far it is, how fast it goes. */
#ifndef XF_CLI_ITEM_H
#define XF_CLI_ITEM_H

#include <stdbool.h>
#include <stdint.h>

#include <xferry/xferry.h>

/* The xf_transfer_data() of its transfer; in the list of the report. */
struct xf_item {
    struct xf_item *next;
    struct xf_transfer *transfer;
    uint64_t id;
    char *name;
    char *peer; /* NULL until known */
    char *path; /* the source, or where the received file is */
    bool sending;
    bool accepted; /* by us */
    bool told;     /* why it failed, before it did */
    bool open;     /* bytes are moving */
    enum xf_via via;
    uint64_t done, total;
    uint64_t opened_at; /* byte where the open attempt began */
    int64_t opened_ms;
    int64_t rated_ms; /* when the rate was taken last */
    uint64_t rated_at;
    double rate;
    char dialect[24]; /* as told with -v; "": none yet */
};

/* NULL when there is no memory. */
struct xf_item *xf_item_new(struct xf_transfer *t, const char *name,
                            bool sending);
void xf_item_free(struct xf_item *item);

/*
 * Take over what an event says about its transfer. `dir` is where received
 * files go, as the user named it; NULL: the path is whole.
 */
void xf_item_update(struct xf_item *item, const struct xf_event *ev,
                    const char *dir);

/*
 * Milliseconds and bytes a second of the open attempt, or since the offer when
 * none was open. `item` may be NULL.
 */
int64_t xf_item_moving_ms(const struct xf_item *item,
                          const struct xf_event *ev);
double xf_item_whole_rate(const struct xf_item *item,
                          const struct xf_event *ev);

#endif
