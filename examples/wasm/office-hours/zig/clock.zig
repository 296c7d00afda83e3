//! Times of the week, without calendars: a week has 604,800 seconds, and the first day of
//! 1970 was a Thursday.
const std = @import("std");

const day = 24 * 60; // minutes

/// Window is a time of each of some days. If it ends before it begins, it ends on the
/// next day.
pub const Window = struct {
    days: u7, // bit 0 is Monday
    from: u16, // minutes
    to: u16,

    pub fn parse(days: []const u8, from: []const u8, to: []const u8) error{ BadDays, BadTime }!Window {
        const w: Window = .{ .days = try daysOf(days), .from = try minutes(from), .to = try minutes(to) };
        if (w.from == w.to or w.from == day) return error.BadTime;
        return w;
    }

    /// contains reports whether the window is open, local seconds after 1970 began.
    pub fn contains(w: Window, local: i64) bool {
        const today: u3 = @intCast(@mod(@divFloor(local, day * 60) + 3, 7));
        const yesterday: u3 = if (today == 0) 6 else today - 1;
        const now: u16 = @intCast(@divFloor(@mod(local, day * 60), 60));
        if (w.from < w.to) return w.on(today) and now >= w.from and now < w.to;
        return (w.on(today) and now >= w.from) or (w.on(yesterday) and now < w.to);
    }

    fn on(w: Window, weekday: u3) bool {
        return w.days >> weekday & 1 != 0;
    }
};

/// daysOf reads "mon-fri", "sat,sun", "fri-mon".
fn daysOf(text: []const u8) error{BadDays}!u7 {
    var set: u7 = 0;
    var parts = std.mem.splitScalar(u8, text, ',');
    while (parts.next()) |part| {
        const first, const last = std.mem.cutScalar(u8, part, '-') orelse .{ part, part };
        var d = try dayOf(first);
        const end = try dayOf(last);
        while (true) : (d = if (d == 6) 0 else d + 1) {
            set |= @as(u7, 1) << d;
            if (d == end) break;
        }
    }
    return set;
}

fn dayOf(name: []const u8) error{BadDays}!u3 {
    for ([_][]const u8{ "mon", "tue", "wed", "thu", "fri", "sat", "sun" }, 0..) |known, i| {
        if (std.ascii.eqlIgnoreCase(std.mem.trim(u8, name, " "), known)) return @intCast(i);
    }
    return error.BadDays;
}

/// minutes reads "08:00", up to "24:00".
fn minutes(text: []const u8) error{BadTime}!u16 {
    if (text.len != 5 or text[2] != ':') return error.BadTime;
    for ([_]u8{ text[0], text[1], text[3], text[4] }) |c| if (!std.ascii.isDigit(c)) return error.BadTime;
    const h = @as(u16, text[0] - '0') * 10 + (text[1] - '0');
    const m = @as(u16, text[3] - '0') * 10 + (text[4] - '0');
    if (m > 59 or h * 60 + m > day) return error.BadTime;
    return h * 60 + m;
}

/// offset reads "+01:00" as seconds.
pub fn offset(text: []const u8) error{BadTime}!i64 {
    if (text.len != 6 or (text[0] != '+' and text[0] != '-')) return error.BadTime;
    const m: i64 = try minutes(text[1..]);
    if (m > 14 * 60) return error.BadTime;
    return if (text[0] == '-') -m * 60 else m * 60;
}

test "windows" {
    const t = std.testing;
    const monday = 4 * 86400; // 1970-01-05
    const office: Window = try .parse("mon-fri", "08:00", "18:00");
    const night: Window = try .parse("Sun, fri-sat", "22:00", "06:00");
    const whole: Window = try .parse("sat", "00:00", "24:00");
    const Case = struct { i64, bool, bool, bool };
    for ([_]Case{
        .{ monday + 7 * 3600 + 3599, false, false, false },
        .{ monday + 8 * 3600, true, false, false },
        .{ monday + 18 * 3600 - 1, true, false, false },
        .{ monday + 18 * 3600, false, false, false },
        .{ monday + 3600, false, true, false }, // of Sunday's night
        .{ monday + 86400 + 3600, false, false, false },
        .{ monday + 5 * 86400, false, true, true }, // Saturday, of Friday's night
        .{ monday + 6 * 86400 - 1, false, true, true },
        .{ monday + 6 * 86400 + 6 * 3600, false, false, false },
        .{ -1, false, false, false }, // Wednesday night
        .{ -5 * 86400 + 12 * 3600, false, false, true }, // a Saturday before 1970
    }) |c| {
        errdefer std.debug.print("second {d}\n", .{c[0]});
        try t.expectEqual(c[1], office.contains(c[0]));
        try t.expectEqual(c[2], night.contains(c[0]));
        try t.expectEqual(c[3], whole.contains(c[0]));
    }
    for ([_][]const u8{ "", "mo", "mon-", "mon,,tue", "mon-fri-sat" }) |text| try t.expectError(error.BadDays, Window.parse(text, "08:00", "18:00"));
    for ([_][]const u8{ "", "8:00", "24:01", "23:60", "0a:00", "24:00" }) |text| try t.expectError(error.BadTime, Window.parse("mon", text, "18:00"));
    try t.expectError(error.BadTime, Window.parse("mon", "18:00", "18:00"));
    try t.expectEqual(-5 * 3600 - 1800, try offset("-05:30"));
    for ([_][]const u8{ "", "01:00", "+14:01", "+1:00", "Z" }) |text| try t.expectError(error.BadTime, offset(text));
}
