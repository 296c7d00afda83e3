/* Content-scan refuses uploads that hold a signature: bytes of a table in the settings,
 * and a test pattern of its own. A signature is found wherever chunks are cut: the end of
 * each chunk goes to the next question in CARRY, and nowhere else, because transfers
 * interleave and the next chunk may come to another instance. */
#include "edgeftp.h"

enum { MAX_RULES = 64, MAX_BYTES = 256 };

/* A rule: its name and the bytes that it looks for. Rules whose bytes begin alike are
 * linked, so that each byte of a file is looked up once for all of them. */
typedef struct rule {
    const char *name;
    uint8_t bytes[MAX_BYTES];
    size_t len;
    const struct rule *next;
} rule;

static rule rules[MAX_RULES];
static size_t count, longest;
static const rule *by_first[256];
static int64_t code;

static void put_in(rule *r) {
    if (r->len > longest) longest = r->len;
    r->next = by_first[r->bytes[0]];
    by_first[r->bytes[0]] = r;
    count++;
}

/* The test pattern is kept backwards: this source and this module may be uploaded. */
static void put_in_test_pattern(void) {
    static const char backwards[] = "!ELIF-TSET-NACS-TNETNOC-PTFEGDE";
    rule *r = &rules[count];
    r->name = "test-pattern";
    r->len = sizeof backwards - 1;
    for (size_t i = 0; i < r->len; i++) r->bytes[i] = (uint8_t)backwards[r->len - 1 - i];
    put_in(r);
}

/* read_hex reads bytes written as two hex digits each; 0 if they are not. */
static size_t read_hex(const char *hex, uint8_t *out) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    size_t n = strlen(hex);
    if (n % 2 || n / 2 > MAX_BYTES) return 0;
    for (size_t i = 0; i < n; i++) {
        const char *d = strchr(digits, hex[i]);
        if (!d) return 0;
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | ((d - digits) & 15));
    }
    return n / 2;
}

EDGEFTP_CONFIG(s) {
    code = edgeftp_settings_int(s, "code", 550);
    if (code < 500 || code > 599) edgeftp_settings_reject(s, "code", "is not between 500 and 599");
    if (edgeftp_settings_bool(s, "test_pattern", true)) put_in_test_pattern();
    for (edgeftp_settings *o = edgeftp_settings_objects(s, "rules"); o; o = edgeftp_settings_next(o)) {
        if (count == MAX_RULES) return "rules: there is room for 64, with the test pattern";
        rule *r = &rules[count];
        const char *text = edgeftp_settings_string(o, "text", ""), *hex = edgeftp_settings_string(o, "hex", "");
        r->name = edgeftp_settings_string(o, "name", "");
        r->len = read_hex(hex, r->bytes);
        if (*text && !*hex && strlen(text) <= MAX_BYTES) memcpy(r->bytes, text, r->len = strlen(text));
        else if (*text) r->len = 0;
        if (!*r->name || strlen(r->name) > 100) edgeftp_settings_reject(o, "name", "is not a name of 1 to 100 bytes");
        else if (r->len == 0) edgeftp_settings_reject(o, *text ? "text" : "hex", "is not 1 to 256 bytes; give text or hex, not both");
        else put_in(r);
    }
    return NULL;
}

/* found is the rule whose bytes are in these, NULL if there is none. */
static const rule *found(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (const rule *r = by_first[p[i]]; r; r = r->next)
            if (r->len <= n - i && r->bytes[r->len - 1] == p[i + r->len - 1] && memcmp(r->bytes, p + i, r->len) == 0) return r;
    return NULL;
}

static edgeftp_answer refuse(const edgeftp_data_question *q, const rule *r) {
    edgeftp_text line = {0}, text = {0};
    edgeftp_text_add(&line, "refused ");
    edgeftp_text_add(&line, q->path);
    edgeftp_text_add(&line, " of ");
    edgeftp_text_add(&line, q->session.user);
    edgeftp_text_add(&line, ", rule ");
    edgeftp_text_add(&line, r->name);
    edgeftp_log(EDGEFTP_WARN, line.buf);
    edgeftp_metric_add("found_total", 1);
    edgeftp_text_add(&text, "content refused by rule ");
    edgeftp_text_add(&text, r->name);
    return edgeftp_deny_code((int)code, text.buf);
}

EDGEFTP_DATA(q) {
    if (!q->upload || longest == 0) return edgeftp_pass();
    /* The seam: the end of what came before and the start of this chunk, each a byte
     * shorter than the longest signature. */
    uint8_t seam[2 * MAX_BYTES];
    size_t keep = longest - 1, before = q->carry_len < keep ? q->carry_len : keep, after = q->len < keep ? q->len : keep;
    memcpy(seam, q->carry + q->carry_len - before, before);
    memcpy(seam + before, q->data, after);
    const rule *r = found(seam, before + after);
    if (!r) r = found(q->data, q->len);
    if (r) return refuse(q, r);
    size_t all = before + after, end = all < keep ? all : keep;
    if (q->len >= keep) edgeftp_data_set_carry(q, q->data + q->len - keep, keep);
    else edgeftp_data_set_carry(q, seam + all - end, end);
    return edgeftp_pass();
}
