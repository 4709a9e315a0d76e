/*
 * Whatever stands in a journal: nothing is believed but lines that are closed
 * by their sum, what is believed fits where it goes, and the same bytes cut
 * short never promise more.
 */
#include "stream/journal.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/encode.h"
#include "fuzz.h"

static void check(const struct xf_journal *journal, size_t size)
{
    MUST(journal->length <= size && journal->first <= journal->length);
    MUST(journal->of.peer == journal->peer &&
         journal->of.name == journal->name);
    MUST(xf_journal_fits(&journal->of));
    MUST(*journal->name != '\0' && !strchr(journal->name, '/'));
    MUST(journal->durable <= INT64_MAX);
    MUST(journal->of.size <= INT64_MAX ||
         journal->of.size == XF_SINK_SIZE_UNKNOWN);
    if (journal->end != XF_JOURNAL_PART)
        MUST(*journal->as != '\0' && !strchr(journal->as, '/') &&
             strcmp(journal->as, "..") != 0);
}

/* Parse a copy that ends where it ends, so that one byte too many is seen. */
static bool parse(struct xf_journal *journal, const char *text, size_t size)
{
    char *exact = malloc(size ? size : 1);
    bool good;

    MUST(exact);
    memcpy(exact, text, size);
    journal->fd = -1;
    good = xf_journal_parse(journal, exact, size);
    free(exact);
    if (good)
        check(journal, size);
    return good;
}

/* Give each line the sum it wants, or no input would ever get further. */
static size_t close_lines(const uint8_t *data, size_t size, char *out)
{
    char sum[XF_JOURNAL_SUM + 1] = "", hashed[4096];
    size_t len = 0;

    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t line = end ? (size_t)(end - data) : size;
        uint8_t digest[XF_DIGEST_MAX];
        size_t before = strlen(sum);

        if (before + line > sizeof hashed)
            break;
        memcpy(hashed, sum, before);
        memcpy(hashed + before, data, line);
        MUST(xf_digest_of(XF_DIGEST_SHA256, hashed, before + line, digest));
        xf_hex(digest, XF_JOURNAL_SUM / 2, sum);
        memcpy(out + len, data, line);
        len += line;
        out[len++] = ' ';
        memcpy(out + len, sum, XF_JOURNAL_SUM);
        len += XF_JOURNAL_SUM;
        out[len++] = '\n';
        data += line;
        size -= line;
        if (size > 0) {
            data++;
            size--;
        }
    }
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct xf_journal whole, part;
    char *text;
    size_t len, cut;

    if (size > 4096)
        return 0;
    (void)parse(&whole, (const char *)data, size);
    text = malloc(size * (XF_JOURNAL_SUM + 2) + XF_JOURNAL_SUM + 3);
    MUST(text);
    len = close_lines(data, size, text);
    cut = size > 0 ? len * data[size - 1] / 256 : 0;
    if (parse(&part, text, cut))
        MUST(parse(&whole, text, len) && whole.length >= part.length &&
             strcmp(whole.name, part.name) == 0);
    else
        (void)parse(&whole, text, len);
    free(text);
    return 0;
}
