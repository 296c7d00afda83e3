const edgeftp = @import("edgeftp");

const Guard = struct {
    limit: u64,

    pub fn fs(self: *Guard, q: edgeftp.fs.Question) !edgeftp.fs.Answer {
        return if (q.size > self.limit) .deny("too long") else .pass;
    }
};

comptime {
    edgeftp.exportPolicy(Guard);
}
