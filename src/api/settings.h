/* The embedder's configuration, checked and copied. */
#ifndef XF_API_SETTINGS_H
#define XF_API_SETTINGS_H

#include "api/session.h"

/* Returns 0, XF_E_USAGE or XF_E_LIMIT; `set` is to be cleared in any case.
 * `attached`: the account may be missing. */
int xf_settings_take(struct xf_settings *set, const struct xf_config *config,
                     bool attached);
/* A secret is needed no longer than until who uses it has a copy. */
void xf_settings_wipe(char **secret);

void xf_settings_clear(struct xf_settings *set);

#endif
