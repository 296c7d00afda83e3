//! Addresses and networks of both versions of IP, without names: nothing is looked up.
const std = @import("std");

/// Address is an IP address; one of IPv4 is held as its mapped form ::ffff:a.b.c.d,
/// so that the two ways to write it are equal.
pub const Address = struct {
    bytes: [16]u8,

    /// parse reads `192.0.2.7` or `2001:db8::7`. A zone (`%eth0`) is no part of an
    /// address here and is refused.
    pub fn parse(text: []const u8) error{BadAddress}!Address {
        if (std.mem.indexOfScalar(u8, text, ':') == null) return v4(text);
        return v6(text);
    }

    /// parsePort reads an address with its port, `192.0.2.7:40001` or
    /// `[2001:db8::1%eth0]:40001`; the zone is dropped, and the port too.
    pub fn parsePort(text: []const u8) error{BadAddress}!Address {
        const colon = std.mem.lastIndexOfScalar(u8, text, ':') orelse return error.BadAddress;
        const port = text[colon + 1 ..];
        for (port) |c| if (!std.ascii.isDigit(c)) return error.BadAddress;
        _ = std.fmt.parseInt(u16, port, 10) catch return error.BadAddress;
        const host = text[0..colon];
        if (host.len < 2 or host[0] != '[') return v4(host);
        if (host[host.len - 1] != ']') return error.BadAddress;
        const inner = host[1 .. host.len - 1];
        const zone = std.mem.indexOfScalar(u8, inner, '%') orelse return v6(inner);
        if (zone + 1 == inner.len) return error.BadAddress;
        return v6(inner[0..zone]);
    }

    /// isV4 reports whether it is an address of IPv4.
    pub fn isV4(a: Address) bool {
        return std.mem.startsWith(u8, &a.bytes, &mapped);
    }

    /// value is the address as one number, for searching in sorted tables.
    pub fn value(a: Address) u128 {
        return std.mem.readInt(u128, &a.bytes, .big);
    }

    const mapped = [12]u8{ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

    fn v4(text: []const u8) error{BadAddress}!Address {
        var a: Address = .{ .bytes = mapped ++ [4]u8{ 0, 0, 0, 0 } };
        var parts = std.mem.splitScalar(u8, text, '.');
        for (a.bytes[12..]) |*byte| byte.* = try decimal(parts.next() orelse return error.BadAddress);
        if (parts.next() != null) return error.BadAddress;
        return a;
    }

    fn decimal(text: []const u8) error{BadAddress}!u8 {
        if (text.len == 0 or text.len > 3 or (text.len > 1 and text[0] == '0')) return error.BadAddress;
        var n: u16 = 0;
        for (text) |c| {
            if (!std.ascii.isDigit(c)) return error.BadAddress;
            n = n * 10 + (c - '0');
        }
        return if (n > 255) error.BadAddress else @intCast(n);
    }

    fn v6(text: []const u8) error{BadAddress}!Address {
        const gap = std.mem.indexOf(u8, text, "::") orelse {
            var all: [16]u8 = undefined;
            if (try groups(text, &all) != 16) return error.BadAddress;
            return .{ .bytes = all };
        };
        var a: Address = .{ .bytes = @splat(0) };
        const head = try groups(text[0..gap], &a.bytes);
        if (head > 14 or (head > 0 and std.mem.indexOfScalar(u8, text[0..gap], '.') != null)) return error.BadAddress;
        var tail: [16]u8 = undefined;
        const n = try groups(text[gap + 2 ..], tail[0 .. 14 - head]);
        @memcpy(a.bytes[16 - n ..], tail[0..n]);
        return a;
    }

    /// groups reads what stands on one side of `::` and returns its length in bytes.
    fn groups(text: []const u8, out: []u8) error{BadAddress}!usize {
        if (text.len == 0) return 0;
        var n: usize = 0;
        var parts = std.mem.splitScalar(u8, text, ':');
        while (parts.next()) |part| {
            if (std.mem.indexOfScalar(u8, part, '.') != null) {
                if (parts.next() != null or out.len - n < 4) return error.BadAddress;
                const end = try v4(part);
                @memcpy(out[n..][0..4], end.bytes[12..]);
                return n + 4;
            }
            if (part.len == 0 or part.len > 4 or out.len - n < 2) return error.BadAddress;
            var group: u16 = 0;
            for (part) |c| {
                const digit = std.fmt.charToDigit(c, 16) catch return error.BadAddress;
                group = group << 4 | digit;
            }
            std.mem.writeInt(u16, out[n..][0..2], group, .big);
            n += 2;
        }
        return n;
    }
};

/// Prefix is a network, such as 192.0.2.0/24.
pub const Prefix = struct {
    address: Address,
    bits: u8, // of the 128 of the mapped form

    /// parse reads `192.0.2.0/24`, `2001:db8::/32`, or an address, which is a network
    /// of one. Bits behind the prefix are dropped.
    pub fn parse(text: []const u8) error{BadAddress}!Prefix {
        const slash = std.mem.indexOfScalar(u8, text, '/') orelse
            return .{ .address = try Address.parse(text), .bits = 128 };
        const plain = std.mem.indexOfScalar(u8, text[0..slash], ':') == null;
        const a = try Address.parse(text[0..slash]);
        const n = try Address.decimal(text[slash + 1 ..]);
        if (n > @as(u8, if (plain) 32 else 128)) return error.BadAddress;
        const bits = if (plain) n + 96 else n;
        var p: Prefix = .{ .address = undefined, .bits = bits };
        std.mem.writeInt(u128, &p.address.bytes, a.value() & p.mask(), .big);
        return p;
    }

    /// contains reports whether the address is one of the network's.
    pub fn contains(p: Prefix, a: Address) bool {
        return (p.address.value() ^ a.value()) & p.mask() == 0;
    }

    /// last is the network's greatest address as a number; Address.value is its least.
    pub fn last(p: Prefix) u128 {
        return p.address.value() | ~p.mask();
    }

    fn mask(p: Prefix) u128 {
        if (p.bits == 0) return 0;
        return ~@as(u128, 0) << @intCast(128 - @as(u32, p.bits));
    }
};

test "addresses" {
    const t = std.testing;
    const same = [_][2][]const u8{
        .{ "192.0.2.7", "::ffff:192.0.2.7" },
        .{ "192.0.2.7", "::ffff:c000:207" },
        .{ "2001:db8::", "2001:0DB8:0:0:0:0:0:0" },
        .{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
        .{ "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304" },
        .{ "::1", "0::1" },
    };
    for (same) |pair| try t.expectEqual(try Address.parse(pair[0]), try Address.parse(pair[1]));
    const bad = [_][]const u8{
        "",          "1",           "1.2.3",             "1.2.3.4.5",    "1.2.3.256", "01.2.3.4", "1.2.3.4 ",              "1..3.4",
        ":",         ":::",         "1:2:3",             "1::2::3",      "12345::",   "g::",      "1:2:3:4:5:6:7:8:9",     "::1.2.3",
        "1.2.3.4::", "::1.2.3.4:5", "1:2:3:4:5:6:7:8::", "fe80::1%eth0", "1:",        ":1",       "1:2:3:4:5:6:7:1.2.3.4",
    };
    for (bad) |text| try t.expectError(error.BadAddress, Address.parse(text));
    for ([_][]const u8{ "192.0.2.7:21", "[::1]:0", "[fe80::1%eth0]:65535" }) |text| _ = try Address.parsePort(text);
    for ([_][]const u8{ "192.0.2.7", "192.0.2.7:", "192.0.2.7:65536", "::1:21", "[::1]", "[::1:21", "[]:1", "[::1%]:1", "[1.2.3.4]:1", "1.2.3.4:+1", "1.2.3.4:1_0" }) |text|
        try t.expectError(error.BadAddress, Address.parsePort(text));
}

test "prefixes" {
    const t = std.testing;
    const Case = struct { []const u8, []const u8, bool };
    for ([_]Case{
        .{ "192.0.2.0/24", "192.0.2.255", true },       .{ "192.0.2.0/24", "192.0.3.0", false },
        .{ "192.0.2.9/24", "192.0.2.0", true },         .{ "0.0.0.0/0", "203.0.113.1", true },
        .{ "0.0.0.0/0", "::1", false },                 .{ "::/0", "203.0.113.1", true },
        .{ "2001:db8::/32", "2001:db8:ffff::1", true }, .{ "2001:db8::/32", "2001:db9::", false },
        .{ "192.0.2.7", "192.0.2.7", true },            .{ "::ffff:192.0.2.0/120", "192.0.2.7", true },
    }) |c| try t.expectEqual(c[2], (try Prefix.parse(c[0])).contains(try Address.parse(c[1])));
    for ([_][]const u8{ "1.2.3.4/33", "::/129", "1.2.3.4/", "1.2.3.4/-1", "/8", "1.2.3.4/8/8" }) |text|
        try t.expectError(error.BadAddress, Prefix.parse(text));
    try t.expectEqual((try Address.parse("192.0.2.255")).value(), (try Prefix.parse("192.0.2.0/24")).last());
}

// Texts that nearly are addresses: read or refused, within their bounds.
test "broken addresses" {
    var prng: std.Random.DefaultPrng = .init(std.testing.random_seed);
    const random = prng.random();
    var read: usize = 0;
    for (0..200_000) |_| {
        var b: [24]u8 = undefined;
        const text = b[0..random.uintAtMost(usize, b.len)];
        for (text) |*c| c.* = "01f::::..[]%/x"[random.uintLessThan(usize, 14)];
        if (Address.parse(text)) |a| {
            read += 1;
            try std.testing.expectEqual(a, (try Prefix.parse(text)).address);
        } else |_| {}
        _ = Address.parsePort(text) catch {};
        _ = Prefix.parse(text) catch {};
    }
    try std.testing.expect(read > 100);
}
