/* What the files of a connection share: connection.c, connection_life.c and
 * login.c. */
#ifndef XF_API_CONNECTION_INSIDE_H
#define XF_API_CONNECTION_INSIDE_H

#include "api/connection.h"

/* What is no stanza and is not counted. */
struct xf_nonza_out {
    struct xf_buf buf;
    struct xf_xml_writer w;
};

struct xf_xml_writer *xf_nonza_begin(struct xf_nonza_out *n);
/* 0, XF_E_LIMIT or XF_E_STREAM; `n` is empty afterwards. */
int xf_nonza_send(struct xf_connection *con, struct xf_nonza_out *n);

/* What a link of ours tells. */
extern const struct xf_link_events xf_connection_link_events;

/* --- connection_life.c ------------------------------------------------------- */

/*
 * The connection ends here, for this reason: for good, or to be tried again
 * unless it would end so again (`lasting`). The session is told. Does nothing
 * when it has ended already.
 */
void xf_connection_over(struct xf_session *s, const struct xf_error_info *why,
                        bool lasting);
void xf_connection_end(struct xf_session *s, int code, const char *text);
/* The same for a stream that cannot go on: it would break there again. */
void xf_connection_break(struct xf_session *s, int code, const char *text);

/* --- login.c ---------------------------------------------------------------- */

/* A step of the login, and what it asks for. */
void xf_login_feed(struct xf_session *s, const struct xf_login_input *in);
/* An element that came while logging in. `left_over`: bytes stand behind it. */
void xf_login_read(struct xf_session *s, const struct xf_el *el,
                   bool left_over);
void xf_login_take_binding(const struct xf_link *link,
                           struct xf_login_binding *out);

#endif
