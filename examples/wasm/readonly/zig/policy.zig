//! Readonly refuses every operation that would change something, whatever the users'
//! permissions say.
const edgeftp = @import("edgeftp");

const Readonly = struct {
    pub fn fs(q: edgeftp.fs.Question) edgeftp.fs.Answer {
        return if (q.changes()) .deny("this server is read-only") else .pass;
    }
};

comptime {
    edgeftp.exportPolicy(Readonly);
}

test "an operation of a later server is refused" {
    const later: edgeftp.Op = @enumFromInt(@intFromEnum(edgeftp.Op.symlink) + 1);
    try @import("std").testing.expectEqual(.deny, Readonly.fs(.{ .op = later, .path = "/a" }).action);
}
