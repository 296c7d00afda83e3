const edgeftp = @import("edgeftp");

const Guard = struct {
    pub fn fs(q: edgeftp.fs.Question) !edgeftp.fs.Answer {
        if (q.op == .write and endsWith(q.path, ".exe")) return .deny("no executables");
        return .pass;
    }
};

comptime {
    edgeftp.exportPolicy(Guard);
}
