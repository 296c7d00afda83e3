//! The table of networks.txt, made when the policy is compiled: sorted, checked for
//! overlaps, and searched in as many steps as its length has bits.
const std = @import("std");
const edgeftp = @import("edgeftp");

/// Country is a code of two capitals.
pub const Country = [2]u8;

const Row = struct { first: u128, last: u128, country: Country };

/// The rows by their first address.
pub const rows = parse(@embedFile("networks.txt"));

fn parse(comptime text: []const u8) [count(text)]Row {
    @setEvalBranchQuota(10_000_000);
    var out: [count(text)]Row = undefined;
    var n = 0;
    var number = 0;
    var lines = std.mem.splitScalar(u8, text, '\n');
    while (lines.next()) |line| {
        number += 1;
        if (!isRow(line)) continue;
        out[n] = row(line) orelse @compileError(std.fmt.comptimePrint("networks.txt:{d}: want a network and two capitals, such as 192.0.2.0/24 XA", .{number}));
        n += 1;
    }
    std.mem.sort(Row, &out, {}, struct {
        fn before(_: void, a: Row, b: Row) bool {
            return a.first < b.first;
        }
    }.before);
    for (out[1..], out[0 .. out.len - 1]) |b, a| if (b.first <= a.last)
        @compileError("networks.txt: two networks overlap, of " ++ a.country ++ " and " ++ b.country);
    return out;
}

fn count(comptime text: []const u8) usize {
    @setEvalBranchQuota(10_000_000);
    var n = 0;
    var lines = std.mem.splitScalar(u8, text, '\n');
    while (lines.next()) |line| n += @intFromBool(isRow(line));
    return n;
}

fn isRow(line: []const u8) bool {
    const trimmed = std.mem.trim(u8, line, " \t\r");
    return trimmed.len > 0 and trimmed[0] != '#';
}

fn row(line: []const u8) ?Row {
    var words = std.mem.tokenizeAny(u8, line, " \t\r");
    const network = edgeftp.Prefix.parse(words.next() orelse return null) catch return null;
    const country = code(words.next() orelse return null) orelse return null;
    if (words.next() != null) return null;
    return .{ .first = network.address.value(), .last = network.last(), .country = country };
}

/// code is the text as a country, null if it is none.
pub fn code(text: []const u8) ?Country {
    if (text.len != 2 or !std.ascii.isUpper(text[0]) or !std.ascii.isUpper(text[1])) return null;
    return text[0..2].*;
}

/// find is the country of an address, null if no network has it.
pub fn find(address: edgeftp.Address) ?Country {
    const v = address.value();
    var low: usize = 0;
    var high: usize = rows.len;
    while (low < high) {
        const middle = low + (high - low) / 2;
        if (rows[middle].last < v) low = middle + 1 else high = middle;
    }
    if (low == rows.len or rows[low].first > v) return null;
    return rows[low].country;
}

/// has reports whether some network is in the country.
pub fn has(country: Country) bool {
    for (rows) |r| if (std.mem.eql(u8, &r.country, &country)) return true;
    return false;
}

test "the search finds what a walk finds" {
    for (rows) |r| for ([_]u128{ r.first -% 1, r.first, r.last, r.last +% 1 }) |v| {
        var a: edgeftp.Address = undefined;
        std.mem.writeInt(u128, &a.bytes, v, .big);
        var want: ?Country = null;
        for (rows) |o| if (o.first <= v and v <= o.last) {
            want = o.country;
        };
        try std.testing.expectEqual(want, find(a));
    };
    try std.testing.expectEqual(null, find(try .parse("::")));
    try std.testing.expectEqual(null, find(try .parse("ffff::")));
    try std.testing.expect(has("XC".*) and !has("XD".*));
    try std.testing.expectEqual(null, row("192.0.2.0/24 xa"));
    try std.testing.expectEqual(null, row("192.0.2.0/24 XA XB"));
}
