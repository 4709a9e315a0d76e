/*
 * Which file names of a peer are taken: one plain path component, or refusal.
 * Never a repair: a name that was made harmless is not the name that was shown.
 */
#ifndef XF_BASE_NAME_H
#define XF_BASE_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define XF_NAME_MAX 255 /* bytes */

/*
 * NULL when the name is fine, else the reason in a few words: "empty",
 * "separator", "dot name", "hidden name", "control U+0007", "bidi U+202E",
 * "device name", "stream", "trailing", "too long", "not UTF-8".
 * `reason` is room for it, XF_NAME_REASON bytes.
 */
#define XF_NAME_REASON 32
const char *xf_name_refused(const char *name, char reason[XF_NAME_REASON]);

/*
 * "name (n).ext", cut in the stem, at a character, so that it fits
 * XF_NAME_MAX. n = 0 is the name itself. `out` has XF_NAME_MAX + 1 bytes.
 */
void xf_name_numbered(const char *name, unsigned n, char *out);

#endif
