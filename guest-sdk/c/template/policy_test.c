/* Unit tests, natively compiled and run by edgeftp policy test. */
#include "policy.c"

#include "edgeftp_fake.h"

int main(void) {
    EDGEFTP_CHECK(edgeftp_fake_fs(.op = EDGEFTP_OP_WRITE, .path = "/in/tool.exe").action == EDGEFTP_DENY);
    EDGEFTP_CHECK(edgeftp_fake_fs(.op = EDGEFTP_OP_WRITE, .path = "/in/report.csv").action == EDGEFTP_PASS);
    EDGEFTP_CHECK(edgeftp_fake_fs(.op = EDGEFTP_OP_READ, .path = "/in/tool.exe").action == EDGEFTP_PASS);

    EDGEFTP_CHECK(edgeftp_fake_config("{\"deny_extensions\": [\"iso\"]}") == NULL);
    edgeftp_fake_reply r = edgeftp_fake_fs(.op = EDGEFTP_OP_RENAME, .path = "/a.txt", .path2 = "/a.iso");
    EDGEFTP_CHECK(r.action == EDGEFTP_DENY);
    EDGEFTP_CHECK_TEXT(r.text, "files of this kind are not accepted here: iso");
    EDGEFTP_CHECK(edgeftp_fake_fs(.op = EDGEFTP_OP_WRITE, .path = "/in/tool.exe").action == EDGEFTP_PASS);

    EDGEFTP_CHECK_TEXT(edgeftp_fake_config("{\"deny_extension\": []}"), "unknown setting \"deny_extension\"");
    EDGEFTP_CHECK_TEXT(edgeftp_fake_config("{\"deny_extensions\": [\".\"]}"), "setting \"deny_extensions\" holds an empty extension");
    return edgeftp_fake_done();
}
