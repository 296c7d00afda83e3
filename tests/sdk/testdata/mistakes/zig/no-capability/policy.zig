const edgeftp = @import("edgeftp");

const Counter = struct {
    pub fn fs(q: edgeftp.fs.Question) !edgeftp.fs.Answer {
        const n = try edgeftp.kv.incr(q.session.user, 1, 60_000);
        return if (n > 100) .deny("not so fast") else .pass;
    }
};

comptime {
    edgeftp.exportPolicy(Counter);
}
