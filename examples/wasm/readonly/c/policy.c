/* Readonly refuses every operation that would change something, whatever the users'
 * permissions say. */
#include "edgeftp.h"

EDGEFTP_FS(q) {
    switch (q->op) {
    case EDGEFTP_OP_STAT: case EDGEFTP_OP_LIST: case EDGEFTP_OP_READ:
    case EDGEFTP_OP_CWD: case EDGEFTP_OP_READLINK: case EDGEFTP_OP_HASH:
        return edgeftp_pass();
    default: /* also what a later server asks about, until somebody has decided */
        return edgeftp_deny("this server is read-only");
    }
}
