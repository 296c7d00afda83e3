//! A server for unit tests of a policy: `zig test` runs them natively, and what the
//! policy asks of its host is answered by a Host.
//!
//!     var host: edgeftp.testing.Host = .init(std.testing.allocator);
//!     defer host.deinit();
//!     host.install();
//!     try host.kv.put("seen:anna", "1");
//!
//! Without one that is installed every import fails with Denied, as on a server at the
//! wrong time, and lines of the log go to the standard error.
const std = @import("std");
const abi = @import("abi.zig");
const list = @import("hooks/list.zig");
const settings = @import("settings.zig");
const text = @import("text.zig");

var current: ?*Host = null;

/// configure reads JSON into the settings of a policy, as the server's configuration is
/// read: for tests of what an operator may write. The result is the allocator's; use an
/// arena.
pub fn configure(comptime T: type, arena: std.mem.Allocator, json: []const u8) error{Failed}!T {
    return settings.parse(T, arena, json);
}

/// why is the text of the last edgeftp.failed.
pub const why = text.why;

/// Host is what a policy may ask. Fields are the test's to set and to look at.
pub const Host = struct {
    arena: std.heap.ArenaAllocator,
    kv: Values,
    /// lines of the log, oldest first
    log: std.ArrayList(Line) = .empty,
    /// the metrics' values
    metrics: std.StringArrayHashMapUnmanaged(i64) = .empty,
    /// what stat, and digest for the path `file`, find
    files: std.StringArrayHashMapUnmanaged(File) = .empty,
    /// the path of the question's file, for digest
    file: []const u8 = "",
    /// the stored hash that verify finds right, null as in an early question: Denied
    hash: ?[]const u8 = null,
    /// responses by "METHOD URL"; others are Denied
    responses: std.StringArrayHashMapUnmanaged(Response) = .empty,
    /// "METHOD URL" of what was fetched, in order
    fetched: std.ArrayList([]const u8) = .empty,
    /// for random: the bytes are the same in every run
    random: std.Random.DefaultPrng = .init(1),

    /// Line is a line of the log.
    pub const Line = struct { level: i32, text: []const u8 };
    /// File is a file as stat and digest see it.
    pub const File = struct { entry: list.Entry = .{ .mode = 0o100644 }, data: []const u8 = "" };
    /// Field is a field of a response's header, its name in lower case.
    pub const Field = struct { name: []const u8, value: []const u8 };
    /// Response is what a request is answered.
    pub const Response = struct { status: u32 = 200, headers: []const Field = &.{}, body: []const u8 = "" };

    /// init makes a host that has nothing yet; all that it keeps is freed by deinit.
    pub fn init(gpa: std.mem.Allocator) Host {
        return .{ .arena = .init(gpa), .kv = .{} };
    }

    /// install makes it the host of all policies of this process, until deinit.
    pub fn install(h: *Host) void {
        h.kv.host = h;
        current = h;
    }

    /// deinit frees it, and takes it out of its place if it is installed.
    pub fn deinit(h: *Host) void {
        if (current == h) current = null;
        h.arena.deinit();
    }

    /// respond adds a response: `host.respond("GET https://example.org/", .{ .body = "ok" })`.
    pub fn respond(h: *Host, method_url: []const u8, r: Response) !void {
        try h.responses.put(h.arena.allocator(), try h.keep(method_url), r);
    }

    /// addFile adds a file; its entry's size becomes that of the data.
    pub fn addFile(h: *Host, path: []const u8, f: File) !void {
        var whole = f;
        if (f.data.len > 0) whole.entry.size = @intCast(f.data.len);
        try h.files.put(h.arena.allocator(), try h.keep(path), whole);
    }

    /// logged reports whether a line of the log is text.
    pub fn logged(h: *const Host, line: []const u8) bool {
        for (h.log.items) |l| if (std.mem.eql(u8, l.text, line)) return true;
        return false;
    }

    fn keep(h: *Host, b: []const u8) ![]u8 {
        return h.arena.allocator().dupe(u8, b);
    }
};

/// Values are those of kv, with a clock of their own.
pub const Values = struct {
    host: *Host = undefined,
    map: std.StringArrayHashMapUnmanaged(Value) = .empty,
    /// milliseconds; a test moves it to see values vanish
    now: i64 = 0,

    const Value = struct { bytes: []const u8, until: ?i64 };

    /// put stores a value that stays.
    pub fn put(v: *Values, key: []const u8, value: []const u8) !void {
        if (v.set(key, value, 0) != 0) return error.Size;
    }

    /// get is a value, null if there is none.
    pub fn get(v: *Values, key: []const u8) ?[]const u8 {
        const found = v.map.get(key) orelse return null;
        if (found.until) |until| if (until <= v.now) return null;
        return found.bytes;
    }

    fn set(v: *Values, key: []const u8, value: ?[]const u8, ttl: i64) i32 {
        if (key.len == 0 or key.len > 256) return -3;
        const bytes = value orelse {
            _ = v.map.swapRemove(key);
            return 0;
        };
        if (bytes.len > abi.max_value) return -3;
        const until = if (ttl > 0) v.now + ttl else null;
        v.map.put(v.host.arena.allocator(), v.host.keep(key) catch return -2, .{ .bytes = v.host.keep(bytes) catch return -2, .until = until }) catch return -2;
        return 0;
    }

    fn incr(v: *Values, key: []const u8, delta: i64, ttl: i64, out: *i64) i32 {
        if (key.len == 0 or key.len > 256) return -3;
        var sum = delta;
        var until = if (ttl > 0) v.now + ttl else null;
        if (v.get(key)) |old| {
            if (old.len != 8) return -4;
            sum = std.mem.readInt(i64, old[0..8], .little) +| delta;
            until = v.map.get(key).?.until;
        }
        var b: [8]u8 = undefined;
        std.mem.writeInt(i64, &b, sum, .little);
        const code = v.set(key, &b, 0);
        if (code != 0) return code;
        v.map.getPtr(key).?.until = until;
        out.* = sum;
        return 0;
    }
};

/// imports are the native side of host.zig, in the form of the real ones.
pub const imports = struct {
    const none: usize = 0xffffffff;

    fn optional(ptr: [*]const u8, len: usize) ?[]const u8 {
        return if (len == none) null else ptr[0..len];
    }

    /// log as a server has it (ABI §7).
    pub fn log(level: i32, ptr: [*]const u8, len: usize) void {
        const h = current orelse return std.debug.print("log: {s}\n", .{ptr[0..len]});
        const line = h.keep(ptr[0..@min(len, 1024)]) catch return;
        h.log.append(h.arena.allocator(), .{ .level = level, .text = line }) catch {}; // out of memory: a test would fail of it anyhow
    }

    /// kv_get as a server has it (ABI §7).
    pub fn kv_get(key: [*]const u8, key_len: usize, out: [*]u8, out_cap: usize) i64 {
        const h = current orelse return -5;
        if (key_len == 0 or key_len > 256) return -3;
        const v = h.kv.get(key[0..key_len]) orelse return -1;
        if (v.len <= out_cap) @memcpy(out[0..v.len], v);
        return @intCast(v.len);
    }

    /// kv_set as a server has it (ABI §7).
    pub fn kv_set(key: [*]const u8, key_len: usize, value: [*]const u8, value_len: usize, ttl_ms: i64) i32 {
        const h = current orelse return -5;
        return h.kv.set(key[0..key_len], optional(value, value_len), ttl_ms);
    }

    /// kv_incr as a server has it (ABI §7).
    pub fn kv_incr(key: [*]const u8, key_len: usize, delta: i64, ttl_ms: i64, out: *i64) i32 {
        const h = current orelse return -5;
        return h.kv.incr(key[0..key_len], delta, ttl_ms, out);
    }

    /// kv_cas as a server has it (ABI §7).
    pub fn kv_cas(key: [*]const u8, key_len: usize, old: [*]const u8, old_len: usize, new: [*]const u8, new_len: usize, ttl_ms: i64) i32 {
        const h = current orelse return -5;
        if (key_len == 0 or key_len > 256) return -3;
        const is = h.kv.get(key[0..key_len]);
        const was = optional(old, old_len);
        if (is == null or was == null) {
            if (is != null or was != null) return 0;
        } else if (!std.mem.eql(u8, is.?, was.?)) return 0;
        const code = h.kv.set(key[0..key_len], optional(new, new_len), ttl_ms);
        return if (code == 0) 1 else code;
    }

    /// metric as a server has it (ABI §7).
    pub fn metric(name: [*]const u8, name_len: usize, kind: i32, value: i64) void {
        const h = current orelse return;
        const key = h.keep(name[0..name_len]) catch return;
        const slot = h.metrics.getOrPutValue(h.arena.allocator(), key, 0) catch return;
        if (kind == 0) slot.value_ptr.* += @max(value, 0) else slot.value_ptr.* = value;
    }

    /// random as a server has it (ABI §7).
    pub fn random(out: [*]u8, len: usize) void {
        var fixed: std.Random.DefaultPrng = .init(1);
        const r = if (current) |h| &h.random else &fixed;
        r.random().bytes(out[0..len]);
    }

    /// pw_verify as a server has it (ABI §7).
    pub fn pw_verify(hash: [*]const u8, hash_len: usize) i32 {
        const h = current orelse return -5;
        const right = h.hash orelse return -5;
        return @intFromBool(std.mem.eql(u8, right, hash[0..hash_len]));
    }

    /// stat as a server has it (ABI §7).
    pub fn stat(path: [*]const u8, path_len: usize, out: [*]u8, out_cap: usize) i64 {
        const h = current orelse return -5;
        if (path_len == 0 or path[0] != '/') return -9;
        const f = h.files.get(path[0..path_len]) orelse return -1;
        if (out_cap < list.Entry.fixed) return -3;
        @memset(out[0..list.Entry.fixed], 0);
        std.mem.writeInt(u32, out[8..12], f.entry.mode, .little);
        std.mem.writeInt(i64, out[16..24], f.entry.size, .little);
        std.mem.writeInt(i64, out[24..32], f.entry.mtime, .little);
        return list.Entry.fixed;
    }

    /// digest as a server has it (ABI §7).
    pub fn digest(algorithm: [*]const u8, algorithm_len: usize, out: [*]u8, out_cap: usize) i64 {
        const h = current orelse return -5;
        const f = h.files.get(h.file) orelse return -1;
        const hash = std.crypto.hash;
        const name = algorithm[0..algorithm_len];
        inline for (.{ .{ "SHA-256", hash.sha2.Sha256 }, .{ "SHA-512", hash.sha2.Sha512 }, .{ "SHA-1", hash.Sha1 }, .{ "MD5", hash.Md5 } }) |known| {
            if (std.mem.eql(u8, name, known[0])) {
                const n = known[1].digest_length;
                if (out_cap < n) return -3;
                known[1].hash(f.data, out[0..n], .{});
                return n;
            }
        }
        if (!std.mem.eql(u8, name, "CRC32")) return -9;
        if (out_cap < 4) return -3;
        std.mem.writeInt(u32, out[0..4], std.hash.Crc32.hash(f.data), .big);
        return 4;
    }

    /// fetch as a server has it (ABI §7).
    pub fn fetch(request: [*]const u8, request_len: usize, out: [*]u8, out_cap: usize) i64 {
        const h = current orelse return -5;
        const method, const url = names(request[0..request_len]) orelse return -9;
        const what = std.fmt.allocPrint(h.arena.allocator(), "{s} {s}", .{ method, url }) catch return -8;
        h.fetched.append(h.arena.allocator(), what) catch return -8;
        const r = h.responses.get(what) orelse return -5;
        var w: std.Io.Writer = .fixed(out[0..out_cap]);
        write(&w, r) catch return -3;
        return @intCast(w.end);
    }

    /// names are the method and the URL of a request.
    fn names(request: []const u8) ?[2][]const u8 {
        var out: [2][]const u8 = .{ "GET", "" };
        var rest = request;
        while (rest.len > 0) {
            if (rest.len < 8) return null;
            const key, const len = .{ std.mem.readInt(u32, rest[0..4], .little), std.mem.readInt(u32, rest[4..8], .little) };
            if (rest.len - 8 < len) return null;
            if (key == 1 or key == 2) out[key - 1] = rest[8..][0..len];
            rest = rest[8 + len ..];
        }
        return out;
    }

    fn write(w: *std.Io.Writer, r: Host.Response) !void {
        try w.writeInt(u32, r.status, .little);
        for (r.headers) |h| {
            try w.writeInt(u32, 3, .little);
            try w.writeInt(u32, @intCast(h.name.len + 1 + h.value.len), .little);
            try w.print("{s}\x00{s}", .{ h.name, h.value });
        }
        try w.writeInt(u32, 4, .little);
        try w.writeInt(u32, @intCast(r.body.len), .little);
        try w.writeAll(r.body);
    }

    /// fd_write as a server has it (ABI §7).
    pub fn fd_write(fd: i32, pieces: [*]const [2]usize, n: usize, written: *usize) u16 {
        _ = fd;
        written.* = 0;
        for (pieces[0..n]) |p| {
            const bytes: [*]const u8 = @ptrFromInt(p[0]);
            std.debug.print("{s}", .{bytes[0..p[1]]});
            written.* += p[1];
        }
        return 0;
    }
};
