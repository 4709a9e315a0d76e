/*
 * JIDs into their one form, by libidn's stringprep, and the parts of that
 * form. Whether a JID may do something is decided elsewhere.
 */
#include "base/jid.h"

#include <arpa/inet.h>
#include <string.h>

#include <idn-free.h>
#include <idna.h>
#include <stringprep.h>

#include "base/encode.h"
#include "base/err.h"

/* --- normalising --------------------------------------------------------- */

/*
 * One part, `len` bytes, into out[XF_JID_PART_MAX + 1]. Unassigned code points
 * pass, as they do in the servers: a newer character in a contact's resource
 * must not make the contact unreachable.
 */
static bool prep_part(const char *text, size_t len,
                      const Stringprep_profile *profile, char *out)
{
    if (len == 0 || len > XF_JID_PART_MAX)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return stringprep(out, XF_JID_PART_MAX + 1, 0, profile) == STRINGPREP_OK &&
           out[0] != '\0';
}

static bool is_ipv6_literal(const char *domain)
{
    char address[INET6_ADDRSTRLEN];
    unsigned char bits[16];
    size_t len = strlen(domain);

    if (len < 2 || domain[0] != '[' || domain[len - 1] != ']' ||
        len - 2 >= sizeof address)
        return false;
    memcpy(address, domain + 1, len - 2);
    address[len - 2] = '\0';
    return inet_pton(AF_INET6, address, bits) == 1;
}

/*
 * nameprep leaves ASCII as it is, so what is no part of a host name is refused
 * here; '_' is none by the book, but there are such hosts. Compatibility forms
 * have become '@' and '/' by now and are refused with them.
 */
static bool is_host_name(const char *domain)
{
    char before = '.';

    for (; *domain != '\0'; before = *domain++) {
        unsigned char c = (unsigned char)*domain;
        bool letter = c >= 0x80 || (c >= 'a' && c <= 'z');

        if (c == '.' && before == '.')
            return false;
        if (!letter && !(c >= '0' && c <= '9') && !strchr("-_.", c))
            return false;
    }
    return before != '.';
}

/* The domain part, into out[XF_JID_PART_MAX + 1]. */
static bool prep_domain(const char *text, size_t len, char *out)
{
    size_t end;

    if (!prep_part(text, len, stringprep_nameprep, out))
        return false;
    end = strlen(out) - 1;
    if (out[end] == '.')
        out[end] = '\0';
    return is_ipv6_literal(out) || is_host_name(out);
}

static bool prep_all(const char *text, char *out)
{
    size_t bare = strcspn(text, "/"), local = strcspn(text, "@/");
    const char *domain = text;

    if (text[local] == '@') {
        if (!prep_part(text, local, stringprep_xmpp_nodeprep, out))
            return false;
        domain = text + local + 1;
        out += strlen(out);
        *out++ = '@';
    }
    if (!prep_domain(domain, bare - (size_t)(domain - text), out))
        return false;
    if (text[bare] == '\0')
        return true;
    out += strlen(out);
    *out++ = '/';
    return prep_part(text + bare + 1, strlen(text + bare + 1),
                     stringprep_xmpp_resourceprep, out);
}

int xf_jid_prep(const char *text, char *out)
{
    size_t len = strnlen(text, XF_JID_MAX + 1);

    if (len <= XF_JID_MAX && xf_utf8_valid(text, len) && prep_all(text, out))
        return 0;
    out[0] = '\0';
    return XF_E_USAGE;
}

/* --- parts of the normal form -------------------------------------------- */

size_t xf_jid_bare_len(const char *jid)
{
    return strcspn(jid, "/");
}

bool xf_jid_is_full(const char *jid)
{
    return jid[xf_jid_bare_len(jid)] == '/';
}

bool xf_jid_has_local(const char *jid)
{
    return jid[strcspn(jid, "@/")] == '@';
}

bool xf_jid_same_bare(const char *a, const char *b)
{
    size_t len = xf_jid_bare_len(a);

    return len == xf_jid_bare_len(b) && memcmp(a, b, len) == 0;
}

static void copy(const char *from, size_t len, size_t max, char *out)
{
    if (len > max)
        len = max;
    memcpy(out, from, len);
    out[len] = '\0';
}

void xf_jid_bare(const char *jid, char *out)
{
    copy(jid, xf_jid_bare_len(jid), XF_JID_MAX, out);
}

void xf_jid_domain(const char *jid, char *out)
{
    const char *from = jid;

    if (xf_jid_has_local(jid))
        from = strchr(jid, '@') + 1;
    copy(from, xf_jid_bare_len(from), XF_JID_PART_MAX, out);
}

void xf_jid_local(const char *jid, char *out)
{
    size_t len = xf_jid_has_local(jid) ? strcspn(jid, "@") : 0;

    copy(jid, len, XF_JID_PART_MAX, out);
}

const char *xf_jid_resource(const char *jid)
{
    const char *slash = jid + xf_jid_bare_len(jid);

    return *slash == '/' ? slash + 1 : slash;
}

/* --- for DNS ------------------------------------------------------------- */

static bool to_ascii(const char *domain, char *out, size_t size)
{
    char *ascii = NULL;
    size_t len;
    bool fits;

    if (idna_to_ascii_8z(domain, &ascii, IDNA_ALLOW_UNASSIGNED) != IDNA_SUCCESS)
        return false;
    len = strlen(ascii);
    fits = len < size;
    if (fits)
        memcpy(out, ascii, len + 1);
    idn_free(ascii);
    return fits;
}

int xf_jid_domain_ascii(const char *domain, char *out, size_t size)
{
    char prepared[XF_JID_PART_MAX + 1];
    size_t len = strnlen(domain, XF_JID_PART_MAX + 1);

    if (xf_utf8_valid(domain, len) && prep_domain(domain, len, prepared) &&
        to_ascii(prepared, out, size))
        return 0;
    if (size > 0)
        out[0] = '\0';
    return XF_E_USAGE;
}
