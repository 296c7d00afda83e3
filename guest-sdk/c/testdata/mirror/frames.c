/* The mirror as a native program, under the sanitizers: frames of u32 length and bytes come
 * in on the standard input, each is answered with one. "M" and a name asks for a metric. */
#include "policy.c"

#include "edgeftp_fake.h"

static const char *take_nothing(edgeftp_settings *s) {
    (void)s;
    return NULL;
}

/* settings says what is wrong with a text of settings. */
static const char *settings(const uint8_t *text, size_t n) {
    static uint8_t room[EDGEFTP_SETTINGS_SIZE];
    return edgeftp__configure(take_nothing, text, n, room, sizeof room);
}

/* response says whether bytes are a response, and reads all of it. */
static const char *response(const uint8_t *bytes, size_t n) {
    uint8_t *copy = malloc(n + 1);
    edgeftp_response r;
    const char *said = "refused";
    if (!copy) exit(1);
    memcpy(copy, bytes, n);
    if (edgeftp__read_response(&r, copy, n)) {
        const char *etag = edgeftp_response_header(&r, "etag");
        said = etag && strlen(etag) > 4096 ? "too long" : strlen(r.body) <= r.body_len ? "read" : "no NUL";
    }
    free(copy);
    return said;
}

static void frame(const void *bytes, size_t n) {
    uint8_t head[4];
    edgeftp__put(head, n, 4);
    if (fwrite(head, 1, 4, stdout) != 4 || fwrite(bytes, 1, n, stdout) != n || fflush(stdout) != 0) exit(1);
}

int main(void) {
    uint8_t head[4];
    while (fread(head, 1, 4, stdin) == 4) {
        size_t n = edgeftp__u32(head);
        uint8_t *in = malloc(n + 1); /* as long as it is, so that reading further is seen */
        if (!in || n > EDGEFTP_MAX_CHUNK || fread(in, 1, n, stdin) != n) return 1;
        in[n] = 0;
        if (n > 0 && in[0] == 'M') {
            char out[24];
            const char *value = edgeftp__decimal(edgeftp_fake_metric((char *)in + 1), out);
            frame(value, strlen(value));
        } else if (n > 0 && (in[0] == 'S' || in[0] == 'R')) {
            const char *said = in[0] == 'S' ? settings(in + 1, n - 1) : response(in + 1, n - 1);
            frame(said ? said : "", said ? strlen(said) : 0);
        } else if (n == 1 && in[0] == 'W') {
            frame(why ? why : "", why ? strlen(why) : 0);
        } else {
            edgeftp_fake_reply r = edgeftp_fake_data(.op = EDGEFTP_OP_WRITE, .path = "/a", .upload = true, .data = in, .len = n);
            if (r.action != EDGEFTP_REWRITE) return 1;
            frame(r.data, r.data_len);
        }
        free(in);
    }
    return 0;
}
