//! The root of every module: it makes panics tell the server their words, and std.log
//! write to the server's log. The policy is the module "policy".
const std = @import("std");
const edgeftp = @import("edgeftp");

pub const panic = edgeftp.panic;

pub const std_options: std.Options = .{ .logFn = logFn, .log_level = .debug };

fn logFn(comptime level: std.log.Level, comptime scope: @EnumLiteral(), comptime format: []const u8, args: anytype) void {
    var line: [1024]u8 = undefined;
    var w: std.Io.Writer = .fixed(&line);
    if (scope != .default) w.writeAll(@tagName(scope) ++ ": ") catch {}; // it fits
    w.print(format, args) catch {}; // cut, as the server would
    edgeftp.log(switch (level) {
        .err => .err,
        .warn => .warn,
        .info => .info,
        .debug => .debug,
    }, w.buffered());
}

comptime {
    _ = @import("policy");
}
