const edgeftp = @import("edgeftp");

const Guard = struct {
    pub fn fs(q: edgeftp.fs.Question) !edgeftp.fs.Answer {
        edgeftp.assert(q.op != .write, @src(), "nobody writes here");
        if (q.op == .append) edgeftp.panicAt(@src(), "append to {s}", .{q.path});
        return .pass;
    }
};

comptime {
    edgeftp.exportPolicy(Guard);
}
