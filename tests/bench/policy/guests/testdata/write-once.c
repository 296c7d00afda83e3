/* What exists below /archive stays as it is. Build it with:
   clang --target=wasm32 -O2 -nostdlib -mbulk-memory -Wl,--no-entry,--strip-all,-z,stack-size=8192 \
     -o write-once-c.wasm write-once.c */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(name)))

struct record {
	u32 size;
	u16 kind, op;
	u64 session, request, time, a, b;
	u32 flags, spans;
	struct { u32 off, len; } span[8];
};

static _Alignas(8) u8 box[32768];
static const char prefix[] = "/archive/", text[] = "archive is write-once";

EXPORT("edgeftp_abi_v1") u64 abi(u32 host_minor, u64 features) {
	return (u64)sizeof box << 32 | (u32)box;
}

EXPORT("edgeftp_fs") u64 fs(u32 len) {
	const struct record *r = (void *)box;
	const u32 ops = 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11, exists = 1 << 4;
	if (r->op > 31 || !(ops >> r->op & 1) || !(r->flags & exists) || r->span[1].len < sizeof prefix - 1)
		return 0;
	for (u32 i = 0; i < sizeof prefix - 1; i++)
		if (box[r->span[1].off + i] != prefix[i])
			return 0;
	u32 n = sizeof text - 1;
	*(u16 *)box = 1; /* TEXT */
	*(u16 *)(box + 2) = n;
	__builtin_memcpy(box + 4, text, n);
	return (u64)(n + 4) << 32 | 2 << 16; /* deny */
}
