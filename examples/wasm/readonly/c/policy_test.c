/* Unit tests: every operation, and some that there are not yet. */
#include "policy.c"

#include "edgeftp_fake.h"

int main(void) {
    const unsigned reads = 1 << EDGEFTP_OP_STAT | 1 << EDGEFTP_OP_LIST | 1 << EDGEFTP_OP_READ | 1 << EDGEFTP_OP_CWD | 1 << EDGEFTP_OP_READLINK | 1 << EDGEFTP_OP_HASH;
    for (int op = 1; op < 30; op++) {
        edgeftp_fake_reply r = edgeftp_fake_fs(.op = op, .path = "/a", .path2 = "/b");
        EDGEFTP_CHECK(r.action == (reads & 1u << op ? EDGEFTP_PASS : EDGEFTP_DENY));
        EDGEFTP_CHECK_TEXT(r.text, reads & 1u << op ? "" : "this server is read-only");
    }
    return edgeftp_fake_done();
}
