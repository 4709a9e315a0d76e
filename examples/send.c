/*
 * Sends one file over a connection of its own.
 *
 *     XFERRY_PASSWORD=... send romeo@example.net report.pdf juliet@example.net
 *
 * XFERRY_SERVER (HOST[:PORT]) stands in for the server that DNS names, and
 * XFERRY_CA (a PEM file) for the authorities that the system trusts.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include <xferry/xferry.h>

/* Until the file is there or is not, and we have left in good order. */
static int run(struct xf_session *s)
{
    bool over = false, online = true;
    const struct xf_event *ev;
    int code = 0;

    while (!over || online) {
        struct pollfd p = { xf_session_fd(s), POLLIN, 0 };

        poll(&p, 1, xf_session_timeout(s));
        xf_session_dispatch(s);
        while ((ev = xf_session_next(s)) != NULL) {
            if (ev->type == XF_EVENT_OFFLINE) {
                online = false; /* bytes that go directly may still move */
            } else if (ev->type == XF_EVENT_PROGRESS) {
                printf("%" PRIu64 " of %" PRIu64 " bytes\n", ev->done,
                       ev->total);
            } else if (ev->type == XF_EVENT_DONE ||
                       ev->type == XF_EVENT_FAILED) {
                over = true;
                code = ev->code;
                xf_session_close(s);
            }
        }
    }
    return code;
}

int main(int argc, char **argv)
{
    struct xf_config config;
    struct xf_session *s = NULL;
    int code = XF_E_USAGE;

    xf_config_init(&config);
    config.send_only = true;
    config.password = getenv("XFERRY_PASSWORD");
    config.server = getenv("XFERRY_SERVER");
    config.ca_file = getenv("XFERRY_CA");
    if (argc == 4) {
        config.account = argv[1];
        code = xf_session_new(&s, &config);
    }
    if (code == 0)
        code = xf_offer_file(s, argv[3], argv[2], NULL, NULL);
    if (code == 0)
        code = run(s);
    xf_session_free(s);
    fprintf(stderr, "send: %s\n", code ? xf_error_text(code) : "sent");
    return code;
}
