/* Callers by address, and how many connections each of them has. */
#include "proto/proxy_crowd.h"

#include <assert.h>
#include <string.h>

#include "base/sys.h"

bool xf_network_has(const struct xf_network *n,
                    const uint8_t address[XF_CROWD_ADDRESS])
{
    size_t whole = n->bits / 8;
    unsigned rest = n->bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);

    if (memcmp(n->address, address, whole) != 0)
        return false;
    return rest == 0 || ((n->address[whole] ^ address[whole]) & mask) == 0;
}

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* What counts of an address. */
static void trim(const uint8_t address[XF_CROWD_ADDRESS],
                 uint8_t out[XF_CROWD_ADDRESS])
{
    bool is_ipv4 = memcmp(address, mapped, sizeof mapped) == 0;
    size_t len = is_ipv4 ? XF_CROWD_ADDRESS : 8;

    memset(out, 0, XF_CROWD_ADDRESS);
    memcpy(out, address, len);
}

void xf_crowd_init(struct xf_crowd *c, const uint64_t secret[2])
{
    *c = (struct xf_crowd){ .half_open = 0 };
    xf_map_init(&c->callers, secret);
}

void xf_crowd_clear(struct xf_crowd *c)
{
    assert(c->callers.count == 0);
    xf_map_clear(&c->callers);
}

static bool over(size_t count, size_t max)
{
    return max > 0 && count >= max;
}

static struct xf_caller *new_caller(struct xf_crowd *c,
                                    const uint8_t key[XF_CROWD_ADDRESS])
{
    struct xf_caller *caller = xf_sys_alloc(sizeof *caller);

    if (!caller)
        return NULL;
    memcpy(caller->address, key, XF_CROWD_ADDRESS);
    if (xf_map_add(&c->callers, &caller->item, caller->address,
                   XF_CROWD_ADDRESS))
        return caller;
    xf_sys_free(caller);
    return NULL;
}

enum xf_crowd_verdict xf_crowd_enter(struct xf_crowd *c,
                                     const uint8_t address[XF_CROWD_ADDRESS],
                                     const struct xf_crowd_limits *limits,
                                     struct xf_caller **out)
{
    uint8_t key[XF_CROWD_ADDRESS];
    struct xf_caller *caller;

    *out = NULL;
    trim(address, key);
    /* An item is the first member of its caller. */
    caller = (struct xf_caller *)xf_map_find(&c->callers, key, sizeof key);
    if (caller && (over(caller->half_open, limits->half_open_each) ||
                   over(caller->connections, limits->connections_each)))
        return XF_CROWD_EACH;
    if (over(c->half_open, limits->half_open_total))
        return XF_CROWD_TOTAL;
    if (!caller && !(caller = new_caller(c, key)))
        return XF_CROWD_TOTAL;
    caller->half_open++;
    caller->connections++;
    c->half_open++;
    *out = caller;
    return XF_CROWD_IN;
}

void xf_crowd_shaken(struct xf_crowd *c, struct xf_caller *caller)
{
    assert(caller->half_open > 0);
    caller->half_open--;
    c->half_open--;
}

void xf_crowd_leave(struct xf_crowd *c, struct xf_caller *caller,
                    bool half_open)
{
    if (half_open)
        xf_crowd_shaken(c, caller);
    assert(caller->connections > 0);
    if (--caller->connections > 0)
        return;
    xf_map_remove(&c->callers, &caller->item);
    xf_sys_free(caller);
}
