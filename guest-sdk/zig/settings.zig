//! The settings of a policy: JSON (RFC 8259) read into a struct of the policy's own. A
//! field with a default may be left out, one without is needed. The fields may be
//!
//!     []const u8            a string
//!     an integer of any size, bool
//!     enum                  a string, one of the names
//!     []const []const u8    a list of strings; also lists of the others
//!     struct, []const T     an object, a list of objects
//!     Map(T)                an object whose keys are the operator's
//!     ?T                    null where it is left out
//!
//! Unknown keys and values of another type are errors whose text names the key.
const std = @import("std");
const text = @import("text.zig");

/// Map is an object with any keys, in the order in which they were given.
pub fn Map(comptime T: type) type {
    return struct {
        entries: []const Entry = &.{},

        /// Entry is one key with its value.
        pub const Entry = struct { key: []const u8, value: T };

        /// get is the value under key, null if there is none.
        pub fn get(m: @This(), key: []const u8) ?T {
            for (m.entries) |e| if (std.mem.eql(u8, e.key, key)) return e.value;
            return null;
        }
    };
}

/// parse reads json into a T; nothing at all is an empty object. What it returns lies in
/// memory of the allocator, which the caller frees as a whole. Its error is
/// error.Failed, with a text that edgeftp.failed made.
pub fn parse(comptime T: type, allocator: std.mem.Allocator, json: []const u8) error{Failed}!T {
    const own = allocator.dupe(u8, if (json.len == 0) "{}" else json) catch return full();
    var syntax: Parser = .{ .in = own, .allocator = allocator };
    try syntax.skip(0);
    if (syntax.peek() != 0 or syntax.at < own.len) return syntax.fault("text after the object");
    var p: Parser = .{ .in = own, .allocator = allocator };
    if (p.peek() != '{') return p.fault("want '{'");
    return p.object(T, .{});
}

fn full() error{Failed} {
    return text.failed("the settings need more memory than there is for them", .{});
}

/// Path is where a value stands, for the words of a fault.
const Path = struct {
    up: ?*const Path = null,
    name: []const u8 = "",
    index: ?usize = null,

    /// format writes it as `l[1].o.n`.
    pub fn format(p: Path, w: *std.Io.Writer) std.Io.Writer.Error!void {
        if (p.up) |up| if (up.name.len > 0 or up.index != null) {
            try up.format(w);
            if (p.index == null) try w.writeByte('.');
        };
        if (p.index) |i| return w.print("[{d}]", .{i});
        try w.writeAll(p.name);
    }
};

const Parser = struct {
    in: []u8,
    at: usize = 0,
    allocator: std.mem.Allocator,

    const Fault = error{Failed};

    fn fault(p: *Parser, what: []const u8) Fault {
        return text.failed("settings, byte {d}: {s}", .{ p.at + 1, what });
    }

    fn wrong(path: Path, comptime what: []const u8) Fault {
        return text.failed("setting \"{f}\" is not " ++ what, .{path});
    }

    /// peek is the next byte that is no space, 0 at the end.
    fn peek(p: *Parser) u8 {
        while (p.at < p.in.len) : (p.at += 1) switch (p.in[p.at]) {
            ' ', '\t', '\r', '\n' => {},
            else => |c| return c,
        };
        return 0;
    }

    fn want(p: *Parser, comptime c: u8) Fault!void {
        if (p.peek() != c) return p.fault("want '" ++ [1]u8{c} ++ "'");
        p.at += 1;
    }

    /// more reports whether another element follows the one before, or the first.
    fn more(p: *Parser, first: bool, comptime end: u8) Fault!bool {
        if (first) {
            if (p.peek() != end) return true;
        } else if (p.peek() == ',') {
            p.at += 1;
            return true;
        }
        try p.want(end);
        return false;
    }

    /// skip checks the syntax of one value and goes behind it.
    fn skip(p: *Parser, depth: u8) Fault!void {
        if (depth > 16) return p.fault("too many objects in objects");
        switch (p.peek()) {
            '{' => {
                p.at += 1;
                var first = true;
                while (try p.more(first, '}')) : (first = false) {
                    try p.skipString();
                    try p.want(':');
                    try p.skip(depth + 1);
                }
            },
            '[' => {
                p.at += 1;
                var first = true;
                while (try p.more(first, ']')) : (first = false) try p.skip(depth + 1);
            },
            '"' => try p.skipString(),
            't' => try p.word("true"),
            'f' => try p.word("false"),
            '-', '0'...'9' => try p.digits(),
            else => return p.fault("want a string, a whole number, true, false, a list or an object"),
        }
    }

    fn word(p: *Parser, comptime w: []const u8) Fault!void {
        if (!std.mem.startsWith(u8, p.in[p.at..], w)) return p.fault("want " ++ w);
        p.at += w.len;
    }

    fn digits(p: *Parser) Fault!void {
        if (p.in[p.at] == '-') p.at += 1;
        const start = p.at;
        while (p.at < p.in.len and std.ascii.isDigit(p.in[p.at])) p.at += 1;
        const n = p.at - start;
        const c: u8 = if (p.at < p.in.len) p.in[p.at] else 0;
        if (n == 0 or (n > 1 and p.in[start] == '0') or c == '.' or c == 'e' or c == 'E')
            return p.fault("not a whole number");
    }

    fn skipString(p: *Parser) Fault!void {
        try p.want('"');
        const start = p.at;
        while (p.at < p.in.len) : (p.at += 1) switch (p.in[p.at]) {
            '"' => {
                if (!std.unicode.utf8ValidateSlice(p.in[start..p.at])) return p.fault("string is not UTF-8");
                p.at += 1;
                return;
            },
            '\\' => {
                p.at += 1;
                if (p.at >= p.in.len) break;
                switch (p.in[p.at]) {
                    '"', '\\', '/', 'b', 'f', 'n', 'r', 't' => {},
                    'u' => try p.skipUnicode(),
                    else => return p.fault("unknown escape"),
                }
            },
            0...0x1f => return p.fault("control character in a string"),
            else => {},
        };
        return p.fault("string without an end");
    }

    /// skipUnicode stands at the u and stays at the last hex digit.
    fn skipUnicode(p: *Parser) Fault!void {
        const high = try p.hex4();
        p.at += 4;
        if (high < 0xd800 or high > 0xdfff) return;
        if (high > 0xdbff or !std.mem.startsWith(u8, p.in[p.at + 1 ..], "\\u")) return p.fault("half of a surrogate pair");
        p.at += 2;
        const low = try p.hex4();
        if (low < 0xdc00 or low > 0xdfff) return p.fault("half of a surrogate pair");
        p.at += 4;
    }

    /// hex4 is the number of the four digits behind the u.
    fn hex4(p: *Parser) Fault!u21 {
        if (p.in.len - p.at < 5) return p.fault("want four hex digits");
        var n: u21 = 0;
        for (p.in[p.at + 1 ..][0..4]) |c|
            n = n << 4 | (std.fmt.charToDigit(c, 16) catch return p.fault("want four hex digits"));
        return n;
    }

    /// string reads a string whose syntax was checked. It unfolds escapes in place: they
    /// are never shorter than what they stand for.
    fn string(p: *Parser) []const u8 {
        _ = p.peek();
        p.at += 1;
        const start = p.at;
        var n = start;
        while (p.in[p.at] != '"') : (p.at += 1) {
            if (p.in[p.at] != '\\') {
                p.in[n] = p.in[p.at];
                n += 1;
                continue;
            }
            p.at += 1;
            const c: u8 = switch (p.in[p.at]) {
                'b' => 8,
                'f' => 12,
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    n += p.unicode(n);
                    continue;
                },
                else => |same| same,
            };
            p.in[n] = c;
            n += 1;
        }
        p.at += 1;
        // What was read stays readable as a string of the same syntax: nobody reads it again.
        return p.in[start..n];
    }

    fn unicode(p: *Parser, n: usize) usize {
        var r = p.hex4() catch unreachable; // checked by skip
        p.at += 4;
        if (r >= 0xd800 and r <= 0xdbff) {
            p.at += 2;
            const low = p.hex4() catch unreachable; // checked by skip
            p.at += 4;
            r = 0x10000 + ((r - 0xd800) << 10 | (low - 0xdc00));
        }
        return std.unicode.utf8Encode(r, p.in[n..][0..4]) catch unreachable; // no surrogate is left
    }

    fn object(p: *Parser, comptime T: type, path: Path) Fault!T {
        if (p.peek() != '{') return wrong(path, "an object");
        p.at += 1;
        const fields = @typeInfo(T).@"struct".fields;
        var out: T = undefined;
        var seen: [fields.len]bool = @splat(false);
        var first = true;
        while (try p.more(first, '}')) : (first = false) {
            const key = p.string();
            const here: Path = .{ .up = &path, .name = key };
            try p.want(':');
            var known = false;
            inline for (fields, 0..) |f, i| if (std.mem.eql(u8, key, f.name)) {
                if (seen[i]) return text.failed("setting \"{f}\" is given twice", .{here});
                seen[i] = true;
                known = true;
                @field(out, f.name) = try p.value(f.type, here);
            };
            if (!known) return text.failed("unknown setting \"{f}\"", .{here});
        }
        inline for (fields, 0..) |f, i| if (!seen[i]) {
            const here: Path = .{ .up = &path, .name = f.name };
            @field(out, f.name) = if (f.defaultValue()) |d| d else if (@typeInfo(f.type) == .optional) null else return text.failed("setting \"{f}\" is missing", .{here});
        };
        return out;
    }

    fn value(p: *Parser, comptime T: type, path: Path) Fault!T {
        if (T == []const u8) {
            if (p.peek() != '"') return wrong(path, "a string");
            return p.string();
        }
        switch (@typeInfo(T)) {
            .bool => {
                const c = p.peek();
                if (c != 't' and c != 'f') return wrong(path, "true or false");
                p.at += if (c == 't') 4 else 5;
                return c == 't';
            },
            .int => return p.number(T, path),
            .optional => |o| return try p.value(o.child, path),
            .@"enum" => return p.name(T, path),
            .@"struct" => {
                if (@hasDecl(T, "Entry")) return p.map(T, path);
                return p.object(T, path);
            },
            .pointer => |ptr| if (ptr.size == .slice) return p.list(ptr.child, path),
            else => {},
        }
        @compileError("edgeftp: a setting cannot be a " ++ @typeName(T) ++ "; see guest-sdk/zig/settings.zig for what it can be");
    }

    fn number(p: *Parser, comptime T: type, path: Path) Fault!T {
        const c = p.peek();
        if (c != '-' and !std.ascii.isDigit(c)) return wrong(path, "a whole number");
        const start = p.at;
        p.digits() catch unreachable; // checked by skip
        return std.fmt.parseInt(T, p.in[start..p.at], 10) catch wrong(path, std.fmt.comptimePrint("a whole number from {d} to {d}", .{ std.math.minInt(T), std.math.maxInt(T) }));
    }

    fn name(p: *Parser, comptime T: type, path: Path) Fault!T {
        comptime var names: []const u8 = "";
        inline for (@typeInfo(T).@"enum".fields, 0..) |f, i| names = names ++ (if (i > 0) ", " else "") ++ "\"" ++ f.name ++ "\"";
        if (p.peek() != '"') return wrong(path, "one of " ++ names);
        return std.meta.stringToEnum(T, p.string()) orelse wrong(path, "one of " ++ names);
    }

    /// count is how many elements the list has at whose bracket p stands.
    fn count(p: *Parser, comptime end: u8) usize {
        var ahead = p.*;
        ahead.at += 1;
        var n: usize = 0;
        while (ahead.more(n == 0, end) catch unreachable) : (n += 1) { // checked by skip
            if (end == '}') {
                ahead.skipString() catch unreachable; // checked by skip
                ahead.want(':') catch unreachable; // checked by skip
            }
            ahead.skip(0) catch unreachable; // checked by skip
        }
        return n;
    }

    fn list(p: *Parser, comptime T: type, path: Path) Fault![]const T {
        if (p.peek() != '[') return wrong(path, "a list of " ++ comptime plural(T));
        const out = p.allocator.alloc(T, p.count(']')) catch return full();
        p.at += 1;
        for (out, 0..) |*e, i| {
            _ = try p.more(i == 0, ']');
            e.* = try p.value(T, .{ .up = &path, .index = i });
        }
        _ = try p.more(out.len == 0, ']');
        return out;
    }

    fn plural(comptime T: type) []const u8 {
        if (T == []const u8) return "strings";
        return switch (@typeInfo(T)) {
            .@"struct" => "objects",
            .int => "whole numbers",
            .@"enum" => "strings",
            .bool => "truths",
            else => "lists",
        };
    }

    fn map(p: *Parser, comptime T: type, path: Path) Fault!T {
        if (p.peek() != '{') return wrong(path, "an object");
        const out = p.allocator.alloc(T.Entry, p.count('}')) catch return full();
        p.at += 1;
        for (out, 0..) |*e, i| {
            _ = try p.more(i == 0, '}');
            e.key = p.string();
            const here: Path = .{ .up = &path, .name = e.key };
            for (out[0..i]) |before| if (std.mem.eql(u8, before.key, e.key)) return text.failed("setting \"{f}\" is given twice", .{here});
            try p.want(':');
            e.value = try p.value(@FieldType(T.Entry, "value"), here);
        }
        _ = try p.more(out.len == 0, '}');
        return .{ .entries = out };
    }
};
