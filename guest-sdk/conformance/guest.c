/* The conformance guest: it exports every hook and imports every function, and does what
 * the question's STATE tells it. README.md says what for. It stands on the ABI alone and
 * uses no SDK.
 *
 * STATE is a script: u8 number of calls; for each call u8 number of the import (the
 * order of ABI section 7), its arguments in the ABI's order (bytes: u32 length and the bytes,
 * 0xffffffff for no value; numbers: i64), for those that write u32 out_cap, then i64 the
 * result that is expected, u8 1 if the output is compared, and for that u32 length and the bytes. Then
 * u64 the verdict to return, u32 length and the bytes of the reply. All is little-endian.
 *
 * If a call does not give what is expected the guest answers fail, with the call's
 * number and its result in TEXT. Without STATE the verdict is 0. */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef long long i64;

#define IMPORT(name) __attribute__((import_module("edgeftp"), import_name(#name)))
#define EXPORT(name) __attribute__((export_name(#name)))

IMPORT(log) void host_log(u32 level, const u8 *p, u32 n);
IMPORT(kv_get) i64 kv_get(const u8 *k, u32 kn, u8 *out, u32 cap);
IMPORT(kv_set) i32 kv_set(const u8 *k, u32 kn, const u8 *v, u32 vn, i64 ttl);
IMPORT(kv_incr) i32 kv_incr(const u8 *k, u32 kn, i64 delta, i64 ttl, u8 *out);
IMPORT(kv_cas) i32 kv_cas(const u8 *k, u32 kn, const u8 *o, u32 on, const u8 *v, u32 vn, i64 ttl);
IMPORT(metric) void metric(const u8 *name, u32 n, u32 kind, i64 v);
IMPORT(random) void host_random(u8 *out, u32 n);
IMPORT(pw_verify) i32 pw_verify(const u8 *hash, u32 n);
IMPORT(stat) i64 host_stat(const u8 *path, u32 n, u8 *out, u32 cap);
IMPORT(digest) i64 digest(const u8 *alg, u32 n, u8 *out, u32 cap);
IMPORT(fetch) i64 fetch(const u8 *req, u32 n, u8 *out, u32 cap);

static u8 mailbox[81920] __attribute__((aligned(8)));
static u8 script[1024], out[65536];
static u32 at, end;
static u32 started, configured, idles; /* how often each was called in this instance */

static void copy(u8 *to, const u8 *from, u32 n) {
  for (u32 i = 0; i < n; i++) to[i] = from[i];
}

static u64 number(u32 bytes) {
  u64 v = 0;
  for (u32 i = 0; i < bytes && at < end; i++) v |= (u64)script[at++] << (8 * i);
  return v;
}

static const u8 *bytes(u32 *n) {
  *n = (u32)number(4);
  const u8 *p = script + at;
  if (*n != 0xffffffffu) at += *n;
  return p;
}

static u32 put(u8 *to, u32 n, const char *text) {
  while (*text) to[n++] = (u8)*text++;
  return n;
}

static u32 put_number(u8 *to, u32 n, i64 v) {
  u8 digits[20];
  u32 k = 0;
  u64 rest = v < 0 ? 0 - (u64)v : (u64)v;
  if (v < 0) to[n++] = '-';
  do digits[k++] = (u8)('0' + rest % 10); while (rest /= 10);
  while (k) to[n++] = digits[--k];
  return n;
}

/* failed is the answer fail (5) with a TEXT (key 1). */
static i64 failed(const char *what, i64 call, i64 result) {
  u32 n = put(mailbox, 4, what);
  n = put_number(mailbox, n, call);
  n = put(mailbox, n, ": ");
  n = put_number(mailbox, n, result);
  mailbox[0] = 1, mailbox[1] = 0, mailbox[2] = (u8)(n - 4), mailbox[3] = (u8)((n - 4) >> 8);
  return (i64)n << 32 | 5 << 16;
}

/* call carries out one call of the script and says how many bytes it wrote. */
static i64 call(u32 which, u32 *wrote) {
  u32 n, m, o;
  const u8 *a, *b, *c;
  i64 x, y, r;
  *wrote = 0;
  if (which == 6) {
    *wrote = (u32)number(8);
    host_random(out, *wrote);
    return 0;
  }
  if (which == 0) {
    x = (i64)number(8), a = bytes(&n);
    host_log((u32)x, a, n);
    return 0;
  }
  a = bytes(&n);
  switch (which) {
  case 2:
    b = bytes(&m), x = (i64)number(8);
    return kv_set(a, n, b, m, x);
  case 3:
    x = (i64)number(8), y = (i64)number(8);
    r = kv_incr(a, n, x, y, out);
    *wrote = r == 0 ? 8 : 0;
    return r;
  case 4:
    b = bytes(&m), c = bytes(&o), x = (i64)number(8);
    return kv_cas(a, n, b, m, c, o, x);
  case 5:
    x = (i64)number(8), y = (i64)number(8);
    metric(a, n, (u32)x, y);
    return 0;
  case 7:
    return pw_verify(a, n);
  }
  m = (u32)number(4);
  if (m > sizeof out) m = sizeof out;
  r = which == 1 ? kv_get(a, n, out, m) : which == 8 ? host_stat(a, n, out, m) : which == 9 ? digest(a, n, out, m) : fetch(a, n, out, m);
  *wrote = r > 0 && r <= (i64)m ? (u32)r : 0;
  return r;
}

/* run is every hook. */
static i64 run(u32 len, u32 kind) {
  if (len < 56 || *(u32 *)mailbox != len || *(unsigned short *)(mailbox + 4) != kind) return failed("another record than that of hook ", kind, len);
  if (started != 1 || configured > 1) return failed("_initialize and edgeftp_config were called so often: ", started, configured);
  u32 off = *(u32 *)(mailbox + 56 + 8 * 7);
  end = *(u32 *)(mailbox + 60 + 8 * 7), at = 0;
  if (end == 0) return 0;
  if (end > sizeof script) return failed("STATE is too long: ", 7, end);
  copy(script, mailbox + off, end);
  u32 calls = (u32)number(1);
  for (u32 i = 0; i < calls; i++) {
    u32 wrote, n;
    i64 got = call((u32)number(1), &wrote);
    if (got != (i64)number(8)) return failed("result of call ", i, got);
    if (number(1) == 0) continue;
    const u8 *want = bytes(&n);
    if (n != wrote) return failed("bytes written by call ", i, wrote);
    for (u32 k = 0; k < n; k++)
      if (want[k] != out[k]) return failed("byte written by call ", i, k);
  }
  i64 verdict = (i64)number(8);
  u32 n;
  const u8 *reply = bytes(&n);
  copy(mailbox, reply, n);
  return verdict;
}

EXPORT(_initialize) void initialize(void) { started++; }
EXPORT(edgeftp_abi_v1) i64 abi(u32 minor, i64 features) {
  if (minor < 2 || features != 0 || started != 1) return 0;
  return (i64)sizeof mailbox << 32 | (u32)mailbox;
}
/* edgeftp_config takes the one setting {"n":1}. */
EXPORT(edgeftp_config) i64 config(u32 len) {
  configured++;
  const char *want = "{\"n\":1}";
  for (u32 i = 0; i < 7; i++)
    if (len != 7 || mailbox[i] != (u8)want[i]) return failed("settings of another length or byte: ", len, i);
  return 0;
}
EXPORT(edgeftp_auth) i64 on_auth(u32 len) { return run(len, 1); }
EXPORT(edgeftp_fs) i64 on_fs(u32 len) { return run(len, 2); }
EXPORT(edgeftp_list) i64 on_list(u32 len) { return run(len, 3); }
EXPORT(edgeftp_cmd) i64 on_cmd(u32 len) { return run(len, 4); }
EXPORT(edgeftp_site) i64 on_site(u32 len) { return run(len, 5); }
EXPORT(edgeftp_throttle) i64 on_throttle(u32 len) { return run(len, 6); }
EXPORT(edgeftp_data) i64 on_data(u32 len) { return run(len, 7); }
EXPORT(edgeftp_event) i64 on_event(u32 len) { return run(len, 8); }
EXPORT(edgeftp_cert) i64 on_cert(u32 len) { return run(len, 9); }
EXPORT(edgeftp_idle) void on_idle(void) { idles++; }
