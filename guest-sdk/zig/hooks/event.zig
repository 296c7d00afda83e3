//! The hook event: what has happened (ABI §4).
const abi = @import("../abi.zig");
const record = @import("../record.zig");
const reply = @import("../reply.zig");

/// Question is an event.
pub const Question = struct {
    session: record.Session = .{},
    /// number of the question within its session
    request: u64 = 0,
    /// nanoseconds since 1970 UTC, 0 unknown
    time: i64 = 0,
    /// a trial: nothing is to be done
    shadow: bool = false,
    kind: abi.EventKind = .connect,
    /// the path that it is about
    path: []const u8 = "",
    /// the second path of file_renamed
    path2: []const u8 = "",
    /// one line: the command of command_done, the reason of failures; never a password
    text: []const u8 = "",
    /// bytes
    size: i64 = 0,
    /// nanoseconds
    took: i64 = 0,
    /// reply code, 0 if there is none
    code: u16 = 0,
    /// the operation that it is about, 0 if there is none
    op: abi.Op = @enumFromInt(0),
    /// the policy that it is about, and its generation
    policy: []const u8 = "",
    generation: u64 = 0,
    /// the command began under policies that had ended when this happened
    late: bool = false,
    /// of a transfer, the data connection's other end
    data_peer: []const u8 = "",
    /// the bytes that it came from
    record: *const record.Record = &.{},

    /// of reads the question that a checked record of this hook is.
    pub fn of(r: *const record.Record) record.RecordError!Question {
        return .{
            .session = .of(r),
            .request = r.request,
            .time = r.time,
            .shadow = r.flags.shadow,
            .kind = @enumFromInt(r.op),
            .path = r.span(.path),
            .path2 = r.text(.path2),
            .text = r.span(.arg),
            .size = r.a,
            .took = r.b,
            .code = @intCast(r.number(.code)),
            .op = @enumFromInt(@as(u16, @intCast(r.number(.op)))),
            .policy = r.text(.policy),
            .generation = r.number(.generation),
            .late = r.flags.late,
            .data_peer = r.text(.data_peer),
            .record = r,
        };
    }
};

/// Answer is for the rare policy that wants the event told again, or counted as lost,
/// without an error of its own. The hook returns `!void` as a rule.
pub const Answer = struct {
    action: Action = .pass,
    /// one line for the log
    text: []const u8 = "",

    /// allow is the same as pass; deny the same as an error.
    pub const Action = enum(u8) { pass = 0, allow = 1, deny = 2 };

    /// done is what nearly every event is answered.
    pub const done: Answer = .{};

    /// lost counts the event as lost.
    pub fn lost(text: []const u8) Answer {
        return .{ .action = .deny, .text = text };
    }

    /// encode writes the entries and returns the verdict.
    pub fn encode(a: Answer, r: *reply.Reply) reply.AnswerError!i64 {
        try r.text(.text, a.text);
        return reply.verdict(r.len, 0, @intFromEnum(a.action), 0);
    }
};
