/*
 * Whatever blocks come, in whatever order: base64 that is taken is the only
 * way to write its bytes, and a receiver takes blocks in sequence, none too
 * large and none after its end.
 */
#include "proto/ibb.h"

#include <string.h>

#include "base/encode.h"
#include "fuzz.h"

#define BLOCK 64

/* Decodes to the heap, so that one byte too many is seen. */
static void decode(const char *text, size_t len, struct xf_ibb_input *in)
{
    size_t room = XF_BASE64_BYTES(len);
    char *exact = malloc(len ? len : 1);
    char *again;
    uint8_t *bytes = malloc(room ? room : 1);
    ssize_t n;

    MUST(exact && bytes);
    memcpy(exact, text, len);
    n = xf_base64_decode(exact, len, bytes);
    MUST(n <= (ssize_t)room);
    in->kind = n < 0 ? XF_IBB_BAD : XF_IBB_BLOCK;
    if (n >= 0) {
        in->len = (size_t)n;
        MUST(XF_BASE64_LEN(in->len) == len);
        again = malloc(len ? len : 1);
        MUST(again);
        xf_base64_encode(bytes, in->len, again);
        MUST(memcmp(again, exact, len) == 0);
        free(again);
    }
    free(exact);
    free(bytes);
}

static void feed(struct xf_ibb_receiver *rx, const struct xf_ibb_input *in,
                 uint64_t *count, bool *over)
{
    struct xf_ibb_todo todo = xf_ibb_receive(rx, in);

    if (todo.news == XF_IBB_BYTES) {
        /* The counter, or Smack's old one, once it has been round. */
        MUST(!*over && in->len <= BLOCK);
        MUST(in->seq == *count % 65536 ||
             (rx->old_wrap && in->seq == *count % 65535));
        ++*count;
    }
    MUST(!todo.close || todo.news == XF_IBB_FAILED);
    MUST((todo.code != 0) == (todo.news == XF_IBB_FAILED));
    if (todo.news == XF_IBB_CLOSED || todo.news == XF_IBB_FAILED)
        *over = true;
    MUST(*over == (rx->state == XF_IBB_OVER));
}

/* Each input is a byte for its kind and one for the length, then a text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct xf_ibb_receiver rx;
    uint64_t count = 0;
    bool over = false;

    xf_ibb_receiver_init(&rx, BLOCK);
    feed(&rx,
         &(struct xf_ibb_input){ .kind = XF_IBB_OPEN, .block_size = BLOCK },
         &count, &over);
    while (size >= 2) {
        struct xf_ibb_input in = { .seq = rx.next_seq, .block_size = 1 };
        size_t len = data[1];

        if (len > size - 2)
            len = size - 2;
        if (data[0] % 8 < XF_IBB_KINDS)
            in.kind = (enum xf_ibb_kind)(data[0] % 8);
        else
            in.kind = XF_IBB_BLOCK;
        if (in.kind == XF_IBB_BLOCK || in.kind == XF_IBB_BAD)
            decode((const char *)data + 2, len, &in);
        if (data[0] & 0x80)
            in.seq = (uint16_t)(in.seq + data[0]);
        if (data[0] == 0x7f) /* a short cut to the wrap */
            for (unsigned i = 0; i < 65530 && !over; i++)
                feed(&rx,
                     &(struct xf_ibb_input){
                         .kind = XF_IBB_BLOCK, .seq = rx.next_seq, .len = 1 },
                     &count, &over);
        feed(&rx, &in, &count, &over);
        data += 2 + len;
        size -= 2 + len;
    }
    return 0;
}
