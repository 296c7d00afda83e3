//! A policy of all stages, in the ways in which hooks can be declared: its tests.json asks
//! each of them through the host that the server uses.
const std = @import("std");
const edgeftp = @import("edgeftp");

const All = struct {
    settings: struct {
        users: edgeftp.settings.Map(struct { hash: []const u8, home: []const u8 = "/" }) = .{},
        rate: u64 = 1000,
    } = .{},
    longest: usize = 0,

    pub fn config(self: *All) !void {
        for (self.settings.users.entries) |u| {
            self.longest = @max(self.longest, u.key.len);
            if (u.value.hash.len == 0) return edgeftp.failed("users.{s}.hash is empty", .{u.key});
        }
    }

    pub fn auth(self: *All, q: edgeftp.auth.Question) !edgeftp.auth.Answer {
        if (std.mem.eql(u8, q.binding, "of this connection, and no other"))
            return .{ .action = .allow, .home = edgeftp.print("/{s}", .{q.session.protocol}) };
        if (std.mem.eql(u8, q.session.user, "near")) return .{ .action = .allow, .networks = &.{ "192.0.2.0/24", "2001:db8::/32" } };
        if (q.session.user.len > self.longest) return .pass;
        const user = self.settings.users.get(q.session.user) orelse return .pass;
        const rules = try edgeftp.scratch.alloc(edgeftp.Rule, 1);
        rules[0] = .{ .dir = "/in", .perms = .of("elrw"), .recursive = true };
        return .{
            .action = .allow,
            .pwhash = user.hash,
            .home = user.home,
            .perms = .of("elr"),
            .rules = rules,
            .state = edgeftp.print("{s} at {s}", .{ q.session.user, user.home }),
            .lenient = .{ .resumption = true },
        };
    }

    /// It says what STATE is, and rewrites into it.
    pub fn fs(_: *const All, q: edgeftp.fs.Question) edgeftp.fs.Answer {
        if (q.op == .mkdir) return .hide;
        if (q.op == .rename) return .{ .action = .rewrite, .path = q.path, .path2 = edgeftp.print("{s}.new", .{q.path2}) };
        if (q.session.vhost.len > 0) return .{ .action = .deny, .text = q.session.vhost };
        if (q.session.protocol.len > 0) return .{ .action = .deny, .text = q.session.protocol };
        if (q.data_peer.len > 0) return .{ .action = .deny, .text = q.data_peer };
        if (q.session.state.len == 0) return .{ .limits = .{ .rate_down = 7 }, .cache_ms = 500 };
        return .{ .action = .deny, .code = 553, .text = q.session.state };
    }

    pub fn list(_: All, q: edgeftp.list.Question) !edgeftp.list.Answer {
        var a: edgeftp.list.Answer = .pass;
        for (0..q.entries.count()) |i| {
            const e = q.entries.get(i);
            if (e.name[0] == '.' or (e.isDir() and e.size > 0)) a.hidden.set(i);
        }
        return a;
    }

    pub fn cmd(q: edgeftp.cmd.Question) !edgeftp.cmd.Answer {
        if (!std.mem.eql(u8, q.verb, "SITE CHMOD")) return .pass;
        return .{ .action = .deny, .code = 502, .text = edgeftp.print("no {s} in {s}", .{ q.arg, q.dir }) };
    }

    /// It answers with the words of the argument, each in a line.
    pub fn site(q: edgeftp.site.Question) !edgeftp.site.Answer {
        const lines = try edgeftp.scratch.alloc([]const u8, edgeftp.abi.max_lines + 1);
        var words = std.mem.tokenizeScalar(u8, q.arg, ' ');
        var n: usize = 0;
        while (words.next()) |w| : (n += 1) lines[n] = w;
        if (n == 0) return .deny(&.{ "say", "something" });
        return .{ .action = .allow, .code = 211, .lines = lines[0..n] };
    }

    pub fn throttle(self: *All, q: edgeftp.throttle.Question) edgeftp.throttle.Answer {
        return if (q.upload) .{ .rate = self.settings.rate, .ttl_ms = 250 } else .unlimited;
    }

    /// It makes capitals in place and carries how many bytes there were.
    pub fn data(q: edgeftp.data.Question) !edgeftp.data.Answer {
        const before = if (q.carry.len == 0) 0 else try std.fmt.parseInt(u64, q.carry, 10);
        for (q.data) |*c| c.* = std.ascii.toUpper(c.*);
        return .{ .action = .rewrite, .data = q.data, .carry = edgeftp.print("{d}", .{before + q.data.len}) };
    }

    pub fn event(q: edgeftp.event.Question) !void {
        if (q.kind == .file_received and q.size > 9) return edgeftp.failed("{s} is too long, {d} bytes", .{ q.path, q.size });
        std.log.info("{t} {s}", .{ q.kind, q.path });
    }

    pub fn cert(q: edgeftp.cert.Question) !edgeftp.cert.Answer {
        return if (std.mem.eql(u8, q.name, "ftp.example.org")) .allow else .deny("not ours");
    }

    pub fn idle(self: *All) void {
        std.log.debug("{d} is the longest name", .{self.longest});
    }
};

comptime {
    edgeftp.exportPolicy(All);
}
