const std = @import("std");
const t = std.testing;
const settings = @import("settings.zig");
const text = @import("text.zig");

const Inner = struct { n: i64 = 0, o: struct { n: i64 = 0 } = .{} };
const All = struct {
    ext: []const []const u8 = &.{ "p", "q" },
    n: i64 = 7,
    small: u8 = 1,
    on: bool = true,
    text: []const u8 = "d",
    mode: enum { one, two } = .one,
    maybe: ?u16 = null,
    o: Inner = .{},
    l: []const Inner = &.{},
    ints: []const u16 = &.{},
    any: settings.Map(Inner) = .{},
};

fn parse(comptime T: type, arena: *std.heap.ArenaAllocator, json: []const u8) !T {
    return settings.parse(T, arena.allocator(), json);
}

test "all kinds" {
    var arena: std.heap.ArenaAllocator = .init(t.allocator);
    defer arena.deinit();
    const s = try parse(All, &arena,
        \\ { "ext" : ["a", "b\u00e9\ud83d\ude00"] , "n":-12,"small":255,"on":false,"text":"x\n\"\/\\\b\f\r\t",
        \\  "mode":"two","maybe":5,"o":{"n":1,"o":{"n":2}},"l":[{"n":3},{}],"ints":[1,2],"any":{"k":{"n":4},"m":{}} }
    );
    try t.expectEqualStrings("a", s.ext[0]);
    try t.expectEqualStrings("bé😀", s.ext[1]);
    try t.expectEqualStrings("x\n\"/\\\x08\x0c\r\t", s.text);
    try t.expectEqual(.{ -12, 255, false, .two, 5 }, .{ s.n, s.small, s.on, s.mode, s.maybe.? });
    try t.expectEqual(.{ 1, 2, 3, 0, 2 }, .{ s.o.n, s.o.o.n, s.l[0].n, s.l[1].n, s.ints[1] });
    try t.expectEqual(.{ 4, null, 2 }, .{ s.any.get("k").?.n, s.any.get("x"), s.any.entries.len });
    const empty = try parse(All, &arena, "");
    try t.expectEqual(.{ 2, 7, null, 0 }, .{ empty.ext.len, empty.n, empty.maybe, empty.l.len });
    const none = try parse(All, &arena, "{\"ext\":[],\"any\":{},\"l\": [ ]}");
    try t.expectEqual(.{ 0, 0 }, .{ none.ext.len, none.any.entries.len });
    try t.expectEqual(3, (try parse(struct { n: i64 }, &arena, "{\"n\":3}")).n);
}

test "faults" {
    var arena: std.heap.ArenaAllocator = .init(t.allocator);
    defer arena.deinit();
    for ([_][2][]const u8{
        .{ "[]", "settings, byte 1: want '{'" },
        .{ "{", "settings, byte 2: want '\"'" },
        .{ "{} x", "settings, byte 4: text after the object" },
        .{ "{} \x00", "settings, byte 4: text after the object" },
        .{ "{\"n\":1,}", "settings, byte 8: want '\"'" },
        .{ "{\"n\":1,\"n\":2}", "setting \"n\" is given twice" },
        .{ "{\"n\":1.5}", "settings, byte 7: not a whole number" },
        .{ "{\"n\":1e3}", "settings, byte 7: not a whole number" },
        .{ "{\"n\":01}", "settings, byte 8: not a whole number" },
        .{ "{\"n\":-}", "settings, byte 7: not a whole number" },
        .{ "{\"n\":9223372036854775808}", "setting \"n\" is not a whole number from -9223372036854775808 to 9223372036854775807" },
        .{ "{\"small\":256}", "setting \"small\" is not a whole number from 0 to 255" },
        .{ "{\"small\":-1}", "setting \"small\" is not a whole number from 0 to 255" },
        .{ "{\"n\":null}", "settings, byte 6: want a string, a whole number, true, false, a list or an object" },
        .{ "{\"n\":\"1\"}", "setting \"n\" is not a whole number" },
        .{ "{\"on\":1}", "setting \"on\" is not true or false" },
        .{ "{\"text\":1}", "setting \"text\" is not a string" },
        .{ "{\"ext\":\"x\"}", "setting \"ext\" is not a list of strings" },
        .{ "{\"ext\":[1]}", "setting \"ext[0]\" is not a string" },
        .{ "{\"mode\":\"three\"}", "setting \"mode\" is not one of \"one\", \"two\"" },
        .{ "{\"o\":1}", "setting \"o\" is not an object" },
        .{ "{\"l\":{}}", "setting \"l\" is not a list of objects" },
        .{ "{\"o\":{\"x\":1}}", "unknown setting \"o.x\"" },
        .{ "{\"o\":{\"o\":{\"n\":\"1\"}}}", "setting \"o.o.n\" is not a whole number" },
        .{ "{\"l\":[{\"n\":1},{\"m\":1}]}", "unknown setting \"l[1].m\"" },
        .{ "{\"any\":{\"k\":{},\"k\":{}}}", "setting \"any.k\" is given twice" },
        .{ "{\"any\":{\"k\":{\"n\":true}}}", "setting \"any.k.n\" is not a whole number" },
        .{ "{\"text\":\"", "settings, byte 10: string without an end" },
        .{ "{\"text\":\"\\", "settings, byte 11: string without an end" },
        .{ "{\"text\":\"\\x\"}", "settings, byte 11: unknown escape" },
        .{ "{\"text\":\"\\ud800\"}", "settings, byte 15: half of a surrogate pair" },
        .{ "{\"text\":\"\\ud800\\u0041\"}", "settings, byte 17: half of a surrogate pair" },
        .{ "{\"text\":\"\\udc00\"}", "settings, byte 15: half of a surrogate pair" },
        .{ "{\"text\":\"\\u12\"}", "settings, byte 11: want four hex digits" },
        .{ "{\"text\":\"\\u12", "settings, byte 11: want four hex digits" },
        .{ "{\"text\":\"\n\"}", "settings, byte 10: control character in a string" },
        .{ "{\"text\":\"\xff\"}", "settings, byte 11: string is not UTF-8" },
        .{ "{\"on\":tru}", "settings, byte 7: want true" },
        .{ "{\"extra\":1}", "unknown setting \"extra\"" },
        .{ "{\"l\":" ++ "[" ** 40, "settings, byte 22: too many objects in objects" },
    }) |c| {
        errdefer std.debug.print("settings: {s}\n", .{c[0]});
        try t.expectError(error.Failed, parse(All, &arena, c[0]));
        try t.expectEqualStrings(c[1], text.why());
    }
    try t.expectError(error.Failed, parse(struct { n: i64 }, &arena, "{}"));
    try t.expectEqualStrings("setting \"n\" is missing", text.why());
    var little: [64]u8 = undefined;
    var fixed: std.heap.FixedBufferAllocator = .init(&little);
    try t.expectError(error.Failed, settings.parse(All, fixed.allocator(), "{\"l\":[{},{},{},{},{},{},{}]}"));
    try t.expectEqualStrings("the settings need more memory than there is for them", text.why());
}

// Bytes at random positions of good settings, changed: read or refused, and what is read
// is JSON to std.json too.
test "broken settings" {
    const good = "{\"ext\":[\"a\",\"b\\u00e9\\ud83d\\ude00\"],\"n\":-12,\"on\":false,\"o\":{\"n\":1,\"o\":{}},\"l\":[{\"n\":3},{}],\"any\":{\"k\":{}}}";
    var prng: std.Random.DefaultPrng = .init(t.random_seed);
    const random = prng.random();
    for (0..20_000) |_| {
        var arena: std.heap.ArenaAllocator = .init(t.allocator);
        defer arena.deinit();
        var b = good.*;
        for (0..random.intRangeAtMost(usize, 1, 3)) |_| b[random.uintLessThan(usize, b.len)] = if (random.boolean()) random.int(u8) else "{}[]\",:\\u0tf-"[random.uintLessThan(usize, 13)];
        const cut = b[0..random.intRangeAtMost(usize, 1, b.len)];
        _ = parse(All, &arena, cut) catch continue;
        errdefer std.debug.print("settings: {s}\n", .{cut});
        _ = try std.json.parseFromSliceLeaky(std.json.Value, arena.allocator(), cut, .{});
    }
}
