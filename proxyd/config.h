/* The settings of xferry-proxy: a file, options above it, one table for both. */
#ifndef XFERRY_PROXYD_CONFIG_H
#define XFERRY_PROXYD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define XF_CONF_FILE "/etc/xferry-proxy.conf" /* read when none is named */
#define XF_CONF_TEXT_MAX 65536                /* bytes of a file */
#define XF_CONF_LIST_MAX 256                  /* entries under one key */
#define XF_CONF_ERROR 512                     /* bytes, NUL included */
#define XF_CONF_SECRET_MAX 256                /* bytes, NUL included */

/* The rows of the table, in the order in which they are told. */
enum xf_conf_key {
    XF_CONF_COMPONENT,
    XF_CONF_SERVER,
    XF_CONF_SERVER_REMOTE,
    XF_CONF_SECRET_FILE,
    XF_CONF_SECRET_FD,
    XF_CONF_LISTEN,
    XF_CONF_ADVERTISE,
    XF_CONF_CONNECT_FROM,
    XF_CONF_ALLOW,
    XF_CONF_DENY,
    XF_CONF_PAIRS,
    XF_CONF_PAIRS_PER_JID,
    XF_CONF_PAIRS_PER_DOMAIN,
    XF_CONF_BYTES_PER_JID,
    XF_CONF_BYTES_PER_DOMAIN,
    XF_CONF_RATE_PER_PAIR,
    XF_CONF_RATE_PER_JID,
    XF_CONF_HALF_OPEN,
    XF_CONF_HALF_OPEN_PER_ADDRESS,
    XF_CONF_CONNECTIONS_PER_ADDRESS,
    XF_CONF_HANDSHAKE_TIMEOUT,
    XF_CONF_PAIRING_TIMEOUT,
    XF_CONF_IDLE_TIMEOUT,
    XF_CONF_DRAIN_TIMEOUT,
    XF_CONF_WORKERS,
    XF_CONF_METRICS,
    XF_CONF_LOG_LEVEL,
    XF_CONF_LOG_JIDS,
    XF_CONF_KEYS
};

enum xf_conf_layer { XF_CONF_DEFAULT, XF_CONF_BY_FILE, XF_CONF_BY_OPTION };

/* What one key is set to. */
struct xf_conf_value {
    enum xf_conf_layer layer;
    int line;        /* where in the file; of a list its first entry */
    uint64_t number; /* of all kinds but texts and lists */
    char *text;      /* of texts; NULL: not set */
    char **list;     /* of lists */
    int *lines;      /* ... and where each stands, 0: not in the file */
    size_t count;
};

/* The keys from pairs-per-jid to rate-per-jid may stand under [JID], too. */
#define XF_CONF_QUOTA_FIRST XF_CONF_PAIRS_PER_JID
#define XF_CONF_QUOTA_KEYS (XF_CONF_RATE_PER_JID - XF_CONF_QUOTA_FIRST + 1)

/* "[JID]": allowed, with limits of its own where it names them. */
struct xf_conf_section {
    char *jid;
    int line;
    int lines[XF_CONF_QUOTA_KEYS]; /* 0: not named */
    uint64_t number[XF_CONF_QUOTA_KEYS];
};

/* Zero is an empty one. */
struct xf_conf {
    struct xf_conf_value value[XF_CONF_KEYS];
    struct xf_conf_section *sections;
    size_t section_count;
    bool in_section;  /* while the file is read */
    const char *path; /* of the file, for errors; the caller's */
    char error[XF_CONF_ERROR];
};

/* The name of a key as it stands in the file and, after --, as an option. */
const char *xf_conf_name(enum xf_conf_key key);

/* The row a name belongs to, or -1. */
int xf_conf_find(const char *name);

/* True of keys that SIGHUP takes over from the file read anew. */
bool xf_conf_reloads(enum xf_conf_key key);

/*
 * Set a key from an option, which goes above what the file says; one that is
 * given again adds to a list and replaces anything else.
 *
 * Returns 0, or XF_E_USAGE or XF_E_LIMIT with `error` set.
 */
int xf_conf_option(struct xf_conf *conf, const char *name, const char *text);

/*
 * Read a file's text. Lines are `key = value`; blank ones and those that begin
 * with # are left out; behind a line `[JID]` are the limits of that JID. The
 * first mistake is told by file and line.
 *
 * Returns 0, or XF_E_USAGE or XF_E_LIMIT with `error` set.
 */
int xf_conf_text(struct xf_conf *conf, char *text);

/*
 * The file itself. One that is not there is an error only if it `must`.
 *
 * Returns as xf_conf_text(), or XF_E_IO or XF_E_PERM.
 */
int xf_conf_file(struct xf_conf *conf, const char *path, bool must);

/*
 * What has no value gets its default, and what has to be said is asked for.
 *
 * Returns 0, or XF_E_USAGE or XF_E_LIMIT with `error` set.
 */
int xf_conf_finish(struct xf_conf *conf);

/* Set `error` to words about a value, with the place it came from. Returns
 * XF_E_USAGE. */
int xf_conf_blame(struct xf_conf *conf, enum xf_conf_key key, size_t entry,
                  const char *words);

/* The same about the section `i`. */
int xf_conf_blame_section(struct xf_conf *conf, size_t i, const char *words);

/* Every key, its value, where that is from, and what it means. */
void xf_conf_tell(const struct xf_conf *conf, FILE *out);

/* Every key as an option, for --help. */
void xf_conf_help(FILE *out);

/*
 * The secret: the first line of the file that `secret-file` names, a regular
 * one that belongs to us and that nobody else has any right on; or of the
 * descriptor `secret-fd`, which is closed. Wipe it when it is of no more use.
 *
 * Returns 0, or XF_E_USAGE, XF_E_IO, XF_E_PERM or XF_E_LIMIT with `error` set.
 */
int xf_conf_secret(struct xf_conf *conf, char secret[XF_CONF_SECRET_MAX]);

void xf_conf_clear(struct xf_conf *conf);

#endif
