const std = @import("std");
const edgeftp = @import("edgeftp");

const Guard = struct {
    pub fn fs(_: edgeftp.fs.Question) !edgeftp.fs.Answer {
        const list = try std.posix.openat(std.posix.AT.FDCWD, "/etc/denied", .{}, 0);
        return if (list > 0) .deny("it is there") else .pass;
    }
};

comptime {
    edgeftp.exportPolicy(Guard);
}
