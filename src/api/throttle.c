/* The queue in front of a rate; see the header. */
#include "api/throttle.h"

#include "api/session.h"

static void append(struct xf_session *s, struct xf_turn *turn)
{
    turn->next = NULL;
    turn->self = s->turns_last;
    *s->turns_last = turn;
    s->turns_last = &turn->next;
    s->turns_count++;
}

void xf_throttle_leave(struct xf_session *s, struct xf_turn *turn)
{
    turn->share = 0;
    if (!turn->self)
        return;
    *turn->self = turn->next;
    if (turn->next)
        turn->next->self = turn->self;
    else
        s->turns_last = turn->self;
    turn->self = NULL;
    s->turns_count--;
}

bool xf_throttle_is_queued(const struct xf_turn *turn)
{
    return turn->self != NULL;
}

/* Behind those that wait, even where there would be enough: else who asks
 * first in each turn of the loop would get all. */
bool xf_throttle_holds(struct xf_session *s, struct xf_turn *turn)
{
    if (s->limit.rate == 0) {
        turn->share = UINT64_MAX;
        return false;
    }
    if (turn->share > 0)
        return false;
    if (!turn->self) {
        append(s, turn);
        xf_session_tick_soon(s);
    }
    return true;
}

void xf_throttle_spend(struct xf_session *s, uint64_t bytes)
{
    xf_limit_spend(&s->limit, bytes);
}

int64_t xf_throttle_deadline(const struct xf_session *s)
{
    return s->turns ? xf_limit_due(&s->limit, s->turns->whole) : INT64_MAX;
}

/* As many as there were: who comes back to the end of the queue has time. */
void xf_throttle_tick(struct xf_session *s)
{
    for (size_t n = s->turns_count; n > 0 && s->turns; n--) {
        struct xf_turn *turn = s->turns;
        uint64_t share =
            xf_limit_share(&s->limit, xf_now(s), s->turns_count, turn->whole);

        if (share == 0)
            return;
        xf_throttle_leave(s, turn);
        turn->share = share;
        turn->go(turn->ctx);
    }
}
