/* Trees out of strings and strings out of writers, for the tests beside. */
#ifndef XF_TEST_WIRE_FIXTURE_H
#define XF_TEST_WIRE_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/iq.h"
#include "wire/xml.h"

#define DOCS_MAX 128

static struct xf_xml_doc *docs[DOCS_MAX];
static size_t docs_count;
static struct xf_buf out_buf;
static struct xf_xml_writer out;

/* A writer to an empty buffer. */
static inline struct xf_xml_writer *fresh(void)
{
    xf_buf_clear(&out_buf);
    xf_buf_init(&out_buf, 1024 * 1024);
    xf_xml_writer_init(&out, &out_buf);
    return &out;
}

static inline const char *written(void)
{
    assert_false(out_buf.failed);
    return xf_buf_text(&out_buf);
}

/* Frees everything; the teardown of each test. */
static inline int forget(void **state)
{
    (void)state;
    while (docs_count > 0)
        xf_xml_doc_free(docs[--docs_count]);
    xf_buf_clear(&out_buf);
    return 0;
}

/* Lives until the end of the test, or until forget(). */
static inline struct xf_el *parse(const char *xml)
{
    struct xf_el *el;
    struct xf_xml_doc *doc = xf_xml_parse(xml, strlen(xml), &el);

    if (!doc)
        fail_msg("not read: %.200s", xml);
    assert_true(docs_count < DOCS_MAX);
    docs[docs_count++] = doc;
    return el;
}

static inline struct xf_stanza_head head_of(const char *xml)
{
    struct xf_stanza_head head;

    assert_true(xf_stanza_read(parse(xml), &head));
    return head;
}

/* A file of tests/data; to be freed. */
static inline char *data_file(const char *name, size_t *len)
{
    char path[1024];
    FILE *f;
    long size;
    char *bytes;

    (void)snprintf(path, sizeof path, "%s/%s", XF_TEST_DATA, name);
    f = fopen(path, "rb");
    if (!f)
        fail_msg("cannot open %s", path);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    assert_true(size >= 0);
    rewind(f);
    bytes = malloc((size_t)size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)size, f), size);
    bytes[size] = '\0';
    fclose(f);
    if (len)
        *len = (size_t)size;
    return bytes;
}

#define CASE(name) cmocka_unit_test_teardown(name, forget)

#endif
