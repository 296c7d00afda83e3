const std = @import("std");
const t = std.testing;
const edgeftp = @import("edgeftp");
const OfficeHours = @import("policy.zig").OfficeHours;

test {
    _ = @import("clock.zig");
}

const monday_noon = (1_700_000_000 - 1_700_000_000 % 604800 - 3 * 86400 + 12 * 3600) * std.time.ns_per_s;

fn open(arena: *std.heap.ArenaAllocator, json: []const u8) !OfficeHours {
    var policy: OfficeHours = .{ .settings = try edgeftp.testing.configure(OfficeHours.Settings, arena.allocator(), json) };
    try policy.config();
    return policy;
}

test "an upload that began in time may end" {
    var arena: std.heap.ArenaAllocator = .init(t.allocator);
    defer arena.deinit();
    var policy = try open(&arena, "{\"hours\":[{\"days\":\"mon\",\"from\":\"08:00\",\"to\":\"12:00\"}]}");
    const closed = "this server is closed at this hour";
    for ([_]edgeftp.Op{ .write, .delete, .rename }) |op|
        try t.expectEqualStrings(closed, (try policy.fs(.{ .op = op, .time = monday_noon })).text);
    for ([_]edgeftp.Op{ .commit, .read, .list }) |op|
        try t.expectEqual(.pass, (try policy.fs(.{ .op = op, .time = monday_noon })).action);
    try t.expectEqual(.pass, (try policy.fs(.{ .op = .write, .time = monday_noon - 1 })).action);
    try t.expectEqual(.deny, (try policy.auth(.{ .time = monday_noon })).action);
    try t.expectError(error.Failed, policy.auth(.{}));
}

test "networks" {
    var arena: std.heap.ArenaAllocator = .init(t.allocator);
    defer arena.deinit();
    var policy = try open(&arena, "{\"hours\":[{\"days\":\"mon-sun\",\"from\":\"00:00\",\"to\":\"24:00\"}],\"networks\":[\"192.0.2.0/24\",\"2001:db8::/32\"]}");
    for ([_]struct { []const u8, edgeftp.auth.Answer.Action }{
        .{ "192.0.2.9", .pass }, .{ "::ffff:192.0.2.9", .pass }, .{ "2001:db8:1::1", .pass }, .{ "192.0.3.9", .deny }, .{ "2001:db9::1", .deny },
    }) |c| try t.expectEqual(c[1], (try policy.auth(.{ .time = monday_noon, .session = .{ .address = try edgeftp.Address.parse(c[0]) } })).action);
    try t.expectEqual(.deny, (try policy.auth(.{ .time = monday_noon })).action);
}

test "settings that are wrong say where" {
    var arena: std.heap.ArenaAllocator = .init(t.allocator);
    defer arena.deinit();
    const day = "\"hours\":[{\"days\":\"mon\",\"from\":\"08:00\",\"to\":\"12:00\"}]";
    for ([_][2][]const u8{
        .{ "{}", "setting \"hours\" is missing" },
        .{ "{\"hours\":[]}", "hours: there are none, so nobody could ever log in" },
        .{ "{\"hours\":[{\"days\":\"mon\",\"from\":\"08:00\"}]}", "setting \"hours[0].to\" is missing" },
        .{ "{\"hours\":[{\"days\":\"mo\",\"from\":\"08:00\",\"to\":\"09:00\"}]}", "hours[0]: days are like \"mon-fri\" or \"sat,sun\"" },
        .{ "{\"hours\":[{\"days\":\"mon\",\"from\":\"8\",\"to\":\"09:00\"}]}", "hours[0]: from and to are like \"08:00\", at most \"24:00\", and not the same" },
        .{ "{" ++ day ++ ",\"utc_offset\":\"CET\"}", "utc_offset: \"CET\" is not like +01:00, -14:00 to +14:00" },
        .{ "{" ++ day ++ ",\"networks\":[\"10/8\"]}", "networks: \"10/8\" is not like 192.0.2.0/24 or 2001:db8::/32" },
        .{ "{" ++ day ++ ",\"closed\":\"\\u0007\"}", "closed: it is not one line of at most 512 bytes" },
    }) |c| {
        try t.expectError(error.Failed, open(&arena, c[0]));
        try t.expectEqualStrings(c[1], edgeftp.testing.why());
    }
}
