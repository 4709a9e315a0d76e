/*
 * A name server on loopback, in the loop of the test. It knows a table, is
 * silent about names with "silent" in them and fails on "broken".
 */
#ifndef XF_TEST_NET_DNS_H
#define XF_TEST_NET_DNS_H

#include <stdint.h>

#include "net/loop.h"
#include "net/names.h"

enum {
    DNS_A = 1,
    DNS_AAAA = 28,
    DNS_SRV = 33,
};

/* Ends with a row without name. */
struct dns_record {
    const char *name;
    int type;
    const char *value; /* an address, or the host of a service */
    unsigned priority, weight, port;
};

struct dns {
    const struct dns_record *table;
    int fd;
    struct xf_watch *watch;
    int asked;
};

/* Opens it and makes `names` ask it only. */
int dns_open(struct dns *dns, struct xf_loop *loop, struct xf_names *names,
             const struct dns_record *table);
void dns_close(struct dns *dns);

#endif
