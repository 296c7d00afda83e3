const edgeftp = @import("edgeftp");

const Guard = struct {
    pub fn fs(q: edgeftp.fs.Question) !edgeftp.fs.Answer {
        _ = q;
        return .{ .action = .allow, .pwhash = "$2y$10$" };
    }
};

comptime {
    edgeftp.exportPolicy(Guard);
}
