//! The hook auth: who may log in (ABI §4).
const abi = @import("../abi.zig");
const record = @import("../record.zig");
const reply = @import("../reply.zig");
const perms = @import("../perms.zig");

/// Question is a login. A server shows no passwords: name the stored hash in
/// Answer.pwhash, or ask with edgeftp.verify.
pub const Question = struct {
    session: record.Session = .{},
    /// number of the question within its session
    request: u64 = 0,
    /// nanoseconds since 1970 UTC, 0 unknown
    time: i64 = 0,
    /// a trial: the answer has no effect
    shadow: bool = false,
    /// empty unless the module has the capability "password"
    password: []const u8 = "",
    /// asked at USER, before there is a password: the client has shown a certificate.
    /// Allow without pwhash lets it in, so compare session.tls.cert_sha256 with the
    /// user's own first.
    early: bool = false,
    /// 32 bytes that the two ends of the connection know and nobody else, over QUIC; empty
    /// elsewhere. What the client proves may be bound to them; they are not to be kept.
    binding: []const u8 = "",
    /// the bytes that it came from
    record: *const record.Record = &.{},

    /// of reads the question that a checked record of this hook is.
    pub fn of(r: *const record.Record) record.RecordError!Question {
        return .{
            .session = .of(r),
            .request = r.request,
            .time = r.time,
            .shadow = r.flags.shadow,
            .password = r.span(.arg),
            .early = r.flags.early,
            .binding = r.text(.binding),
            .record = r,
        };
    }
};

/// Rule gives the permissions of one directory in place of Answer.perms, which narrow
/// them; the longest directory wins.
pub const Rule = struct {
    dir: []const u8,
    perms: perms.Perms,
    /// with all below it
    recursive: bool = false,
};

/// Answer is what the policy says of a login; the zero value is no opinion. Texts and
/// lists may point into the question, to static memory, or to what edgeftp.print made.
pub const Answer = struct {
    action: Action = .pass,
    /// 400 to 599 beside deny; 0 is the server's own
    code: u16 = 0,
    /// one line for the client of a refusal
    text: []const u8 = "",
    /// stored hash (PHC argon2id or bcrypt) that the server verifies; with allow alone
    pwhash: []const u8 = "",
    /// null leaves them as they are, none at all is a value
    perms: ?perms.Perms = null,
    /// where the session starts
    home: []const u8 = "",
    group: []const u8 = "",
    /// events carry it
    label: []const u8 = "",
    limits: perms.Limits = .{},
    max_sessions: u32 = 0,
    /// nanoseconds since 1970 UTC
    expires: u64 = 0,
    /// the server's words at 230
    msg_login: []const u8 = "",
    /// the server's words at 221
    msg_quit: []const u8 = "",
    /// at most 1,024 bytes, handed back to this policy with every question
    state: []const u8 = "",
    /// at most 256
    rules: []const Rule = &.{},
    /// networks that the user may come from, such as "192.0.2.0/24" or "2001:db8::/32",
    /// at most 256; without one it is anywhere. The server looks at the client's address
    /// before the login holds, and again when the client moves. The manifest must say
    /// "abi": "1.5": an older server would let in from anywhere.
    networks: []const []const u8 = &.{},
    /// nothing of the session is kept
    anonymous: bool = false,
    lenient: Lenient = .{},
    /// ask no later policy
    final: bool = false,

    /// Action is what the hook may return (ABI §6).
    pub const Action = enum(u8) { pass = 0, allow = 1, deny = 2 };

    /// Lenient says what the user's clients need not do on protected data connections.
    pub const Lenient = packed struct(u8) { resumption: bool = false, close_notify: bool = false, unused: u6 = 0 };

    /// pass is no opinion.
    pub const pass: Answer = .{};
    /// allow may log in.
    pub const allow: Answer = .{ .action = .allow };

    /// deny refuses the login with a line for the client.
    pub fn deny(text: []const u8) Answer {
        return .{ .action = .deny, .text = text };
    }

    /// encode writes the entries and returns the verdict.
    pub fn encode(a: Answer, r: *reply.Reply) reply.AnswerError!i64 {
        if (a.code != 0 and (a.action != .deny or a.code < 400 or a.code > 599)) return error.CodeOutOfPlace;
        if (a.pwhash.len > 0 and a.action != .allow) return error.HashOutOfPlace;
        try r.text(.text, a.text);
        try r.text(.pwhash, a.pwhash);
        var letters: [perms.Perms.letters.len]u8 = undefined;
        if (a.perms) |p| try r.bytes(.perms, &.{p.write(&letters)});
        try r.path(.home, a.home);
        try r.text(.group, a.group);
        try r.text(.label, a.label);
        try a.limits.encode(r);
        try r.number(u32, .max_sessions, a.max_sessions);
        try r.number(u64, .expires, a.expires);
        try r.text(.msg_login, a.msg_login);
        try r.text(.msg_quit, a.msg_quit);
        try r.raw(.state, a.state);
        if (a.rules.len > abi.max_rules) return error.TooMany;
        for (a.rules) |rule| {
            if (!reply.isPath(rule.dir)) return error.BadPath;
            const end: []const u8 = &.{ 0, @intFromBool(rule.recursive) };
            try r.bytes(.rule, &.{ rule.dir, &.{0}, rule.perms.write(&letters), end });
        }
        if (a.networks.len > abi.max_networks) return error.TooMany;
        for (a.networks) |n| {
            if (!reply.isNetwork(n)) return error.BadNetwork;
            try r.bytes(.network, &.{n});
        }
        if (a.anonymous) try r.bytes(.anonymous, &.{&.{1}});
        const lenient: u8 = @bitCast(a.lenient);
        if (lenient > 3) return error.NumberOutOfRange;
        try r.number(u8, .lenient, lenient);
        return reply.verdict(r.len, @intFromBool(a.final), @intFromEnum(a.action), a.code);
    }
};
