//! The mirror says what the SDK reads of a record and writes the answers that it is told
//! to: tests/sdk holds it against the golden vectors. The first byte of a chunk says what
//! is asked.
const std = @import("std");
const edgeftp = @import("edgeftp");
const abi = edgeftp.abi;

const Writer = std.Io.Writer;
const Refused = error{Refused};

/// The hooks by number.
const hooks = .{ edgeftp.auth, edgeftp.fs, edgeftp.list, edgeftp.cmd, edgeftp.site, edgeftp.throttle, edgeftp.data, edgeftp.event, edgeftp.cert };

const Mirror = struct {
    out: [200 << 10]u8 = undefined,
    copy: [abi.max_chunk]u8 = undefined,

    pub fn data(self: *Mirror, q: edgeftp.data.Question) !edgeftp.data.Answer {
        var w: Writer = .fixed(&self.out);
        const chunk = self.copy[0..q.data.len];
        @memcpy(chunk, q.data);
        var in: Reader = .{ .rest = chunk };
        tell(&w, &in) catch |err| {
            if (err != error.Refused) return err;
            w.end = 0;
            try w.writeAll("refused\n");
        };
        return .rewrite(w.buffered());
    }
};

comptime {
    edgeftp.exportPolicy(Mirror);
}

fn tell(w: *Writer, in: *Reader) !void {
    switch (if (in.rest.len > 0) try in.int(u8) else '?') {
        'Q' => try question(w, try in.int(u8), in.rest),
        'A' => try answer(w, in),
        'I' => try import(w, in),
        else => try w.writeAll("unknown\n"),
    }
}

/// Reader cuts the chunk into its pieces.
const Reader = struct {
    rest: []u8,

    fn bytes(r: *Reader, n: usize) Refused![]u8 {
        if (r.rest.len < n) return error.Refused;
        defer r.rest = r.rest[n..];
        return r.rest[0..n];
    }

    fn int(r: *Reader, comptime T: type) Refused!T {
        return std.mem.readInt(T, (try r.bytes(@sizeOf(T)))[0..@sizeOf(T)], .little);
    }

    fn optional(r: *Reader) Refused!?[]u8 {
        const n = try r.int(u32);
        return if (n == 0xffffffff) null else try r.bytes(n);
    }

    fn string(r: *Reader) Refused![]u8 {
        return try r.optional() orelse error.Refused;
    }
};

fn question(w: *Writer, kind: u8, bytes: []u8) !void {
    inline for (hooks, 1..) |ns, number| if (kind == number) {
        var r: edgeftp.Record = .{};
        r.read(bytes, @enumFromInt(number)) catch return error.Refused;
        const q = ns.Question.of(&r) catch return error.Refused;
        return dump(w, q.record, @enumFromInt(number), if (ns == edgeftp.list) q.entries else null);
    };
    return error.Refused;
}

fn dump(w: *Writer, r: *const edgeftp.Record, hook: abi.Hook, entries: anytype) !void {
    try w.print("op {d}\nsession {d}\nrequest {d}\ntime {d}\na {d}\nb {d}\nflags {d}\n", .{ r.op, r.session, r.request, r.time, r.a, r.b, @as(u32, @bitCast(r.flags)) });
    inline for (@typeInfo(abi.Span).@"enum".fields) |f| if (f.value < hook.spans()) {
        var upper: [f.name.len]u8 = undefined;
        try w.print("{s} {x}\n", .{ std.ascii.upperString(&upper, f.name), r.span(@enumFromInt(f.value)) });
    };
    for (1..abi.Attr.end) |key| if (r.attr(@enumFromInt(key))) |v| try w.print("attr {d} {x}\n", .{ key, v });
    if (@TypeOf(entries) == @TypeOf(null)) return;
    for (0..entries.count()) |i| {
        const e = entries.get(i);
        try w.print("entry {d} {d} {d} {x}\n", .{ e.mode, e.size, e.mtime, e.name });
    }
}

/// answer builds an answer with the struct of its hook: each entry sets its field.
fn answer(w: *Writer, in: *Reader) !void {
    const kind = try in.int(u8);
    const action = try in.int(u8);
    const flags = try in.int(u8);
    const code = try in.int(u16);
    const bytes = try in.bytes(try in.int(u32));
    if (action == 5) return failure(w, flags, code, in);
    inline for (hooks, 1..) |ns, number| if (kind == number) {
        var a: ns.Answer = .{};
        if (@hasField(ns.Answer, "action")) {
            a.action = std.enums.fromInt(ns.Answer.Action, action) orelse return error.Refused;
        } else if (action != 0) return error.Refused;
        if (@hasField(ns.Answer, "code")) a.code = code else if (code != 0) return error.Refused;
        if (@hasField(ns.Answer, "final")) a.final = flags & 1 != 0 else if (flags != 0) return error.Refused;
        if (@hasField(ns.Answer, "data")) a.data = bytes;
        while (in.rest.len > 0) {
            const key = try in.int(u16);
            try set(ns, &a, std.enums.fromInt(abi.Key, key) orelse return error.Refused, try in.bytes(try in.int(u16)));
        }
        if (@hasField(ns.Answer, "cache_ms") and (flags & 2 != 0) != (a.cache_ms > 0)) return error.Refused;
        return write(w, a);
    };
    return error.Refused;
}

fn failure(w: *Writer, flags: u8, code: u16, in: *Reader) !void {
    if (flags != 0 or code != 0) return error.Refused;
    var text: []const u8 = "";
    while (in.rest.len > 0) {
        if (try in.int(u16) != @intFromEnum(abi.Key.text)) return error.Refused;
        text = try in.bytes(try in.int(u16));
    }
    var reply: [600]u8 = undefined;
    const verdict = edgeftp.reply.fail(&reply, text);
    try w.writeInt(i64, verdict, .little);
    try w.writeAll(reply[0..@intCast(verdict >> 32)]);
}

fn write(w: *Writer, a: anytype) !void {
    const verdict_at = w.end;
    try w.writeInt(i64, 0, .little);
    var entries: [16 << 10]u8 = undefined;
    var r: edgeftp.reply.Reply = .{ .buf = &entries };
    const verdict = a.encode(&r) catch return error.Refused;
    if (@hasDecl(@TypeOf(a), "place")) {
        a.place(entries[0..r.len], w.buffer[w.end..]) catch return error.Refused;
        w.advance(@intCast(verdict >> 32));
    } else try w.writeAll(entries[0..r.len]);
    std.mem.writeInt(i64, w.buffer[verdict_at..][0..8], verdict, .little);
}

/// Lines, rules and networks of the answer that is being built.
var lines: [abi.max_lines][]const u8 = undefined;
var rules: [abi.max_rules]edgeftp.Rule = undefined;
var networks: [abi.max_networks][]const u8 = undefined;

fn set(comptime ns: type, a: *ns.Answer, key: abi.Key, v: []const u8) Refused!void {
    const A = ns.Answer;
    switch (key) {
        inline .rate_down, .rate_up, .max_file_size => |k| if (@hasField(A, "limits")) {
            @field(a.limits, @tagName(k)) = try numeral(u64, v);
            return;
        },
        .data_tls_required => if (@hasField(A, "limits")) {
            a.limits.data_tls = try numeral(u8, v) == 1;
            return;
        },
        .ttl_ms => {
            if (@hasField(A, "cache_ms")) a.cache_ms = try numeral(u32, v) else if (@hasField(A, "ttl_ms")) a.ttl_ms = try numeral(u32, v) else return error.Refused;
            return;
        },
        .perms => if (@hasField(A, "perms")) {
            a.perms = edgeftp.Perms.parse(v) catch return error.Refused;
            return;
        },
        .expires => if (@hasField(A, "expires")) {
            a.expires = try numeral(u64, v);
            return;
        },
        .anonymous => if (@hasField(A, "anonymous")) {
            a.anonymous = try numeral(u8, v) == 1;
            return;
        },
        .lenient => if (@hasField(A, "lenient")) {
            a.lenient = @bitCast(try numeral(u8, v));
            return;
        },
        .max_sessions => if (@hasField(A, "max_sessions")) {
            a.max_sessions = try numeral(u32, v);
            return;
        },
        .rate => if (@hasField(A, "rate")) {
            a.rate = try numeral(u64, v);
            return;
        },
        .hide_bits => if (@hasField(A, "hidden")) {
            for (0..v.len * 8) |i| if (v[i / 8] >> @intCast(i % 8) & 1 != 0) a.hidden.set(i);
            return;
        },
        .line => if (@hasField(A, "lines")) {
            if (a.lines.len == lines.len) return error.Refused;
            lines[a.lines.len] = v;
            a.lines = lines[0 .. a.lines.len + 1];
            return;
        },
        .network => if (@hasField(A, "networks")) {
            if (a.networks.len == networks.len) return error.Refused;
            networks[a.networks.len] = v;
            a.networks = networks[0 .. a.networks.len + 1];
            return;
        },
        .rule => if (@hasField(A, "rules")) {
            var parts = std.mem.splitScalar(u8, v, 0);
            const dir = parts.next().?;
            const letters = parts.next() orelse return error.Refused;
            if (a.rules.len == rules.len or parts.rest().len > 1) return error.Refused;
            rules[a.rules.len] = .{ .dir = dir, .perms = edgeftp.Perms.parse(letters) catch return error.Refused, .recursive = v[v.len - 1] == 1 };
            a.rules = rules[0 .. a.rules.len + 1];
            return;
        },
        inline else => |k| if (@hasField(A, @tagName(k))) {
            @field(a, @tagName(k)) = v;
            return;
        },
    }
    return error.Refused;
}

fn numeral(comptime T: type, v: []const u8) Refused!T {
    if (v.len != @sizeOf(T)) return error.Refused;
    return std.mem.readInt(T, v[0..@sizeOf(T)], .little);
}

fn import(w: *Writer, in: *Reader) !void {
    var out: [4096]u8 = undefined;
    const result: struct { i64, []const u8 } = call(try in.int(u8), in, &out) catch |err| switch (err) {
        error.Refused => return error.Refused,
        else => |e| .{ abi.codeOf(e), "" },
    };
    try w.print("result {d}\n", .{result[0]});
    if (result[1].len > 0) try w.print("out {x}\n", .{result[1]});
}

fn call(which: u8, in: *Reader, out: *[4096]u8) (edgeftp.Error || Refused)!struct { i64, []const u8 } {
    switch (which) {
        0 => {
            const level = try in.int(i64);
            edgeftp.log(std.enums.fromInt(edgeftp.Level, level) orelse return error.Refused, try in.string());
        },
        1 => {
            const v = try edgeftp.kv.get(try in.string(), out) orelse return error.NotFound;
            return .{ @intCast(v.len), v };
        },
        2 => {
            const key, const value = .{ try in.string(), try in.optional() };
            if (value) |v| try edgeftp.kv.set(key, v, try in.int(i64)) else try edgeftp.kv.remove(key);
        },
        3 => {
            const sum = try edgeftp.kv.incr(try in.string(), try in.int(i64), try in.int(i64));
            std.mem.writeInt(i64, out[0..8], sum, .little);
            return .{ 0, out[0..8] };
        },
        4 => {
            const swapped = try edgeftp.kv.swap(try in.string(), try in.optional(), try in.optional(), try in.int(i64));
            return .{ @intFromBool(swapped), "" };
        },
        5 => {
            const name, const kind, const value = .{ try in.string(), try in.int(i64), try in.int(i64) };
            if (kind == 0) edgeftp.metric.add(name, value) else edgeftp.metric.set(name, value);
        },
        6 => {
            const n = try in.int(i64);
            if (n < 0 or n > out.len) return error.Refused;
            edgeftp.random(out[0..@intCast(n)]);
            return .{ 0, out[0..@intCast(n)] };
        },
        7 => return .{ @intFromBool(try edgeftp.verify(try in.string())), "" },
        8 => {
            const e = try edgeftp.stat(try in.string());
            @memset(out[0..32], 0);
            std.mem.writeInt(u32, out[8..12], e.mode, .little);
            std.mem.writeInt(i64, out[16..24], e.size, .little);
            std.mem.writeInt(i64, out[24..32], e.mtime, .little);
            return .{ 32, out[0..32] };
        },
        9 => {
            const sum = try edgeftp.digest(try in.string(), out);
            return .{ @intCast(sum.len), sum };
        },
        10 => {
            const r = try edgeftp.fetch(.{ .method = try in.string(), .url = try in.string(), .body = try in.string() }, out);
            return .{ @intCast(r.entries.len + 4), r.entries };
        },
        else => return error.Refused,
    }
    return .{ 0, "" };
}
