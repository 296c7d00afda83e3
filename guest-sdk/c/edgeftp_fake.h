/* edgeftp_fake.h - the server as a policy's unit tests see it. policy_test.c beside
 * policy.c is a program of its own, natively compiled, that `edgeftp policy test` runs:
 *
 *     #include "policy.c"
 *     #include "edgeftp_fake.h"
 *
 *     int main(void) {
 *         EDGEFTP_CHECK(edgeftp_fake_config("{\"deny_extensions\": [\"iso\"]}") == NULL);
 *         edgeftp_fake_reply r = edgeftp_fake_fs(.op = EDGEFTP_OP_WRITE, .path = "/a.iso");
 *         EDGEFTP_CHECK(r.action == EDGEFTP_DENY);
 *         return edgeftp_fake_done();
 *     }
 *
 * A question is asked with the fields that matter; the others are as in tests.json: a
 * session with the number 1 from 192.0.2.1:40000 at 1700000000 with the root "/". The
 * answer went through the same code as on a server: what that would refuse is fail here.
 *
 * The imports work on edgeftp_fake, which holds what a test has put in and what the policy
 * did. They keep the rules of ABI 7: edgeftp_fetch outside of its hooks is denied here as
 * it is there. */
#ifndef EDGEFTP_FAKE_H
#define EDGEFTP_FAKE_H

#ifdef __wasm__
#error "edgeftp_fake.h is for native tests: include it in policy_test.c, not in policy.c"
#else

#include "edgeftp.h"

#include <stdio.h>
#include <stdlib.h>

/* edgeftp_fake_world is everything that is not the policy. */
typedef struct edgeftp_fake_world {
    int hook;       /* that is being asked, 0 if none */
    bool early;     /* it is an early question of auth */
    bool logged_in; /* the question has a session with a user */
    int64_t now_ms; /* moved on by edgeftp_fake_advance */
    struct {
        bool used;
        char key[256], value[4096];
        size_t key_len, len;
        int64_t expires_ms; /* 0 is never */
    } kv[128];
    char log[64][1025]; /* the last lines, cut at 1,024 bytes */
    int level[64];
    size_t logged; /* how many there were: line i is in log[i % 64] */
    struct {
        char name[65];
        int kind; /* 0 a counter, 1 a gauge */
        int64_t value;
    } metric[64];
    size_t metrics;
    uint64_t random;      /* the state of edgeftp_random, which is no secret here */
    const char *password; /* the stored hash that edgeftp_pw_verify says yes to */
    struct {
        const char *path;
        edgeftp_entry facts;
    } file[64];
    size_t files;
    struct {
        const char *algorithm;
        uint8_t bytes[64];
        size_t len;
    } digest[8];
    size_t digests;
    struct {
        const char *question, *header, *value, *body; /* "GET https://example.org/" */
        int status;
    } http[16];
    size_t https;
    char asked[16][2100]; /* what was fetched, as of http */
    size_t fetched;
    int checks, failures;
} edgeftp_fake_world;

/* edgeftp_fake is the world of this test. Its numbers and texts may be read and set. */
static edgeftp_fake_world edgeftp_fake;

/* edgeftp_fake_reset makes the world empty; checks stay counted. */
static inline void edgeftp_fake_reset(void) {
    int checks = edgeftp_fake.checks, failures = edgeftp_fake.failures;
    memset(&edgeftp_fake, 0, sizeof edgeftp_fake);
    edgeftp_fake.checks = checks;
    edgeftp_fake.failures = failures;
}

/* edgeftp_fake_advance moves the time by which values of kv expire. */
static inline void edgeftp_fake_advance(int64_t ms) { edgeftp_fake.now_ms += ms; }

/* edgeftp_fake_file makes a file or a directory that edgeftp_stat finds. */
static inline void edgeftp_fake_file(const char *path, uint32_t mode, int64_t size, int64_t mtime_ns) {
    if (edgeftp_fake.files == 64) abort();
    edgeftp_fake.file[edgeftp_fake.files].path = path;
    edgeftp_fake.file[edgeftp_fake.files++].facts = (edgeftp_entry){"", mode, size, mtime_ns};
}

/* edgeftp_fake_digest sets what edgeftp_digest finds of an algorithm. */
static inline void edgeftp_fake_digest(const char *algorithm, const void *bytes, size_t n) {
    if (edgeftp_fake.digests == 8 || n > 64) abort();
    edgeftp_fake.digest[edgeftp_fake.digests].algorithm = algorithm;
    memcpy(edgeftp_fake.digest[edgeftp_fake.digests].bytes, bytes, n);
    edgeftp_fake.digest[edgeftp_fake.digests++].len = n;
}

/* edgeftp_fake_http sets the response to "METHOD URL": a status, one field of the header,
 * which may be NULL, and a body. What is not set is EDGEFTP_IO. */
static inline void edgeftp_fake_http(const char *question, int status, const char *header, const char *value, const char *body) {
    if (edgeftp_fake.https == 16) abort();
    edgeftp_fake.http[edgeftp_fake.https].question = question;
    edgeftp_fake.http[edgeftp_fake.https].status = status;
    edgeftp_fake.http[edgeftp_fake.https].header = header;
    edgeftp_fake.http[edgeftp_fake.https].value = value;
    edgeftp_fake.http[edgeftp_fake.https++].body = body;
}

/* edgeftp_fake_log is the last line that was logged, "" if there is none. */
static inline const char *edgeftp_fake_log(void) {
    return edgeftp_fake.logged ? edgeftp_fake.log[(edgeftp_fake.logged - 1) % 64] : "";
}

/* edgeftp_fake_metric is the value of a metric, 0 if there is none. */
static inline int64_t edgeftp_fake_metric(const char *name) {
    for (size_t i = 0; i < edgeftp_fake.metrics; i++)
        if (strcmp(edgeftp_fake.metric[i].name, name) == 0) return edgeftp_fake.metric[i].value;
    return 0;
}

/* ---------------------------------------------------------------- asking */

/* edgeftp_fake_reply is an answer as the server reads it. It points into memory that the
 * next question uses again. */
typedef struct edgeftp_fake_reply {
    edgeftp_action action;
    int code;
    bool final, cache;
    const char *text;    /* TEXT, or the first LINE; "" if there is none */
    const uint8_t *data; /* of a rewrite of the hook data, data_len bytes */
    size_t data_len;
    const uint8_t *entries; /* of edgeftp_fake_value */
    size_t len;
} edgeftp_fake_reply;

/* edgeftp_fake_value is the value of the nth entry of a key, counted from 0, with a NUL
 * behind it; NULL if there is none. *n is its length; n may be NULL. */
static inline const char *edgeftp_fake_value(const edgeftp_fake_reply *r, unsigned key, size_t nth, size_t *n) {
    static char values[4][65536];
    static size_t turn;
    for (size_t at = 0; at + 4 <= r->len; at += 4 + edgeftp__u16(r->entries + at + 2)) {
        size_t len = edgeftp__u16(r->entries + at + 2);
        if (edgeftp__u16(r->entries + at) != key || nth-- > 0) continue;
        char *value = values[turn++ % 4];
        memcpy(value, r->entries + at + 4, len);
        value[len] = 0;
        if (n) *n = len;
        return value;
    }
    if (n) *n = 0;
    return NULL;
}

/* edgeftp_fake_hides reports whether entry i of a listing is hidden. */
static inline bool edgeftp_fake_hides(const edgeftp_fake_reply *r, size_t i) {
    size_t n;
    const char *bits = edgeftp_fake_value(r, EDGEFTP_KEY_HIDE_BITS, 0, &n);
    return i / 8 < n && bits[i / 8] & 1 << i % 8;
}

static inline void edgeftp_fake__text(const char **text) {
    if (!*text) *text = "";
}

/* edgeftp_fake__session fills in what a test has not given. */
static inline void edgeftp_fake__session(edgeftp_session *s, int hook, bool early) {
    static const uint8_t peer16[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
    const char **texts[] = {&s->user, &s->group, &s->local, &s->listener, &s->host, &s->vhost, &s->protocol, &s->client,
                            &s->tls.version, &s->tls.cipher, &s->tls.sni, &s->tls.alpn, &s->tls.cert_subject, &s->tls.cert_sha256};
    if (s->id == 0 && hook != EDGEFTP_HOOK_CERT) s->id = 1;
    if (s->request == 0) s->request = 1;
    if (s->time_ns == 0) s->time_ns = INT64_C(1700000000000000000);
    if (!s->root) s->root = "/";
    if (!s->peer) s->peer = "192.0.2.1:40000", s->peer16 = peer16;
    if (!s->state) s->state = (const uint8_t *)"";
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) edgeftp_fake__text(texts[i]);
    edgeftp_fake.hook = hook;
    edgeftp_fake.early = early;
    edgeftp_fake.logged_in = *s->user && hook != EDGEFTP_HOOK_AUTH;
}

/* edgeftp_fake__read reads an answer as the server does. */
static inline edgeftp_fake_reply edgeftp_fake__read(int64_t verdict) {
    edgeftp_fake_reply r = {0};
    uint64_t v = (uint64_t)verdict;
    edgeftp_fake.hook = 0;
    r.action = (edgeftp_action)(v >> 16 & 0xff);
    r.code = (int)(v & 0xffff);
    r.final = v >> 24 & 1;
    r.cache = v >> 25 & 1;
    r.entries = edgeftp__mailbox;
    r.len = (size_t)(v >> 32);
    return r;
}

static inline edgeftp_fake_reply edgeftp_fake__finish(edgeftp_reply *reply, edgeftp_answer a) {
    edgeftp_fake_reply r = edgeftp_fake__read(edgeftp_reply_end(reply, &a, edgeftp__mailbox, sizeof edgeftp__mailbox));
    if (reply->hook == EDGEFTP_HOOK_DATA && r.action == EDGEFTP_REWRITE) {
        r.data_len = edgeftp__u32(r.entries);
        r.data = r.entries + 4;
        r.entries += 4 + r.data_len;
        r.len -= 4 + r.data_len;
    }
    r.text = edgeftp_fake_value(&r, EDGEFTP_KEY_TEXT, 0, NULL);
    if (!r.text) r.text = edgeftp_fake_value(&r, EDGEFTP_KEY_LINE, 0, NULL);
    edgeftp_fake__text(&r.text);
    return r;
}

#define EDGEFTP_FAKE__ASK(name, NUMBER, EARLY, COUNT, FILL)                                                             \
    static inline edgeftp_fake_reply edgeftp_fake__##name(edgeftp_answer (*hook)(edgeftp_##name##_question *), edgeftp_##name##_question q) { \
        edgeftp_reply reply;                                                                                            \
        edgeftp_fake__session(&q.session, NUMBER, EARLY);                                                               \
        FILL;                                                                                                           \
        edgeftp_reply_begin(&reply, NUMBER, edgeftp__reply_room, sizeof edgeftp__reply_room, COUNT);                    \
        q.reply = &reply;                                                                                               \
        return edgeftp_fake__finish(&reply, hook(&q));                                                                  \
    }

EDGEFTP_FAKE__ASK(auth, EDGEFTP_HOOK_AUTH, q.early, 0, edgeftp_fake__text(&q.password))
EDGEFTP_FAKE__ASK(fs, EDGEFTP_HOOK_FS, false, 0, (edgeftp_fake__text(&q.path), edgeftp_fake__text(&q.path2), edgeftp_fake__text(&q.arg), edgeftp_fake__text(&q.data_peer)))
EDGEFTP_FAKE__ASK(list, EDGEFTP_HOOK_LIST, false, q.count, edgeftp_fake__text(&q.path))
EDGEFTP_FAKE__ASK(cmd, EDGEFTP_HOOK_CMD, false, 0, (edgeftp_fake__text(&q.verb), edgeftp_fake__text(&q.arg), edgeftp_fake__text(&q.dir)))
EDGEFTP_FAKE__ASK(site, EDGEFTP_HOOK_SITE, false, 0, (edgeftp_fake__text(&q.verb), edgeftp_fake__text(&q.arg), edgeftp_fake__text(&q.dir)))
EDGEFTP_FAKE__ASK(throttle, EDGEFTP_HOOK_THROTTLE, false, 0, (edgeftp_fake__text(&q.path), edgeftp_fake__text(&q.data_peer)))
EDGEFTP_FAKE__ASK(event, EDGEFTP_HOOK_EVENT, false, 0,
                  (edgeftp_fake__text(&q.path), edgeftp_fake__text(&q.path2), edgeftp_fake__text(&q.text), edgeftp_fake__text(&q.policy), edgeftp_fake__text(&q.data_peer)))
EDGEFTP_FAKE__ASK(cert, EDGEFTP_HOOK_CERT, false, 0, edgeftp_fake__text(&q.name))

/* edgeftp_fake__chunk puts the bytes of a question where a policy may change them, as on a
 * server: in the mailbox. */
static inline void edgeftp_fake__chunk(edgeftp_data_question *q) {
    static uint8_t carry[EDGEFTP_MAX_CARRY];
    edgeftp_fake__text(&q->path);
    edgeftp_fake__text(&q->data_peer);
    if (q->len > EDGEFTP_MAX_CHUNK || q->carry_len > sizeof carry) abort();
    if (q->carry_len) memcpy(carry, q->carry, q->carry_len);
    q->carry = carry;
    if (q->len) memmove(edgeftp__mailbox + 512, q->data, q->len);
    q->data = edgeftp__mailbox + 512;
}
EDGEFTP_FAKE__ASK(data, EDGEFTP_HOOK_DATA, false, 0, edgeftp_fake__chunk(&q))

/* The questions, given by their fields: edgeftp_fake_fs(.op = EDGEFTP_OP_READ, .path = "/a",
 * .session.user = "anna"). */
#define edgeftp_fake_auth(...) edgeftp_fake__auth(edgeftp_policy_auth, (edgeftp_auth_question){__VA_ARGS__})
#define edgeftp_fake_fs(...) edgeftp_fake__fs(edgeftp_policy_fs, (edgeftp_fs_question){__VA_ARGS__})
#define edgeftp_fake_list(...) edgeftp_fake__list(edgeftp_policy_list, (edgeftp_list_question){__VA_ARGS__})
#define edgeftp_fake_cmd(...) edgeftp_fake__cmd(edgeftp_policy_cmd, (edgeftp_cmd_question){__VA_ARGS__})
#define edgeftp_fake_site(...) edgeftp_fake__site(edgeftp_policy_site, (edgeftp_site_question){__VA_ARGS__})
#define edgeftp_fake_throttle(...) edgeftp_fake__throttle(edgeftp_policy_throttle, (edgeftp_throttle_question){__VA_ARGS__})
#define edgeftp_fake_data(...) edgeftp_fake__data(edgeftp_policy_data, (edgeftp_data_question){__VA_ARGS__})
#define edgeftp_fake_event(...) edgeftp_fake__event(edgeftp_policy_event, (edgeftp_event_question){__VA_ARGS__})
#define edgeftp_fake_cert(...) edgeftp_fake__cert(edgeftp_policy_cert, (edgeftp_cert_question){__VA_ARGS__})
#define edgeftp_fake_idle() edgeftp_policy_idle()

/* edgeftp_fake_config gives the policy its settings; NULL if it takes them, or why not. A
 * server does so once for each instance: what earlier settings have left in the policy's
 * variables is still there, and valid. */
#define edgeftp_fake_config(json) edgeftp_fake__config(edgeftp_policy_config, json)

static inline const char *edgeftp_fake__config(const char *(*policy)(edgeftp_settings *), const char *json) {
    static struct room {
        struct room *before;
        _Alignas(8) uint8_t bytes[EDGEFTP_SETTINGS_SIZE];
    } *last; /* all of them are kept: the policy may point into each */
    struct room *r = malloc(sizeof *r);
    if (!r) abort();
    r->before = last;
    last = r;
    return edgeftp__configure(policy, json, strlen(json), r->bytes, sizeof r->bytes);
}

/* ---------------------------------------------------------------- checks */

/* EDGEFTP_CHECK counts a check, and tells the file and the line of one that fails. */
#define EDGEFTP_CHECK(what) \
    ((void)(edgeftp_fake.checks++, (what) || (edgeftp_fake.failures++, fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what))))

/* EDGEFTP_CHECK_TEXT checks that a text is the one that is wanted. */
#define EDGEFTP_CHECK_TEXT(got, want) edgeftp_fake__check_text(__FILE__, __LINE__, got, want)

static inline void edgeftp_fake__check_text(const char *file, int line, const char *got, const char *want) {
    edgeftp_fake.checks++;
    if (got && strcmp(got, want) == 0) return;
    edgeftp_fake.failures++;
    fprintf(stderr, "%s:%d: got \"%s\", want \"%s\"\n", file, line, got ? got : "(NULL)", want);
}

/* edgeftp_fake_done says how it went; return it from main. No check at all is a failure. */
static inline int edgeftp_fake_done(void) {
    if (edgeftp_fake.failures || edgeftp_fake.checks == 0) {
        fprintf(stderr, "%d of %d checks failed\n", edgeftp_fake.failures, edgeftp_fake.checks);
        return 1;
    }
    printf("%d checks passed\n", edgeftp_fake.checks);
    return 0;
}

/* --------------------------------------------------------------- imports */

/* edgeftp_panic_at tells the place and the text, and ends the program. */
_Noreturn void edgeftp_panic_at(const char *file, int line, const char *text) {
    fprintf(stderr, "%s:%d: %s\n", file, line, text);
    abort();
}

void edgeftp_import_log(int32_t level, const void *line, uint32_t len) {
    size_t i = edgeftp_fake.logged++ % 64, n = len < 1024 ? len : 1024;
    memcpy(edgeftp_fake.log[i], line, n);
    edgeftp_fake.log[i][n] = 0;
    edgeftp_fake.level[i] = level;
}

/* edgeftp_fake__slot is the place of a key, -1 if there is none. */
static inline int edgeftp_fake__slot(const void *key, uint32_t n) {
    for (int i = 0; i < 128; i++) {
        if (edgeftp_fake.kv[i].used && edgeftp_fake.kv[i].expires_ms && edgeftp_fake.kv[i].expires_ms <= edgeftp_fake.now_ms) edgeftp_fake.kv[i].used = false;
        if (edgeftp_fake.kv[i].used && edgeftp_fake.kv[i].key_len == n && memcmp(edgeftp_fake.kv[i].key, key, n) == 0) return i;
    }
    return -1;
}

static inline bool edgeftp_fake__bad_key(uint32_t n) { return n < 1 || n > 256; }

int64_t edgeftp_import_kv_get(const void *key, uint32_t key_len, void *out, uint32_t cap) {
    int i = edgeftp_fake__slot(key, key_len);
    if (edgeftp_fake__bad_key(key_len)) return EDGEFTP_SIZE;
    if (i < 0) return EDGEFTP_NOT_FOUND;
    if (edgeftp_fake.kv[i].len && edgeftp_fake.kv[i].len <= cap) memcpy(out, edgeftp_fake.kv[i].value, edgeftp_fake.kv[i].len);
    return (int64_t)edgeftp_fake.kv[i].len;
}

int32_t edgeftp_import_kv_set(const void *key, uint32_t key_len, const void *value, uint32_t value_len, int64_t ttl_ms) {
    if (edgeftp_fake__bad_key(key_len) || (value_len != UINT32_MAX && value_len > 4096)) return EDGEFTP_SIZE;
    int i = edgeftp_fake__slot(key, key_len);
    if (value_len == UINT32_MAX) {
        if (i >= 0) edgeftp_fake.kv[i].used = false;
        return 0;
    }
    for (int free = 0; i < 0 && free < 128; free++)
        if (!edgeftp_fake.kv[free].used) i = free;
    if (i < 0) return EDGEFTP_FULL;
    edgeftp_fake.kv[i].used = true;
    memcpy(edgeftp_fake.kv[i].key, key, key_len);
    edgeftp_fake.kv[i].key_len = key_len;
    if (value_len) memcpy(edgeftp_fake.kv[i].value, value, value_len);
    edgeftp_fake.kv[i].len = value_len;
    edgeftp_fake.kv[i].expires_ms = ttl_ms > 0 ? edgeftp_fake.now_ms + ttl_ms : 0;
    return 0;
}

int32_t edgeftp_import_kv_incr(const void *key, uint32_t key_len, int64_t delta, int64_t ttl_ms, void *out) {
    if (edgeftp_fake__bad_key(key_len)) return EDGEFTP_SIZE;
    int i = edgeftp_fake__slot(key, key_len);
    if (i >= 0 && edgeftp_fake.kv[i].len != 8) return EDGEFTP_TYPE;
    int64_t sum = i < 0 ? 0 : (int64_t)edgeftp__u64((uint8_t *)edgeftp_fake.kv[i].value);
    if (delta > 0 && sum > INT64_MAX - delta) sum = INT64_MAX;
    else if (delta < 0 && sum < INT64_MIN - delta) sum = INT64_MIN;
    else sum += delta;
    edgeftp__put(out, (uint64_t)sum, 8);
    if (i < 0) return edgeftp_import_kv_set(key, key_len, out, 8, ttl_ms);
    memcpy(edgeftp_fake.kv[i].value, out, 8);
    return 0;
}

int32_t edgeftp_import_kv_cas(const void *key, uint32_t key_len, const void *old, uint32_t old_len, const void *value, uint32_t value_len, int64_t ttl_ms) {
    if (edgeftp_fake__bad_key(key_len)) return EDGEFTP_SIZE;
    int i = edgeftp_fake__slot(key, key_len);
    bool same = old_len == UINT32_MAX ? i < 0 : i >= 0 && edgeftp_fake.kv[i].len == old_len && (old_len == 0 || memcmp(edgeftp_fake.kv[i].value, old, old_len) == 0);
    if (!same) return value_len != UINT32_MAX && value_len > 4096 ? EDGEFTP_SIZE : 0;
    int32_t code = edgeftp_import_kv_set(key, key_len, value, value_len, ttl_ms);
    return code < 0 ? code : 1;
}

void edgeftp_import_metric(const void *name, uint32_t name_len, int32_t kind, int64_t value) {
    const char *s = name;
    bool good = name_len >= 1 && name_len <= 64 && s[0] >= 'a' && s[0] <= 'z' && (kind == 0 || kind == 1);
    for (uint32_t i = 0; good && i < name_len; i++) good = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') || s[i] == '_';
    if (!good || (kind == 0 && value < 0)) return;
    size_t i = 0;
    while (i < edgeftp_fake.metrics && (strlen(edgeftp_fake.metric[i].name) != name_len || memcmp(edgeftp_fake.metric[i].name, name, name_len) != 0)) i++;
    if (i == 64) return;
    if (i == edgeftp_fake.metrics) {
        memcpy(edgeftp_fake.metric[i].name, name, name_len);
        edgeftp_fake.metric[i].kind = kind;
        edgeftp_fake.metrics++;
    }
    if (edgeftp_fake.metric[i].kind != kind) return;
    edgeftp_fake.metric[i].value = kind == 1 ? value : edgeftp_fake.metric[i].value + value;
}

void edgeftp_import_random(void *out, uint32_t len) {
    uint8_t *p = out;
    if (len > 4096) edgeftp_panic_at("edgeftp_random", 0, "more than 4,096 bytes: the server ends the call");
    for (uint32_t i = 0; i < len; i++) {
        edgeftp_fake.random = edgeftp_fake.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        p[i] = (uint8_t)(edgeftp_fake.random >> 56);
    }
}

int32_t edgeftp_import_pw_verify(const void *hash, uint32_t hash_len) {
    if (edgeftp_fake.hook != EDGEFTP_HOOK_AUTH || edgeftp_fake.early) return EDGEFTP_DENIED;
    if (hash_len == 0 || hash_len > 512) return EDGEFTP_SIZE;
    if (*(const char *)hash != '$') return EDGEFTP_INVALID;
    const char *right = edgeftp_fake.password;
    return right && strlen(right) == hash_len && memcmp(right, hash, hash_len) == 0;
}

int64_t edgeftp_import_stat(const void *path, uint32_t path_len, void *out, uint32_t cap) {
    if (!edgeftp_fake.logged_in) return EDGEFTP_DENIED;
    if (path_len == 0 || *(const char *)path != '/') return EDGEFTP_INVALID;
    for (size_t i = 0; i < edgeftp_fake.files; i++) {
        const edgeftp_entry *e = &edgeftp_fake.file[i].facts;
        if (strlen(edgeftp_fake.file[i].path) != path_len || memcmp(edgeftp_fake.file[i].path, path, path_len) != 0) continue;
        if (cap < 32) return EDGEFTP_SIZE;
        memset(out, 0, 32);
        edgeftp__put((uint8_t *)out + 8, e->mode, 4);
        edgeftp__put((uint8_t *)out + 16, (uint64_t)e->size, 8);
        edgeftp__put((uint8_t *)out + 24, (uint64_t)e->mtime_ns, 8);
        return 32;
    }
    return EDGEFTP_NOT_FOUND;
}

int64_t edgeftp_import_digest(const void *algorithm, uint32_t algorithm_len, void *out, uint32_t cap) {
    if (edgeftp_fake.hook != EDGEFTP_HOOK_FS) return EDGEFTP_DENIED;
    for (size_t i = 0; i < edgeftp_fake.digests; i++) {
        const char *name = edgeftp_fake.digest[i].algorithm;
        if (strlen(name) != algorithm_len || memcmp(name, algorithm, algorithm_len) != 0) continue;
        if (edgeftp_fake.digest[i].len > cap) return EDGEFTP_SIZE;
        memcpy(out, edgeftp_fake.digest[i].bytes, edgeftp_fake.digest[i].len);
        return (int64_t)edgeftp_fake.digest[i].len;
    }
    return EDGEFTP_NOT_FOUND;
}

/* edgeftp_fake__refuses says that the server would not send a request's field (ABI 7). */
static inline bool edgeftp_fake__refuses(const char *name, size_t n) {
    static const char *const no[] = {"host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect", "keep-alive"};
    char copy[64] = {0};
    if (n == 0) return true;
    memcpy(copy, name, n < 63 ? n : 63);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (edgeftp_equal_fold(copy, no[i])) return true;
    copy[6] = 0;
    return edgeftp_equal_fold(copy, "proxy-");
}

int64_t edgeftp_import_fetch(const void *request, uint32_t request_len, void *out, uint32_t cap) {
    const uint8_t *p = request, *end = p + request_len;
    char question[2100] = "GET ", url[2049] = "";
    int hook = edgeftp_fake.hook;
    const char *want = NULL;
    size_t want_len = 0;
    if (hook != EDGEFTP_HOOK_AUTH && hook != EDGEFTP_HOOK_SITE && hook != EDGEFTP_HOOK_EVENT && hook != EDGEFTP_HOOK_CERT) return EDGEFTP_DENIED;
    while (p < end) {
        uint32_t key = edgeftp__u32(p), n = edgeftp__u32(p + 4);
        const char *value = (const char *)p + 8;
        p += 8 + n;
        if ((key == 1 && n > 6) || (key == 2 && n > 2048) || (key == 3 && n > 4096) || (key == 4 && n > 65536)) return EDGEFTP_INVALID;
        if (key == 3 && edgeftp_fake__refuses(value, strlen(value))) return EDGEFTP_INVALID;
        if (key == 1) snprintf(question, sizeof question, "%.*s ", (int)n, value);
        if (key == 2) snprintf(url, sizeof url, "%.*s", (int)n, value);
        if (key == 6 && !want) want = value, want_len = n;
    }
    if (!*url || !strstr("GET HEAD POST PUT PATCH DELETE ", question)) return EDGEFTP_INVALID;
    strcat(question, url);
    strcpy(edgeftp_fake.asked[edgeftp_fake.fetched++ % 16], question);
    for (size_t i = 0; i < edgeftp_fake.https; i++) {
        if (strcmp(edgeftp_fake.http[i].question, question) != 0) continue;
        uint8_t *o = out;
        size_t at = 4, body = strlen(edgeftp_fake.http[i].body);
        const char *header = edgeftp_fake.http[i].header;
        if (cap < 12 + body) return EDGEFTP_SIZE;
        edgeftp__put(o, (uint64_t)edgeftp_fake.http[i].status, 4);
        if (header && want && strlen(header) == want_len && memcmp(header, want, want_len) == 0 &&
            !edgeftp__put_wide(o, cap, &at, 3, header, want_len, edgeftp_fake.http[i].value))
            return EDGEFTP_SIZE;
        if (!edgeftp__put_wide(o, cap, &at, 4, edgeftp_fake.http[i].body, body, NULL)) return EDGEFTP_SIZE;
        return (int64_t)at;
    }
    return EDGEFTP_IO;
}

#endif /* __wasm__ */
#endif /* EDGEFTP_FAKE_H */
