const edgeftp = @import("edgeftp");

const Guard = struct {
    pub fn fs(_: *Guard, q: edgeftp.auth.Question) !edgeftp.auth.Answer {
        return if (q.session.user.len == 0) .deny("who?") else .pass;
    }
};

comptime {
    edgeftp.exportPolicy(Guard);
}
