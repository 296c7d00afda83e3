//! HTTP requests of a policy, in the hooks auth, site, event and cert (ABI §7).
const std = @import("std");
const abi = @import("abi.zig");
const host = @import("host.zig");
const record = @import("record.zig");

/// Field is a field of a header.
pub const Field = struct { name: []const u8, value: []const u8 };

/// Request is one HTTP request.
pub const Request = struct {
    method: []const u8 = "GET",
    /// absolute, at most 2,048 bytes, without user and fragment
    url: []const u8,
    /// at most 32
    headers: []const Field = &.{},
    /// at most 65,536 bytes
    body: []const u8 = "",
    /// names of the header fields that the response is to show, at most 16
    want: []const []const u8 = &.{},
    /// 0 is the host's own bound, which it only lowers
    timeout_ms: u32 = 0,

    /// encode writes the request into out; Size if it does not fit, Invalid if the name
    /// of a field holds a NUL.
    pub fn encode(r: Request, out: []u8) abi.Error![]u8 {
        var n: usize = 0;
        try put(out, &n, 1, &.{r.method});
        try put(out, &n, 2, &.{r.url});
        for (r.headers) |h| {
            if (std.mem.indexOfScalar(u8, h.name, 0) != null) return error.Invalid;
            try put(out, &n, 3, &.{ h.name, &.{0}, h.value });
        }
        for (r.want) |name| try put(out, &n, 6, &.{name});
        var ms: [4]u8 = undefined;
        std.mem.writeInt(u32, &ms, r.timeout_ms, .little);
        if (r.timeout_ms > 0) try put(out, &n, 5, &.{&ms});
        if (r.body.len > 0) try put(out, &n, 4, &.{r.body});
        return out[0..n];
    }

    fn put(out: []u8, n: *usize, key: u32, parts: []const []const u8) abi.Error!void {
        var len: usize = 0;
        for (parts) |p| len += p.len;
        if (len > abi.max_mailbox or out.len - n.* < len + 8) return error.Size;
        std.mem.writeInt(u32, out[n.*..][0..4], key, .little);
        std.mem.writeInt(u32, out[n.* + 4 ..][0..4], @intCast(len), .little);
        n.* += 8;
        for (parts) |p| {
            @memcpy(out[n.*..][0..p.len], p);
            n.* += p.len;
        }
    }
};

/// Response is the answer; its slices point into the buffer that fetch was given.
pub const Response = struct {
    /// such as 200 (RFC 9110 §15); any status is a response and no error
    status: u32,
    body: []const u8 = "",
    entries: []const u8 = "",

    /// decode reads what the host wrote; Unknown if that breaks the ABI.
    pub fn decode(bytes: []const u8) abi.Error!Response {
        if (bytes.len < 4) return error.Unknown;
        var r: Response = .{ .status = record.int(u32, bytes, 0), .entries = bytes[4..] };
        var rest = r.entries;
        while (rest.len > 0) {
            const e = cut(&rest) orelse return error.Unknown;
            if (e.key == 4) r.body = e.value;
        }
        return r;
    }

    /// header is the first value of a field that was wanted, by its name in lower case;
    /// null if the response has none.
    pub fn header(r: Response, name: []const u8) ?[]const u8 {
        var rest = r.entries;
        while (cut(&rest)) |e| {
            if (e.key != 3) continue;
            const nul = std.mem.indexOfScalar(u8, e.value, 0) orelse continue;
            if (std.mem.eql(u8, e.value[0..nul], name)) return e.value[nul + 1 ..];
        }
        return null;
    }

    const Cut = struct { key: u32, value: []const u8 };

    fn cut(rest: *[]const u8) ?Cut {
        if (rest.len < 8) return null;
        const len = record.int(u32, rest.*, 4);
        if (rest.len - 8 < len) return null;
        defer rest.* = rest.*[8 + len ..];
        return .{ .key = record.int(u32, rest.*, 0), .value = rest.*[8..][0..len] };
    }
};

/// fetch sends the request and waits for the response. Redirects are not followed. buffer
/// holds the request and, behind it, the response. Fails with Denied, Io, Timeout, Busy,
/// Invalid, and Size if the buffer is too short: a response is never cut. Needs the
/// capability "fetch:HOST" or "fetch:HOST:PORT".
pub fn fetch(request: Request, buffer: []u8) abi.Error!Response {
    const wire = try request.encode(buffer);
    return .decode(try host.fetchRaw(wire, buffer[wire.len..]));
}

test "request and response" {
    var b: [128]u8 = undefined;
    const wire = try (Request{ .url = "u", .headers = &.{.{ .name = "a", .value = "b" }}, .want = &.{"c"}, .timeout_ms = 5, .body = "d" }).encode(&b);
    try std.testing.expectEqualStrings("\x01\x00\x00\x00\x03\x00\x00\x00GET\x02\x00\x00\x00\x01\x00\x00\x00u" ++
        "\x03\x00\x00\x00\x03\x00\x00\x00a\x00b\x06\x00\x00\x00\x01\x00\x00\x00c" ++
        "\x05\x00\x00\x00\x04\x00\x00\x00\x05\x00\x00\x00\x04\x00\x00\x00\x01\x00\x00\x00d", wire);
    try std.testing.expectError(error.Size, (Request{ .url = "u" ** 200 }).encode(&b));
    try std.testing.expectError(error.Invalid, (Request{ .url = "u", .headers = &.{.{ .name = "a\x00", .value = "" }} }).encode(&b));
    const r: Response = try .decode("\xc8\x00\x00\x00\x03\x00\x00\x00\x06\x00\x00\x00etag\x00x\x04\x00\x00\x00\x02\x00\x00\x00ok");
    try std.testing.expectEqual(200, r.status);
    try std.testing.expectEqualStrings("ok", r.body);
    try std.testing.expectEqualStrings("x", r.header("etag").?);
    try std.testing.expectEqual(null, r.header("age"));
    try std.testing.expectError(error.Unknown, Response.decode("\xc8\x00\x00\x00\x03"));
    try std.testing.expectError(error.Unknown, Response.decode("\xc8\x00\x00\x00\x03\x00\x00\x00\xff\xff\xff\xff"));
}

// A response whose bytes were changed or cut: read or refused, within its bounds.
test "broken responses" {
    const good = "\xc8\x00\x00\x00\x03\x00\x00\x00\x06\x00\x00\x00etag\x00x\x04\x00\x00\x00\x02\x00\x00\x00ok";
    for (0..good.len) |cut| for (0..good.len) |at| for ([_]u8{ 0, 1, 7, 0xff }) |c| {
        const b = try std.testing.allocator.dupe(u8, good[0..cut]);
        defer std.testing.allocator.free(b);
        if (at < cut) b[at] = c;
        const r = Response.decode(b) catch continue;
        _ = r.header("etag");
    };
}
