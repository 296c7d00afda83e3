const edgeftp = @import("edgeftp");

const Guard = struct {
    settings: struct { deny_extensions: []const []const u8 = &.{"exe"} } = .{},

    pub fn fs(_: edgeftp.fs.Question) !edgeftp.fs.Answer {
        return .pass;
    }
};

comptime {
    edgeftp.exportPolicy(Guard);
}
