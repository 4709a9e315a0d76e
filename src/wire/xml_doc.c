/* One stanza that came some other way than by a stream of ours. */
#include "wire/xml.h"

#include <string.h>

#include "base/sys.h"
#include "wire/ns.h"

struct xf_xml_doc {
    struct xf_xml_reader *reader;
};

static const char root[] = "<stream:stream xmlns='" XF_NS_CLIENT "'"
                           " xmlns:stream='" XF_NS_STREAM "'>";

static bool only_space(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\0' || !strchr(" \t\r\n", bytes[i]))
            return false;
    }
    return true;
}

static bool read_one(struct xf_xml_reader *r, const char *bytes, size_t len,
                     struct xf_el **el)
{
    size_t used;

    return xf_xml_read(r, root, sizeof root - 1, &used, el) == XF_XML_OPENED &&
           xf_xml_read(r, bytes, len, &used, el) == XF_XML_STANZA &&
           only_space(bytes + used, len - used);
}

struct xf_xml_doc *xf_xml_parse(const char *bytes, size_t len,
                                struct xf_el **el)
{
    struct xf_xml_doc *doc = xf_sys_alloc(sizeof *doc);

    *el = NULL;
    if (!doc)
        return NULL;
    doc->reader = xf_xml_reader_new();
    if (!doc->reader || !read_one(doc->reader, bytes, len, el)) {
        *el = NULL;
        xf_xml_doc_free(doc);
        return NULL;
    }
    return doc;
}

void xf_xml_doc_free(struct xf_xml_doc *doc)
{
    if (!doc)
        return;
    xf_xml_reader_free(doc->reader);
    xf_sys_free(doc);
}
