const std = @import("std");
const t = std.testing;
const edgeftp = @import("edgeftp");
const GeoFence = @import("policy.zig").GeoFence;

test {
    _ = @import("table.zig");
}

fn from(address: []const u8) !edgeftp.Session {
    return .{ .address = try .parse(address) };
}

test "countries" {
    for ([_]struct { GeoFence.Settings, []const u8, ?[]const u8 }{
        .{ .{}, "192.0.2.1", null },
        .{ .{}, "10.0.0.1", "no service for this network" },
        .{ .{ .unknown = .pass }, "10.0.0.1", null },
        .{ .{ .allow = &.{ "XA", "XB" } }, "2001:db8:4000::1", null },
        .{ .{ .allow = &.{ "XA", "XB" } }, "2001:db8:8000::1", "no service for XC" },
        .{ .{ .deny = &.{"XB"} }, "192.0.2.200", "no service for XB" },
        .{ .{ .deny = &.{"XB"} }, "::ffff:192.0.2.200", "no service for XB" },
        .{ .{ .allow = &.{"XB"}, .deny = &.{"XB"} }, "192.0.2.200", "no service for XB" },
    }) |c| {
        var fence: GeoFence = .{ .settings = c[0] };
        try fence.config();
        const answer = fence.auth(.{ .session = try from(c[1]) });
        try t.expectEqualStrings(c[2] orelse "", answer.text);
        try t.expectEqual(c[2] == null, answer.action == .pass);
        const user = fence.cmd(.{ .verb = "USER", .session = try from(c[1]) });
        try t.expectEqualStrings(c[2] orelse "", user.text);
    }
}

test "an unknown address, and other commands" {
    var fence: GeoFence = .{};
    try t.expectEqual(.deny, fence.auth(.{}).action);
    try t.expectEqual(.pass, fence.cmd(.{ .verb = "QUIT" }).action);
    try t.expectEqual(530, fence.cmd(.{ .verb = "USER" }).code);
}

test "settings that are wrong say where" {
    for ([_][2][]const u8{
        .{ "xa", "\"xa\" is no country: two capitals" },
        .{ "DE", "\"DE\" is the country of no network in the table" },
    }) |c| {
        var fence: GeoFence = .{ .settings = .{ .deny = &.{c[0]} } };
        try t.expectError(error.Failed, fence.config());
        try t.expectEqualStrings(c[1], edgeftp.testing.why());
    }
}
