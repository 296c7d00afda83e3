//! What the policy decides, without a server: `edgeftp policy test` runs this.
const std = @import("std");
const edgeftp = @import("edgeftp");
const Guard = @import("policy.zig").Guard;

test "both paths of a rename count" {
    var guard: Guard = .{};
    const answer = try guard.fs(.{ .op = .rename, .path = "/in/a.txt", .path2 = "/in/a.EXE" });
    try std.testing.expectEqual(.deny, answer.action);
    try std.testing.expectEqualStrings("files of the kind .exe are not accepted here", answer.text);
}

test "the settings say which" {
    var guard: Guard = .{ .settings = .{ .deny_extensions = &.{"iso"} } };
    try std.testing.expectEqual(.deny, (try guard.fs(.{ .op = .write, .path = "/in/a.iso" })).action);
    try std.testing.expectEqual(.pass, (try guard.fs(.{ .op = .write, .path = "/in/a.exe" })).action);
    try std.testing.expectEqual(.pass, (try guard.fs(.{ .op = .read, .path = "/in/a.iso" })).action);
}
