//! {{name}} refuses files whose names end with one of the extensions in its settings.
const std = @import("std");
const edgeftp = @import("edgeftp");

pub const Guard = struct {
    settings: struct {
        deny_extensions: []const []const u8 = &.{ "exe", "scr" },
    } = .{},

    /// Asked about every operation on a path. A rename is asked about with both its paths.
    pub fn fs(self: *Guard, q: edgeftp.fs.Question) !edgeftp.fs.Answer {
        switch (q.op) {
            .write, .append, .unique, .commit, .rename, .symlink => {},
            else => return .pass, // no name comes into being
        }
        for (q.paths()) |path| if (self.refuses(path)) |extension| {
            return .deny(edgeftp.print("files of the kind .{s} are not accepted here", .{extension}));
        };
        return .pass;
    }

    fn refuses(self: *Guard, path: []const u8) ?[]const u8 {
        const dot = std.mem.lastIndexOfScalar(u8, path, '.') orelse return null;
        for (self.settings.deny_extensions) |extension| {
            if (std.ascii.eqlIgnoreCase(path[dot + 1 ..], extension)) return extension;
        }
        return null;
    }
};

comptime {
    edgeftp.exportPolicy(Guard);
}
