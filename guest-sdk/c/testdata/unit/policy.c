/* A policy that takes part in everything, for the unit tests of the SDK. What it does
 * follows from the path, the user or the verb of the question. */
#include "edgeftp.h"

#include <assert.h>

static const char *word = "none";
static int64_t count = -1;
static bool truth;
static const char *const usual[] = {"a", "b"};
static edgeftp_strings words = {usual, 2};
static int64_t port, weights, rules;
static int idled;

EDGEFTP_CONFIG(s) {
    word = edgeftp_settings_string(s, "word", "none");
    count = edgeftp_settings_int(s, "count", -1);
    truth = edgeftp_settings_bool(s, "truth", false);
    words = edgeftp_settings_strings(s, "words", (edgeftp_strings){usual, 2});
    port = edgeftp_settings_int(edgeftp_settings_object(s, "server"), "port", 21);
    weights = rules = 0;
    for (edgeftp_settings *o = edgeftp_settings_objects(s, "rules"); o; o = edgeftp_settings_next(o)) {
        rules++;
        weights += edgeftp_settings_int(o, "weight", 1);
        if (*edgeftp_settings_string(o, "name", "x") == 0) edgeftp_settings_reject(o, "name", "is empty");
    }
    return count == 13 ? "count: 13 brings bad luck" : NULL;
}

EDGEFTP_AUTH(q) {
    if (*q->session.vhost) return edgeftp_deny(q->session.vhost);
    if (q->binding) return memcmp(q->binding, "of this connection, and no other", EDGEFTP_BINDING_SIZE) == 0 ? edgeftp_deny(q->session.protocol) : edgeftp_fail("the binding of another connection");
    if (strcmp(q->session.user, "hash") == 0) {
        int yes = edgeftp_pw_verify("$2y$hash");
        return yes == 1 ? edgeftp_allow() : edgeftp_fail(edgeftp_error_text(yes));
    }
    if (strcmp(q->session.user, "rules") == 0)
        for (int i = 0; i < 257; i++) edgeftp_auth_add_rule(q, "/", "e", true);
    if (strcmp(q->session.user, "networks") == 0)
        for (int i = 0; i < 257; i++) edgeftp_auth_add_network(q, "::/0");
    if (*q->session.user >= '0' && *q->session.user <= ':') edgeftp_auth_add_network(q, q->session.user);
    if (strcmp(q->session.user, "near") == 0) {
        edgeftp_auth_add_network(q, "192.0.2.0/24");
        edgeftp_auth_add_network(q, "2001:db8::/32");
    }
    if (strcmp(q->session.user, "perms") == 0) edgeftp_auth_set_perms(q, "ee");
    if (strcmp(q->session.user, "home") == 0) edgeftp_auth_set_home(q, "in");
    if (strcmp(q->session.user, "late") == 0) edgeftp_auth_set_pwhash(q, "$2y$");
    if (strcmp(q->session.user, "late") == 0) return edgeftp_deny("PWHASH is for allow");
    if (strcmp(q->session.user, "hide") == 0) return edgeftp_hide();
    edgeftp_auth_set_home(q, "/in");
    return edgeftp_final(edgeftp_allow());
}

EDGEFTP_FS(q) {
    uint8_t sum[64];
    edgeftp_entry e;
    if (strcmp(q->path, "/stat") == 0) return edgeftp_stat(q->path2, &e) == EDGEFTP_OK && e.size == 7 ? edgeftp_allow() : edgeftp_hide();
    if (strcmp(q->path, "/digest") == 0) return edgeftp_digest("MD5", sum, sizeof sum) == 2 && sum[1] == 5 ? edgeftp_allow() : edgeftp_deny(NULL);
    if (strcmp(q->path, "/panic") == 0) EDGEFTP_PANIC("this cannot be");
    if (strcmp(q->path, "/assert") == 0) assert(q->size == 0 && q->op == EDGEFTP_OP_READ);
    if (strcmp(q->path, "/twice") == 0) edgeftp_fs_set_label(q, "a");
    if (strcmp(q->path, "/twice") == 0) edgeftp_fs_set_label(q, "b");
    if (strcmp(q->path, "/negative") == 0) edgeftp_fs_set_rate_up(q, -1);
    if (strcmp(q->path, "/code") == 0) return edgeftp_deny_code(200, "no");
    if (strcmp(q->path, "/lines") == 0) return edgeftp_deny("one\ntwo");
    if (strcmp(q->path, "/fetch") == 0) {
        edgeftp_response r;
        return edgeftp_fail(edgeftp_error_text(edgeftp_fetch(&(edgeftp_request){.url = "https://example.org/"}, sum, sizeof sum, &r)));
    }
    if (strcmp(q->path, "/rewrite") == 0) return edgeftp_fs_rewrite(q, "/new", *q->path2 ? "/new2" : NULL);
    if (*q->data_peer) return edgeftp_deny(q->data_peer);
    if (strcmp(q->path, "/cache") == 0) edgeftp_fs_set_cache(q, 1500);
    return edgeftp_pass();
}

EDGEFTP_LIST(q) {
    for (size_t i = 0; i < q->count; i++)
        if (*q->entries[i].name == '.') edgeftp_list_hide_entry(q, i);
    if (strcmp(q->path, "/far") == 0) edgeftp_list_hide_entry(q, q->count);
    return strcmp(q->path, "/deny") == 0 ? edgeftp_deny("no") : edgeftp_pass();
}

EDGEFTP_CMD(q) {
    int64_t n = 0;
    edgeftp_error e = edgeftp_kv_incr(q->verb, 1, 1000, &n);
    edgeftp_text t = {0};
    if (e != EDGEFTP_OK) return edgeftp_fail(edgeftp_error_text(e));
    edgeftp_text_add(&t, q->arg);
    edgeftp_text_add(&t, " is number ");
    edgeftp_text_add_int(&t, n);
    return n > 2 ? edgeftp_deny_code(450, t.buf) : edgeftp_allow();
}

EDGEFTP_SITE(q) {
    static uint8_t room[1024];
    edgeftp_response r;
    edgeftp_error e = edgeftp_fetch(&(edgeftp_request){.method = "POST", .url = q->arg, .body = "x", .body_len = 1, .timeout_ms = 50,
                                                       .headers = (edgeftp_header[]){{"accept", "text/plain"}, {NULL, NULL}},
                                                       .want = (const char *[]){"etag", NULL}},
                                    room, sizeof room, &r);
    if (e != EDGEFTP_OK) return edgeftp_deny_code(501, edgeftp_error_text(e));
    edgeftp_site_add_line(q, r.body);
    edgeftp_site_add_line(q, edgeftp_response_header(&r, "etag") ? edgeftp_response_header(&r, "etag") : "none");
    edgeftp_site_add_line(q, edgeftp_response_header(&r, "eta") ? "found" : "");
    return edgeftp_site_done(q, r.status == 200 ? 214 : 0);
}

EDGEFTP_THROTTLE(q) {
    edgeftp_throttle_set_rate(q, q->moved > 0 ? 100 : 0);
    edgeftp_throttle_set_ttl(q, 250);
    return strcmp(q->path, "/deny") == 0 ? edgeftp_deny(NULL) : edgeftp_pass();
}

EDGEFTP_DATA(q) {
    static uint8_t great[EDGEFTP_MAILBOX_SIZE];
    if (q->len == 0 && q->offset > 0) return edgeftp_data_rewrite(q, great, (size_t)q->offset);
    for (size_t i = 0; i < q->len; i++)
        if (q->data[i] >= 'a' && q->data[i] <= 'z') q->data[i] -= 32;
    edgeftp_data_set_carry(q, q->data, q->len < 4 ? q->len : 4);
    if (q->len > 1 && q->data[0] == '-') return edgeftp_data_rewrite(q, q->data + 1, q->len - 1);
    if (q->len > 0 && q->data[0] == '!') return edgeftp_hide();
    return edgeftp_data_rewrite(q, q->data, q->len);
}

EDGEFTP_EVENT(q) {
    uint8_t dice[2];
    if (q->kind == EDGEFTP_EVENT_CLIENT_MOVED) return edgeftp_fail(q->text);
    edgeftp_random(dice, sizeof dice);
    edgeftp_metric_add("seen_total", 2);
    edgeftp_metric_set("size", q->size);
    edgeftp_log(EDGEFTP_WARN, q->path);
    return *q->path ? edgeftp_pass() : edgeftp_fail("no path\nat all \xff");
}

EDGEFTP_CERT(q) { return strcmp(q->name, "ftp.example.org") == 0 ? edgeftp_allow() : edgeftp_deny("not ours"); }

EDGEFTP_IDLE() { idled++; }
