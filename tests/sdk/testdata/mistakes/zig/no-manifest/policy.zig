const edgeftp = @import("edgeftp");

const Guard = struct {
    pub fn fs(q: edgeftp.fs.Question) !edgeftp.fs.Answer {
        edgeftp.metric.add("asked", 1);
        return if (q.size > 100) .deny("too long") else .pass;
    }
};

comptime {
    edgeftp.exportPolicy(Guard);
}
