const edgeftp = @import("edgeftp");

const Guard = struct {
    pub fn fs(q: edgeftp.fs.Question) !edgeftp.fs.Answer {
        return if (q.path[q.path.len] == '/') .deny("a directory") else .pass;
    }
};

comptime {
    edgeftp.exportPolicy(Guard);
}
