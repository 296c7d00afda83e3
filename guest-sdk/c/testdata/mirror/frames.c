/* The mirror as a native program, under the sanitizers: frames of u32 length and bytes come
 * in on the standard input, each is answered with one. "M" and a name asks for a metric. */
#include "policy.c"

#include "edgeftp_fake.h"

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
        } else {
            edgeftp_fake_reply r = edgeftp_fake_data(.op = EDGEFTP_OP_WRITE, .path = "/a", .upload = true, .data = in, .len = n);
            if (r.action != EDGEFTP_REWRITE) return 1;
            frame(r.data, r.data_len);
        }
        free(in);
    }
    return 0;
}
