/* Unit tests, natively: each signature cut at each place, and transfers that interleave. */
#include "policy.c"

#include "edgeftp_fake.h"

#include <stdlib.h>

/* upload sends bytes in chunks of a length and says what the last answer was. */
static edgeftp_action upload(const char *bytes, size_t chunk) {
    char carry[EDGEFTP_MAX_CARRY];
    size_t carried = 0, n = strlen(bytes);
    for (size_t at = 0; at < n; at += chunk) {
        size_t len = n - at < chunk ? n - at : chunk;
        edgeftp_fake_reply r = edgeftp_fake_data(.op = EDGEFTP_OP_WRITE, .path = "/a", .upload = true, .offset = (int64_t)at, .data = (uint8_t *)bytes + at,
                                                 .len = len, .last = at + len == n, .carry = (uint8_t *)carry, .carry_len = carried);
        if (r.action != EDGEFTP_PASS) return r.action;
        const char *left = edgeftp_fake_value(&r, EDGEFTP_KEY_CARRY, 0, &carried);
        if (left) memcpy(carry, left, carried);
    }
    return EDGEFTP_PASS;
}

int main(void) {
    char pattern[40], file[200];
    EDGEFTP_CHECK_TEXT(edgeftp_fake_config("{\"code\": 400}"), "setting \"code\" is not between 500 and 599");
    memset(by_first, 0, sizeof by_first);
    count = longest = 0;
    EDGEFTP_CHECK(edgeftp_fake_config("{\"rules\": [{\"name\": \"a\", \"hex\": \"5261Ff\"}, {\"name\": \"b\", \"text\": \"Rat\"}, {\"name\": \"c\", \"text\": \"Z\"}]}") == NULL);
    EDGEFTP_CHECK(count == 4 && longest == rules[0].len);

    memcpy(pattern, rules[0].bytes, rules[0].len);
    pattern[rules[0].len] = 0;
    const char *const bad[] = {pattern, "Ra\xff", "Rat", "Z"};
    for (size_t i = 0; i < 4; i++)
        for (size_t before = 0; before < 70; before++)
            for (size_t chunk = 1; chunk < 70; chunk++) {
                snprintf(file, sizeof file, "%.*s%s and more", (int)before, "RRaRRaRRaRRaRRaRRaRRaRRaRRaRRaRRaRRaRRaRRaRRaRRaRRaRRaRRaRRaRRaRRaRRaRRa", bad[i]);
                if (upload(file, chunk) != EDGEFTP_DENY) EDGEFTP_CHECK(!"a signature that was not found");
            }
    for (size_t chunk = 1; chunk < 70; chunk++) EDGEFTP_CHECK(upload("RaRRa: this has no signature, EDGEFTP- not at all, and is somewhat long", chunk) == EDGEFTP_PASS);
    EDGEFTP_CHECK(edgeftp_fake_metric("found_total") == 4 * 70 * 69);

    edgeftp_fake_reply r = edgeftp_fake_data(.path = "/in/a\nb", .upload = true, .data = (uint8_t *)"Z", .len = 1, .session.user = "anna");
    EDGEFTP_CHECK(r.code == 550);
    EDGEFTP_CHECK_TEXT(r.text, "content refused by rule c");
    EDGEFTP_CHECK_TEXT(edgeftp_fake_log(), "refused /in/a?b of anna, rule c");
    EDGEFTP_CHECK(edgeftp_fake_data(.path = "/a", .data = (uint8_t *)"Z", .len = 1).action == EDGEFTP_PASS); /* a download */

    /* What another version carried may be longer than what this one needs. */
    uint8_t carry[1000] = {0};
    memcpy(carry + sizeof carry - 2, "Ra", 2);
    EDGEFTP_CHECK(edgeftp_fake_data(.path = "/a", .upload = true, .data = (uint8_t *)"t", .len = 1, .carry = carry, .carry_len = sizeof carry).action == EDGEFTP_DENY);

    static const struct {
        const char *json, *fault;
    } wrong[] = {
        {"{\"rules\": [{\"hex\": \"00\"}]}", "setting \"rules[0].name\" is not a name of 1 to 100 bytes"},
        {"{\"rules\": [{\"name\": \"a\"}]}", "setting \"rules[0].hex\" is not 1 to 256 bytes; give text or hex, not both"},
        {"{\"rules\": [{\"name\": \"a\", \"hex\": \"0\"}]}", "setting \"rules[0].hex\" is not 1 to 256 bytes; give text or hex, not both"},
        {"{\"rules\": [{\"name\": \"a\", \"hex\": \"0g\"}]}", "setting \"rules[0].hex\" is not 1 to 256 bytes; give text or hex, not both"},
        {"{\"rules\": [{\"name\": \"a\", \"hex\": \"00\", \"text\": \"x\"}]}", "setting \"rules[0].text\" is not 1 to 256 bytes; give text or hex, not both"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) EDGEFTP_CHECK_TEXT(edgeftp_fake_config(wrong[i].json), wrong[i].fault);
    return edgeftp_fake_done();
}
