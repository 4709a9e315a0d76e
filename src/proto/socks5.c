/*
 * Reads and writes the bytes of SOCKS5 as XEP-0065 uses them, a message at a
 * time; who connects where, and whether a hash is welcome, is for others.
 */
#include "proto/socks5.h"

#include <assert.h>
#include <string.h>
#include <sys/types.h>

#include "base/digest.h"

#define VERSION 5
#define METHOD_NONE 0x00 /* no authentication */
#define METHOD_REFUSED 0xff
#define CMD_CONNECT 1
#define ATYP_IPV4 1
#define ATYP_NAME 3
#define ATYP_IPV6 4
#define HASH_LEN XF_DSTADDR_LEN

static_assert(XF_SOCKS5_REQUEST_LEN == 5 + HASH_LEN + 2, "header, hash, port");
static_assert(XF_SOCKS5_MAX == 5 + 255 + 2, "a reply with the longest name");

const uint8_t xf_socks5_greeting[XF_SOCKS5_GREETING_LEN] = { VERSION, 1,
                                                             METHOD_NONE };

/* Request and reply differ in the second byte only; the port is 0 in both. */
static size_t write_hash(uint8_t *out, uint8_t code, const char *hash)
{
    memset(out, 0, XF_SOCKS5_REQUEST_LEN);
    out[0] = VERSION;
    out[1] = code;
    out[3] = ATYP_NAME;
    out[4] = HASH_LEN;
    memcpy(out + 5, hash, HASH_LEN);
    return XF_SOCKS5_REQUEST_LEN;
}

/* --- client ------------------------------------------------------------- */

void xf_socks5_client_init(struct xf_socks5_client *c, const char *dstaddr)
{
    assert(strlen(dstaddr) == HASH_LEN);
    memset(c, 0, sizeof *c);
    c->state = XF_SOCKS5_GREETED;
    c->rep = -1;
    memcpy(c->dstaddr, dstaddr, HASH_LEN);
}

/* "05 00"; another method is a password that nobody has agreed on. */
static ssize_t read_method(const uint8_t *in, size_t len)
{
    if (len > 0 && in[0] != VERSION)
        return -1;
    if (len > 1 && in[1] != METHOD_NONE)
        return -1;
    return len > 1 ? 2 : 0;
}

/*
 * Length of a reply's address by its type; 0 while the length byte is
 * missing, -1 for a type without known length.
 */
static int address_len(const uint8_t *in, size_t len)
{
    if (in[3] == ATYP_IPV4)
        return 4;
    if (in[3] == ATYP_IPV6)
        return 16;
    if (in[3] != ATYP_NAME)
        return -1;
    return len > 4 ? 1 + in[4] : 0;
}

/*
 * What address a success names is of no interest: libpurple writes its own IP
 * there, others echo the request. Only its length matters, since the bytes
 * behind are the file's. A refusal is one at its second byte: Dino sends no
 * third.
 */
static ssize_t read_reply(const uint8_t *in, size_t len, int *rep)
{
    int address;

    if (len > 0 && in[0] != VERSION)
        return -1;
    if (len > 1 && in[1] != XF_SOCKS5_OK) {
        *rep = in[1];
        return -1;
    }
    if (len > 2 && in[2] != 0)
        return -1;
    if (len < 4)
        return 0;
    address = address_len(in, len);
    if (address <= 0)
        return address;
    return len < 4u + address + 2 ? 0 : 4 + address + 2;
}

/* One message; the state that follows it. */
static enum xf_socks5_state client_step(struct xf_socks5_client *c,
                                        const uint8_t *in, size_t len,
                                        ssize_t *used)
{
    switch (c->state) {
    case XF_SOCKS5_GREETED:
        *used = read_method(in, len);
        return *used < 0 ? XF_SOCKS5_FAILED
               : *used   ? XF_SOCKS5_REQUESTED
                         : XF_SOCKS5_GREETED;
    case XF_SOCKS5_REQUESTED:
        *used = read_reply(in, len, &c->rep);
        return *used < 0 ? XF_SOCKS5_FAILED
               : *used   ? XF_SOCKS5_READY
                         : XF_SOCKS5_REQUESTED;
    case XF_SOCKS5_READY:
    case XF_SOCKS5_FAILED:
        break;
    }
    *used = 0;
    return c->state;
}

size_t xf_socks5_client_feed(struct xf_socks5_client *c, const uint8_t *in,
                             size_t len, uint8_t out[XF_SOCKS5_MAX],
                             size_t *out_len)
{
    size_t done = 0;
    ssize_t used;

    *out_len = 0;
    do {
        enum xf_socks5_state before = c->state;

        c->state = client_step(c, in + done, len - done, &used);
        if (c->state == XF_SOCKS5_REQUESTED && c->state != before)
            *out_len = write_hash(out, CMD_CONNECT, c->dstaddr);
        if (used > 0)
            done += (size_t)used;
    } while (used > 0);
    return c->state == XF_SOCKS5_FAILED ? len : done;
}

/* --- server ------------------------------------------------------------- */

void xf_socks5_server_init(struct xf_socks5_server *s)
{
    memset(s, 0, sizeof *s);
    s->state = XF_SOCKS5_GREETING;
}

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
           (c >= 'A' && c <= 'F');
}

/*
 * What is wrong with the byte at `i` of a request, XF_SOCKS5_OK if nothing.
 * By byte, so that a refusal does not depend on how TCP cut the request.
 */
static enum xf_socks5_rep request_fault(size_t i, uint8_t byte)
{
    if (i == 1)
        return byte == CMD_CONNECT ? XF_SOCKS5_OK : XF_SOCKS5_BAD_COMMAND;
    if (i == 2)
        return byte == 0 ? XF_SOCKS5_OK : XF_SOCKS5_FAILURE;
    if (i == 3)
        return byte == ATYP_NAME ? XF_SOCKS5_OK : XF_SOCKS5_BAD_ADDRESS;
    if (i == 4)
        return byte == HASH_LEN ? XF_SOCKS5_OK : XF_SOCKS5_FAILURE;
    if (i < 5 + HASH_LEN)
        return is_hex(byte) ? XF_SOCKS5_OK : XF_SOCKS5_FAILURE;
    return byte == 0 ? XF_SOCKS5_OK : XF_SOCKS5_FAILURE;
}

/* A refusal before there is a hash to echo: no address, as IPv4 0.0.0.0. */
static size_t write_refusal(uint8_t *out, enum xf_socks5_rep rep)
{
    memset(out, 0, 10);
    out[0] = VERSION;
    out[1] = (uint8_t)rep;
    out[3] = ATYP_IPV4;
    return 10;
}

static enum xf_socks5_server_state greet(const uint8_t *in, size_t len,
                                         size_t *used, uint8_t *out,
                                         size_t *out_len)
{
    bool welcome;

    if (len > 0 && in[0] != VERSION)
        return XF_SOCKS5_BROKEN;
    if (len < 2 || len < 2u + in[1])
        return XF_SOCKS5_GREETING;
    welcome = memchr(in + 2, METHOD_NONE, in[1]) != NULL;
    *used = 2u + in[1];
    out[0] = VERSION;
    out[1] = welcome ? METHOD_NONE : METHOD_REFUSED;
    *out_len = 2;
    return welcome ? XF_SOCKS5_REQUEST : XF_SOCKS5_REFUSED;
}

static enum xf_socks5_server_state ask(struct xf_socks5_server *s,
                                       const uint8_t *in, size_t len,
                                       size_t *used, uint8_t *out,
                                       size_t *out_len)
{
    if (len > 0 && in[0] != VERSION)
        return XF_SOCKS5_BROKEN;
    for (size_t i = 1; i < len && i < XF_SOCKS5_REQUEST_LEN; i++) {
        enum xf_socks5_rep rep = request_fault(i, in[i]);

        if (rep != XF_SOCKS5_OK) {
            *out_len = write_refusal(out, rep);
            return XF_SOCKS5_REFUSED;
        }
    }
    if (len < XF_SOCKS5_REQUEST_LEN)
        return XF_SOCKS5_REQUEST;
    /* As it came: the hash is compared as text, and case is not folded. */
    memcpy(s->dstaddr, in + 5, HASH_LEN);
    *used = XF_SOCKS5_REQUEST_LEN;
    return XF_SOCKS5_ASKED;
}

static enum xf_socks5_server_state server_step(struct xf_socks5_server *s,
                                               const uint8_t *in, size_t len,
                                               size_t *used, uint8_t *out,
                                               size_t *out_len)
{
    switch (s->state) {
    case XF_SOCKS5_GREETING:
        return greet(in, len, used, out, out_len);
    case XF_SOCKS5_REQUEST:
        return ask(s, in, len, used, out, out_len);
    case XF_SOCKS5_ASKED:
    case XF_SOCKS5_REFUSED:
    case XF_SOCKS5_BROKEN:
        break;
    }
    return s->state;
}

/* Greeting and request in one segment give both answers, one behind the
 * other: nobody we know sends them so, but a proxy may be asked to. */
size_t xf_socks5_server_feed(struct xf_socks5_server *s, const uint8_t *in,
                             size_t len, uint8_t out[XF_SOCKS5_MAX],
                             size_t *out_len)
{
    size_t done = 0;
    size_t used;

    *out_len = 0;
    do {
        size_t more = 0;

        used = 0;
        s->state =
            server_step(s, in + done, len - done, &used, out + *out_len, &more);
        *out_len += more;
        done += used;
    } while (used > 0);
    if (s->state == XF_SOCKS5_REFUSED || s->state == XF_SOCKS5_BROKEN)
        return len;
    return done;
}

size_t xf_socks5_server_answer(const struct xf_socks5_server *s,
                               enum xf_socks5_rep rep,
                               uint8_t out[XF_SOCKS5_MAX])
{
    assert(s->state == XF_SOCKS5_ASKED);
    return write_hash(out, (uint8_t)rep, s->dstaddr);
}
