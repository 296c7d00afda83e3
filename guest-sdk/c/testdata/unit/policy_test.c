/* The unit tests of the SDK for C, by a policy that uses all of it. */
#include "policy.c"

#include "edgeftp_fake.h"

static void settings(void) {
    static const struct {
        const char *json, *fault;
    } bad[] = {
        {"[]", "settings, byte 1: want '{'"},
        {"{\"word\": 1}", "setting \"word\" is not a string"},
        {"{\"count\": \"1\"}", "setting \"count\" is not a whole number"},
        {"{\"truth\": 1}", "setting \"truth\" is not true or false"},
        {"{\"words\": [1]}", "settings, byte 12: want '\"'"},
        {"{\"words\": \"a\"}", "setting \"words\" is not a list of strings"},
        {"{\"words\": [{}]}", "setting \"words\" is not a list of strings"},
        {"{\"server\": []}", "setting \"server\" is not an object"},
        {"{\"server\": {\"port\": true}}", "setting \"server.port\" is not a whole number"},
        {"{\"server\": {\"prot\": 1}}", "unknown setting \"server.prot\""},
        {"{\"rules\": [{}, {\"weight\": \"1\"}]}", "setting \"rules[1].weight\" is not a whole number"},
        {"{\"rules\": [{}, {}, {\"wieght\": 1}]}", "unknown setting \"rules[2].wieght\""},
        {"{\"rules\": [{\"name\": \"\"}]}", "setting \"rules[0].name\" is empty"},
        {"{\"wrod\": 1}", "unknown setting \"wrod\""},
        {"{\"count\": 13}", "count: 13 brings bad luck"},
        {"{\"count\": 1, \"count\": 2}", "settings: \"count\" is given twice"},
        {"{\"count\": 1.5}", "settings, byte 12: not a whole number"},
        {"{\"count\": 01}", "settings, byte 13: not a whole number of 64 bits"},
        {"{\"count\": 9223372036854775808}", "settings, byte 30: not a whole number of 64 bits"},
        {"{\"word\": null}", "settings, byte 10: want a string, a whole number, true, false, a list or an object"},
        {"{\"word\": \"\\x\"}", "settings, byte 13: unknown escape"},
        {"{\"word\": \"\\ud800\"}", "settings, byte 17: half of a surrogate pair"},
        {"{\"word\": \"\\u0000\"}", "settings, byte 17: a NUL in a string"},
        {"{\"word\": \"\xff\"}", "settings, byte 13: string is not UTF-8"},
        {"{\"word\": \"a\nb\"}", "settings, byte 13: control character in a string"},
        {"{\"word\": \"a", "settings, byte 12: string without an end"},
        {"{\"word\": \"a\\", "settings, byte 13: string without an end"},
        {"{} {}", "settings, byte 4: text after the object"},
        {"{\"server\": {\"a\": {\"a\": {\"a\": {\"a\": {\"a\": {\"a\": {\"a\": {}}}}}}}}}", "settings, byte 54: too many objects in objects"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) EDGEFTP_CHECK_TEXT(edgeftp_fake_config(bad[i].json), bad[i].fault);
    EDGEFTP_CHECK(edgeftp_fake_config("") == NULL);
    EDGEFTP_CHECK(count == -1 && !truth && words.count == 2 && port == 21 && rules == 0);
    EDGEFTP_CHECK(edgeftp_fake_config(" { \"word\": \"\\u00e9\\ud83d\\ude00\\n\", \"count\": -9223372036854775808, \"truth\": true, \"words\": [\"x\", \"\", \"z\"],"
                                      " \"server\": {\"port\": 0}, \"rules\": [{\"weight\": 4}, {\"name\": \"b\"}] } ") == NULL);
    EDGEFTP_CHECK_TEXT(word, "\xc3\xa9\xf0\x9f\x98\x80\n");
    EDGEFTP_CHECK(count == INT64_MIN && truth && words.count == 3 && port == 0 && rules == 2 && weights == 5);
    EDGEFTP_CHECK_TEXT(words.items[2], "z");
    EDGEFTP_CHECK(edgeftp_fake_config("{\"words\": [], \"rules\": []}") == NULL && words.count == 0 && rules == 0);
    static char great[EDGEFTP_SETTINGS_SIZE + 100];
    memset(great, ' ', sizeof great - 1);
    EDGEFTP_CHECK_TEXT(edgeftp_fake_config(great), "the settings are too long: define EDGEFTP_SETTINGS_SIZE greater than it is");
}

static void logins(void) {
    edgeftp_fake_reply r = edgeftp_fake_auth(.session.user = "anna");
    EDGEFTP_CHECK(r.action == EDGEFTP_ALLOW && r.final);
    EDGEFTP_CHECK_TEXT(edgeftp_fake_value(&r, EDGEFTP_KEY_HOME, 0, NULL), "/in");
    r = edgeftp_fake_auth(.session.user = "anna", .session.vhost = "shop");
    EDGEFTP_CHECK(r.action == EDGEFTP_DENY);
    EDGEFTP_CHECK_TEXT(r.text, "shop");
    r = edgeftp_fake_auth(.session.user = "anna", .session.protocol = "ftpq/1", .binding = (const uint8_t *)"of this connection, and no other");
    EDGEFTP_CHECK(r.action == EDGEFTP_DENY);
    EDGEFTP_CHECK_TEXT(r.text, "ftpq/1");
    r = edgeftp_fake_auth(.session.user = "near");
    EDGEFTP_CHECK_TEXT(edgeftp_fake_value(&r, EDGEFTP_KEY_NETWORK, 0, NULL), "192.0.2.0/24");
    EDGEFTP_CHECK_TEXT(edgeftp_fake_value(&r, EDGEFTP_KEY_NETWORK, 1, NULL), "2001:db8::/32");
    static const char *const good[] = {"0.0.0.0/0", "::/0", "192.0.2.7/32", "10.128.0.0/9", "2001:db8::7/128", "2001:db8:8000::/33"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) EDGEFTP_CHECK(edgeftp_fake_auth(.session.user = good[i]).action == EDGEFTP_ALLOW);
    static const char *const none[] = {"192.0.2.1", "192.0.2.0/33", "192.0.2.1/24", "10.128.0.0/8", "::ffff:192.0.2.0/120", "::1/64", "::/129", "::%1/64",
                                       "192.0.2.0/", "192.0.2.0/024", "192.0.02.0/24", "192.0.2.0/24 ", "192.0.2.0/-1", "0/0", "192.0.2.0/24/24"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        r = edgeftp_fake_auth(.session.user = none[i]);
        EDGEFTP_CHECK(r.action == EDGEFTP_FAIL);
        EDGEFTP_CHECK_TEXT(r.text, "a NETWORK is none: write it like 192.0.2.0/24 or 2001:db8::/32");
    }
    static const struct {
        const char *user, *text;
    } bad[] = {{"rules", "more than 256 rules"},
               {"networks", "more than 256 networks"},
               {"perms", "PERMS has an unknown letter, or one twice"},
               {"home", "HOME is no absolute path"},
               {"late", "PWHASH goes with allow alone"},
               {"hide", "only fs, list and data can be answered with hide"},
               {"hash", "not permitted here"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        r = edgeftp_fake_auth(.session.user = bad[i].user, .early = strcmp(bad[i].user, "hash") == 0);
        EDGEFTP_CHECK(r.action == EDGEFTP_FAIL);
        EDGEFTP_CHECK_TEXT(r.text, bad[i].text);
    }
    edgeftp_fake.password = "$2y$hash";
    EDGEFTP_CHECK(edgeftp_fake_auth(.session.user = "hash").action == EDGEFTP_ALLOW);
    edgeftp_fake.password = "$2y$other";
    EDGEFTP_CHECK(edgeftp_fake_auth(.session.user = "hash").action == EDGEFTP_FAIL);
}

static void paths(void) {
    static const struct {
        const char *path, *text;
    } bad[] = {{"/twice", "the answer sets something twice"},
               {"/negative", "RATE_UP is negative"},
               {"/code", "the code: 400 to 599 beside deny, 200 to 299 beside allow of site, none of cert"},
               {"/lines", "TEXT is not one line of UTF-8 of at most 512 bytes"},
               {"/fetch", "not permitted here"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        edgeftp_fake_reply r = edgeftp_fake_fs(.path = bad[i].path);
        EDGEFTP_CHECK(r.action == EDGEFTP_FAIL);
        EDGEFTP_CHECK_TEXT(r.text, bad[i].text);
    }
    edgeftp_fake_reply r = edgeftp_fake_fs(.path = "/rewrite");
    EDGEFTP_CHECK(r.action == EDGEFTP_REWRITE && edgeftp_fake_value(&r, EDGEFTP_KEY_PATH2, 0, NULL) == NULL);
    EDGEFTP_CHECK_TEXT(edgeftp_fake_value(&r, EDGEFTP_KEY_PATH, 0, NULL), "/new");
    r = edgeftp_fake_fs(.path = "/rewrite", .path2 = "/x");
    EDGEFTP_CHECK_TEXT(edgeftp_fake_value(&r, EDGEFTP_KEY_PATH2, 0, NULL), "/new2");
    EDGEFTP_CHECK_TEXT(edgeftp_fake_fs(.path = "/", .data_peer = "198.51.100.1:20000").text, "198.51.100.1:20000");
    EDGEFTP_CHECK(edgeftp_fake_fs(.path = "/cache").cache && !edgeftp_fake_fs(.path = "/").cache);
    edgeftp_fake_file("/f", 0100644, 7, 0);
    EDGEFTP_CHECK(edgeftp_fake_fs(.path = "/stat", .path2 = "/f").action == EDGEFTP_HIDE); /* nobody is logged in */
    EDGEFTP_CHECK(edgeftp_fake_fs(.path = "/stat", .path2 = "/f", .session.user = "anna").action == EDGEFTP_ALLOW);
    EDGEFTP_CHECK(edgeftp_fake_fs(.path = "/stat", .path2 = "/g", .session.user = "anna").action == EDGEFTP_HIDE);
    EDGEFTP_CHECK(edgeftp_fake_fs(.path = "/digest").action == EDGEFTP_DENY);
    edgeftp_fake_digest("MD5", "\x04\x05", 2);
    EDGEFTP_CHECK(edgeftp_fake_fs(.path = "/digest").action == EDGEFTP_ALLOW);
    const edgeftp_entry entries[] = {{".a", 0100644, 1, 0}, {"b", 0100644, 1, 0}, {".c", 0040755, 0, 0}};
    r = edgeftp_fake_list(.path = "/", .entries = entries, .count = 3);
    EDGEFTP_CHECK(r.action == EDGEFTP_PASS && edgeftp_fake_hides(&r, 0) && !edgeftp_fake_hides(&r, 1) && edgeftp_fake_hides(&r, 2));
    EDGEFTP_CHECK_TEXT(edgeftp_fake_list(.path = "/far", .entries = entries, .count = 3).text, "HIDE_BITS: there is no such entry");
    EDGEFTP_CHECK_TEXT(edgeftp_fake_list(.path = "/deny", .entries = entries, .count = 3).text, "entries are hidden beside pass and allow alone");
    EDGEFTP_CHECK_TEXT(edgeftp_fake_list(.path = "/deny", .entries = entries + 1, .count = 1).text, "no");
}

static void commands(void) {
    EDGEFTP_CHECK(edgeftp_fake_cmd(.verb = "STOR", .arg = "a").action == EDGEFTP_ALLOW);
    EDGEFTP_CHECK(edgeftp_fake_cmd(.verb = "STOR", .arg = "a").action == EDGEFTP_ALLOW);
    edgeftp_fake_reply r = edgeftp_fake_cmd(.verb = "STOR", .arg = "a\x1b[2J\xff");
    EDGEFTP_CHECK(r.action == EDGEFTP_DENY && r.code == 450);
    EDGEFTP_CHECK_TEXT(r.text, "a?[2J? is number 3");
    edgeftp_fake_advance(1000);
    EDGEFTP_CHECK(edgeftp_fake_cmd(.verb = "STOR").action == EDGEFTP_ALLOW);
    EDGEFTP_CHECK_TEXT(edgeftp_fake_cmd(.verb = "").text, "too long, too short or empty");
    EDGEFTP_CHECK(edgeftp_kv_set("MKD", "text", 4, 0) == EDGEFTP_OK);
    EDGEFTP_CHECK_TEXT(edgeftp_fake_cmd(.verb = "MKD").text, "no counter");
    char out[8];
    EDGEFTP_CHECK(edgeftp_kv_get("MKD", NULL, 0) == 4 && edgeftp_kv_get("MKD", out, sizeof out) == 4 && memcmp(out, "text", 4) == 0);
    EDGEFTP_CHECK(edgeftp_kv_cas("MKD", "x", 1, "y", 1, 0) == 0 && edgeftp_kv_cas("MKD", "text", 4, NULL, 0, 0) == 1);
    EDGEFTP_CHECK(edgeftp_kv_get("MKD", NULL, 0) == EDGEFTP_NOT_FOUND && edgeftp_kv_remove("MKD") == EDGEFTP_OK);
    EDGEFTP_CHECK(edgeftp_kv_cas("MKD", NULL, 0, "", 0, 0) == 1 && edgeftp_kv_get("MKD", NULL, 0) == 0);

    r = edgeftp_fake_site(.verb = "FETCH", .arg = "https://example.org/a");
    EDGEFTP_CHECK(r.action == EDGEFTP_DENY && r.code == 501);
    EDGEFTP_CHECK_TEXT(r.text, "input or output failed"); /* the text of site is a LINE */
    edgeftp_fake_http("POST https://example.org/a", 200, "etag", "\"7\"", "body");
    r = edgeftp_fake_site(.verb = "FETCH", .arg = "https://example.org/a");
    EDGEFTP_CHECK(r.action == EDGEFTP_ALLOW && r.code == 214 && edgeftp_fake.fetched == 2);
    EDGEFTP_CHECK_TEXT(r.text, "body");
    EDGEFTP_CHECK_TEXT(edgeftp_fake_value(&r, EDGEFTP_KEY_LINE, 1, NULL), "\"7\"");
    EDGEFTP_CHECK_TEXT(edgeftp_fake_value(&r, EDGEFTP_KEY_LINE, 2, NULL), "");
    EDGEFTP_CHECK_TEXT(edgeftp_fake.asked[1], "POST https://example.org/a");
}

static void transfers(void) {
    uint8_t chunk[] = "-abc";
    size_t n;
    edgeftp_fake_reply r = edgeftp_fake_throttle(.op = EDGEFTP_OP_READ, .path = "/a", .moved = 1);
    EDGEFTP_CHECK(edgeftp__u64((const uint8_t *)edgeftp_fake_value(&r, EDGEFTP_KEY_RATE, 0, NULL)) == 100);
    EDGEFTP_CHECK_TEXT(edgeftp_fake_throttle(.path = "/deny").text, "throttle cannot be answered with deny: set a rate");
    r = edgeftp_fake_data(.data = chunk, .len = 4);
    EDGEFTP_CHECK(r.action == EDGEFTP_REWRITE && r.data_len == 3 && memcmp(r.data, "ABC", 3) == 0);
    EDGEFTP_CHECK(memcmp(edgeftp_fake_value(&r, EDGEFTP_KEY_CARRY, 0, &n), "-ABC", 4) == 0 && n == 4 && chunk[1] == 'a');
    EDGEFTP_CHECK(edgeftp_fake_data(.data = (uint8_t *)"!", .len = 1).action == EDGEFTP_HIDE);
    EDGEFTP_CHECK_TEXT(edgeftp_fake_data(.offset = EDGEFTP_MAILBOX_SIZE).text, "the answer is longer than EDGEFTP_MAILBOX_SIZE");
    EDGEFTP_CHECK_TEXT(edgeftp_fake_data(.offset = UINT32_MAX).text, "the rewrite is longer than EDGEFTP_MAILBOX_SIZE");
    EDGEFTP_CHECK(edgeftp_fake_data(.offset = EDGEFTP_MAILBOX_SIZE - 4).data_len == EDGEFTP_MAILBOX_SIZE - 4);
    r = edgeftp_fake_data(.last = true);
    EDGEFTP_CHECK(r.action == EDGEFTP_REWRITE && r.data_len == 0);
}

static void others(void) {
    EDGEFTP_CHECK(edgeftp_fake_event(.kind = EDGEFTP_EVENT_FILE_RECEIVED, .path = "/a", .size = 9).action == EDGEFTP_PASS);
    EDGEFTP_CHECK_TEXT(edgeftp_fake_event(.kind = EDGEFTP_EVENT_LOGIN).text, "no path?at all ?");
    EDGEFTP_CHECK(edgeftp_fake_metric("seen_total") == 4 && edgeftp_fake_metric("size") == 0 && edgeftp_fake.logged == 2);
    EDGEFTP_CHECK_TEXT(edgeftp_fake.log[0], "/a");
    EDGEFTP_CHECK(edgeftp_fake.level[0] == EDGEFTP_WARN);
    EDGEFTP_CHECK(edgeftp_fake_cert(.name = "ftp.example.org").action == EDGEFTP_ALLOW);
    EDGEFTP_CHECK(edgeftp_fake_cert(.name = "example.com").action == EDGEFTP_DENY);
    edgeftp_fake_idle();
    EDGEFTP_CHECK(idled == 1);
}

static void texts(void) {
    EDGEFTP_CHECK(edgeftp_has_extension("/in/A.EXE", "exe") && edgeftp_has_extension("/a.exe. .", ".Exe") && edgeftp_has_extension("/a.tar.gz", "tar.gz"));
    EDGEFTP_CHECK(!edgeftp_has_extension("/a.exe/b", "exe") && !edgeftp_has_extension("/exe", "exe") && !edgeftp_has_extension("/a.exe", "") && !edgeftp_has_extension("/aexe", "exe"));
    EDGEFTP_CHECK(edgeftp_equal_fold("Anna", "aNNA") && !edgeftp_equal_fold("ann", "anna") && !edgeftp_equal_fold("anna", "ann"));
    EDGEFTP_CHECK(edgeftp_starts_with("/in/a", "/in/") && !edgeftp_starts_with("/i", "/in/"));
    EDGEFTP_CHECK_TEXT(edgeftp_base("/in/a"), "a");
    EDGEFTP_CHECK_TEXT(edgeftp_base("/"), "");
    edgeftp_text t = {0};
    for (int i = 0; i < 300; i++) edgeftp_text_add(&t, "\xc3\xa9x");
    EDGEFTP_CHECK(t.len == 512 && strlen(t.buf) == 512); /* 170 times 3 bytes, and a letter of 2 */
    edgeftp_text_add_int(&t, INT64_MIN);
    EDGEFTP_CHECK(t.len == 512);
    t = (edgeftp_text){0};
    edgeftp_text_add_int(&t, INT64_MIN);
    EDGEFTP_CHECK_TEXT(t.buf, "-9223372036854775808");
    EDGEFTP_CHECK_TEXT(edgeftp_error_text(EDGEFTP_BUSY), "busy");
    EDGEFTP_CHECK_TEXT(edgeftp_error_text(-10), "unknown error");
}

int main(void) {
    settings();
    logins();
    paths();
    commands();
    edgeftp_fake_reset();
    transfers();
    others();
    texts();
    return edgeftp_fake_done();
}
