//! Office-hours refuses logins and changes outside of weekly hours, and from outside of
//! some networks. It grants nothing: in time it has no opinion.
const std = @import("std");
const edgeftp = @import("edgeftp");
const clock = @import("clock.zig");

pub const OfficeHours = struct {
    settings: Settings = .{ .hours = &.{} },
    windows: [max_windows]clock.Window = undefined,
    networks: [max_networks]edgeftp.Prefix = undefined,
    offset: i64 = 0, // seconds east of UTC

    pub const Settings = struct {
        /// when the server is open
        hours: []const struct { days: []const u8, from: []const u8, to: []const u8 },
        /// the time of `hours`: "+01:00" is an hour ahead of UTC, in summer as in winter
        utc_offset: []const u8 = "+00:00",
        /// from where it may be used; none is from everywhere
        networks: []const []const u8 = &.{},
        /// what is said to those who come at other times
        closed: []const u8 = "this server is closed at this hour",
    };

    const max_windows = 32;
    const max_networks = 128;

    pub fn config(self: *OfficeHours) !void {
        const s = self.settings;
        if (s.hours.len == 0) return edgeftp.failed("hours: there are none, so nobody could ever log in", .{});
        if (s.hours.len > max_windows or s.networks.len > max_networks)
            return edgeftp.failed("at most {d} hours and {d} networks", .{ max_windows, max_networks });
        if (!edgeftp.reply.isLine(s.closed)) return edgeftp.failed("closed: it is not one line of at most 512 bytes", .{});
        self.offset = clock.offset(s.utc_offset) catch
            return edgeftp.failed("utc_offset: \"{s}\" is not like +01:00, -14:00 to +14:00", .{s.utc_offset});
        for (s.hours, self.windows[0..s.hours.len], 0..) |h, *w, i| w.* = clock.Window.parse(h.days, h.from, h.to) catch |err|
            return edgeftp.failed("hours[{d}]: {s}", .{ i, switch (err) {
                error.BadDays => "days are like \"mon-fri\" or \"sat,sun\"",
                error.BadTime => "from and to are like \"08:00\", at most \"24:00\", and not the same",
            } });
        for (s.networks, self.networks[0..s.networks.len]) |text, *n| n.* = edgeftp.Prefix.parse(text) catch
            return edgeftp.failed("networks: \"{s}\" is not like 192.0.2.0/24 or 2001:db8::/32", .{text});
    }

    /// auth refuses logins.
    pub fn auth(self: *OfficeHours, q: edgeftp.auth.Question) !edgeftp.auth.Answer {
        const why = try self.refusal(q.session, q.time) orelse return .pass;
        return .deny(why);
    }

    /// fs refuses changes of sessions that began in time and still run. An upload that
    /// began in time may end: nothing is lost at the stroke of the clock.
    pub fn fs(self: *OfficeHours, q: edgeftp.fs.Question) !edgeftp.fs.Answer {
        if (!q.changes() or q.op == .commit) return .pass;
        const why = try self.refusal(q.session, q.time) orelse return .pass;
        return .deny(why);
    }

    /// refusal is what is said, null if nothing is against it.
    fn refusal(self: *OfficeHours, session: edgeftp.Session, time: i64) !?[]const u8 {
        if (self.settings.networks.len > 0 and !self.near(session.address)) return "not from this network";
        if (time == 0) return edgeftp.failed("the server does not tell the time", .{});
        const local = @divFloor(time, std.time.ns_per_s) + self.offset;
        for (self.windows[0..self.settings.hours.len]) |w| if (w.contains(local)) return null;
        return self.settings.closed;
    }

    fn near(self: *OfficeHours, address: ?edgeftp.Address) bool {
        const a = address orelse return false;
        for (self.networks[0..self.settings.networks.len]) |n| if (n.contains(a)) return true;
        return false;
    }
};

comptime {
    edgeftp.exportPolicy(OfficeHours);
}
