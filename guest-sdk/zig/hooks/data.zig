//! The hook data: whether bytes may pass, and as what (ABI §4).
const std = @import("std");
const abi = @import("../abi.zig");
const record = @import("../record.zig");
const reply = @import("../reply.zig");

/// Question is a chunk of a transfer.
pub const Question = struct {
    session: record.Session = .{},
    /// number of the question within its session
    request: u64 = 0,
    /// nanoseconds since 1970 UTC, 0 unknown
    time: i64 = 0,
    /// a trial: the answer has no effect
    shadow: bool = false,
    /// read, write, append or unique
    op: abi.Op = .write,
    path: []const u8 = "/",
    /// from the client to the server
    upload: bool = false,
    /// where the bytes begin in the file, counted before any rewriting
    offset: i64 = 0,
    /// 0 to 65,536 bytes. A policy may change them in place and answer `.rewrite(q.data)`.
    data: []u8 = &.{},
    /// nothing follows
    last: bool = false,
    /// Answer.carry of the transfer's last chunk, which another instance may have seen
    carry: []const u8 = "",
    /// the data connection's other end; empty if it has no address
    data_peer: []const u8 = "",
    /// the bytes that it came from
    record: *const record.Record = &.{},

    /// of reads the question that a checked record of this hook is.
    pub fn of(r: *const record.Record) record.RecordError!Question {
        if (r.span(.arg).len > abi.max_chunk) return error.ChunkTooLong;
        if (r.span(.extra).len > abi.max_carry) return error.CarryTooLong;
        return .{
            .session = .of(r),
            .request = r.request,
            .time = r.time,
            .shadow = r.flags.shadow,
            .op = @enumFromInt(r.op),
            .path = r.span(.path),
            .upload = r.flags.upload,
            .offset = r.a,
            .data = r.span(.arg),
            .last = r.flags.last,
            .carry = r.span(.extra),
            .data_peer = r.text(.data_peer),
            .record = r,
        };
    }
};

/// Answer is what becomes of the bytes; the zero value lets them pass.
pub const Answer = struct {
    action: Action = .pass,
    /// 400 to 599 beside deny; 0 is the server's own
    code: u16 = 0,
    /// one line for the client of a refusal
    text: []const u8 = "",
    /// the bytes of a rewrite, as many as the mailbox holds
    data: []const u8 = "",
    /// at most 1,024 bytes, handed back with the next chunk
    carry: []const u8 = "",

    /// Action is what the hook may return (ABI §6).
    pub const Action = enum(u8) { pass = 0, allow = 1, deny = 2, rewrite = 3, hide = 4 };

    /// pass lets the bytes be.
    pub const pass: Answer = .{};
    /// allow lets the bytes pass.
    pub const allow: Answer = .{ .action = .allow };
    /// hide is as deny.
    pub const hide: Answer = .{ .action = .hide };

    /// deny ends the transfer, with a line for the client, and discards an upload.
    pub fn deny(text: []const u8) Answer {
        return .{ .action = .deny, .text = text };
    }

    /// rewrite lets other bytes pass.
    pub fn rewrite(bytes: []const u8) Answer {
        return .{ .action = .rewrite, .data = bytes };
    }

    /// encode writes the entries and returns the verdict of them and of the bytes, which
    /// place puts in front.
    pub fn encode(a: Answer, r: *reply.Reply) reply.AnswerError!i64 {
        if (a.code != 0 and (a.action != .deny or a.code < 400 or a.code > 599)) return error.CodeOutOfPlace;
        if (a.data.len > 0 and a.action != .rewrite) return error.RewriteOutOfPlace;
        try r.text(.text, a.text);
        try r.raw(.carry, a.carry);
        const front = if (a.action == .rewrite) a.data.len + 4 else 0;
        if (front > abi.max_mailbox) return error.ReplyTooLong;
        return reply.verdict(front + r.len, 0, @intFromEnum(a.action), a.code);
    }

    /// place puts the bytes of a rewrite and the entries into the mailbox. The bytes may
    /// lie in the mailbox themselves, so they move first; the entries must not.
    pub fn place(a: Answer, entries: []const u8, box: []u8) reply.AnswerError!void {
        var rest = box;
        if (a.action == .rewrite) {
            if (box.len < 4 + a.data.len) return error.ReplyTooLong;
            @memmove(box[4..][0..a.data.len], a.data);
            std.mem.writeInt(u32, box[0..4], @intCast(a.data.len), .little);
            rest = box[4 + a.data.len ..];
        }
        if (rest.len < entries.len) return error.ReplyTooLong;
        @memcpy(rest[0..entries.len], entries);
    }
};
