/* The conversation as numbered, explained steps; nothing is decided here. */
#include "trace.h"

#include <string.h>

#include "escape.h"
#include "markup.h"

/*
 * How a stanza is recognised and told. A stanza fits a rule when it is of that
 * type and holds that element in that namespace.
 *   %f %t  who sends, who receives          %m  methods offered or chosen
 *   %n %z  name and size of the file        %h  how many streamhosts
 *   %b %q  block size, number of the block  %u  streamhost used
 *   %c     condition and words of an error  %a  what was asked before
 */
static const struct rule {
    const char *type; /* NULL: any */
    const char *element;
    const char *xmlns; /* its end */
    const char *text;  /* NULL: private, not shown */
    const char *what;
} rules[] = {
    { NULL, "bind", "xmpp-bind", NULL, NULL },
    { NULL, "session", "xmpp-session", NULL, NULL },
    { NULL, "query", "jabber:iq:auth", NULL, NULL },
    { NULL, "query", "jabber:iq:register", NULL, NULL },
    { NULL, "query", "jabber:iq:roster", NULL, NULL },
    { "error", "error", NULL, "%f answers %t about %a with an error: %c",
      NULL },
    { "set", "si", "protocol/si", "%f offers %t the file %n (%z bytes), %m",
      "the offer" },
    { "result", "si", "protocol/si", "%f accepts and tells %t its methods: %m",
      NULL },
    { "set", "activate", NULL, "%f asks %t to join the two connections",
      "the activation" },
    { "set", "query", "protocol/bytestreams",
      "%f tells %t where it can be reached: %h", "the streamhosts" },
    { "get", "query", "protocol/bytestreams",
      "%f asks the proxy %t for its address", "the address" },
    { "result", "streamhost-used", NULL, "%f tells %t it is connected to %u",
      NULL },
    { "result", "query", "protocol/bytestreams", "%f tells %t its address: %h",
      NULL },
    { "set", "open", "protocol/ibb",
      "%f proposes %t to go in-band, in blocks of %b bytes",
      "the in-band stream" },
    { NULL, "data", "protocol/ibb", "%f sends %t block %q of the file",
      "the block" },
    { "set", "close", "protocol/ibb", "%f closes the in-band stream to %t",
      "the close" },
    { "get", "query", "disco#info", "%f asks %t what it can do",
      "what it can do" },
    { "result", "query", "disco#info", "%f tells %t what it can do", NULL },
    { "get", "query", "disco#items", "%f asks %t what it has", "what it has" },
    { "result", "query", "disco#items", "%f tells %t what it has", NULL },
    { "get", "query", "jabber:iq:version", "%f asks %t what program it is",
      "the version" },
    { "result", "query", "jabber:iq:version", "%f tells %t what program it is",
      NULL },
    { "get", "ping", "urn:xmpp:ping", "%f asks %t whether it is there",
      "the ping" },
    { "result", NULL, NULL, "%f acknowledges %a to %t", NULL },
    { "set", NULL, NULL, "%f asks %t to do something", "the request" },
    { "get", NULL, NULL, "%f asks %t for something", "the question" },
    { NULL, NULL, NULL, "%f sends %t a stanza", "the stanza" },
};

static const char *first_child(const struct xf_piece *root)
{
    struct xf_piece piece;

    if (!xf_markup_next(root->text.text + root->text.len, &piece))
        return NULL;
    return piece.text.text;
}

static bool fits(const struct rule *rule, const char *stanza,
                 const struct xf_piece *root)
{
    struct xf_piece tag;
    struct xf_slice type = xf_markup_attr(root, "type");

    if (rule->type && !xf_slice_is(type, rule->type))
        return false;
    if (!rule->element)
        return true;
    if (!xf_markup_find(stanza, rule->element, rule->xmlns, &tag))
        return false;
    /* Deeper in a stanza it would let a contact hide the rest of it. */
    return rule->text || tag.text.text == first_child(root);
}

static const struct rule *rule_of(const char *stanza,
                                  const struct xf_piece *root)
{
    const struct rule *rule = rules;

    while (!fits(rule, stanza, root))
        rule++;
    return rule;
}

/* What an explanation is made from. */
struct telling {
    FILE *out;
    const char *stanza;
    struct xf_slice from, to;
    const char *what;
};

static void put(FILE *out, struct xf_slice s, size_t max)
{
    if (!s.text) {
        fputc('?', out);
        return;
    }
    xf_escape_n(out, s.text, s.len < max ? s.len : max);
    if (s.len > max)
        fputs("…", out);
}

static struct xf_slice attr_of(const char *stanza, const char *element,
                               const char *name)
{
    struct xf_piece tag;

    if (!xf_markup_find(stanza, element, NULL, &tag))
        return (struct xf_slice){ NULL, 0 };
    return xf_markup_attr(&tag, name);
}

static void put_methods(FILE *out, const char *stanza)
{
    static const struct {
        const char *uri, *word;
    } known[] = {
        { "http://jabber.org/protocol/bytestreams", "bytestreams" },
        { "http://jabber.org/protocol/ibb", "in-band" },
    };
    struct xf_piece piece;
    const char *p = stanza;
    bool in_value = false;
    int n = 0;

    while ((p = xf_markup_next(p, &piece)) != NULL) {
        if (piece.kind == XF_PIECE_TEXT && in_value)
            for (size_t i = 0; i < 2; i++)
                if (xf_slice_is(piece.text, known[i].uri))
                    fprintf(out, "%s%s", n++ ? " or " : "by ", known[i].word);
        in_value =
            piece.kind == XF_PIECE_OPEN && xf_slice_is(piece.name, "value");
    }
    if (n == 0)
        fputs("by no known way", out);
}

static void put_hosts(FILE *out, const char *stanza)
{
    unsigned n = xf_markup_count(stanza, "streamhost");

    fprintf(out, "%u streamhost%s", n, n == 1 ? "" : "s");
}

/* The first element within <error/> is the condition. */
static void put_condition(FILE *out, const char *stanza)
{
    struct xf_piece piece;
    const char *p = xf_markup_find(stanza, "error", NULL, &piece);
    bool text = false;

    while (p && (p = xf_markup_next(p, &piece)) != NULL)
        if (piece.kind == XF_PIECE_OPEN || piece.kind == XF_PIECE_EMPTY)
            break;
    if (!p) {
        fputs("none given", out);
        return;
    }
    put(out, piece.name, 64);
    while ((p = xf_markup_next(p, &piece)) != NULL) {
        if (text && piece.kind == XF_PIECE_TEXT) {
            fputs(", \"", out);
            put(out, piece.text, 200);
            fputc('"', out);
            return;
        }
        text = piece.kind == XF_PIECE_OPEN && xf_slice_is(piece.name, "text");
    }
}

static void put_field(const struct telling *t, char field)
{
    switch (field) {
    case 'f':
        put(t->out, t->from, 200);
        break;
    case 't':
        put(t->out, t->to, 200);
        break;
    case 'n':
        put(t->out, attr_of(t->stanza, "file", "name"), 255);
        break;
    case 'z':
        put(t->out, attr_of(t->stanza, "file", "size"), 20);
        break;
    case 'm':
        put_methods(t->out, t->stanza);
        break;
    case 'h':
        put_hosts(t->out, t->stanza);
        break;
    case 'b':
        put(t->out, attr_of(t->stanza, "open", "block-size"), 20);
        break;
    case 'q':
        put(t->out, attr_of(t->stanza, "data", "seq"), 20);
        break;
    case 'u':
        put(t->out, attr_of(t->stanza, "streamhost-used", "jid"), 200);
        break;
    case 'c':
        put_condition(t->out, t->stanza);
        break;
    case 'a':
        fputs(t->what ? t->what : "something", t->out);
        break;
    }
}

static void explain(const struct telling *t, const char *text)
{
    for (; *text; text++) {
        if (*text == '%')
            put_field(t, *++text);
        else
            fputc(*text, t->out);
    }
    fputc('\n', t->out);
}

static void copy_id(char out[XF_TRACE_ID], struct xf_slice id)
{
    size_t len = id.len < XF_TRACE_ID - 1 ? id.len : XF_TRACE_ID - 1;

    if (len)
        memcpy(out, id.text, len);
    out[len] = '\0';
}

static void remember(struct xf_trace *t, struct xf_slice id, bool outgoing,
                     const struct rule *rule)
{
    struct xf_trace_asked *asked = &t->asked[t->asked_next++ % XF_TRACE_ASKED];

    copy_id(asked->id, id);
    asked->outgoing = outgoing;
    asked->private = !rule->text;
    asked->what = rule->what;
}

static const struct xf_trace_asked *recall(const struct xf_trace *t,
                                           struct xf_slice id, bool outgoing)
{
    char key[XF_TRACE_ID];

    copy_id(key, id);
    for (unsigned i = 0; *key && i < XF_TRACE_ASKED; i++)
        if (t->asked[i].outgoing != outgoing &&
            strcmp(t->asked[i].id, key) == 0)
            return &t->asked[i];
    return NULL;
}

/* Chat is nobody's business here; a message counts when it carries a block. */
static bool of_conversation(const char *stanza, const struct xf_piece *root)
{
    struct xf_piece tag;

    return xf_slice_is(root->name, "iq") ||
           (xf_slice_is(root->name, "message") &&
            xf_markup_find(stanza, "data", "protocol/ibb", &tag));
}

void xf_trace_stanza(struct xf_trace *t, FILE *out, const char *stanza,
                     bool outgoing, const char *self)
{
    const struct xf_trace_asked *asked = NULL;
    struct xf_slice me = { self, self ? strlen(self) : 0 };
    struct telling telling = { .out = out, .stanza = stanza };
    struct xf_piece root;
    struct xf_slice type, id;
    const struct rule *rule;

    if (!xf_markup_root(stanza, &root) || !of_conversation(stanza, &root))
        return;
    rule = rule_of(stanza, &root);
    type = xf_markup_attr(&root, "type");
    id = xf_markup_attr(&root, "id");
    if (xf_slice_is(type, "result") || xf_slice_is(type, "error"))
        asked = recall(t, id, outgoing);
    else
        remember(t, id, outgoing, rule);
    if (!rule->text || (asked && asked->private))
        return;

    telling.from = xf_markup_attr(&root, "from");
    telling.to = xf_markup_attr(&root, "to");
    if (!telling.from.text && outgoing)
        telling.from = me;
    if (!telling.to.text && !outgoing)
        telling.to = me;
    telling.what = asked ? asked->what : NULL;
    fprintf(out, "%u- ", ++t->step);
    explain(&telling, rule->text);
    xf_trace_pretty(out, stanza);
    fputc('\n', out);
    fflush(out);
}

#define LINE_SHOWN 2000 /* bytes of one tag or text that are shown */
#define DATA_SHOWN 48   /* characters of base64 */
#define LINES_MAX 400
#define INDENT_MAX 20 /* levels */

static void indent(FILE *out, unsigned depth)
{
    fprintf(out, "\n%*s",
            4 + 2 * (int)(depth < INDENT_MAX ? depth : INDENT_MAX), "");
}

static void put_text(FILE *out, struct xf_slice text, bool data)
{
    size_t max = data ? DATA_SHOWN : LINE_SHOWN;

    put(out, text, max);
    if (text.len > max)
        fprintf(out, " (%zu characters)", text.len);
}

void xf_trace_pretty(FILE *out, const char *stanza)
{
    struct xf_piece piece;
    const char *p = stanza;
    bool alone = false; /* nothing but text since the last opening tag */
    bool data = false;
    unsigned depth = 0;
    unsigned lines = 0;

    while ((p = xf_markup_next(p, &piece)) != NULL && lines++ < LINES_MAX) {
        switch (piece.kind) {
        case XF_PIECE_TEXT:
            if (!alone)
                indent(out, depth);
            put_text(out, piece.text, data);
            continue;
        case XF_PIECE_CLOSE:
            if (depth)
                depth--;
            if (!alone)
                indent(out, depth);
            break;
        case XF_PIECE_OPEN:
        case XF_PIECE_EMPTY:
            indent(out, depth);
            break;
        }
        put(out, piece.text, LINE_SHOWN);
        alone = piece.kind == XF_PIECE_OPEN;
        data = alone && xf_slice_is(piece.name, "data");
        depth += alone;
    }
    if (p)
        fputs("\n    …", out);
    fputc('\n', out);
}
