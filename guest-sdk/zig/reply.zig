//! Replies (ABI §6): the entries behind a verdict, and the rules for them.
const std = @import("std");
const abi = @import("abi.zig");
const net = @import("net.zig");

/// AnswerError says why an answer cannot be given: the server would refuse it, and the
/// instance would be lost. The SDK answers `fail` in its place and says which rule it
/// was.
pub const AnswerError = error{
    /// code is 400 to 599 beside deny, 200 to 299 beside allow of site, else 0
    CodeOutOfPlace,
    /// a text is one line of UTF-8 of at most 512 bytes without control characters
    BadText,
    /// a path begins with a slash and has at most 4,096 bytes without NUL, CR and LF
    BadPath,
    /// a network is one such as 192.0.2.0/24 or 2001:db8::/32, without bits behind its length
    BadNetwork,
    /// a rewrite of fs needs a path, and no other action has one; bytes of data go with rewrite
    RewriteOutOfPlace,
    /// pwhash goes with allow alone
    HashOutOfPlace,
    /// hidden entries go with pass and allow
    HiddenOutOfPlace,
    /// a number is negative or greater than its signed type holds
    NumberOutOfRange,
    /// state and carry have at most 1,024 bytes
    TooManyBytes,
    /// at most 64 lines, 256 rules and 256 networks
    TooMany,
    /// the reply is longer than the mailbox
    ReplyTooLong,
};

/// Verdict is what a hook returns.
pub fn verdict(len: usize, flags: u8, action: u8, code: u16) i64 {
    return @bitCast(@as(u64, len) << 32 | @as(u64, flags) << 24 | @as(u64, action) << 16 | code);
}

/// Reply builds entries in a buffer.
pub const Reply = struct {
    buf: []u8,
    len: usize = 0,

    /// bytes appends an entry whose value is the parts, one behind the other.
    pub fn bytes(r: *Reply, key: abi.Key, parts: []const []const u8) AnswerError!void {
        var n: usize = 0;
        for (parts) |p| n += p.len;
        if (n > 0xffff or r.buf.len - r.len < n + 4) return error.ReplyTooLong;
        std.mem.writeInt(u16, r.buf[r.len..][0..2], @intFromEnum(key), .little);
        std.mem.writeInt(u16, r.buf[r.len + 2 ..][0..2], @intCast(n), .little);
        r.len += 4;
        for (parts) |p| {
            @memcpy(r.buf[r.len..][0..p.len], p);
            r.len += p.len;
        }
    }

    /// line appends a text, be it empty.
    pub fn line(r: *Reply, key: abi.Key, t: []const u8) AnswerError!void {
        if (!isLine(t)) return error.BadText;
        try r.bytes(key, &.{t});
    }

    /// text appends a text; an empty one is left out.
    pub fn text(r: *Reply, key: abi.Key, t: []const u8) AnswerError!void {
        if (t.len > 0) try r.line(key, t);
    }

    /// path appends a path; an empty one is left out.
    pub fn path(r: *Reply, key: abi.Key, p: []const u8) AnswerError!void {
        if (p.len == 0) return;
        if (!isPath(p)) return error.BadPath;
        try r.bytes(key, &.{p});
    }

    /// raw appends bytes that the server hands back; none are left out.
    pub fn raw(r: *Reply, key: abi.Key, b: []const u8) AnswerError!void {
        if (b.len > abi.max_state) return error.TooManyBytes;
        if (b.len > 0) try r.bytes(key, &.{b});
    }

    /// number appends a number of T, which is unsigned; 0 is left out. The server takes
    /// what the signed number of that size holds.
    pub fn number(r: *Reply, comptime T: type, key: abi.Key, n: T) AnswerError!void {
        if (n > std.math.maxInt(@Int(.signed, @bitSizeOf(T)))) return error.NumberOutOfRange;
        if (n == 0) return;
        var b: [@sizeOf(T)]u8 = undefined;
        std.mem.writeInt(T, &b, n, .little);
        try r.bytes(key, &.{&b});
    }
};

/// isLine reports whether t may be a text.
pub fn isLine(t: []const u8) bool {
    if (t.len > abi.max_text or !std.unicode.utf8ValidateSlice(t)) return false;
    for (t) |c| if ((c < 0x20 and c != '\t') or c == 0x7f) return false;
    return true;
}

/// isPath reports whether p may be a path.
pub fn isPath(p: []const u8) bool {
    if (p.len == 0 or p[0] != '/' or p.len > abi.max_path) return false;
    for (p) |c| if (c == 0 or c == '\r' or c == '\n') return false;
    return true;
}

/// isNetwork reports whether n is a network in its one form: IPv4 not as IPv6.
pub fn isNetwork(n: []const u8) bool {
    const p = net.Prefix.parse(n) catch return false;
    const a = net.Address.parse(n[0 .. std.mem.indexOfScalar(u8, n, '/') orelse return false]) catch return false;
    const plain = std.mem.indexOfScalar(u8, n, ':') == null;
    return p.address.value() == a.value() and a.isV4() == plain;
}

/// clean copies text into out as one line: what may not stand in a text becomes "?",
/// and what is over its length is cut at a character.
pub fn clean(out: *[abi.max_text]u8, text: []const u8) []const u8 {
    var n: usize = 0;
    var i: usize = 0;
    while (i < text.len) {
        const len = std.unicode.utf8ByteSequenceLength(text[i]) catch 0;
        const whole = len > 0 and i + len <= text.len and isLine(text[i..][0..len]);
        const piece = if (whole) text[i..][0..len] else "?";
        if (n + piece.len > out.len) break;
        @memcpy(out[n..][0..piece.len], piece);
        n += piece.len;
        i += if (whole) len else 1;
    }
    return out[0..n];
}

/// fail writes the reply of a policy that could not decide into out and returns its
/// verdict. text is made one line; it is for the log, never for the client.
pub fn fail(out: []u8, text: []const u8) i64 {
    var one: [abi.max_text]u8 = undefined;
    var r: Reply = .{ .buf = out };
    r.text(.text, clean(&one, text)) catch {}; // too little room: without a text
    return verdict(r.len, 0, @intFromEnum(abi.Action.fail), 0);
}

/// words says in words what is wrong with an answer.
pub fn words(err: AnswerError) []const u8 {
    return switch (err) {
        error.CodeOutOfPlace => "a code is 400 to 599 beside deny, 200 to 299 beside allow of site, else 0",
        error.BadText => "a text is one line of UTF-8 of at most 512 bytes without control characters",
        error.BadPath => "a path begins with / and has at most 4,096 bytes without NUL, CR and LF",
        error.BadNetwork => "a network is one such as 192.0.2.0/24 or 2001:db8::/32, without bits behind its length",
        error.RewriteOutOfPlace => "a rewrite needs its path or bytes, and nothing else has them",
        error.HashOutOfPlace => "pwhash goes with allow alone",
        error.HiddenOutOfPlace => "hidden entries go with pass and allow",
        error.NumberOutOfRange => "a number is out of range",
        error.TooManyBytes => "state and carry have at most 1,024 bytes",
        error.TooMany => "at most 64 lines, 256 rules and 256 networks",
        error.ReplyTooLong => "the reply is longer than the mailbox",
    };
}

test "networks" {
    for ([_][]const u8{ "0.0.0.0/0", "::/0", "192.0.2.7/32", "10.128.0.0/9", "2001:db8::7/128", "2001:db8:8000::/33" }) |n|
        try std.testing.expect(isNetwork(n));
    for ([_][]const u8{
        "",        "192.0.2.1",  "192.0.2.0/33",  "192.0.2.1/24",  "10.128.0.0/8",  "::ffff:192.0.2.0/120", "::1/64", "::/129",
        "::%1/64", "192.0.2.0/", "192.0.2.0/024", "192.0.02.0/24", "192.0.2.0/24 ", "192.0.2.0/-1",         "0/0",    "192.0.2.0/24/24",
    }) |n| try std.testing.expect(!isNetwork(n));
}

test "clean" {
    var out: [abi.max_text]u8 = undefined;
    try std.testing.expectEqualStrings("a?b?\xc3\xb6?", clean(&out, "a\nb\xff\xc3\xb6\xc3"));
    try std.testing.expectEqual(511, clean(&out, "x" ** 511 ++ "\xc3\xb6").len);
}
