/* The table of settings: name, kind, range, default, and what each means. The
 * manual and the sample file are held to it by tests. */
#include "keys.h"

#include <stdlib.h>
#include <string.h>

#define K ((uint64_t)1024)
#define DAY 86400

const struct xf_key xf_keys[XF_CONF_KEYS] = {
    [XF_CONF_COMPONENT] = { "component", XF_KIND_TEXT, 0, 0, NULL, false, "JID",
                            "the JID of this proxy, a component of the "
                            "server" },
    [XF_CONF_SERVER] = { "server", XF_KIND_TEXT, 0, 0, "127.0.0.1:5347", true,
                         "HOST:PORT",
                         "where the server waits for components; used "
                         "when the link is made anew" },
    [XF_CONF_SERVER_REMOTE] = { "server-remote", XF_KIND_CHOICE, 0, 0, "no",
                                true, "no|yes",
                                "yes: the server may be at an address that is "
                                "not loopback; the link is not encrypted" },
    [XF_CONF_SECRET_FILE] = { "secret-file", XF_KIND_TEXT, 0, 0, NULL, true,
                              "PATH",
                              "the first line of this file is the secret "
                              "shared with the server" },
    [XF_CONF_SECRET_FD] = { "secret-fd", XF_KIND_NUMBER, 0, 1023, NULL, false,
                            "N",
                            "the first line read from this descriptor is the "
                            "secret" },
    [XF_CONF_LISTEN] = { "listen", XF_KIND_LIST, 0, 16, "0.0.0.0:7777", false,
                         "ADDRESS:PORT", "where clients connect to" },
    [XF_CONF_ADVERTISE] = { "advertise", XF_KIND_LIST, 0, 16, NULL, true,
                            "HOST[:PORT]",
                            "the address told to clients, as they reach it" },
    [XF_CONF_CONNECT_FROM] = { "connect-from", XF_KIND_LIST, 0, 256, NULL, true,
                               "ADDRESS[/BITS]",
                               "clients may connect from there only; none "
                               "named: from anywhere" },
    [XF_CONF_ALLOW] = { "allow", XF_KIND_LIST, 0, 256, NULL, true, "DOMAIN|JID",
                        "who may use the proxy: the users of a domain, a "
                        "bare or a full JID; the most exact rule counts; none "
                        "named: nobody" },
    [XF_CONF_DENY] = { "deny", XF_KIND_LIST, 0, 256, NULL, true, "DOMAIN|JID",
                       "who may not, among those a less exact `allow` lets "
                       "in" },
    [XF_CONF_PAIRS] = { "pairs", XF_KIND_NUMBER, 1, 1000000, "10000", true, "N",
                        "pairs of connections at once" },
    [XF_CONF_PAIRS_PER_JID] = { "pairs-per-jid", XF_KIND_NUMBER, 0, 1000000,
                                "100", true, "N",
                                "pairs at once of one bare JID; 0: no limit" },
    [XF_CONF_PAIRS_PER_DOMAIN] = { "pairs-per-domain", XF_KIND_NUMBER, 0,
                                   1000000, "0", true, "N",
                                   "pairs at once of one domain; 0: no "
                                   "limit" },
    [XF_CONF_BYTES_PER_JID] = { "bytes-per-day-per-jid", XF_KIND_SIZE, 0,
                                K *K *K *K *K, "0", true, "SIZE",
                                "bytes a day of one bare JID; 0: no limit" },
    [XF_CONF_BYTES_PER_DOMAIN] = { "bytes-per-day-per-domain", XF_KIND_SIZE, 0,
                                   K *K *K *K *K, "0", true, "SIZE",
                                   "bytes a day of one domain; 0: no limit" },
    [XF_CONF_RATE_PER_PAIR] = { "rate-per-pair", XF_KIND_SIZE, 0, K *K *K *K,
                                "0", true, "SIZE",
                                "bytes a second of a pair, both directions "
                                "together; 0: no limit" },
    [XF_CONF_RATE_PER_JID] = { "rate-per-jid", XF_KIND_SIZE, 0, K *K *K *K, "0",
                               true, "SIZE",
                               "bytes a second of all pairs of one bare JID; "
                               "0: no limit" },
    [XF_CONF_HALF_OPEN] = { "half-open", XF_KIND_NUMBER, 1, 1000000, "2048",
                            true, "N", "SOCKS5 handshakes under way" },
    [XF_CONF_HALF_OPEN_PER_ADDRESS] = { "half-open-per-address", XF_KIND_NUMBER,
                                        1, 1000000, "64", true, "N",
                                        "of these from one address; of IPv6 "
                                        "the first 64 bits are one address" },
    [XF_CONF_CONNECTIONS_PER_ADDRESS] = { "connections-per-address",
                                          XF_KIND_NUMBER, 0, 1000000, "4096",
                                          true, "N",
                                          "connections at once from one "
                                          "address; 0: no limit" },
    [XF_CONF_HANDSHAKE_TIMEOUT] = { "handshake-timeout", XF_KIND_SECONDS, 1,
                                    300, "10", true, "S",
                                    "for the whole SOCKS5 handshake" },
    [XF_CONF_PAIRING_TIMEOUT] = { "pairing-timeout", XF_KIND_SECONDS, 1, 3600,
                                  "60", true, "S",
                                  "from the handshake to the activation" },
    [XF_CONF_IDLE_TIMEOUT] = { "idle-timeout", XF_KIND_SECONDS, 0, DAY, "1h",
                               true, "S",
                               "an active pair without a byte for so long is "
                               "closed; 0: never" },
    [XF_CONF_DRAIN_TIMEOUT] = { "drain-timeout", XF_KIND_SECONDS, 0, DAY, "30",
                                true, "S",
                                "what pairs have left after SIGTERM" },
    [XF_CONF_WORKERS] = { "workers", XF_KIND_NUMBER, 0, 64, "0", false, "N",
                          "processes that move bytes; 0: one per processor" },
    [XF_CONF_METRICS] = { "metrics", XF_KIND_TEXT, 0, 0, NULL, false,
                          "ADDRESS:PORT|unix:PATH",
                          "where Prometheus reads; a loopback address; not "
                          "set: nowhere" },
    [XF_CONF_LOG_LEVEL] = { "log-level", XF_KIND_CHOICE, 0, 0, "info", true,
                            "error|warning|info|debug",
                            "the least that is logged" },
    [XF_CONF_LOG_JIDS] = { "log-jids", XF_KIND_CHOICE, 0, 0, "short", true,
                           "short|full",
                           "JIDs in the log: r*@example.net, or whole" },
};

/* Where the word stands in "a|b|c", or -1. */
int xf_key_choice(const struct xf_key *key, const char *text)
{
    const char *at = key->unit;
    size_t len = strlen(text);

    for (int i = 0; *at; i++) {
        size_t word = strcspn(at, "|");

        if (word == len && strncmp(at, text, len) == 0)
            return i;
        at += word + (at[word] == '|');
    }
    return -1;
}

static bool plain_number(const char *text, char **end, uint64_t *out)
{
    unsigned long long n;

    if (*text < '0' || *text > '9' || strlen(text) > 18)
        return false;
    n = strtoull(text, end, 10);
    *out = n;
    return true;
}

/* A suffix of sizes is a power of 1024. */
static bool grow(const char *suffix, uint64_t *n)
{
    static const char units[] = "kMGT";
    const char *unit;

    if (!*suffix)
        return true;
    unit = strchr(units, *suffix);
    if (!unit || suffix[1])
        return false;
    for (const char *u = units; u <= unit; u++) {
        if (*n > UINT64_MAX / K)
            return false;
        *n *= K;
    }
    return true;
}

/* Seconds may be told as minutes or hours. */
static bool lengthen(const char *suffix, uint64_t *n)
{
    uint64_t by = 0;

    if (!*suffix || strcmp(suffix, "s") == 0)
        by = 1;
    else if (strcmp(suffix, "m") == 0)
        by = 60;
    else if (strcmp(suffix, "h") == 0)
        by = 3600;
    if (by == 0 || *n > UINT64_MAX / by)
        return false;
    *n *= by;
    return true;
}

bool xf_key_number(const struct xf_key *key, const char *text, uint64_t *out)
{
    char *rest;
    bool fine;
    int choice;

    if (key->kind == XF_KIND_CHOICE) {
        choice = xf_key_choice(key, text);
        *out = choice < 0 ? 0 : (uint64_t)choice;
        return choice >= 0;
    }
    if (!plain_number(text, &rest, out))
        return false;
    if (key->kind == XF_KIND_SIZE)
        fine = grow(rest, out);
    else if (key->kind == XF_KIND_SECONDS)
        fine = lengthen(rest, out);
    else
        fine = !*rest;
    return fine && *out >= key->least && *out <= key->most;
}
