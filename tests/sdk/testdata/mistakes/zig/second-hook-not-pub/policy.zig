const edgeftp = @import("edgeftp");

const Guard = struct {
    pub fn fs(_: edgeftp.fs.Question) !edgeftp.fs.Answer {
        return .pass;
    }

    fn event(_: edgeftp.event.Question) !void {}
};

comptime {
    edgeftp.exportPolicy(Guard);
}
