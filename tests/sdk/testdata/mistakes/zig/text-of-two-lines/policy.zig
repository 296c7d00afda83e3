const edgeftp = @import("edgeftp");

const Guard = struct {
    pub fn fs(_: edgeftp.fs.Question) !edgeftp.fs.Answer {
        return .deny("no executables\nask the helpdesk");
    }
};

comptime {
    edgeftp.exportPolicy(Guard);
}
