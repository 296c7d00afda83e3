const edgeftp = @import("edgeftp");

const Guard = struct {
    pub fn fs(_: *Guard, q: edgeftp.fs.Question) !bool {
        return q.op != .write;
    }
};

comptime {
    edgeftp.exportPolicy(Guard);
}
