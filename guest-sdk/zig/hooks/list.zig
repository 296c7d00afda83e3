//! The hook list: which entries of a directory a session sees (ABI §4).
const std = @import("std");
const abi = @import("../abi.zig");
const record = @import("../record.zig");
const reply = @import("../reply.zig");

/// Entry is what a directory, or edgeftp.stat, tells of a file.
pub const Entry = struct {
    /// never empty, without a slash; empty from edgeftp.stat
    name: []const u8 = "",
    /// st_mode of POSIX, kind and permissions: 0o040755 is a directory
    mode: u32 = 0,
    /// bytes
    size: i64 = 0,
    /// last modification, nanoseconds since 1970 UTC, 0 unknown
    mtime: i64 = 0,

    /// length of the fixed part
    pub const fixed = 32;

    /// isDir reports whether it is a directory.
    pub fn isDir(e: Entry) bool {
        return e.mode & 0o170000 == 0o040000;
    }

    /// facts reads the fixed part but for the name.
    pub fn facts(b: *const [fixed]u8) Entry {
        return .{ .mode = record.int(u32, b, 8), .size = record.int(i64, b, 16), .mtime = record.int(i64, b, 24) };
    }
};

/// Entries are those of a question, in the mailbox, or a list of a test's own.
pub const Entries = union(enum) {
    own: []const Entry,
    raw: struct { record: []const u8, at: usize, len: usize },

    /// count is their number, 1 to 256.
    pub fn count(e: Entries) usize {
        return switch (e) {
            .own => |list| list.len,
            .raw => |raw| raw.len,
        };
    }

    /// get is the entry at index i, which is less than count.
    pub fn get(e: Entries, i: usize) Entry {
        switch (e) {
            .own => |list| return list[i],
            .raw => |raw| {
                const b = raw.record[raw.at + i * Entry.fixed ..][0..Entry.fixed];
                var entry: Entry = .facts(b);
                entry.name = raw.record[record.int(u32, b, 0)..][0..record.int(u32, b, 4)];
                return entry;
            },
        }
    }

    fn read(r: *const record.Record) record.RecordError!Entries {
        const arg = r.span(.arg);
        if (r.a < 1 or r.a > abi.max_entries or @as(usize, @intCast(r.a)) * Entry.fixed > arg.len) return error.BadEntries;
        const n: usize = @intCast(r.a);
        const at = @intFromPtr(arg.ptr) - @intFromPtr(r.bytes.ptr);
        if (at % 8 != 0) return error.BadEntries;
        const first = at + n * Entry.fixed;
        const end = at + arg.len;
        for (0..n) |i| {
            const off: u64 = record.int(u32, arg, i * Entry.fixed);
            const len: u64 = record.int(u32, arg, i * Entry.fixed + 4);
            if (off < first or off + len >= end) return error.BadEntryName;
            const name = r.bytes[@intCast(off)..][0 .. @as(usize, @intCast(len)) + 1];
            if (len == 0 or std.mem.indexOfAny(u8, name, "/\x00") != @as(usize, @intCast(len))) return error.BadEntryName;
        }
        return .{ .raw = .{ .record = r.bytes, .at = at, .len = n } };
    }
};

/// Question is a directory with its entries, or some of them: a long listing comes in
/// several questions with one request number.
pub const Question = struct {
    session: record.Session = .{},
    /// number of the question within its session
    request: u64 = 0,
    /// nanoseconds since 1970 UTC, 0 unknown
    time: i64 = 0,
    /// a trial: the answer has no effect
    shadow: bool = false,
    /// the directory
    path: []const u8 = "/",
    entries: Entries = .{ .own = &.{} },
    /// the bytes that it came from
    record: *const record.Record = &.{},

    /// of reads the question that a checked record of this hook is.
    pub fn of(r: *const record.Record) record.RecordError!Question {
        return .{
            .session = .of(r),
            .request = r.request,
            .time = r.time,
            .shadow = r.flags.shadow,
            .path = r.span(.path),
            .entries = try .read(r),
            .record = r,
        };
    }
};

/// Answer is what the policy says of a listing; the zero value shows all of it.
pub const Answer = struct {
    action: Action = .pass,
    /// 400 to 599 beside deny; 0 is the server's own
    code: u16 = 0,
    /// one line for the client of a refusal
    text: []const u8 = "",
    /// indices of the entries that are not shown: `answer.hidden.set(i)`
    hidden: Hidden = .initEmpty(),

    /// Action is what the hook may return (ABI §6).
    pub const Action = enum(u8) { pass = 0, allow = 1, deny = 2, hide = 4 };
    /// Hidden has a bit for each entry of the question.
    pub const Hidden = std.StaticBitSet(abi.max_entries);

    /// pass is no opinion.
    pub const pass: Answer = .{};
    /// allow shows the listing.
    pub const allow: Answer = .{ .action = .allow };
    /// hide is as deny.
    pub const hide: Answer = .{ .action = .hide };

    /// deny refuses the whole listing with a line for the client.
    pub fn deny(text: []const u8) Answer {
        return .{ .action = .deny, .text = text };
    }

    /// encode writes the entries and returns the verdict.
    pub fn encode(a: Answer, r: *reply.Reply) reply.AnswerError!i64 {
        if (a.code != 0 and (a.action != .deny or a.code < 400 or a.code > 599)) return error.CodeOutOfPlace;
        try r.text(.text, a.text);
        var bits: [abi.max_entries / 8]u8 = @splat(0);
        var n: usize = 0;
        var set = a.hidden.iterator(.{});
        while (set.next()) |i| {
            bits[i / 8] |= @as(u8, 1) << @intCast(i % 8);
            n = i / 8 + 1;
        }
        if (n > 0) {
            if (a.action != .pass and a.action != .allow) return error.HiddenOutOfPlace;
            try r.bytes(.hide_bits, &.{bits[0..n]});
        }
        return reply.verdict(r.len, 0, @intFromEnum(a.action), a.code);
    }
};
