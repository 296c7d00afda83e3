const edgeftp = @import("edgeftp");

const Capitals = struct {
    pub const mailbox_size = 65536;

    pub fn data(q: edgeftp.data.Question) !edgeftp.data.Answer {
        for (q.data) |*c| c.* |= 0x20;
        return .rewrite(q.data);
    }
};

comptime {
    edgeftp.exportPolicy(Capitals);
}
