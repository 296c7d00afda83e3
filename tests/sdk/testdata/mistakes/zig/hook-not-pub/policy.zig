const edgeftp = @import("edgeftp");

const Guard = struct {
    fn fs(_: edgeftp.fs.Question) !edgeftp.fs.Answer {
        return .pass;
    }
};

comptime {
    edgeftp.exportPolicy(Guard);
}
