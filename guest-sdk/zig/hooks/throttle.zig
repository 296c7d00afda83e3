//! The hook throttle: how fast a transfer may go (ABI §4).
const abi = @import("../abi.zig");
const record = @import("../record.zig");
const reply = @import("../reply.zig");

/// Question is a transfer that begins, or one whose last answer is over.
pub const Question = struct {
    session: record.Session = .{},
    /// number of the question within its session
    request: u64 = 0,
    /// nanoseconds since 1970 UTC, 0 unknown
    time: i64 = 0,
    /// a trial: the answer has no effect
    shadow: bool = false,
    /// read, write, append, unique or list
    op: abi.Op = .read,
    path: []const u8 = "/",
    /// from the client to the server
    upload: bool = false,
    /// bytes that are to be moved, -1 unknown
    size: i64 = 0,
    /// bytes that were moved
    moved: i64 = 0,
    /// nanoseconds since the transfer began
    took: u64 = 0,
    /// the data connection's other end; empty if it is not known yet
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
            .op = @enumFromInt(r.op),
            .path = r.span(.path),
            .upload = r.flags.upload,
            .size = r.a,
            .moved = r.b,
            .took = r.number(.took),
            .data_peer = r.text(.data_peer),
            .record = r,
        };
    }
};

/// Answer is the transfer's rate; the zero value is no limit, for the whole transfer.
pub const Answer = struct {
    /// bytes per second, 0 is no limit
    rate: u64 = 0,
    /// ask again after so many milliseconds; 0 is never, less than 100 is 100
    ttl_ms: u32 = 0,

    /// unlimited is the zero value.
    pub const unlimited: Answer = .{};

    /// encode writes the entries and returns the verdict.
    pub fn encode(a: Answer, r: *reply.Reply) reply.AnswerError!i64 {
        try r.number(u64, .rate, a.rate);
        try r.number(u32, .ttl_ms, a.ttl_ms);
        return reply.verdict(r.len, 0, @intFromEnum(abi.Action.pass), 0);
    }
};
