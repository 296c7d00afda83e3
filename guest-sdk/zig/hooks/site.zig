//! The hook site: SITE commands of the policy's own, which its manifest declares under
//! the key `site` (ABI §4, §8).
const abi = @import("../abi.zig");
const record = @import("../record.zig");
const reply = @import("../reply.zig");

/// Question is one of the manifest's SITE commands.
pub const Question = struct {
    session: record.Session = .{},
    /// number of the question within its session
    request: u64 = 0,
    /// nanoseconds since 1970 UTC, 0 unknown
    time: i64 = 0,
    /// a trial: the answer has no effect
    shadow: bool = false,
    /// in capitals, without SITE
    verb: []const u8 = "X",
    /// what followed
    arg: []const u8 = "",
    /// the working directory
    dir: []const u8 = "/",
    /// the bytes that it came from
    record: *const record.Record = &.{},

    /// of reads the question that a checked record of this hook is.
    pub fn of(r: *const record.Record) record.RecordError!Question {
        if (r.span(.extra).len == 0) return error.NoCommand;
        return .{
            .session = .of(r),
            .request = r.request,
            .time = r.time,
            .shadow = r.flags.shadow,
            .verb = r.span(.extra),
            .arg = r.span(.arg),
            .dir = r.span(.path),
            .record = r,
        };
    }
};

/// Answer is what the client is told. The zero value says that there is no such command.
pub const Answer = struct {
    action: Action = .pass,
    /// 200 to 299 beside allow, 400 to 599 beside deny; 0 is 200 and 550
    code: u16 = 0,
    /// at most 64 lines of the reply, each may be empty. They must outlive the call:
    /// static ones, or those of edgeftp.scratch.
    lines: []const []const u8 = &.{},

    /// Action is what the hook may return (ABI §6).
    pub const Action = enum(u8) { pass = 0, allow = 1, deny = 2 };

    /// pass says that there is no such command.
    pub const pass: Answer = .{};

    /// allow says that the command was carried out.
    pub fn allow(lines: []const []const u8) Answer {
        return .{ .action = .allow, .lines = lines };
    }

    /// deny refuses it.
    pub fn deny(lines: []const []const u8) Answer {
        return .{ .action = .deny, .lines = lines };
    }

    /// encode writes the entries and returns the verdict.
    pub fn encode(a: Answer, r: *reply.Reply) reply.AnswerError!i64 {
        const least: u16, const most: u16 = switch (a.action) {
            .pass => .{ 0, 0 },
            .allow => .{ 200, 299 },
            .deny => .{ 400, 599 },
        };
        if (a.code != 0 and (a.code < least or a.code > most)) return error.CodeOutOfPlace;
        if (a.lines.len > abi.max_lines) return error.TooMany;
        for (a.lines) |line| try r.line(.line, line);
        return reply.verdict(r.len, 0, @intFromEnum(a.action), a.code);
    }
};
