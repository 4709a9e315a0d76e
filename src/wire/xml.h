/*
 * XML as XMPP has it: a stream of stanzas in, each a small tree in one piece
 * of memory; and a writer for what goes out. DOCTYPE, entities, processing
 * instructions and comments end the stream (RFC 6120, 11.1).
 */
#ifndef XF_WIRE_XML_H
#define XF_WIRE_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define XF_XML_DEPTH_MAX 64
#define XF_XML_ATTRIBUTES_MAX 64
#define XF_XML_NAME_MAX 1024             /* bytes, namespace included */
#define XF_XML_HEADER_MAX (16u * 1024u)  /* of a stream: bytes */
#define XF_XML_STANZA_MAX (512u * 1024u) /* bytes on the wire */

struct xf_attr {
    const char *name; /* "xml:lang" keeps its prefix; others have none */
    const char *value;
    struct xf_attr *next;
};

/* Text of all text nodes of an element, joined; children apart from it. */
struct xf_el {
    const char *name;
    const char *ns;
    struct xf_attr *attrs;
    const char *text; /* "" when there is none */
    size_t text_len;
    struct xf_el *children, *next;
};

/* All NULL-safe. */
const char *xf_el_attr(const struct xf_el *el, const char *name); /* or NULL */
bool xf_el_is(const struct xf_el *el, const char *name, const char *ns);
struct xf_el *xf_el_child(const struct xf_el *el, const char *name,
                          const char *ns); /* the first, or NULL */
struct xf_el *xf_el_next(const struct xf_el *el, const char *name,
                         const char *ns); /* after el, or NULL */
/* The first child in this namespace whatever its name. */
struct xf_el *xf_el_child_in(const struct xf_el *el, const char *ns);
/* The text of the first such child, or NULL when there is no such child. */
const char *xf_el_child_text(const struct xf_el *el, const char *name,
                             const char *ns);
/* Keep at most `max` bytes of the text; cuts at a character. */
void xf_el_cut_text(struct xf_el *el, size_t max);

/* --- reading ------------------------------------------------------------ */

enum xf_xml_fault {
    XF_XML_FINE,
    XF_XML_NOT_WELL_FORMED,
    XF_XML_RESTRICTED,       /* DOCTYPE, entity, PI, comment */
    XF_XML_POLICY_VIOLATION, /* over a ceiling */
    XF_XML_BAD_NAMESPACE,    /* the stream's own */
    XF_XML_NO_MEMORY,
};

enum xf_xml_news {
    XF_XML_MORE,   /* all bytes used, nothing whole yet */
    XF_XML_OPENED, /* the stream header: `el` has its attributes */
    XF_XML_STANZA, /* `el`, valid until the next call */
    XF_XML_CLOSED, /* </stream:stream> */
    XF_XML_BROKEN, /* `fault`; only free the reader */
};

struct xf_xml_reader;

/*
 * A new stream. Returns NULL when there is no memory.
 */
struct xf_xml_reader *xf_xml_reader_new(void);
void xf_xml_reader_free(struct xf_xml_reader *r);

/*
 * Read until something is whole: returns after each top-level element, `*used`
 * bytes further, so that the caller can start TLS or a new reader between two
 * of them. Call again with the rest, all of it (a part is slow). `*el` belongs
 * to the reader; it is NULL but for OPENED and STANZA.
 */
enum xf_xml_news xf_xml_read(struct xf_xml_reader *r, const char *bytes,
                             size_t len, size_t *used, struct xf_el **el);
enum xf_xml_fault xf_xml_fault(const struct xf_xml_reader *r);

/* Room for one stanza's tree that came some other way. */
struct xf_xml_doc;
/*
 * One whole element, parsed under a made-up jabber:client root, with the same
 * ceilings. Returns NULL when it is not well-formed (or there is no memory).
 */
struct xf_xml_doc *xf_xml_parse(const char *bytes, size_t len,
                                struct xf_el **el);
void xf_xml_doc_free(struct xf_xml_doc *doc);

/* --- writing ------------------------------------------------------------ */

/*
 * Elements straight into a buffer: open, attributes, then text or children,
 * then close. An element that got nothing between is written <a></a> by
 * close(), <a/> by end(). Values are escaped; what is not valid XML 1.0 text
 * sets buf->failed.
 */
struct xf_xml_writer {
    struct xf_buf *buf;
    bool in_tag; /* the start tag still lacks its '>' */
};

/* Could this text be written? UTF-8, and no character XML 1.0 leaves out. */
bool xf_xml_can_write(const char *text);

void xf_xml_writer_init(struct xf_xml_writer *w, struct xf_buf *buf);
void xf_xml_open(struct xf_xml_writer *w, const char *name, const char *ns);
void xf_xml_attr(struct xf_xml_writer *w, const char *name,
                 const char *value); /* NULL: left out */
void xf_xml_attr_uint(struct xf_xml_writer *w, const char *name,
                      uint64_t value);
void xf_xml_text(struct xf_xml_writer *w, const char *text);
/* base64 of bytes, encoded in place in the buffer: no copy. */
void xf_xml_base64(struct xf_xml_writer *w, const void *bytes, size_t len);
void xf_xml_close(struct xf_xml_writer *w, const char *name);
void xf_xml_end(struct xf_xml_writer *w, const char *name);

/* A whole element that was read, as it may have stood on the wire; its text
 * before its children. For showing, not for sending on. */
void xf_xml_copy(struct xf_xml_writer *w, const struct xf_el *el);

#endif
