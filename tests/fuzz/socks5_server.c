/*
 * Whatever a SOCKS5 client sends, the server reads it the same whole and in
 * two pieces, and what it takes for a hash is 40 hex digits.
 */
#include "proto/socks5.h"

#include <string.h>

#include "fuzz.h"

struct end {
    struct xf_socks5_server server;
    size_t used, said;
    uint8_t words[2 * XF_SOCKS5_MAX];
};

static void feed(struct end *e, const uint8_t *data, size_t size)
{
    uint8_t out[XF_SOCKS5_MAX];
    size_t out_len;
    size_t used = xf_socks5_server_feed(&e->server, data + e->used,
                                        size - e->used, out, &out_len);

    MUST(used <= size - e->used);
    MUST(out_len <= sizeof out);
    memcpy(e->words + e->said, out, out_len);
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
    xf_socks5_server_init(&whole.server);
    xf_socks5_server_init(&cut.server);
    feed(&whole, data, size);
    feed(&cut, data, at);
    feed(&cut, data, size);

    MUST(whole.server.state == cut.server.state);
    MUST(whole.said == cut.said);
    MUST(memcmp(whole.words, cut.words, whole.said) == 0);
    if (whole.server.state == XF_SOCKS5_ASKED) {
        uint8_t out[XF_SOCKS5_MAX];

        MUST(whole.used == cut.used);
        MUST(strspn(whole.server.dstaddr, "0123456789abcdefABCDEF") == 40);
        MUST(strlen(whole.server.dstaddr) == 40);
        MUST(xf_socks5_server_answer(&whole.server, XF_SOCKS5_OK, out) ==
             XF_SOCKS5_REQUEST_LEN);
        MUST(memcmp(out + 5, whole.server.dstaddr, 40) == 0);
    }
    return 0;
}
