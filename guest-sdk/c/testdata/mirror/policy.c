/* The mirror says what the SDK reads of a question and writes what it is told to answer,
 * for the tests that hold all SDKs to the golden vectors (tests/sdk). */
#define EDGEFTP_MAILBOX_SIZE 524288
#define EDGEFTP_REPLY_SIZE 131072
#include "edgeftp.h"

#ifndef __wasm__
#include <stdlib.h>
#endif

/* What came, what decoding left as it was, and what is said. */
static uint8_t told[EDGEFTP_MAX_CHUNK], *record;
static uint8_t said[400000];
static size_t said_len;
static const char *why; /* the last question was refused, NULL if it was not */

static void say(const char *text) {
    size_t n = strlen(text);
    memcpy(said + said_len, text, n);
    said_len += n;
}

static void say_number(const char *before, int64_t n, const char *after) {
    char out[24];
    say(before);
    say(edgeftp__decimal(n, out));
    say(after);
}

static void say_unsigned(const char *before, uint64_t n) {
    if (n > INT64_MAX) { /* a digit more than an i64 tells */
        say_number(before, (int64_t)(n / 10), "");
        say_number("", (int64_t)(n % 10), "\n");
    } else {
        say_number(before, (int64_t)n, "\n");
    }
}

static void say_hex(const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i++) {
        said[said_len++] = (uint8_t) "0123456789abcdef"[p[i] >> 4];
        said[said_len++] = (uint8_t) "0123456789abcdef"[p[i] & 15];
    }
    say("\n");
}

/* dump says a record. The decoder has put NULs into ATTR of record: the bytes are those
 * of the same place in before. */
static void dump(const edgeftp_record *r, const uint8_t *before, const edgeftp_entry *entries, size_t count) {
    static const char *const names[] = {"USER ", "PATH ", "ARG ", "PEER ", "PEER16 ", "ROOT ", "ATTR ", "STATE ", "EXTRA "};
    say_number("op ", r->op, "\n");
    say_unsigned("session ", r->session);
    say_unsigned("request ", r->request);
    say_number("time ", r->time_ns, "\n");
    say_number("a ", r->a, "\n");
    say_number("b ", r->b, "\n");
    say_number("flags ", r->flags, "\n");
    int spans = r->hook == EDGEFTP_HOOK_CMD || r->hook == EDGEFTP_HOOK_SITE || r->hook == EDGEFTP_HOOK_DATA ? 9 : 8;
    for (int i = 0; i < spans; i++) {
        say(names[i]);
        say_hex(before + (r->span[i].ptr - record), r->span[i].len);
    }
    for (int i = 1; i < EDGEFTP_NUM_ATTRS; i++)
        if (r->attr[i].ptr) {
            say_number("attr ", i, " ");
            say_hex(r->attr[i].ptr, r->attr[i].len);
        }
    for (size_t i = 0; i < count; i++) {
        say_number("entry ", entries[i].mode, " ");
        say_number("", entries[i].size, " ");
        say_number("", entries[i].mtime_ns, " ");
        say_hex(entries[i].name, strlen(entries[i].name));
    }
}

#define READ(name)                                                        \
    {                                                                     \
        edgeftp_##name##_question q;                                      \
        if ((fault = edgeftp_decode_##name(&q, record, n)) == NULL) dump(&q.record, before, NULL, 0); \
        break;                                                            \
    }

static void question(unsigned hook, const uint8_t *before, size_t n) {
    static edgeftp_entry room[EDGEFTP_MAX_ENTRIES];
    const char *fault = "no such hook";
#ifdef __wasm__
    static _Alignas(8) uint8_t copy[EDGEFTP_MAX_CHUNK];
    record = copy;
#else
    free(record); /* as long as it is, so that the sanitizers see what reads on */
    record = malloc(n ? n : 1);
#endif
    memcpy(record, before, n);
    switch (hook) {
    case EDGEFTP_HOOK_AUTH: READ(auth)
    case EDGEFTP_HOOK_FS: READ(fs)
    case EDGEFTP_HOOK_CMD: READ(cmd)
    case EDGEFTP_HOOK_SITE: READ(site)
    case EDGEFTP_HOOK_THROTTLE: READ(throttle)
    case EDGEFTP_HOOK_DATA: READ(data)
    case EDGEFTP_HOOK_EVENT: READ(event)
    case EDGEFTP_HOOK_CERT: READ(cert)
    case EDGEFTP_HOOK_LIST: {
        edgeftp_list_question q;
        if ((fault = edgeftp_decode_list(&q, record, n, room)) == NULL) dump(&q.record, before, q.entries, q.count);
        break;
    }
    }
    why = fault;
    if (fault) say("refused\n");
}

/* asked holds a question of each hook whose answer is being built: the setters want
 * their own. */
static struct {
    edgeftp_auth_question auth;
    edgeftp_fs_question fs;
    edgeftp_list_question list;
    edgeftp_site_question site;
    edgeftp_throttle_question throttle;
    edgeftp_data_question data;
} asked;

static bool set_auth(unsigned key, const char *text, const uint8_t *v, size_t n, int64_t number) {
    edgeftp_auth_question *q = &asked.auth;
    bool fine = true;
    switch (key) {
    case EDGEFTP_KEY_HOME: edgeftp_auth_set_home(q, text); break;
    case EDGEFTP_KEY_PERMS: edgeftp_auth_set_perms(q, text); break;
    case EDGEFTP_KEY_RATE_DOWN: edgeftp_auth_set_rate_down(q, number), fine = n == 8; break;
    case EDGEFTP_KEY_RATE_UP: edgeftp_auth_set_rate_up(q, number), fine = n == 8; break;
    case EDGEFTP_KEY_MAX_FILE_SIZE: edgeftp_auth_set_max_file_size(q, number), fine = n == 8; break;
    case EDGEFTP_KEY_DATA_TLS_REQUIRED: edgeftp_auth_set_data_tls(q, number != 0), fine = n == 1 && number < 2; break;
    case EDGEFTP_KEY_EXPIRES: edgeftp_auth_set_expires(q, number), fine = n == 8; break;
    case EDGEFTP_KEY_STATE: edgeftp_auth_set_state(q, v, n); break;
    case EDGEFTP_KEY_MAX_SESSIONS: edgeftp_auth_set_max_sessions(q, number), fine = n == 4; break;
    case EDGEFTP_KEY_MSG_LOGIN: edgeftp_auth_set_msg_login(q, text); break;
    case EDGEFTP_KEY_MSG_QUIT: edgeftp_auth_set_msg_quit(q, text); break;
    case EDGEFTP_KEY_LABEL: edgeftp_auth_set_label(q, text); break;
    case EDGEFTP_KEY_GROUP: edgeftp_auth_set_group(q, text); break;
    case EDGEFTP_KEY_PWHASH: edgeftp_auth_set_pwhash(q, text); break;
    case EDGEFTP_KEY_ANONYMOUS: edgeftp_auth_set_anonymous(q, number != 0), fine = n == 1 && number < 2; break;
    case EDGEFTP_KEY_LENIENT: edgeftp_auth_set_lenient(q, (unsigned)number), fine = n == 1; break;
    case EDGEFTP_KEY_NETWORK: edgeftp_auth_add_network(q, text); break;
    case EDGEFTP_KEY_RULE: {
        const char *letters = text + strlen(text) + 1;
        fine = n >= 3 && memchr(v, 0, n - 2) && v[n - 2] == 0 && v[n - 1] < 2 && letters + strlen(letters) == (const char *)v + n - 2;
        if (fine) edgeftp_auth_add_rule(q, text, letters, v[n - 1]);
        return fine;
    }
    default: return false;
    }
    return fine;
}

static bool set_fs(unsigned key, const char *text, size_t n, int64_t number, bool cache) {
    edgeftp_fs_question *q = &asked.fs;
    switch (key) {
    case EDGEFTP_KEY_PATH: edgeftp_fs_rewrite(q, text, NULL); return true;
    case EDGEFTP_KEY_PATH2: edgeftp_fs_rewrite(q, NULL, text); return true;
    case EDGEFTP_KEY_RATE_DOWN: edgeftp_fs_set_rate_down(q, number); return n == 8;
    case EDGEFTP_KEY_RATE_UP: edgeftp_fs_set_rate_up(q, number); return n == 8;
    case EDGEFTP_KEY_MAX_FILE_SIZE: edgeftp_fs_set_max_file_size(q, number); return n == 8;
    case EDGEFTP_KEY_DATA_TLS_REQUIRED: edgeftp_fs_set_data_tls(q, number != 0); return n == 1 && number < 2;
    case EDGEFTP_KEY_LABEL: edgeftp_fs_set_label(q, text); return true;
    case EDGEFTP_KEY_TTL_MS: edgeftp_fs_set_cache(q, number); return n == 4 && cache;
    default: return false;
    }
}

/* set calls the setter of a key of the hook, if there is one. */
static bool set(unsigned hook, unsigned key, const uint8_t *v, size_t n, bool cache) {
    static char text[65536];
    memcpy(text, v, n);
    text[n] = 0;
    bool holds_nul = strlen(text) != n; /* no text of C says it */
    bool binary = key == EDGEFTP_KEY_RULE || key == EDGEFTP_KEY_STATE || key == EDGEFTP_KEY_CARRY || key == EDGEFTP_KEY_HIDE_BITS;
    int64_t number = 0;
    for (size_t i = 0; i < n && i < 8; i++) number |= (int64_t)((uint64_t)v[i] << (8 * i));
    bool is_number = n == 8 || n == 4 || n == 1;
    if (holds_nul && !binary && !is_number) return false;
    switch (hook) {
    case EDGEFTP_HOOK_AUTH: return set_auth(key, key == EDGEFTP_KEY_RULE ? (const char *)v : text, v, n, number);
    case EDGEFTP_HOOK_FS: return set_fs(key, text, n, number, cache);
    case EDGEFTP_HOOK_LIST:
        if (key != EDGEFTP_KEY_HIDE_BITS) return false;
        for (size_t i = 0; i < n * 8; i++)
            if (v[i / 8] & 1 << i % 8) edgeftp_list_hide_entry(&asked.list, i);
        return true;
    case EDGEFTP_HOOK_SITE:
        if (key == EDGEFTP_KEY_LINE) edgeftp_site_add_line(&asked.site, text);
        return key == EDGEFTP_KEY_LINE;
    case EDGEFTP_HOOK_THROTTLE:
        if (key == EDGEFTP_KEY_RATE) edgeftp_throttle_set_rate(&asked.throttle, number);
        if (key == EDGEFTP_KEY_TTL_MS) edgeftp_throttle_set_ttl(&asked.throttle, number);
        return (key == EDGEFTP_KEY_RATE && n == 8) || (key == EDGEFTP_KEY_TTL_MS && n == 4);
    case EDGEFTP_HOOK_DATA:
        if (key == EDGEFTP_KEY_CARRY) edgeftp_data_set_carry(&asked.data, v, n);
        return key == EDGEFTP_KEY_CARRY;
    default: return false;
    }
}

/* answer builds the answer that was told. */
static void answer(unsigned hook, const uint8_t *p, const uint8_t *end) {
    static uint8_t reply_room[EDGEFTP_REPLY_SIZE], box[300000];
    static char words[65536];
    edgeftp_reply r;
    unsigned action = p[0], flags = p[1], code = edgeftp__u16(p + 2);
    size_t n = edgeftp__u32(p + 4);
    const uint8_t *data = p + 8;
    const char *text = NULL;
    edgeftp_reply_begin(&r, (int)hook, reply_room, sizeof reply_room, 256);
    asked.auth.reply = asked.fs.reply = asked.list.reply = asked.site.reply = asked.throttle.reply = asked.data.reply = &r;
    bool fine = true;
    for (p = data + n; p < end; p += 4 + edgeftp__u16(p + 2)) {
        unsigned key = edgeftp__u16(p);
        size_t len = edgeftp__u16(p + 2);
        if (key == EDGEFTP_KEY_TEXT) {
            memcpy(words, p + 4, len);
            words[len] = 0;
            fine = fine && !text && strlen(words) == len && (hook != EDGEFTP_HOOK_SITE || action == EDGEFTP_FAIL);
            text = words;
        } else {
            fine = fine && set(hook, key, p + 4, len, flags & 2);
        }
    }
    edgeftp_answer a = edgeftp_pass();
    bool worded = action == EDGEFTP_DENY || action == EDGEFTP_FAIL;
    fine = fine && (worded || !text) && (code == 0 || action == EDGEFTP_DENY || hook == EDGEFTP_HOOK_SITE) && (!(flags & 2) || r.cache);
    switch (action) {
    case EDGEFTP_PASS: break;
    case EDGEFTP_ALLOW: a = hook == EDGEFTP_HOOK_SITE ? edgeftp_site_done(&asked.site, (int)code) : edgeftp_allow(); break;
    case EDGEFTP_DENY: a = code ? edgeftp_deny_code((int)code, text) : edgeftp_deny(text); break;
    case EDGEFTP_REWRITE: a = hook == EDGEFTP_HOOK_DATA ? edgeftp_data_rewrite(&asked.data, data, n) : edgeftp_fs_rewrite(&asked.fs, NULL, NULL); break;
    case EDGEFTP_HIDE: a = edgeftp_hide(); break;
    case EDGEFTP_FAIL: a = edgeftp_fail(text); break;
    default: fine = false;
    }
    if (flags & 1) a = edgeftp_final(a);
    uint64_t verdict = (uint64_t)edgeftp_reply_end(&r, &a, box, sizeof box);
    if (!fine || r.error) {
        say("refused\n");
        return;
    }
    edgeftp__put(said, verdict, 8);
    said_len = (size_t)(verdict >> 32);
    memcpy(said + 8, box, said_len);
    said_len += 8;
}

/* The arguments of an import, one after the other. */
static const uint8_t *args;

static int64_t number(void) {
    args += 8;
    return (int64_t)edgeftp__u64(args - 8);
}

/* bytes are a C string too; NULL is the absent value. */
static const char *bytes(size_t *n) {
    static char texts[3][66000];
    static int turn;
    char *text = texts[turn++ % 3];
    *n = edgeftp__u32(args);
    args += 4;
    if (*n == UINT32_MAX) {
        *n = 0;
        return NULL;
    }
    memcpy(text, args, *n);
    text[*n] = 0;
    args += *n;
    return text;
}

static void result(int64_t n, const void *out, size_t len) {
    say_number("result ", n, "\n");
    if (len) say("out "), say_hex(out, len);
}

static void import(unsigned function) {
    static uint8_t out[8192];
    size_t n, m, key_len;
    int64_t got, sum = 0;
    const char *first;
    switch (function) {
    case 0:
        got = number();
        edgeftp_log((edgeftp_level)got, bytes(&n));
        result(0, NULL, 0);
        return;
    case 1:
        got = edgeftp_kv_get(bytes(&n), out, sizeof out);
        break;
    case 2: {
        first = bytes(&key_len);
        const char *value = bytes(&n);
        int64_t ttl = number();
        result(value ? edgeftp_kv_set(first, value, n, ttl) : edgeftp_kv_remove(first), NULL, 0);
        return;
    }
    case 3: {
        first = bytes(&key_len);
        int64_t delta = number(), ttl = number();
        got = edgeftp_kv_incr(first, delta, ttl, &sum);
        edgeftp__put(out, (uint64_t)sum, 8);
        result(got, out, got == 0 ? 8 : 0);
        return;
    }
    case 4: {
        first = bytes(&key_len);
        const char *old = bytes(&n), *value = bytes(&m);
        result(edgeftp_kv_cas(first, old, n, value, m, number()), NULL, 0);
        return;
    }
    case 5: {
        first = bytes(&n);
        bool gauge = number() == 1;
        if (gauge) edgeftp_metric_set(first, number());
        else edgeftp_metric_add(first, number());
        result(0, NULL, 0);
        return;
    }
    case 6:
        n = (size_t)number();
        edgeftp_random(out, n);
        result(0, out, n);
        return;
    case 7:
        result(edgeftp_pw_verify(bytes(&n)), NULL, 0);
        return;
    case 8: {
        edgeftp_entry e;
        got = edgeftp_stat(bytes(&n), &e);
        memset(out, 0, 32);
        edgeftp__put(out + 8, e.mode, 4);
        edgeftp__put(out + 16, (uint64_t)e.size, 8);
        edgeftp__put(out + 24, (uint64_t)e.mtime_ns, 8);
        if (got == 0) got = 32; /* the length that the import returned */
        break;
    }
    case 9:
        got = edgeftp_digest(bytes(&n), out, sizeof out);
        break;
    case 10: {
        static uint8_t room[140000];
        edgeftp_request q = {0};
        edgeftp_response r;
        q.method = bytes(&n);
        q.url = bytes(&n);
        q.body = bytes(&q.body_len);
        got = edgeftp_fetch(&q, room, sizeof room, &r);
        result(got == EDGEFTP_OK ? r.status : got, got == EDGEFTP_OK ? r.body : NULL, got == EDGEFTP_OK ? r.body_len : 0);
        return;
    }
    default:
        say("unknown\n");
        return;
    }
    result(got, out, got > 0 ? (size_t)got : 0);
}

EDGEFTP_DATA(q) {
    said_len = 0;
    memcpy(told, q->data, q->len);
    if (q->len >= 2 && told[0] == 'Q') {
        question(told[1], told + 2, q->len - 2);
    } else if (q->len >= 10 && told[0] == 'A') {
        answer(told[1], told + 2, told + q->len);
    } else if (q->len >= 2 && told[0] == 'I') {
        args = told + 2;
        import(told[1]);
    } else {
        say("unknown\n");
    }
    return edgeftp_data_rewrite(q, said, said_len);
}
