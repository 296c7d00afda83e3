//! The SDK's own tests, and the golden vectors of the ABI: guest-sdk/vectors is given as
//! the modules "records", "bad-records" and "replies". A Go test runs them
//! (tests/sdk/zig_test.go).
const std = @import("std");
const t = std.testing;
const edgeftp = @import("edgeftp.zig");
const abi = edgeftp.abi;

test {
    t.refAllDecls(edgeftp);
    _ = @import("abi.zig");
    _ = @import("net.zig");
    _ = @import("perms.zig");
    _ = @import("reply.zig");
    _ = @import("text.zig");
    _ = @import("fetch.zig");
    _ = @import("settings_test.zig");
    _ = @import("host_test.zig");
    _ = @import("hooks/fs.zig");
    _ = @import("guest.zig");
}

fn unhex(a: std.mem.Allocator, text: []const u8) ![]u8 {
    return std.fmt.hexToBytes(try a.alloc(u8, text.len / 2), text);
}

fn str(v: std.json.Value, key: []const u8) []const u8 {
    return v.object.get(key).?.string;
}

fn num(v: std.json.Value, key: []const u8) !i64 {
    return @bitCast(if (str(v, key)[0] == '-') @as(u64, @bitCast(try std.fmt.parseInt(i64, str(v, key), 10))) else try std.fmt.parseInt(u64, str(v, key), 10));
}

/// decode reads a record as the question of a hook by name.
fn decode(r: *edgeftp.Record, hook: []const u8, bytes: []u8) edgeftp.RecordError!void {
    inline for (.{ "auth", "fs", "list", "cmd", "site", "throttle", "data", "event", "cert" }) |name| if (std.mem.eql(u8, hook, name)) {
        try r.read(bytes, @field(abi.Hook, name));
        _ = try @field(edgeftp, name).Question.of(r);
        return;
    };
    unreachable;
}

test "records" {
    var arena: std.heap.ArenaAllocator = .init(t.allocator);
    defer arena.deinit();
    const a = arena.allocator();
    const all = try std.json.parseFromSliceLeaky(std.json.Value, a, @embedFile("records"), .{});
    try t.expect(all.array.items.len >= 118);
    for (all.array.items) |v| {
        errdefer std.debug.print("vector: {s}\n", .{str(v, "name")});
        var r: edgeftp.Record = .{};
        try decode(&r, str(v, "hook"), try unhex(a, str(v, "record")));
        try t.expectEqual(v.object.get("op").?.integer, r.op);
        try t.expectEqual(try num(v, "session"), @as(i64, @bitCast(r.session)));
        try t.expectEqual(try num(v, "request"), @as(i64, @bitCast(r.request)));
        try t.expectEqual(try num(v, "time_ns"), r.time);
        try t.expectEqual(try num(v, "a"), r.a);
        try t.expectEqual(try num(v, "b"), r.b);
        var flags: u32 = 0;
        for (v.object.get("flags").?.array.items) |f| inline for (@typeInfo(abi.Flags).@"struct".fields, 0..) |field, i| {
            if (std.ascii.eqlIgnoreCase(field.name, f.string)) flags |= @as(u32, 1) << i;
        };
        try t.expectEqual(flags, @as(u32, @bitCast(r.flags)));
        var spans = v.object.get("spans").?.object.iterator();
        while (spans.next()) |s| inline for (@typeInfo(abi.Span).@"enum".fields) |f| if (std.ascii.eqlIgnoreCase(f.name, s.key_ptr.*))
            try t.expectEqualSlices(u8, try unhex(a, s.value_ptr.string), r.span(@enumFromInt(f.value)));
        const attrs = v.object.get("attrs");
        inline for (@typeInfo(abi.Attr).@"enum".fields) |f| {
            var upper: [f.name.len]u8 = undefined;
            const want = if (attrs) |list| list.object.get(std.ascii.upperString(&upper, f.name)) else null;
            const got = r.attr(@enumFromInt(f.value));
            try t.expectEqual(want == null, got == null);
            if (want) |w| try t.expectEqualSlices(u8, try unhex(a, w.string), got.?);
        }
    }
}

test "bad records" {
    var arena: std.heap.ArenaAllocator = .init(t.allocator);
    defer arena.deinit();
    const a = arena.allocator();
    const all = try std.json.parseFromSliceLeaky(std.json.Value, a, @embedFile("bad-records"), .{});
    try t.expect(all.array.items.len >= 51);
    for (all.array.items) |v| {
        errdefer std.debug.print("vector: {s}\n", .{str(v, "name")});
        var r: edgeftp.Record = .{};
        // An exact allocation: reading outside of it is a crash.
        const bytes = try unhex(a, str(v, "record"));
        if (decode(&r, str(v, "hook"), bytes)) |_| return error.Accepted else |_| {}
    }
}

// Every record of the vectors, cut off at each length and with each byte changed, is
// read or refused, and nothing outside of it is touched: Zig's own checks would say so.
test "broken records" {
    var arena: std.heap.ArenaAllocator = .init(t.allocator);
    defer arena.deinit();
    const a = arena.allocator();
    const all = try std.json.parseFromSliceLeaky(std.json.Value, a, @embedFile("records"), .{});
    for (all.array.items) |v| {
        const whole = try unhex(a, str(v, "record"));
        if (whole.len > 1000) continue;
        for (0..whole.len) |i| {
            var r: edgeftp.Record = .{};
            const short = try a.dupe(u8, whole[0..i]);
            if (i >= 4) std.mem.writeInt(u32, short[0..4], @intCast(i), .little);
            try t.expect(if (decode(&r, str(v, "hook"), short)) |_| false else |_| true);
            for ([_]u8{ 0, 1, 0x7f, 0x80, 0xff }) |c| {
                const old = whole[i];
                whole[i] = c;
                defer whole[i] = old;
                decode(&r, str(v, "hook"), whole) catch continue;
                if (std.mem.eql(u8, str(v, "hook"), "list")) {
                    const q = try edgeftp.list.Question.of(&r);
                    for (0..q.entries.count()) |n| try t.expect(q.entries.get(n).name.len > 0);
                }
            }
        }
    }
}
