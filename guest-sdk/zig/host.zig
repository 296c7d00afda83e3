//! What a policy may ask of the server (ABI §7). A module imports the functions that it
//! calls and no others; each but log needs its capability in manifest.json, and a grant.
//! Natively the calls go to a testing.Host.
const std = @import("std");
const builtin = @import("builtin");
const abi = @import("abi.zig");
const list = @import("hooks/list.zig");

const Error = abi.Error;

/// raw are the imports as the host has them.
const raw = if (builtin.cpu.arch.isWasm()) struct {
    extern "edgeftp" fn log(level: i32, ptr: [*]const u8, len: usize) void;
    extern "edgeftp" fn kv_get(key: [*]const u8, key_len: usize, out: [*]u8, out_cap: usize) i64;
    extern "edgeftp" fn kv_set(key: [*]const u8, key_len: usize, value: [*]const u8, value_len: usize, ttl_ms: i64) i32;
    extern "edgeftp" fn kv_incr(key: [*]const u8, key_len: usize, delta: i64, ttl_ms: i64, out: *i64) i32;
    extern "edgeftp" fn kv_cas(key: [*]const u8, key_len: usize, old: [*]const u8, old_len: usize, new: [*]const u8, new_len: usize, ttl_ms: i64) i32;
    extern "edgeftp" fn metric(name: [*]const u8, name_len: usize, kind: i32, value: i64) void;
    extern "edgeftp" fn random(out: [*]u8, len: usize) void;
    extern "edgeftp" fn pw_verify(hash: [*]const u8, hash_len: usize) i32;
    extern "edgeftp" fn stat(path: [*]const u8, path_len: usize, out: [*]u8, out_cap: usize) i64;
    extern "edgeftp" fn digest(algorithm: [*]const u8, algorithm_len: usize, out: [*]u8, out_cap: usize) i64;
    extern "edgeftp" fn fetch(request: [*]const u8, request_len: usize, out: [*]u8, out_cap: usize) i64;
    extern "wasi_snapshot_preview1" fn fd_write(fd: i32, pieces: [*]const [2]usize, n: usize, written: *usize) u16;
} else @import("testing.zig").imports;

/// The length that stands for no value.
const none: usize = 0xffffffff;

/// Level says how important a line of log is.
pub const Level = enum(i32) { debug = 0, info = 1, warn = 2, err = 3 };

/// log writes one line to the server's log, with the policy's name. The server cuts it
/// at 1,024 bytes, escapes it, and drops lines of a policy that writes too many.
/// std.log.info and so on do the same with a format.
pub fn log(level: Level, line: []const u8) void {
    raw.log(@intFromEnum(level), line.ptr, line.len);
}

fn check(code: i64) Error!usize {
    if (code < 0) return abi.errorOf(code);
    return @intCast(code);
}

/// kv are values that outlive the instance, the module's replacement and the server, under
/// keys of 1 to 256 bytes. Each call is atomic among all instances. A key vanishes ttl_ms
/// milliseconds later; 0 or less is never. Needs the capability "kv".
pub const kv = struct {
    /// get is the value under key, in out; null if there is none. Fails with Size if out
    /// is too short for it (4,096 bytes hold any) or the key is no key.
    pub fn get(key: []const u8, out: []u8) Error!?[]u8 {
        const n = check(raw.kv_get(key.ptr, key.len, out.ptr, out.len)) catch |err| return if (err == error.NotFound) null else err;
        return if (n > out.len) error.Size else out[0..n];
    }

    /// set stores 0 to 4,096 bytes. Fails with Full, Size.
    pub fn set(key: []const u8, value: []const u8, ttl_ms: i64) Error!void {
        if (value.len >= none) return error.Size;
        _ = try check(raw.kv_set(key.ptr, key.len, value.ptr, value.len, ttl_ms));
    }

    /// remove removes the key; that there is none is no error. Fails with Size.
    pub fn remove(key: []const u8) Error!void {
        _ = try check(raw.kv_set(key.ptr, key.len, "", none, 0));
    }

    /// incr adds delta to a counter and returns the sum. A key that is not there counts
    /// from 0 and gets the time to live; one that is there keeps its own. Fails with Full,
    /// Size, Type.
    pub fn incr(key: []const u8, delta: i64, ttl_ms: i64) Error!i64 {
        var sum: i64 = 0;
        _ = try check(raw.kv_incr(key.ptr, key.len, delta, ttl_ms, &sum));
        return sum;
    }

    /// swap stores new if the key's value is old, and reports whether it was. A null old
    /// stands for no such key, a null new removes it. Fails with Full, Size.
    pub fn swap(key: []const u8, old: ?[]const u8, new: ?[]const u8, ttl_ms: i64) Error!bool {
        const o, const n = .{ old orelse "", new orelse "" };
        return try check(raw.kv_cas(key.ptr, key.len, o.ptr, if (old == null) none else o.len, n.ptr, if (new == null) none else n.len, ttl_ms)) == 1;
    }
};

/// metric are numbers among the server's metrics, with the policy's name beside them. A
/// name has 1 to 64 bytes of a-z, 0-9 and _ and begins with a letter; a policy may have 64
/// of them. Needs the capability "metric".
pub const metric = struct {
    /// add adds to a counter; a negative value is not added.
    pub fn add(name: []const u8, value: i64) void {
        raw.metric(name.ptr, name.len, 0, value);
    }

    /// set is a gauge's value.
    pub fn set(name: []const u8, value: i64) void {
        raw.metric(name.ptr, name.len, 1, value);
    }
};

/// random fills out with bytes that nobody can predict. Needs the capability "random".
pub fn random(out: []u8) void {
    var rest = out;
    while (rest.len > 0) {
        const n = @min(rest.len, abi.max_random);
        raw.random(rest.ptr, n);
        rest = rest[n..];
    }
}

/// verify reports whether the stored hash (PHC argon2id or bcrypt) is that of the password
/// which the login brought. Only in auth, and not in an early question. Fails with Denied,
/// Invalid, Size, Busy, Timeout. Needs the capability "pw".
pub fn verify(hash: []const u8) Error!bool {
    return try check(raw.pw_verify(hash.ptr, hash.len)) == 1;
}

/// stat tells what lies at a canonical virtual path, as the session of the question would
/// see it, links followed. Fails with Denied, NotFound, Invalid, Size, Io. Needs the
/// capability "fs.stat".
pub fn stat(path: []const u8) Error!list.Entry {
    var out: [list.Entry.fixed]u8 = undefined;
    if (try check(raw.stat(path.ptr, path.len, &out, out.len)) != out.len) return error.Unknown;
    return .facts(&out);
}

/// digest is the digest of the question's file, in out: of the upload that is about to
/// become visible (fs, commit), else of the file at its path. The algorithm is SHA-256,
/// SHA-512, SHA-1, MD5 or CRC32. It reads the whole file. Only in fs. Fails with Denied,
/// NotFound, Invalid, Size, Io, Timeout. Needs the capability "digest".
pub fn digest(algorithm: []const u8, out: []u8) Error![]u8 {
    const n = try check(raw.digest(algorithm.ptr, algorithm.len, out.ptr, out.len));
    return if (n > out.len) error.Unknown else out[0..n];
}

/// fetchRaw is the import fetch; the function for policies is edgeftp.fetch.
pub fn fetchRaw(request: []const u8, out: []u8) Error![]u8 {
    const n = try check(raw.fetch(request.ptr, request.len, out.ptr, out.len));
    return if (n > out.len) error.Unknown else out[0..n];
}

/// stderr hands the server words that lead its error if the call fails.
pub fn stderr(pieces: []const []const u8) void {
    for (pieces) |p| {
        var written: usize = 0;
        _ = raw.fd_write(2, &.{.{ @intFromPtr(p.ptr), p.len }}, 1, &written);
    }
}
