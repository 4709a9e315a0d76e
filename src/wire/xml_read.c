/*
 * Reading a stream: expat's events become trees. What the elements mean is
 * for the files beside this one.
 *
 * expat is stopped at each top-level end tag. The bytes behind it that expat
 * has already copied are `ahead`: the caller hands them in once more, as the
 * rest, and they are not fed again.
 */
#include "wire/xml.h"

#include <expat.h>
#include <string.h>
#include <strings.h>

#include "base/sys.h"
#include "wire/ns.h"
#include "wire/tree.h"

/* Fed at once: bounds what expat copies before a ceiling is looked at. */
#define SLICE (64u * 1024u)

/*
 * The text of a block, half a million characters a second and more, needs no
 * parser: where expat has looked at all it was given and stands in text, what
 * is surely nothing but text goes past it. Then a block's end and the next
 * one's start are fed in small pieces, lest expat gets the text behind them.
 */
#define RUN 64u    /* characters looked at together */
#define PIECE 256u /* fed at once ... */
#define PIECES 16u /* ... so often behind such text */

/*
 * expat remembers every element, attribute and prefix name it ever saw, and
 * the peer chooses them; so after this many bytes it begins anew.
 */
#define RENEW (8u * 1024u * 1024u)

/*
 * expat looks at the bytes of an unfinished tag once more at each call
 * (CVE-2023-52425). Bytes looked at in vain for one stanza: more than a tag of
 * 64 KiB in packets of 1,400 bytes will ever need.
 */
#define RESCAN (128u * 1024u * 1024u)

struct xf_xml_reader {
    XML_Parser parser;
    struct xf_tree tree;
    size_t declared; /* namespaces, by the start tag to come */

    enum xf_xml_news news;
    enum xf_xml_fault fault;
    struct xf_el *el;
    bool opened, closed, stopped;

    uint64_t rescanned;
    uint64_t fed;     /* bytes expat has been given, or went past it */
    uint64_t skipped; /* of these the latter */
    uint64_t looked;  /* the end of what expat has last told */
    unsigned pieces;  /* to be fed small */
    uint64_t start;   /* where the stanza begins: behind the one before */
    uint64_t end;     /* where the news ends */
    size_t ahead;

    char header[XF_XML_HEADER_MAX]; /* for a parser that begins anew */
    size_t header_len;
};

static void fail(struct xf_xml_reader *r, enum xf_xml_fault fault)
{
    if (r->fault == XF_XML_FINE)
        r->fault = fault;
    XML_StopParser(r->parser, XML_FALSE);
}

static uint64_t event_end(const struct xf_xml_reader *r)
{
    return r->skipped + (uint64_t)XML_GetCurrentByteIndex(r->parser) +
           (uint64_t)XML_GetCurrentByteCount(r->parser);
}

static void tell(struct xf_xml_reader *r, enum xf_xml_news news,
                 struct xf_el *el)
{
    r->news = news;
    r->el = el;
    r->start = r->end = event_end(r);
    r->rescanned = 0;
    r->stopped = true;
    XML_StopParser(r->parser, XML_TRUE);
}

/* --- events -------------------------------------------------------------- */

static bool over_a_ceiling(const struct xf_xml_reader *r, const char *name,
                           const char **atts)
{
    size_t count = r->declared;

    if (r->tree.depth > XF_XML_DEPTH_MAX || strlen(name) > XF_XML_NAME_MAX)
        return true;
    for (; atts[0]; atts += 2) {
        if (++count > XF_XML_ATTRIBUTES_MAX ||
            strlen(atts[0]) > XF_XML_NAME_MAX)
            return true;
    }
    return count > XF_XML_ATTRIBUTES_MAX;
}

static void open_stream(struct xf_xml_reader *r, struct xf_el *el)
{
    if (!xf_el_is(el, "stream", XF_NS_STREAM)) {
        fail(r, XF_XML_BAD_NAMESPACE);
    } else if (event_end(r) > XF_XML_HEADER_MAX) {
        fail(r, XF_XML_POLICY_VIOLATION);
    } else if (!r->opened) { /* else it is said once more to a new parser */
        r->opened = true;
        r->header_len = event_end(r);
        tell(r, XF_XML_OPENED, el);
    }
}

static void XMLCALL on_start(void *ctx, const XML_Char *name,
                             const XML_Char **atts)
{
    struct xf_xml_reader *r = ctx;
    struct xf_el *el;

    if (r->fault != XF_XML_FINE)
        return;
    if (over_a_ceiling(r, name, atts)) {
        fail(r, XF_XML_POLICY_VIOLATION);
        return;
    }
    r->declared = 0;
    r->looked = event_end(r);
    el = xf_tree_open(&r->tree, name, atts);
    if (!el)
        fail(r, XF_XML_NO_MEMORY);
    else if (r->tree.depth == 1)
        open_stream(r, el);
}

static void XMLCALL on_end(void *ctx, const XML_Char *name)
{
    struct xf_xml_reader *r = ctx;
    struct xf_el *el;

    (void)name;
    if (r->fault != XF_XML_FINE)
        return;
    el = xf_tree_close(&r->tree);
    if (r->tree.depth == 0) {
        r->closed = true;
        /* <stream:stream/> opens and closes at once: told one by one. */
        if (r->news == XF_XML_MORE)
            tell(r, XF_XML_CLOSED, NULL);
    } else if (r->tree.depth == 1) {
        if (event_end(r) - r->start > XF_XML_STANZA_MAX)
            fail(r, XF_XML_POLICY_VIOLATION);
        else
            tell(r, XF_XML_STANZA, el);
    }
}

/* Between stanzas: white space keeps the connection alive. */
static void skip_space(struct xf_xml_reader *r, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!strchr(" \t\r\n", s[i])) {
            fail(r, XF_XML_NOT_WELL_FORMED);
            return;
        }
    }
    r->start = event_end(r);
}

static void XMLCALL on_text(void *ctx, const XML_Char *s, int n)
{
    struct xf_xml_reader *r = ctx;

    if (r->fault != XF_XML_FINE || r->tree.depth == 0)
        return;
    r->looked = event_end(r);
    if (r->tree.depth == 1)
        skip_space(r, s, (size_t)n);
    else if (!xf_tree_text(&r->tree, s, (size_t)n))
        fail(r, XF_XML_NO_MEMORY);
}

static void XMLCALL on_namespace(void *ctx, const XML_Char *prefix,
                                 const XML_Char *uri)
{
    struct xf_xml_reader *r = ctx;

    (void)prefix;
    (void)uri;
    r->declared++;
}

static void XMLCALL on_declaration(void *ctx, const XML_Char *version,
                                   const XML_Char *encoding, int standalone)
{
    (void)version;
    (void)standalone;
    if (encoding && strcasecmp(encoding, "UTF-8") != 0)
        fail(ctx, XF_XML_NOT_WELL_FORMED);
}

static void XMLCALL on_doctype(void *ctx, const XML_Char *name,
                               const XML_Char *sysid, const XML_Char *pubid,
                               int internal)
{
    (void)name;
    (void)sysid;
    (void)pubid;
    (void)internal;
    fail(ctx, XF_XML_RESTRICTED);
}

static void XMLCALL on_instruction(void *ctx, const XML_Char *target,
                                   const XML_Char *data)
{
    (void)target;
    (void)data;
    fail(ctx, XF_XML_RESTRICTED);
}

static void XMLCALL on_comment(void *ctx, const XML_Char *data)
{
    (void)data;
    fail(ctx, XF_XML_RESTRICTED);
}

/* --- feeding ------------------------------------------------------------- */

static bool new_parser(struct xf_xml_reader *r)
{
    XML_Parser p = XML_ParserCreateNS("UTF-8", XF_TREE_SEP);

    if (!p)
        return false;
    XML_SetUserData(p, r);
    XML_SetElementHandler(p, on_start, on_end);
    XML_SetCharacterDataHandler(p, on_text);
    XML_SetStartNamespaceDeclHandler(p, on_namespace);
    XML_SetXmlDeclHandler(p, on_declaration);
    XML_SetStartDoctypeDeclHandler(p, on_doctype);
    XML_SetProcessingInstructionHandler(p, on_instruction);
    XML_SetCommentHandler(p, on_comment);
#ifdef XF_EXPAT_DEFERS
    /* A stanza is to be told when its last byte is here, not later. */
    XML_SetReparseDeferralEnabled(p, XML_FALSE);
#endif
    XML_ParserFree(r->parser);
    r->parser = p;
    r->tree.depth = 0;
    r->fed = r->start = r->skipped = r->looked = 0;
    r->stopped = false;
    r->ahead = 0;
    return true;
}

static void judge(struct xf_xml_reader *r, enum XML_Status status)
{
    if (status != XML_STATUS_ERROR || r->fault != XF_XML_FINE)
        return;
    switch (XML_GetErrorCode(r->parser)) {
    case XML_ERROR_NO_MEMORY:
        r->fault = XF_XML_NO_MEMORY;
        break;
    case XML_ERROR_UNDEFINED_ENTITY:
        r->fault = XF_XML_RESTRICTED;
        break;
    default:
        r->fault = XF_XML_NOT_WELL_FORMED;
    }
}

/*
 * expat would take a byte order mark, or a NUL for half of a UTF-16 character,
 * and go on in that encoding.
 */
static bool is_utf8_start(const struct xf_xml_reader *r, const char *bytes,
                          size_t len)
{
    for (size_t i = 0; i < len && r->fed + i < 2; i++) {
        if ((unsigned char)bytes[i] >= 0x80 || bytes[i] == '\0')
            return false;
    }
    return true;
}

/* Of something that is not whole yet. */
static bool too_much(struct xf_xml_reader *r)
{
    uint64_t max = r->opened ? XF_XML_STANZA_MAX : XF_XML_HEADER_MAX;
    XML_Index token = XML_GetCurrentByteIndex(r->parser);

    if (token >= 0)
        r->rescanned += r->fed - r->skipped - (uint64_t)token;
    return r->fed - r->start > max || r->rescanned > RESCAN;
}

static void feed(struct xf_xml_reader *r, const char *bytes, size_t len)
{
    if (!is_utf8_start(r, bytes, len)) {
        r->fault = XF_XML_NOT_WELL_FORMED;
        return;
    }
    if (!r->opened && r->fed < XF_XML_HEADER_MAX) {
        size_t room = XF_XML_HEADER_MAX - (size_t)r->fed;

        memcpy(r->header + r->fed, bytes, len < room ? len : room);
    }
    r->fed += len;
    judge(r, XML_Parse(r->parser, bytes, (int)len, XML_FALSE));
    if (r->news == XF_XML_MORE && r->fault == XF_XML_FINE && too_much(r))
        r->fault = XF_XML_POLICY_VIOLATION;
}

#define EACH(c) (UINT64_C(0x0101010101010101) * (c)) /* of eight bytes */

/* The highest bit of a byte is set if one of them is less than n. */
static uint64_t less(uint64_t eight, unsigned n)
{
    return (eight - EACH(n)) & ~eight;
}

/*
 * Text and nothing else, whatever stands around it: no markup, no end of a
 * CDATA section, no blanks that are normalised, one byte a character. Eight at
 * a time: compilers make of a loop over bytes one that is slower than expat.
 */
static bool is_run(const char *bytes)
{
    uint64_t bad = 0;

    for (size_t i = 0; i < RUN; i += 8) {
        uint64_t eight;

        memcpy(&eight, bytes + i, sizeof eight);
        bad |= eight | less(eight, ' ') | less(eight ^ EACH('<'), 1) |
               less(eight ^ EACH('&'), 1) | less(eight ^ EACH(']'), 1);
    }
    return (bad & EACH(0x80)) == 0;
}

/* How much of it goes past expat. */
static size_t skip(struct xf_xml_reader *r, const char *bytes, size_t len)
{
    size_t n = 0;

    if (r->tree.depth < 2 || r->looked != r->fed)
        return 0;
    while (len - n >= RUN && is_run(bytes + n))
        n += RUN;
    if (n == 0)
        return 0;
    if (!xf_tree_text(&r->tree, bytes, n))
        r->fault = XF_XML_NO_MEMORY;
    r->fed += n;
    r->skipped += n;
    r->looked = r->fed;
    r->pieces = PIECES;
    if (r->fault == XF_XML_FINE && r->fed - r->start > XF_XML_STANZA_MAX)
        r->fault = XF_XML_POLICY_VIOLATION;
    return n;
}

/* How much is fed at once. */
static size_t piece(struct xf_xml_reader *r, size_t len)
{
    size_t most = SLICE;

    if (r->pieces > 0) {
        r->pieces--;
        most = PIECE;
    }
    return len < most ? len : most;
}

/* Only between two stanzas. */
static void renew(struct xf_xml_reader *r)
{
    if (!new_parser(r)) {
        r->fault = XF_XML_NO_MEMORY;
        return;
    }
    feed(r, r->header, r->header_len);
    r->start = r->fed;
}

static void read_all(struct xf_xml_reader *r, const char *bytes, size_t len,
                     size_t *used)
{
    size_t done = 0;

    /* Less than expat has ahead, too: it cannot give bytes back. */
    if (r->stopped && (r->fed - r->skipped > RENEW || r->ahead > len))
        renew(r);
    if (r->stopped) {
        r->stopped = false;
        done = r->ahead;
        judge(r, XML_ResumeParser(r->parser));
    }
    while (r->news == XF_XML_MORE && r->fault == XF_XML_FINE && done < len) {
        size_t n = skip(r, bytes + done, len - done);

        if (n == 0) {
            n = piece(r, len - done);
            feed(r, bytes + done, n);
        }
        done += n;
    }
    r->ahead = r->stopped ? (size_t)(r->fed - r->end) : 0;
    *used = done - r->ahead;
}

enum xf_xml_news xf_xml_read(struct xf_xml_reader *r, const char *bytes,
                             size_t len, size_t *used, struct xf_el **el)
{
    *el = NULL;
    *used = len;
    if (r->fault != XF_XML_FINE)
        return XF_XML_BROKEN;
    if (r->closed)
        return XF_XML_CLOSED;
    if (r->tree.depth <= 1)
        xf_arena_reset(&r->tree.arena);
    r->news = XF_XML_MORE;
    r->el = NULL;
    read_all(r, bytes, len, used);
    if (r->fault != XF_XML_FINE) {
        *used = len;
        return XF_XML_BROKEN;
    }
    *el = r->el;
    return r->news;
}

enum xf_xml_fault xf_xml_fault(const struct xf_xml_reader *r)
{
    return r->fault;
}

struct xf_xml_reader *xf_xml_reader_new(void)
{
    struct xf_xml_reader *r = xf_sys_alloc(sizeof *r);

    if (r && !new_parser(r)) {
        xf_xml_reader_free(r);
        return NULL;
    }
    return r;
}

void xf_xml_reader_free(struct xf_xml_reader *r)
{
    if (!r)
        return;
    XML_ParserFree(r->parser);
    xf_arena_clear(&r->tree.arena);
    xf_sys_free(r);
}
