//! Texts that a policy makes while it answers: they live until its next question, in
//! memory that is a part of the module and there only if something here is used.
const std = @import("std");

/// Bytes for what one question needs.
const room = 64 << 10;

var memory: [room]u8 = undefined;
var fixed: std.heap.FixedBufferAllocator = .init(&memory);

/// scratch gives memory until the next question: 64 KiB, freed as a whole. Most policies
/// need none.
pub const scratch: std.mem.Allocator = .{
    .ptr = &fixed,
    .vtable = &.{
        .alloc = std.heap.FixedBufferAllocator.alloc,
        .resize = std.heap.FixedBufferAllocator.resize,
        .remap = std.heap.FixedBufferAllocator.remap,
        .free = std.heap.FixedBufferAllocator.free,
    },
};

/// reset frees all of scratch and forgets why something failed. The SDK does so before each
/// question.
pub fn reset() void {
    fixed.reset();
    reason_len = 0;
}

/// print makes a text that lives until the next question, such as a refusal's:
/// `return .deny(edgeftp.print("no files of {s}", .{extension}))`. What does not fit
/// scratch any more is cut off.
pub fn print(comptime format: []const u8, args: anytype) []const u8 {
    var w: std.Io.Writer = .fixed(memory[fixed.end_index..]);
    w.print(format, args) catch {}; // it is full: what was written stays
    const made = w.buffered();
    fixed.end_index += made.len;
    return made;
}

var reason: [512]u8 = undefined;
var reason_len: usize = 0;

/// failed makes an error that says why: `return edgeftp.failed("no table for {s}", .{user})`.
/// The question fails closed, the text goes to the log (of settings: to the operator) and
/// never to the client. Any other error does the same with its name as the text.
pub fn failed(comptime format: []const u8, args: anytype) error{Failed} {
    var w: std.Io.Writer = .fixed(&reason);
    w.print(format, args) catch {}; // it is full: what was written stays
    reason_len = w.buffered().len;
    return error.Failed;
}

/// why is the text of the last failed since reset; the error's own name if there was none.
pub fn why() []const u8 {
    return if (reason_len == 0) "Failed" else reason[0..reason_len];
}

test "texts" {
    reset();
    try std.testing.expectEqualStrings("Failed", why());
    const a = print("{d} of {s}", .{ 7, "x" });
    const b = try scratch.dupe(u8, "y");
    try std.testing.expectEqualStrings("7 of x", a);
    try std.testing.expectEqualStrings("y", b);
    const long = "z" ** 70000;
    try std.testing.expectEqual(room - 7, print("{s}", .{long}).len);
    try std.testing.expectEqual(error.Failed, failed("{s}", .{long}));
    try std.testing.expectEqual(512, why().len);
}
