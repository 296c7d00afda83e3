//! The way from the mailbox to a policy and back.
const std = @import("std");
const builtin = @import("builtin");
const abi = @import("abi.zig");
const record = @import("record.zig");
const reply = @import("reply.zig");
const settings = @import("settings.zig");
const text = @import("text.zig");
const host = @import("host.zig");

/// The hooks with the names of their exports.
const hooks = .{
    .{ abi.Hook.auth, @import("hooks/auth.zig") },
    .{ abi.Hook.fs, @import("hooks/fs.zig") },
    .{ abi.Hook.list, @import("hooks/list.zig") },
    .{ abi.Hook.cmd, @import("hooks/cmd.zig") },
    .{ abi.Hook.site, @import("hooks/site.zig") },
    .{ abi.Hook.throttle, @import("hooks/throttle.zig") },
    .{ abi.Hook.data, @import("hooks/data.zig") },
    .{ abi.Hook.event, @import("hooks/event.zig") },
    .{ abi.Hook.cert, @import("hooks/cert.zig") },
};

/// exportPolicy makes a module of a policy: it exports exactly the hooks that the struct
/// declares as pub fn. It is called once, in the file policy.zig:
///
///     comptime { edgeftp.exportPolicy(Guard); }
///
/// Each instance of the module has one value of the struct, whose fields all need
/// defaults. The hooks, each with the Question of its namespace, and with or without self:
///
///     pub fn auth(self: *Guard, q: edgeftp.auth.Question) !edgeftp.auth.Answer
///     pub fn fs, list, cmd, site, throttle, data, cert    likewise
///     pub fn event(self: *Guard, q: edgeftp.event.Question) !void
///     pub fn idle(self: *Guard) void      housekeeping between two questions
///
/// A field named settings, which is a struct, is filled from the server's configuration
/// (see edgeftp.settings); then
///
///     pub fn config(self: *Guard) !void
///
/// is called, if it is there, to check and prepare. A policy without the field takes no
/// settings. An error refuses the policy at load, and of a hook the question.
///
/// The manifest's `hooks` names all of them, idle too: a server refuses a module whose
/// exports are others, which finds a hook that was not made pub.
///
/// `pub const mailbox_size` changes the length of the mailbox, in bytes.
pub fn exportPolicy(comptime Policy: type) void {
    comptime {
        @setEvalBranchQuota(10_000);
        check(Policy);
        if (builtin.is_test or !builtin.cpu.arch.isWasm()) return;
        const G = Guest(Policy);
        @export(&G.start, .{ .name = "edgeftp_abi_v1" });
        if (@hasField(Policy, "settings") or @hasDecl(Policy, "config")) @export(&G.configure, .{ .name = "edgeftp_config" });
        if (@hasDecl(Policy, "idle")) @export(&G.idle, .{ .name = "edgeftp_idle" });
        for (hooks) |h| {
            const name = @tagName(h[0]);
            if (@hasDecl(Policy, name)) @export(&G.Export(h[0], h[1]).call, .{ .name = "edgeftp_" ++ name });
        }
    }
}

/// mailboxOf is the length of a policy's mailbox: that of a list holds 256 names of 255
/// bytes, that of data a chunk that has grown to three times its length, that of site all
/// lines.
fn mailboxOf(comptime Policy: type) usize {
    if (@hasDecl(Policy, "mailbox_size")) return Policy.mailbox_size;
    if (@hasDecl(Policy, "data")) return 256 << 10;
    if (@hasDecl(Policy, "list")) return 128 << 10;
    if (@hasDecl(Policy, "site")) return 64 << 10;
    return 32 << 10;
}

/// check says what is wrong with a policy's struct before the compiler does in other words.
fn check(comptime Policy: type) void {
    const name = short(Policy);
    if (@typeInfo(Policy) != .@"struct") @compileError("edgeftp: exportPolicy takes the policy's struct, " ++ name ++ " is none");
    for (@typeInfo(Policy).@"struct".fields) |f| if (f.default_value_ptr == null)
        @compileError("edgeftp: the field " ++ name ++ "." ++ f.name ++ " needs a default: each instance begins with one value of the struct");
    var some = false;
    for (hooks) |h| if (@hasDecl(Policy, @tagName(h[0]))) {
        some = true;
        checkHook(Policy, @tagName(h[0]), h[1]);
    };
    if (!some) @compileError("edgeftp: " ++ name ++ " has no hook. A hook is a pub fn named auth, fs, list, cmd, site, throttle, data, event or cert: is it pub, and inside of the struct?");
    if (@hasDecl(Policy, "config")) checkPlain(Policy, "config", "!void");
    if (@hasDecl(Policy, "idle")) checkPlain(Policy, "idle", "void");
    const size = mailboxOf(Policy);
    const least = if (@hasDecl(Policy, "data")) 81_920 else 4096;
    if (size < least or size > abi.max_mailbox)
        @compileError(std.fmt.comptimePrint("edgeftp: {s}.mailbox_size is {d}, it needs {d} to {d} (guest ABI, section 2)", .{ name, size, least, abi.max_mailbox }));
}

fn checkHook(comptime Policy: type, comptime hook: []const u8, comptime ns: type) void {
    const event = std.mem.eql(u8, hook, "event");
    const is = "edgeftp: the hook is  pub fn " ++ hook ++ "(self: *" ++ short(Policy) ++ ", q: edgeftp." ++ hook ++ ".Question) " ++
        (if (event) "!void" else "!edgeftp." ++ hook ++ ".Answer") ++ "  and this one ";
    const f = switch (@typeInfo(@TypeOf(@field(Policy, hook)))) {
        .@"fn" => |f| f,
        else => @compileError(is ++ "is no function"),
    };
    if (f.params.len < 1 or f.params.len > 2) @compileError(std.fmt.comptimePrint("{s}has {d} parameters", .{ is, f.params.len }));
    const last = f.params[f.params.len - 1].type orelse @compileError(is ++ "takes anytype");
    if (last != ns.Question) @compileError(is ++ "takes " ++ short(last));
    if (f.params.len == 2 and !isSelf(Policy, f.params[0].type)) @compileError(is ++ "does not begin with self");
    const returned = f.return_type orelse @compileError(is ++ "returns what cannot be told");
    const value = switch (@typeInfo(returned)) {
        .error_union => |e| e.payload,
        else => returned,
    };
    if (value != ns.Answer and !(value == void and event)) @compileError(is ++ "returns " ++ short(value));
}

fn checkPlain(comptime Policy: type, comptime name: []const u8, comptime result: []const u8) void {
    const is = "edgeftp: it is  pub fn " ++ name ++ "(self: *" ++ short(Policy) ++ ") " ++ result ++ "  and this one ";
    const f = switch (@typeInfo(@TypeOf(@field(Policy, name)))) {
        .@"fn" => |f| f,
        else => @compileError(is ++ "is no function"),
    };
    if (f.params.len != 1 or !isSelf(Policy, f.params[0].type)) @compileError(is ++ "has other parameters");
    const returned = f.return_type orelse void;
    const fails = @typeInfo(returned) == .error_union and result[0] == '!';
    if (returned != void and !(fails and @typeInfo(returned).error_union.payload == void)) @compileError(is ++ "returns " ++ short(returned));
}

/// short is a type's name as the policy's source writes it.
fn short(comptime T: type) []const u8 {
    const name = @typeName(T);
    if (std.mem.startsWith(u8, name, "hooks.")) return "edgeftp." ++ name["hooks.".len..];
    if (std.mem.startsWith(u8, name, "policy.")) return name["policy.".len..];
    return name;
}

fn isSelf(comptime Policy: type, comptime T: ?type) bool {
    return T == Policy or T == *Policy or T == *const Policy;
}

/// Guest is the one guest of a module: its variables are those of the instance.
fn Guest(comptime Policy: type) type {
    return struct {
        var policy: Policy = .{};
        var box: [mailboxOf(Policy)]u8 align(8) = undefined;
        /// Replies are built here, since answers may point into the mailbox.
        var entries: [reply_room]u8 = undefined;
        /// What the settings' texts and lists are kept in.
        var kept: [128 << 10]u8 align(8) = undefined;

        const reply_room = if (@hasDecl(Policy, "auth") or @hasDecl(Policy, "site")) @max(box.len, 16 << 10) else 16 << 10;

        fn start(_: i32, _: i64) callconv(.c) i64 {
            return @bitCast(@as(u64, box.len) << 32 | @intFromPtr(&box));
        }

        fn configure(len: u32) callconv(.c) i64 {
            enter("config");
            if (len > box.len) return fail("the settings are longer than the mailbox");
            if (@hasField(Policy, "settings")) {
                var fixed: std.heap.FixedBufferAllocator = .init(&kept);
                policy.settings = settings.parse(@FieldType(Policy, "settings"), fixed.allocator(), box[0..len]) catch return fail(text.why());
            } else if (len > 0) return fail("this policy takes no settings");
            if (@hasDecl(Policy, "config")) {
                const done: anyerror!void = policy.config();
                done catch |err| return failOf(err);
            }
            return 0;
        }

        fn idle() callconv(.c) void {
            enter("idle");
            policy.idle();
        }

        fn Export(comptime hook: abi.Hook, comptime ns: type) type {
            return struct {
                fn call(len: u32) callconv(.c) i64 {
                    enter(@tagName(hook));
                    return answer(ns, @tagName(hook), hook, len) catch |err| failOf(err);
                }
            };
        }

        fn answer(comptime ns: type, comptime name: []const u8, hook: abi.Hook, len: u32) anyerror!i64 {
            if (len > box.len) return error.RecordSize;
            var r: record.Record = .{};
            try r.read(box[0..len], hook);
            const q: ns.Question = try .of(&r);
            const function = @field(Policy, name);
            const returned = if (@typeInfo(@TypeOf(function)).@"fn".params.len == 1) function(q) else @field(Policy, name)(self(@TypeOf(function)), q);
            const a = if (@typeInfo(@TypeOf(returned)) == .error_union) try returned else returned;
            if (@TypeOf(a) == void) return 0;
            var out: reply.Reply = .{ .buf = &entries };
            const verdict = encode(a, &out) catch |err| return text.failed("the answer to {s}: {s}", .{ name, reply.words(err) });
            return verdict;
        }

        fn encode(a: anytype, out: *reply.Reply) reply.AnswerError!i64 {
            const verdict = try a.encode(out);
            const written = entries[0..out.len];
            if (@hasDecl(@TypeOf(a), "place")) {
                try a.place(written, &box);
            } else {
                if (written.len > box.len) return error.ReplyTooLong;
                @memcpy(box[0..written.len], written);
            }
            return verdict;
        }

        fn self(comptime F: type) @typeInfo(F).@"fn".params[0].type.? {
            return if (@typeInfo(F).@"fn".params[0].type.? == Policy) policy else &policy;
        }

        fn fail(why: []const u8) i64 {
            return reply.fail(&box, why);
        }

        fn failOf(err: anyerror) i64 {
            return fail(if (err == error.Failed) text.why() else @errorName(err));
        }

        fn enter(comptime what: []const u8) void {
            place = comptime short(Policy) ++ "." ++ what;
            text.reset();
        }
    };
}

/// Where the instance is, for the words of a panic.
var place: []const u8 = "";

/// panic makes the words of a panic lead the server's error, behind the name of the hook.
/// The SDK's root.zig has it; a root of your own says `pub const panic = edgeftp.panic;`.
pub const panic = std.debug.FullPanic(struct {
    fn words(message: []const u8, _: ?usize) noreturn {
        host.stderr(&.{ "panic: ", message, " (in ", place, ")\n" });
        @trap();
    }
}.words);

/// panicAt ends the instance with a message and the place in the source, which Zig knows
/// where it is asked: `edgeftp.panicAt(@src(), "no table for {s}", .{name})`. It is for
/// what cannot be; what may go wrong is an error, which is cheaper and costs no instance.
pub fn panicAt(src: std.builtin.SourceLocation, comptime format: []const u8, args: anytype) noreturn {
    @branchHint(.cold);
    var buf: [600]u8 = undefined;
    var w: std.Io.Writer = .fixed(&buf);
    w.print("{s}:{d}:{d}: ", .{ src.file, src.line, src.column }) catch {}; // it fits, unless a file's name is very long
    w.print(format, args) catch {}; // cut off
    @panic(w.buffered());
}

/// assert panics with the place in the source if ok is false.
pub fn assert(ok: bool, src: std.builtin.SourceLocation, comptime message: []const u8) void {
    if (!ok) panicAt(src, message, .{});
}

test "what a policy is not asked, and what it does not answer" {
    const t = std.testing;
    const P = struct {
        pub fn fs(q: @import("hooks/fs.zig").Question) !@import("hooks/fs.zig").Answer {
            if (q.op == .read) return error.Failed;
            return error.NoTable;
        }
    };
    const G = Guest(P);
    const call = G.Export(.fs, @import("hooks/fs.zig")).call;
    const said = struct {
        fn said(v: i64) ![]const u8 {
            try t.expectEqual(@intFromEnum(abi.Action.fail), v >> 16 & 0xff);
            try t.expectEqual(v >> 32, @as(i64, record.int(u16, &G.box, 2)) + 4);
            return G.box[4..@intCast(v >> 32)];
        }
    }.said;
    @memset(&G.box, 0);
    try t.expectEqualStrings("RecordTooShort", try said(call(10)));
    try t.expectEqualStrings("RecordSize", try said(call(G.box.len + 1)));
    for ([_]abi.Op{ .read, .write, @enumFromInt(0) }, [_][]const u8{ "Failed", "NoTable", "RecordOp" }) |op, want| {
        if (text.failed("an old reason", .{}) != error.Failed) unreachable;
        const end = 56 + 64;
        @memset(G.box[0 .. end + 1], 0);
        for ([_]usize{ 0, 4, 6, 52 }, [_]u32{ end + 1, 2, 0, 8 }) |at, v| std.mem.writeInt(u32, G.box[at..][0..4], v, .little);
        std.mem.writeInt(u16, G.box[6..8], @intFromEnum(op), .little);
        for (0..8) |i| std.mem.writeInt(u32, G.box[56 + 8 * i ..][0..4], end, .little);
        try t.expectEqualStrings(want, try said(call(end + 1)));
    }
    try t.expectEqual(0, G.configure(0));
    try t.expectEqualStrings("this policy takes no settings", try said(G.configure(2)));
    try t.expectEqualStrings("the settings are longer than the mailbox", try said(G.configure(G.box.len + 1)));
}
