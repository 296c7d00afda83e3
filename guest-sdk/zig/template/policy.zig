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
        const name = std.mem.trimEnd(u8, path, ". "); // Windows drops them
        const dot = std.mem.lastIndexOfScalar(u8, name, '.') orelse return null;
        for (self.settings.deny_extensions) |given| {
            const extension = std.mem.trimStart(u8, given, ".");
            if (std.ascii.eqlIgnoreCase(name[dot + 1 ..], extension)) return extension;
        }
        return null;
    }
};

comptime {
    edgeftp.exportPolicy(Guard);
}
