/*
 * Decides what an initiator of a SOCKS5 bytestream does next; dialling the
 * proxy and writing the requests is for others. The picture is in the header.
 */
#include "proto/s5b.h"

#include <assert.h>
#include <string.h>

#include <xferry/error.h>

#include "base/jid.h"

typedef enum xf_s5b_state step_fn(struct xf_s5b *s5b,
                                  const struct xf_s5b_input *in,
                                  struct xf_s5b_todo *todo);

static enum xf_s5b_state fail(struct xf_s5b_todo *todo, int code,
                              const char *text)
{
    todo->what = XF_S5B_FAIL;
    todo->code = code;
    todo->text = text;
    return XF_S5B_OVER;
}

static enum xf_s5b_state used(struct xf_s5b *s5b, const struct xf_s5b_input *in,
                              struct xf_s5b_todo *todo)
{
    if (in->index < 0)
        return fail(todo, XF_E_PROTO,
                    "the contact chose a streamhost that was not offered");
    s5b->used = in->index;
    s5b->proxy = in->proxy;
    todo->index = in->index;
    /*
     * Only now, however much time it would save to have dialled before:
     * Openfire's proxy takes the first connection for the receiver's and
     * relays one way.
     */
    todo->what = in->proxy ? XF_S5B_DIAL_PROXY : XF_S5B_GO_DIRECT;
    return in->proxy ? XF_S5B_DIALLING : XF_S5B_OPEN;
}

/*
 * Only a plain no is DECLINED: not-acceptable is what Spark says when it
 * takes in-band streams alone, and the next rung is welcome there.
 */
static enum xf_s5b_state refused(struct xf_s5b *s5b,
                                 const struct xf_s5b_input *in,
                                 struct xf_s5b_todo *todo)
{
    (void)s5b;
    switch (in->condition) {
    case XF_COND_FORBIDDEN:
        return fail(todo, XF_E_DECLINED, "the contact said no");
    case XF_COND_ITEM_NOT_FOUND:
        return fail(todo, XF_E_CONNECT,
                    "the contact could reach none of the addresses");
    case XF_COND_TIMEOUT:
        return fail(todo, XF_E_CONNECT, "the contact did not answer in time");
    case XF_COND_NOT_ACCEPTABLE:
    case XF_COND_FEATURE_NOT_IMPLEMENTED:
        return fail(todo, XF_E_CONNECT,
                    "the contact does not take SOCKS5 bytestreams now");
    case XF_COND_SERVICE_UNAVAILABLE:
    case XF_COND_RECIPIENT_UNAVAILABLE:
    case XF_COND_GONE:
    case XF_COND_REMOTE_SERVER_NOT_FOUND:
    case XF_COND_REMOTE_SERVER_TIMEOUT:
        return fail(todo, XF_E_CONNECT, "the contact is not there");
    default:
        return fail(todo, XF_E_CONNECT, "the contact refused the addresses");
    }
}

static enum xf_s5b_state activate(struct xf_s5b *s5b,
                                  const struct xf_s5b_input *in,
                                  struct xf_s5b_todo *todo)
{
    (void)in;
    todo->what = XF_S5B_ACTIVATE;
    todo->index = s5b->used;
    return XF_S5B_ACTIVATING;
}

static enum xf_s5b_state go(struct xf_s5b *s5b, const struct xf_s5b_input *in,
                            struct xf_s5b_todo *todo)
{
    (void)in;
    todo->what = XF_S5B_GO_PROXY;
    todo->index = s5b->used;
    return XF_S5B_OPEN;
}

static enum xf_s5b_state unreachable(struct xf_s5b *s5b,
                                     const struct xf_s5b_input *in,
                                     struct xf_s5b_todo *todo)
{
    (void)s5b;
    (void)in;
    return fail(todo, XF_E_PROXY, "the proxy could not be reached");
}

static enum xf_s5b_state hung_up(struct xf_s5b *s5b,
                                 const struct xf_s5b_input *in,
                                 struct xf_s5b_todo *todo)
{
    (void)s5b;
    (void)in;
    return fail(todo, XF_E_PROXY,
                "the proxy closed the connection before activation");
}

static enum xf_s5b_state not_activated(struct xf_s5b *s5b,
                                       const struct xf_s5b_input *in,
                                       struct xf_s5b_todo *todo)
{
    (void)s5b;
    switch (in->condition) {
    case XF_COND_ITEM_NOT_FOUND:
        return fail(todo, XF_E_PROXY, "the proxy does not know the stream");
    case XF_COND_NOT_ALLOWED:
    case XF_COND_NOT_AUTHORIZED:
    case XF_COND_FORBIDDEN:
        return fail(todo, XF_E_PROXY, "the proxy does not allow the stream");
    case XF_COND_RESOURCE_CONSTRAINT:
        return fail(todo, XF_E_PROXY, "the proxy is busy");
    case XF_COND_TIMEOUT:
        return fail(todo, XF_E_PROXY,
                    "the proxy did not answer the activation in time");
    default:
        return fail(todo, XF_E_PROXY, "the proxy refused the activation");
    }
}

static enum xf_s5b_state broke(struct xf_s5b *s5b,
                               const struct xf_s5b_input *in,
                               struct xf_s5b_todo *todo)
{
    (void)in;
    if (s5b->proxy)
        return fail(todo, XF_E_PROXY, "the connection to the proxy is lost");
    return fail(todo, XF_E_CONNECT, "the contact's connection is not there");
}

/*
 * The whole machine. An empty cell is news that is too late to matter: of an
 * address the target gave up, of a proxy no longer needed.
 */
static step_fn *const steps[XF_S5B_STATES][XF_S5B_KINDS] = {
    [XF_S5B_QUERIED] = { [XF_S5B_USED] = used, [XF_S5B_REFUSED] = refused },
    [XF_S5B_DIALLING] = { [XF_S5B_CONNECTED] = activate,
                          [XF_S5B_LOST] = unreachable },
    [XF_S5B_ACTIVATING] = { [XF_S5B_ACTIVATED] = go,
                            [XF_S5B_NOT_ACTIVATED] = not_activated,
                            [XF_S5B_LOST] = hung_up },
    [XF_S5B_OPEN] = { [XF_S5B_LOST] = broke },
};

void xf_s5b_init(struct xf_s5b *s5b)
{
    *s5b = (struct xf_s5b){ .state = XF_S5B_QUERIED, .used = -1 };
}

struct xf_s5b_todo xf_s5b_step(struct xf_s5b *s5b,
                               const struct xf_s5b_input *in)
{
    struct xf_s5b_todo todo = { .what = XF_S5B_NOTHING, .index = -1 };
    step_fn *step;

    assert(s5b->state < XF_S5B_STATES && in->kind < XF_S5B_KINDS);
    step = steps[s5b->state][in->kind];
    if (step)
        s5b->state = step(s5b, in, &todo);
    return todo;
}

int xf_s5b_find(const struct xf_streamhost *hosts, size_t count,
                const char *used_jid)
{
    char want[XF_JID_MAX + 1];
    char have[XF_JID_MAX + 1];

    if (!used_jid || xf_jid_prep(used_jid, want) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (xf_jid_prep(hosts[i].jid, have) == 0 && strcmp(want, have) == 0)
            return (int)i;
    }
    return -1;
}
