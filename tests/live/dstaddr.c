/* Our own part of dstaddr.py: for each line "JID-IN-HEX" the DST.ADDR with it
 * as initiator and as target, or "-" when it is no JID to us. */
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/encode.h"
#include "base/jid.h"

#define SID "c0ffee"
#define OTHER "juliet@capulet.example/balcony"

int main(void)
{
    static char line[8192], raw[4096], jid[XF_JID_MAX + 1];
    char as_initiator[XF_DSTADDR_LEN + 1], as_target[XF_DSTADDR_LEN + 1];

    while (fgets(line, sizeof line, stdin)) {
        size_t len = strcspn(line, "\n");

        line[len] = '\0';
        if (!xf_unhex(line, raw, len / 2))
            return 1;
        raw[len / 2] = '\0';
        if (xf_jid_prep(raw, jid) != 0) {
            puts("-");
            continue;
        }
        if (!xf_dstaddr(SID, jid, OTHER, as_initiator) ||
            !xf_dstaddr(SID, OTHER, jid, as_target))
            return 1;
        printf("%s %s\n", as_initiator, as_target);
    }
    return 0;
}
