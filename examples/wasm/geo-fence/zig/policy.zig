//! Geo-fence refuses clients by the country of their network. The table of networks is a
//! part of the module: nothing is asked of anybody.
const std = @import("std");
const edgeftp = @import("edgeftp");
const table = @import("table.zig");

pub const GeoFence = struct {
    settings: Settings = .{},

    pub const Settings = struct {
        /// if there are any, only these may come
        allow: []const []const u8 = &.{},
        /// these may not; deny wins over allow
        deny: []const []const u8 = &.{},
        /// addresses in no network of the table
        unknown: enum { pass, deny } = .deny,
    };

    /// A country that the table does not have is a slip that would let everybody in, or
    /// nobody.
    pub fn config(self: *GeoFence) !void {
        for ([_][]const []const u8{ self.settings.allow, self.settings.deny }) |list| for (list) |text| {
            const country = table.code(text) orelse return edgeftp.failed("\"{s}\" is no country: two capitals", .{text});
            if (!table.has(country)) return edgeftp.failed("\"{s}\" is the country of no network in the table", .{text});
        };
    }

    /// auth refuses the login, whatever other policies say of the user.
    pub fn auth(self: *GeoFence, q: edgeftp.auth.Question) edgeftp.auth.Answer {
        return .deny(self.refusal(q.session) orelse return .pass);
    }

    /// cmd refuses USER, so that nobody outside of the fence tries passwords.
    pub fn cmd(self: *GeoFence, q: edgeftp.cmd.Question) edgeftp.cmd.Answer {
        if (!std.mem.eql(u8, q.verb, "USER")) return .pass;
        return .{ .action = .deny, .code = 530, .text = self.refusal(q.session) orelse return .pass };
    }

    /// refusal is what is said, null if the client may come.
    fn refusal(self: *GeoFence, session: edgeftp.Session) ?[]const u8 {
        const country = table.find(session.address orelse return unknown(self)) orelse return unknown(self);
        const s = self.settings;
        if (contains(s.deny, &country) or (s.allow.len > 0 and !contains(s.allow, &country)))
            return edgeftp.print("no service for {s}", .{&country});
        return null;
    }

    fn unknown(self: *GeoFence) ?[]const u8 {
        return if (self.settings.unknown == .deny) "no service for this network" else null;
    }

    fn contains(list: []const []const u8, country: []const u8) bool {
        for (list) |c| if (std.mem.eql(u8, c, country)) return true;
        return false;
    }
};

comptime {
    edgeftp.exportPolicy(GeoFence);
}
