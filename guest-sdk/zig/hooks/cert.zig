//! The hook cert: whether a name may get a certificate (ABI §4).
const record = @import("../record.zig");
const reply = @import("../reply.zig");

/// Question is a name for which a client wants a certificate that there is not yet.
pub const Question = struct {
    session: record.Session = .{},
    /// number of the question within its session
    request: u64 = 0,
    /// nanoseconds since 1970 UTC, 0 unknown
    time: i64 = 0,
    /// a trial: the answer has no effect
    shadow: bool = false,
    /// a host name in lower case
    name: []const u8 = "",
    /// the bytes that it came from
    record: *const record.Record = &.{},

    /// of reads the question that a checked record of this hook is.
    pub fn of(r: *const record.Record) record.RecordError!Question {
        if (r.span(.arg).len == 0) return error.NoName;
        return .{
            .session = .of(r),
            .request = r.request,
            .time = r.time,
            .shadow = r.flags.shadow,
            .name = r.span(.arg),
            .record = r,
        };
    }
};

/// Answer is what the policy says of the name. Only allow grants: the zero value is no
/// opinion, and no opinion from anybody is a refusal.
pub const Answer = struct {
    action: Action = .pass,
    /// one line for the log
    text: []const u8 = "",

    /// Action is what the hook may return (ABI §6).
    pub const Action = enum(u8) { pass = 0, allow = 1, deny = 2 };

    /// pass is no opinion.
    pub const pass: Answer = .{};
    /// allow grants the name.
    pub const allow: Answer = .{ .action = .allow };

    /// deny refuses the name.
    pub fn deny(text: []const u8) Answer {
        return .{ .action = .deny, .text = text };
    }

    /// encode writes the entries and returns the verdict.
    pub fn encode(a: Answer, r: *reply.Reply) reply.AnswerError!i64 {
        try r.text(.text, a.text);
        return reply.verdict(r.len, 0, @intFromEnum(a.action), 0);
    }
};
