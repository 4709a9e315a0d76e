/*
 * Whatever a SOCKS5 server sends, the client reads it the same whole and in
 * two pieces, within its ceiling, and leaves what is behind the reply.
 */
#include "proto/socks5.h"

#include <string.h>

#include "fuzz.h"

static const char hash[] = "0123456789abcdef0123456789abcdef01234567";

struct end {
    struct xf_socks5_client client;
    size_t used, said;
};

static void feed(struct end *e, const uint8_t *data, size_t size)
{
    uint8_t out[XF_SOCKS5_MAX];
    size_t out_len;
    size_t used = xf_socks5_client_feed(&e->client, data + e->used,
                                        size - e->used, out, &out_len);

    MUST(used <= size - e->used);
    MUST(out_len == 0 || out_len == XF_SOCKS5_REQUEST_LEN);
    e->used += used;
    e->said += out_len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct end whole = { .used = 0 };
    struct end cut = { .used = 0 };
    size_t at;

    if (size < 1)
        return 0;
    at = data[0] % size;
    data++;
    size--;
    xf_socks5_client_init(&whole.client, hash);
    xf_socks5_client_init(&cut.client, hash);
    feed(&whole, data, size);
    feed(&cut, data, at);
    feed(&cut, data, size);

    MUST(whole.client.state == cut.client.state);
    MUST(whole.client.rep == cut.client.rep);
    MUST(whole.said == cut.said);
    /* A failure swallows what there is, and there may be less of it. */
    if (whole.client.state != XF_SOCKS5_FAILED)
        MUST(whole.used == cut.used && whole.used <= 2 + XF_SOCKS5_MAX);
    if (size >= 2 + XF_SOCKS5_MAX)
        MUST(whole.client.state == XF_SOCKS5_READY ||
             whole.client.state == XF_SOCKS5_FAILED);
    return 0;
}
