//! The hook fs: what an operation on a path may do (ABI §4).
const std = @import("std");
const abi = @import("../abi.zig");
const record = @import("../record.zig");
const reply = @import("../reply.zig");
const perms = @import("../perms.zig");

/// Question is an operation on a path. Decide by op, never by the command.
pub const Question = struct {
    session: record.Session = .{},
    /// number of the question within its session
    request: u64 = 0,
    /// nanoseconds since 1970 UTC, 0 unknown
    time: i64 = 0,
    /// a trial: the answer has no effect
    shadow: bool = false,
    op: abi.Op = .stat,
    /// canonical virtual path, after earlier policies rewrote it
    path: []const u8 = "/",
    /// the new path of a rename, empty while only the old one is known; the target of a
    /// new link. A policy that looks at names looks at both: see paths.
    path2: []const u8 = "",
    /// the raw argument of the command
    arg: []const u8 = "",
    /// read: size; write and append: announced size, -1 unknown; chmod: mode; mfmt:
    /// seconds since 1970; commit: size in bytes
    a: i64 = 0,
    /// read and write: restart offset; append: length so far; commit: milliseconds
    b: i64 = 0,
    /// bytes that the file at path has now
    size: u64 = 0,
    /// path is a directory now
    dir: bool = false,
    /// path exists now
    exists: bool = false,
    /// where the data connection of a transfer or listing is to go, if the client has said
    /// (PORT, EPRT); at commit, where the bytes came from; empty if there is none yet
    data_peer: []const u8 = "",
    /// the bytes that it came from
    record: *const record.Record = &.{},

    /// of reads the question that a checked record of this hook is.
    pub fn of(r: *const record.Record) record.RecordError!Question {
        const op: abi.Op = @enumFromInt(r.op);
        const arg_is_path = op == .rename or op == .symlink;
        return .{
            .session = .of(r),
            .request = r.request,
            .time = r.time,
            .shadow = r.flags.shadow,
            .op = op,
            .path = r.span(.path),
            .path2 = if (arg_is_path) r.span(.arg) else r.text(.path2),
            .arg = if (arg_is_path) r.text(.raw_arg) else r.span(.arg),
            .a = r.a,
            .b = r.b,
            .size = r.number(.size),
            .dir = r.flags.dir,
            .exists = r.flags.exists,
            .data_peer = r.text(.data_peer),
            .record = r,
        };
    }

    /// paths are path and path2; the second may be empty.
    pub fn paths(q: Question) [2][]const u8 {
        return .{ q.path, q.path2 };
    }

    /// changes reports whether the operation may change something. One of a later server
    /// does until somebody has decided about it.
    pub fn changes(q: Question) bool {
        return switch (q.op) {
            .stat, .list, .read, .cwd, .readlink, .hash => false,
            else => true,
        };
    }
};

/// Answer is what the policy says of an operation; the zero value is no opinion.
pub const Answer = struct {
    action: Action = .pass,
    /// 400 to 599 beside deny; 0 is the server's own
    code: u16 = 0,
    /// one line for the client of a refusal
    text: []const u8 = "",
    /// new path of a rewrite
    path: []const u8 = "",
    /// new second path of a rewrite
    path2: []const u8 = "",
    limits: perms.Limits = .{},
    /// events carry it
    label: []const u8 = "",
    /// milliseconds for which the same answer holds for the same question, from whichever
    /// session; 0 is not at all
    cache_ms: u32 = 0,
    /// ask no later policy
    final: bool = false,

    /// Action is what the hook may return (ABI §6).
    pub const Action = enum(u8) { pass = 0, allow = 1, deny = 2, rewrite = 3, hide = 4 };

    /// pass is no opinion.
    pub const pass: Answer = .{};
    /// allow is in favour.
    pub const allow: Answer = .{ .action = .allow };
    /// hide refuses as if the path did not exist.
    pub const hide: Answer = .{ .action = .hide };

    /// deny refuses the operation with a line for the client.
    pub fn deny(text: []const u8) Answer {
        return .{ .action = .deny, .text = text };
    }

    /// rewrite is in favour, of another path.
    pub fn rewrite(path: []const u8) Answer {
        return .{ .action = .rewrite, .path = path };
    }

    /// encode writes the entries and returns the verdict.
    pub fn encode(a: Answer, r: *reply.Reply) reply.AnswerError!i64 {
        if (a.code != 0 and (a.action != .deny or a.code < 400 or a.code > 599)) return error.CodeOutOfPlace;
        if ((a.path.len + a.path2.len > 0) != (a.action == .rewrite)) return error.RewriteOutOfPlace;
        try r.text(.text, a.text);
        try r.path(.path, a.path);
        try r.path(.path2, a.path2);
        try a.limits.encode(r);
        try r.text(.label, a.label);
        try r.number(u32, .ttl_ms, a.cache_ms);
        const flags = @as(u8, @intFromBool(a.final)) | @as(u8, @intFromBool(a.cache_ms > 0)) << 1;
        return reply.verdict(r.len, flags, @intFromEnum(a.action), a.code);
    }
};

test "both paths of a rename" {
    const q: Question = .{ .op = .rename, .path = "/a", .path2 = "/b" };
    try std.testing.expectEqualStrings("/b", q.paths()[1]);
    try std.testing.expect(q.changes());
}
