/* JIDs: what becomes equal, what stays different, what is refused. */
#include "base/jid.h"

#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

struct row {
    const char *text, *jid; /* NULL: refused */
};

static void check(const struct row *rows, size_t count)
{
    char out[XF_JID_MAX + 1], again[XF_JID_MAX + 1];

    for (size_t i = 0; i < count; i++) {
        int result = xf_jid_prep(rows[i].text, out);

        if (result != (rows[i].jid ? 0 : XF_E_USAGE))
            print_message("at '%s'\n", rows[i].text);
        assert_int_equal(result, rows[i].jid ? 0 : XF_E_USAGE);
        assert_string_equal(out, rows[i].jid ? rows[i].jid : "");
        if (!rows[i].jid)
            continue;
        assert_int_equal(xf_jid_prep(out, again), 0);
        assert_string_equal(again, out);
    }
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof(rows)[0])

static void equal_jids_become_equal_bytes(void **state)
{
    static const struct row rows[] = {
        { "example.net", "example.net" },
        { "juliet@example.net", "juliet@example.net" },
        { "juliet@example.net/balcony", "juliet@example.net/balcony" },
        { "example.net/service", "example.net/service" },
        { "Juliet@EXAMPLE.Net/Balcony", "juliet@example.net/Balcony" },
        { "J\u00dcRGEN@B\u00dcCHER.example/\u00dc",
          "j\u00fcrgen@b\u00fccher.example/\u00dc" },
        /* u and a combining diaeresis */
        { "ju\u0308rgen@bu\u0308cher.example/u\u0308",
          "j\u00fcrgen@b\u00fccher.example/\u00fc" },
        { "stra\u00dfe@stra\u00dfe.example/stra\u00dfe",
          "strasse@strasse.example/stra\u00dfe" },
        { "\u03a3\u0391\u03a3@\u03a3.example/\u03a3",
          "\u03c3\u03b1\u03c3@\u03c3.example/\u03a3" },
        /* full width letters, a ligature, a soft hyphen */
        { "\uff41\uff22@\uff43.example/\uff21", "ab@c.example/A" },
        { "\ufb01x@example.net/\ufb01x", "fix@example.net/fix" },
        { "a\u00adb@exa\u00admple.net/r\u00ad", "ab@example.net/r" },
        { "\u4f60@\u4f60\u597d.example/\u597d",
          "\u4f60@\u4f60\u597d.example/\u597d" },
        /* younger than stringprep's Unicode 3.2 */
        { "\U0001f600@example.net/\U0001f980",
          "\U0001f600@example.net/\U0001f980" },
    };

    (void)state;
    CHECK(rows);
}

static void a_resource_may_hold_almost_anything(void **state)
{
    static const struct row rows[] = {
        { "a@b/c d", "a@b/c d" },
        { "a@b/ c ", "a@b/ c " },
        { "a@b/c/d", "a@b/c/d" },
        { "a@b/c@d/e", "a@b/c@d/e" },
        { "b/c@d", "b/c@d" },
        { "a@b//", "a@b//" },
        { "a@b/<\"&':>", "a@b/<\"&':>" },
        { "a@b/Psi+ \u00e9\u00a0x", "a@b/Psi+ \u00e9 x" },
        { "a@b/\x01", NULL },
        { "a@b/\n", NULL },
        { "a@b/x\x7f", NULL },
        { "a@b/\xc2\x85", NULL },
        { "a@b/\u202e", NULL },
        { "a@b/\ue000", NULL },
        { "a@b/\ufffd", NULL },
        /* right to left and left to right in one */
        { "a@b/\u05d0x", NULL },
        { "a@b/\u05d0", "a@b/\u05d0" },
    };

    (void)state;
    CHECK(rows);
}

static void a_local_part_holds_no_separators_and_blanks(void **state)
{
    static const struct row rows[] = {
        { "a.b-c_d+e~f!g#h$i%j*k=l?m^n`o{p|q}r@b",
          "a.b-c_d+e~f!g#h$i%j*k=l?m^n`o{p|q}r@b" },
        { "a\\20b@c", "a\\20b@c" },
        { "a b@c", NULL },
        { " @c", NULL },
        { "a\"b@c", NULL },
        { "a&b@c", NULL },
        { "a'b@c", NULL },
        { "a:b@c", NULL },
        { "a<b@c", NULL },
        { "a>b@c", NULL },
        { "a\tb@c", NULL },
        { "a\u00a0b@c", NULL },
        { "a\uff0fb@c", NULL }, /* becomes '/' */
        { "a\uff20b@c", NULL }, /* becomes '@' */
        { "a@b@c", NULL },
        { "a@b@c/d", NULL },
    };

    (void)state;
    CHECK(rows);
}

static void a_domain_is_a_host_name_or_an_address(void **state)
{
    static const struct row rows[] = {
        { "a@localhost", "a@localhost" },
        { "a@192.0.2.7/r", "a@192.0.2.7/r" },
        { "a@[::1]", "a@[::1]" },
        { "a@[2001:DB8::1]/r", "a@[2001:db8::1]/r" },
        { "[::1]/r", "[::1]/r" },
        { "a@my_host.example", "a@my_host.example" },
        { "a@example.net.", "a@example.net" },
        { "a@example.net./r", "a@example.net/r" },
        { "a@xn--bcher-kva.example", "a@xn--bcher-kva.example" },
        { "a@example.net..", NULL },
        { "a@.example.net", NULL },
        { "a@example..net", NULL },
        { "a@.", NULL },
        { ".", NULL },
        { "a@::1", NULL },
        { "a@[::1", NULL },
        { "a@::1]", NULL },
        { "a@[]", NULL },
        { "a@[", NULL },
        { "a@]", NULL },
        { "a@[1.2.3.4]", NULL },
        { "a@[::1]x", NULL },
        { "a@[::1].", "a@[::1]" },
        { "a@[fe80::1%25eth0]", NULL },
        { "a@[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]", NULL },
        { "a@example.net:5222", NULL },
        { "a@exa mple.net", NULL },
        { "a@example.net\n", NULL },
        { "a@exa\\mple.net", NULL },
        { "a@<example>", NULL },
        { "a@exa\uff0fmple.net", NULL },  /* becomes '/' */
        { "a@exa\u2100mple.net", NULL },  /* becomes 'a/c' */
        { "a@b\uff20example.net", NULL }, /* becomes '@' */
        { "a@example\uff0enet", "a@example.net" },
    };

    (void)state;
    CHECK(rows);
}

static void no_part_is_empty(void **state)
{
    static const struct row rows[] = {
        { "", NULL },         { "@", NULL },          { "/", NULL },
        { "@/", NULL },       { "a@", NULL },         { "@b", NULL },
        { "a@b/", NULL },     { "b/", NULL },         { "/r", NULL },
        { "a@/r", NULL },     { "@b/r", NULL },       { "\u00ad@b", NULL },
        { "a@\u00ad", NULL }, { "a@b/\u00ad", NULL },
    };

    (void)state;
    CHECK(rows);
}

static void what_is_not_utf_8_is_refused(void **state)
{
    static const struct row rows[] = {
        { "\xff@b", NULL },
        { "a@\xc3", NULL },
        { "a@b/\xc3", NULL },
        { "a@b/\xed\xa0\x80", NULL },
        { "a@b/\xc0\xaf", NULL },
        { "a\xe2\x82@b/r", NULL },
        { "a@b/\xf4\x90\x80\x80", NULL },
    };

    (void)state;
    CHECK(rows);
}

/* Fills `out` with `len` times `fill` and closes it. */
static char *repeat(char *out, char fill, size_t len)
{
    memset(out, fill, len);
    out[len] = '\0';
    return out;
}

static void each_part_has_1023_bytes_and_no_more(void **state)
{
    char a[1030], b[1030], c[1030], text[3 * 1030 + 3], out[XF_JID_MAX + 1];

    (void)state;
    for (size_t over = 0; over < 8; over++) {
        (void)snprintf(text, sizeof text, "%s@%s/%s",
                       repeat(a, 'A', XF_JID_PART_MAX + (over & 1)),
                       repeat(b, 'B', XF_JID_PART_MAX + (over >> 1 & 1)),
                       repeat(c, 'C', XF_JID_PART_MAX + (over >> 2)));
        assert_int_equal(xf_jid_prep(text, out), over ? XF_E_USAGE : 0);
        assert_int_equal(strlen(out), over ? 0 : XF_JID_MAX);
    }
}

/* Three bytes become 33: one of Unicode's longest expansions. */
static void a_part_that_grows_too_long_is_refused(void **state)
{
    char text[1100] = "a@b/", out[XF_JID_MAX + 1];
    size_t most = XF_JID_PART_MAX / 33;

    (void)state;
    for (size_t i = 0; i < most; i++)
        memcpy(text + 4 + 3 * i, "\ufdfa", 4);
    assert_int_equal(xf_jid_prep(text, out), 0);
    assert_int_equal(strlen(out), 4 + 33 * most);
    memcpy(text + 4 + 3 * most, "\ufdfa", 4);
    assert_int_equal(xf_jid_prep(text, out), XF_E_USAGE);
}

static void every_ascii_character_in_every_part(void **state)
{
    char text[16], out[XF_JID_MAX + 1];

    (void)state;
    for (int c = 1; c < 128; c++) {
        bool print = c > 0x20 && c < 0x7f;
        bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                    (c >= 'A' && c <= 'Z') || c == '-' || c == '_';

        (void)snprintf(text, sizeof text, "x%cx@b/r", c);
        assert_int_equal(xf_jid_prep(text, out) == 0,
                         print && !strchr("\"&':<>@", c)); /* x/x@b/r */
        (void)snprintf(text, sizeof text, "a@x%cx/r", c);
        assert_int_equal(xf_jid_prep(text, out) == 0,
                         word || c == '.' || c == '/');
        (void)snprintf(text, sizeof text, "a@b/x%cx", c);
        assert_int_equal(xf_jid_prep(text, out) == 0, print || c == ' ');
    }
}

static void parts_are_found_where_they_are(void **state)
{
    static const struct {
        const char *jid, *local, *domain, *resource, *bare;
    } rows[] = {
        { "a@b/c", "a", "b", "c", "a@b" },
        { "a@b", "a", "b", "", "a@b" },
        { "b", "", "b", "", "b" },
        { "b/c", "", "b", "c", "b" },
        { "b/c@d/e", "", "b", "c@d/e", "b" },
        { "a@b/c@d/e", "a", "b", "c@d/e", "a@b" },
        { "a@[::1]/c", "a", "[::1]", "c", "a@[::1]" },
    };
    char out[XF_JID_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *jid = rows[i].jid;

        xf_jid_local(jid, out);
        assert_string_equal(out, rows[i].local);
        xf_jid_domain(jid, out);
        assert_string_equal(out, rows[i].domain);
        xf_jid_bare(jid, out);
        assert_string_equal(out, rows[i].bare);
        assert_int_equal(xf_jid_bare_len(jid), strlen(rows[i].bare));
        assert_string_equal(xf_jid_resource(jid), rows[i].resource);
        assert_int_equal(xf_jid_is_full(jid), rows[i].resource[0] != '\0');
        assert_int_equal(xf_jid_has_local(jid), rows[i].local[0] != '\0');
    }
}

static void the_same_bare_jid_is_the_same_to_the_byte(void **state)
{
    (void)state;
    assert_true(xf_jid_same_bare("a@b", "a@b"));
    assert_true(xf_jid_same_bare("a@b/x", "a@b/y"));
    assert_true(xf_jid_same_bare("a@b/x", "a@b"));
    assert_false(xf_jid_same_bare("a@b", "a@bc"));
    assert_false(xf_jid_same_bare("a@bc", "a@b/c"));
    assert_false(xf_jid_same_bare("b", "a@b"));
    assert_false(xf_jid_same_bare("a@b", "A@b"));
}

static void dns_is_asked_in_ascii(void **state)
{
    static const struct row rows[] = {
        { "Example.NET", "example.net" },
        { "example.net.", "example.net" },
        { "B\u00dcCHER.example", "xn--bcher-kva.example" },
        { "bu\u0308cher.example", "xn--bcher-kva.example" },
        { "stra\u00dfe.example", "strasse.example" },
        { "\U0001f600.example", "xn--e28h.example" },
        { "xn--bcher-kva.example", "xn--bcher-kva.example" },
        { "my_host.example", "my_host.example" },
        { "_xmpp-client._tcp.example.net", "_xmpp-client._tcp.example.net" },
        { "192.0.2.7", "192.0.2.7" },
        { "[::1]", "[::1]" },
        { "", NULL },
        { ".", NULL },
        { "a..b", NULL },
        { "a b", NULL },
        { "a/b", NULL },
        { "a@b", NULL },
        { "\xff", NULL },
        { "a\u2100b", NULL },
    };
    char out[256];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(xf_jid_domain_ascii(rows[i].text, out, sizeof out),
                         rows[i].jid ? 0 : XF_E_USAGE);
        assert_string_equal(out, rows[i].jid ? rows[i].jid : "");
    }
}

static void a_label_has_63_bytes_in_dns(void **state)
{
    char label[80], out[256];

    (void)state;
    assert_int_equal(xf_jid_domain_ascii(repeat(label, 'a', 63), out, 256), 0);
    assert_int_equal(xf_jid_domain_ascii(repeat(label, 'a', 64), out, 256),
                     XF_E_USAGE);
}

static void a_name_that_does_not_fit_is_refused(void **state)
{
    char out[12];

    (void)state;
    assert_int_equal(xf_jid_domain_ascii("example.net", out, 12), 0);
    assert_int_equal(xf_jid_domain_ascii("example.net", out, 11), XF_E_USAGE);
    assert_string_equal(out, "");
    assert_int_equal(xf_jid_domain_ascii("example.net", out, 0), XF_E_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_jids_become_equal_bytes),
        cmocka_unit_test(a_resource_may_hold_almost_anything),
        cmocka_unit_test(a_local_part_holds_no_separators_and_blanks),
        cmocka_unit_test(a_domain_is_a_host_name_or_an_address),
        cmocka_unit_test(no_part_is_empty),
        cmocka_unit_test(what_is_not_utf_8_is_refused),
        cmocka_unit_test(each_part_has_1023_bytes_and_no_more),
        cmocka_unit_test(a_part_that_grows_too_long_is_refused),
        cmocka_unit_test(every_ascii_character_in_every_part),
        cmocka_unit_test(parts_are_found_where_they_are),
        cmocka_unit_test(the_same_bare_jid_is_the_same_to_the_byte),
        cmocka_unit_test(dns_is_asked_in_ascii),
        cmocka_unit_test(a_label_has_63_bytes_in_dns),
        cmocka_unit_test(a_name_that_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
