/* From settings to what the library takes. */
#ifndef XFERRY_PROXYD_SETUP_H
#define XFERRY_PROXYD_SETUP_H

#include <xferry/proxy.h>

#include "config.h"

/* Points into the settings it was made of and into what it owns. */
struct xf_setup {
    struct xf_proxy_config proxy;
    struct xf_proxy_address *addresses; /* to listen on, then to tell */
    struct xf_proxy_rule *rules;
    struct xf_proxy_quota *quotas; /* of the sections */
    char **hosts;                  /* the texts of the addresses */
    size_t host_count;
};

/*
 * Make `setup` of `conf`, which has been finished and has to outlive it, and
 * of the secret, and have the library look at it. A mistake is told in
 * conf->error with the line it stands in.
 *
 * Returns 0, or XF_E_USAGE or XF_E_LIMIT; `setup` is to be cleared in any case.
 */
int xf_setup_make(struct xf_setup *setup, struct xf_conf *conf,
                  const char *secret);

void xf_setup_clear(struct xf_setup *setup);

#endif
