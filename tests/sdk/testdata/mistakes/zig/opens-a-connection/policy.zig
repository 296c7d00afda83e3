const std = @import("std");
const edgeftp = @import("edgeftp");

const Guard = struct {
    pub fn auth(_: edgeftp.auth.Question) !edgeftp.auth.Answer {
        var client: std.http.Client = .{ .allocator = edgeftp.scratch, .io = std.Io.Threaded.global_single_threaded.io() };
        const r = try client.fetch(.{ .location = .{ .url = "https://example.org/" } });
        return if (r.status == .ok) .allow else .pass;
    }
};

comptime {
    edgeftp.exportPolicy(Guard);
}
