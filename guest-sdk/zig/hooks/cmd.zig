//! The hook cmd: whether a command is carried out (ABI §4).
const record = @import("../record.zig");
const reply = @import("../reply.zig");

/// Question is a command that is in order and is about to be carried out. What decides
/// by path belongs into fs.
pub const Question = struct {
    session: record.Session = .{},
    /// number of the question within its session
    request: u64 = 0,
    /// nanoseconds since 1970 UTC, 0 unknown
    time: i64 = 0,
    /// a trial: the answer has no effect
    shadow: bool = false,
    /// in capitals, a SITE command as "SITE CHMOD"
    verb: []const u8 = "NOOP",
    /// as the client sent it; empty for PASS and ACCT
    arg: []const u8 = "",
    /// the working directory, empty before the login
    dir: []const u8 = "",
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

/// Answer is what the policy says of a command; the zero value is no opinion.
pub const Answer = struct {
    action: Action = .pass,
    /// 400 to 599 beside deny; 0 is the server's own
    code: u16 = 0,
    /// one line for the client of a refusal
    text: []const u8 = "",

    /// Action is what the hook may return (ABI §6).
    pub const Action = enum(u8) { pass = 0, allow = 1, deny = 2 };

    /// pass is no opinion.
    pub const pass: Answer = .{};
    /// allow lets the command be.
    pub const allow: Answer = .{ .action = .allow };

    /// deny refuses the command with a line for the client.
    pub fn deny(text: []const u8) Answer {
        return .{ .action = .deny, .text = text };
    }

    /// encode writes the entries and returns the verdict.
    pub fn encode(a: Answer, r: *reply.Reply) reply.AnswerError!i64 {
        if (a.code != 0 and (a.action != .deny or a.code < 400 or a.code > 599)) return error.CodeOutOfPlace;
        try r.text(.text, a.text);
        return reply.verdict(r.len, 0, @intFromEnum(a.action), a.code);
    }
};
