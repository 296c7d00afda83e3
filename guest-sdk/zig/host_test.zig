const std = @import("std");
const t = std.testing;
const edgeftp = @import("edgeftp.zig");

test "without a host all is denied" {
    var b: [8]u8 = undefined;
    try t.expectError(error.Denied, edgeftp.kv.get("k", &b));
    try t.expectError(error.Denied, edgeftp.kv.set("k", "", 0));
    try t.expectError(error.Denied, edgeftp.stat("/a"));
    try t.expectError(error.Denied, edgeftp.verify("h"));
    try t.expectError(error.Denied, edgeftp.fetch(.{ .url = "https://example.org/" }, &.{}) catch |err| if (err == error.Size) error.Denied else err);
}

test "values" {
    var host: edgeftp.testing.Host = .init(t.allocator);
    defer host.deinit();
    host.install();
    const kv = edgeftp.kv;
    var b: [16]u8 = undefined;
    try t.expectEqual(null, try kv.get("k", &b));
    try kv.set("k", "value", 100);
    try t.expectEqualStrings("value", (try kv.get("k", &b)).?);
    try t.expectError(error.Size, kv.get("k", b[0..4]));
    try t.expectError(error.Size, kv.get("", &b));
    try t.expectError(error.Size, kv.set("k" ** 257, "", 0));
    try t.expectError(error.Size, kv.set("k", "x" ** 4097, 0));
    try t.expectError(error.Type, kv.incr("k", 1, 0));
    host.kv.now = 100;
    try t.expectEqual(null, try kv.get("k", &b));
    try t.expectEqual(7, try kv.incr("n", 7, 50));
    try t.expectEqual(5, try kv.incr("n", -2, 5000));
    host.kv.now = 150;
    try t.expectEqual(std.math.maxInt(i64), try kv.incr("n", std.math.maxInt(i64), 0));
    try t.expectEqual(std.math.maxInt(i64), try kv.incr("n", 1, 0));
    try t.expect(try kv.swap("s", null, "a", 0));
    try t.expect(!try kv.swap("s", null, "b", 0));
    try t.expect(!try kv.swap("s", "b", "c", 0));
    try t.expect(try kv.swap("s", "a", null, 0));
    try t.expectEqual(null, try kv.get("s", &b));
    try kv.set("r", "", 0);
    try t.expectEqualStrings("", (try kv.get("r", &b)).?);
    try kv.remove("r");
    try kv.remove("r");
    try t.expectEqual(null, host.kv.get("r"));
}

test "the rest" {
    var host: edgeftp.testing.Host = .init(t.allocator);
    defer host.deinit();
    host.install();
    edgeftp.log(.warn, "a line");
    try t.expect(host.logged("a line"));
    try t.expectEqual(2, host.log.items[0].level);
    edgeftp.metric.add("n", 2);
    edgeftp.metric.add("n", -5);
    edgeftp.metric.set("g", -3);
    try t.expectEqual(.{ 2, -3 }, .{ host.metrics.get("n").?, host.metrics.get("g").? });
    var b: [5000]u8 = @splat(0);
    edgeftp.random(&b);
    try t.expect(!std.mem.allEqual(u8, b[4096..], 0));
    try t.expectError(error.Denied, edgeftp.verify("h"));
    host.hash = "h";
    try t.expect(try edgeftp.verify("h"));
    try t.expect(!try edgeftp.verify("i"));
    try host.addFile("/a", .{ .entry = .{ .mode = 0o100600, .mtime = 9 }, .data = "abc" });
    const e = try edgeftp.stat("/a");
    try t.expectEqual(.{ 0o100600, 3, 9, false }, .{ e.mode, e.size, e.mtime, e.isDir() });
    try t.expectError(error.NotFound, edgeftp.stat("/b"));
    try t.expectError(error.Invalid, edgeftp.stat("b"));
    try t.expectError(error.NotFound, edgeftp.digest("MD5", &b));
    host.file = "/a";
    try t.expectEqualStrings("900150983cd24fb0d6963f7d28e17f72", &std.fmt.bytesToHex((try edgeftp.digest("MD5", &b))[0..16].*, .lower));
    try t.expectEqual(.{ 32, 64, 20, 4 }, .{ (try edgeftp.digest("SHA-256", &b)).len, (try edgeftp.digest("SHA-512", &b)).len, (try edgeftp.digest("SHA-1", &b)).len, (try edgeftp.digest("CRC32", &b)).len });
    try t.expectError(error.Invalid, edgeftp.digest("SHA-3", &b));
    try t.expectError(error.Size, edgeftp.digest("MD5", b[0..15]));
}

test "fetch" {
    var host: edgeftp.testing.Host = .init(t.allocator);
    defer host.deinit();
    host.install();
    var b: [256]u8 = undefined;
    try host.respond("POST https://example.org/a", .{ .status = 418, .headers = &.{.{ .name = "etag", .value = "x" }}, .body = "tea" });
    const r = try edgeftp.fetch(.{ .method = "POST", .url = "https://example.org/a", .body = "b" }, &b);
    try t.expectEqual(418, r.status);
    try t.expectEqualStrings("tea", r.body);
    try t.expectEqualStrings("x", r.header("etag").?);
    try t.expectError(error.Denied, edgeftp.fetch(.{ .url = "https://example.org/b" }, &b));
    try t.expectEqualStrings("GET https://example.org/b", host.fetched.items[1]);
    try t.expectError(error.Size, edgeftp.fetch(.{ .method = "POST", .url = "https://example.org/a" }, b[0..64]));
}
