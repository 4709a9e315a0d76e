/*
 * State x input tables of machines: a test prints what its machine does with
 * every input in every state, and the text must be the file that is checked
 * in. XF_UPDATE_TABLES=1 writes the file instead; read the diff.
 */
#ifndef XF_TESTS_TABLE_H
#define XF_TESTS_TABLE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/iq.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct table {
    char path[512];
    char *text;
    size_t len;
    FILE *out;
};

static inline void table_begin(struct table *t, const char *name)
{
    snprintf(t->path, sizeof t->path, "%s/%s.table", XF_TABLES, name);
    t->out = open_memstream(&t->text, &t->len);
    assert_non_null(t->out);
}

static inline char *table_file(const char *path)
{
    char *text = calloc(1, 1 << 20);
    FILE *in = fopen(path, "r");
    size_t len;

    assert_non_null(text);
    if (in) {
        len = fread(text, 1, (1 << 20) - 1, in);
        text[len] = '\0';
        fclose(in);
    }
    return text;
}

static inline void table_update(const struct table *t)
{
    FILE *out = fopen(t->path, "w");

    assert_non_null(out);
    assert_int_equal(fwrite(t->text, 1, t->len, out), t->len);
    assert_int_equal(fclose(out), 0);
}

/* Compared by line, so that a failure shows the row. */
static inline void table_check(struct table *t)
{
    char *file;
    char *want_at;
    char *have_at;
    char *want;
    char *have;

    assert_int_equal(fclose(t->out), 0);
    if (getenv("XF_UPDATE_TABLES"))
        table_update(t);
    file = table_file(t->path);
    want = strtok_r(file, "\n", &want_at);
    have = strtok_r(t->text, "\n", &have_at);
    while (want && have) {
        assert_string_equal(have, want);
        want = strtok_r(NULL, "\n", &want_at);
        have = strtok_r(NULL, "\n", &have_at);
    }
    assert_null(want);
    assert_null(have);
    free(file);
    free(t->text);
}

static inline const char *table_answer(enum xf_answer answer)
{
    static const char *const names[XF_ANSWERS] = {
        [XF_ANSWER_NONE] = "-",
        [XF_ANSWER_OK] = "ok",
        [XF_ANSWER_BAD_REQUEST] = "bad-request",
        [XF_ANSWER_BAD_REQUEST_MODIFY] = "bad-request/modify",
        [XF_ANSWER_TOO_BIG] = "too-big",
        [XF_ANSWER_NOT_ACCEPTABLE] = "not-acceptable",
        [XF_ANSWER_NOT_FOUND] = "not-found",
        [XF_ANSWER_UNEXPECTED] = "unexpected",
    };

    return names[answer] ? names[answer] : "?";
}

static inline const char *table_condition(enum xf_condition c)
{
    return c == XF_COND_NONE ? "none" : xf_condition_name(c);
}

/* Not random: a failure must come again. */
static inline uint32_t next_number(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

#endif
