//! What auth and fs answers have in common: permissions and limits.
const std = @import("std");
const abi = @import("abi.zig");
const reply = @import("reply.zig");

/// Perms is a set of permission letters of `elradfmwMT` (ABI §6). The zero value is
/// none.
pub const Perms = struct {
    bits: u10 = 0,

    /// The letters in their fixed order.
    pub const letters = "elradfmwMT";

    /// of is the set of letters that the source names: `.of("elr")`. A letter that there
    /// is not is a compile error.
    pub fn of(comptime text: []const u8) Perms {
        return comptime parse(text) catch @compileError("Perms.of(\"" ++ text ++ "\"): the letters are " ++ letters ++ ", each at most once");
    }

    /// parse reads letters, each at most once.
    pub fn parse(text: []const u8) error{BadPerms}!Perms {
        var p: Perms = .{};
        for (text) |c| {
            const i = std.mem.indexOfScalar(u8, letters, c) orelse return error.BadPerms;
            const bit = @as(u10, 1) << @intCast(i);
            if (p.bits & bit != 0) return error.BadPerms;
            p.bits |= bit;
        }
        return p;
    }

    /// write writes the letters into out.
    pub fn write(p: Perms, out: *[letters.len]u8) []const u8 {
        var n: usize = 0;
        for (letters, 0..) |c, i| if (p.bits >> @intCast(i) & 1 != 0) {
            out[n] = c;
            n += 1;
        };
        return out[0..n];
    }
};

/// Limits narrow what a session or one operation may do; 0 is no limit.
pub const Limits = struct {
    /// bytes per second from the server
    rate_down: u64 = 0,
    /// bytes per second to the server
    rate_up: u64 = 0,
    /// bytes that a stored file may have
    max_file_size: u64 = 0,
    /// data connections must be protected
    data_tls: bool = false,

    /// encode writes those that are no zero value.
    pub fn encode(l: Limits, r: *reply.Reply) reply.AnswerError!void {
        try r.number(u64, .rate_down, l.rate_down);
        try r.number(u64, .rate_up, l.rate_up);
        try r.number(u64, .max_file_size, l.max_file_size);
        if (l.data_tls) try r.bytes(.data_tls_required, &.{&.{1}});
    }
};

test "letters" {
    var out: [Perms.letters.len]u8 = undefined;
    try std.testing.expectEqualStrings("elT", Perms.of("Tle").write(&out));
    try std.testing.expectError(error.BadPerms, Perms.parse("ee"));
    try std.testing.expectError(error.BadPerms, Perms.parse("x"));
}
