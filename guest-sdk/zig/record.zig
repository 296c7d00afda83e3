//! The record of a question as it lies in the mailbox (ABI §3, §5), checked and cut
//! into its pieces. The questions of the hooks are made from it.
const std = @import("std");
const abi = @import("abi.zig");
const net = @import("net.zig");

/// RecordError says which rule of the ABI a record breaks. No server sends such a one.
pub const RecordError = error{
    RecordTooShort,
    RecordSize,
    RecordKind,
    RecordOp,
    RecordSpans,
    SpanOutside,
    SpanWithoutNul,
    BadAttr,
    AttrTwice,
    BadPeer,
    StateTooLong,
    BadEntries,
    BadEntryName,
    NoCommand,
    NoName,
    ChunkTooLong,
    CarryTooLong,
};

/// The header's length; the span table follows it.
const header = 56;

/// Record is a checked record. Its slices point into the mailbox: they are good until
/// the hook returns. The zero value is a record of nothing.
pub const Record = struct {
    bytes: []u8 = &.{},
    op: u16 = 0,
    session: u64 = 0,
    request: u64 = 0,
    time: i64 = 0,
    a: i64 = 0,
    b: i64 = 0,
    flags: abi.Flags = .{},
    spans: [9][]u8 = @splat(&.{}),
    attrs: [abi.Attr.end]?[]const u8 = @splat(null),
    address: ?net.Address = null,

    /// read checks a record of the hook. It never looks outside of bytes.
    pub fn read(r: *Record, bytes: []u8, hook: abi.Hook) RecordError!void {
        if (bytes.len < header) return error.RecordTooShort;
        if (int(u32, bytes, 0) != bytes.len) return error.RecordSize;
        if (int(u16, bytes, 4) != @intFromEnum(hook)) return error.RecordKind;
        r.* = .{
            .bytes = bytes,
            .op = int(u16, bytes, 6),
            .session = int(u64, bytes, 8),
            .request = int(u64, bytes, 16),
            .time = int(i64, bytes, 24),
            .a = int(i64, bytes, 32),
            .b = int(i64, bytes, 40),
            .flags = @bitCast(int(u32, bytes, 48)),
        };
        try r.cut(hook.spans());
        const operates = switch (hook) {
            .fs, .throttle, .data, .event => true,
            else => false,
        };
        if (operates != (r.op != 0)) return error.RecordOp;
        try r.readAttrs();
        try r.readPeer();
        if (r.span(.state).len > abi.max_state) return error.StateTooLong;
    }

    /// span is a piece of the record, empty if there is none.
    pub fn span(r: *const Record, s: abi.Span) []u8 {
        return r.spans[@intFromEnum(s)];
    }

    /// attr is the value of an attribute, null if it is absent.
    pub fn attr(r: *const Record, a: abi.Attr) ?[]const u8 {
        return r.attrs[@intFromEnum(a)];
    }

    /// text is the value of an attribute, empty if it is absent.
    pub fn text(r: *const Record, a: abi.Attr) []const u8 {
        return r.attr(a) orelse "";
    }

    /// number is the value of an attribute that is a number, 0 if it is absent.
    pub fn number(r: *const Record, a: abi.Attr) u64 {
        const v = r.attr(a) orelse return 0;
        return switch (v.len) {
            2 => int(u16, v, 0),
            8 => int(u64, v, 0),
            else => 0,
        };
    }

    /// cut reads the span table, of which the first least must be there. Those of later
    /// minors are none of our business.
    fn cut(r: *Record, least: u32) RecordError!void {
        const n = int(u32, r.bytes, 52);
        if (n < least or n > 64) return error.RecordSpans;
        const end = header + 8 * n;
        if (end > r.bytes.len) return error.RecordSpans;
        for (r.spans[0..@min(n, r.spans.len)], 0..) |*s, i| {
            const off: u64 = int(u32, r.bytes, header + 8 * i);
            const len: u64 = int(u32, r.bytes, header + 8 * i + 4);
            // One byte more than the length: the NUL. In 64 bits nothing wraps.
            if (off < end or off + len + 1 > r.bytes.len) return error.SpanOutside;
            s.* = r.bytes[@intCast(off)..][0..@intCast(len)];
            if (r.bytes[@intCast(off + len)] != 0) return error.SpanWithoutNul;
        }
    }

    fn readAttrs(r: *Record) RecordError!void {
        var rest: []const u8 = r.span(.attr);
        while (rest.len > 0) {
            if (rest.len < 4) return error.BadAttr;
            const key = int(u16, rest, 0);
            const len = int(u16, rest, 2);
            if (key == 0 or rest.len - 4 < len) return error.BadAttr;
            const value = rest[4..][0..len];
            rest = rest[4 + @as(usize, len) ..];
            if (key >= abi.Attr.end) continue;
            if (r.attrs[key] != null) return error.AttrTwice;
            switch (@as(abi.Attr, @enumFromInt(key))) {
                .tls_resumed => if (len != 0) return error.BadAttr,
                .code, .op => if (len != 2) return error.BadAttr,
                .generation => if (len != 8) return error.BadAttr,
                .size, .took => if (len != 8 or int(i64, value, 0) < 0) return error.BadAttr,
                .binding => if (len != 32) return error.BadAttr,
                .local, .data_peer => _ = net.Address.parsePort(value) catch return error.BadAttr,
                else => {},
            }
            r.attrs[key] = value;
        }
    }

    /// readPeer holds PEER and PEER16 against each other.
    fn readPeer(r: *Record) RecordError!void {
        const peer, const raw = .{ r.span(.peer), r.span(.peer16) };
        if (peer.len == 0 and raw.len == 0) return;
        const a = net.Address.parsePort(peer) catch return error.BadPeer;
        if (!std.mem.eql(u8, raw, &a.bytes)) return error.BadPeer;
        r.address = a;
    }
};

/// int reads a little-endian number; the caller has checked that it is there.
pub fn int(comptime T: type, bytes: []const u8, at: usize) T {
    return std.mem.readInt(T, bytes[at..][0..@sizeOf(T)], .little);
}

/// Session is what is known of a session. The texts point into the mailbox. Natively
/// all of it may be left out: a test writes the fields that its policy looks at.
pub const Session = struct {
    /// unique within the server process; 0 in the hook cert
    id: u64 = 0,
    /// the name given with USER
    user: []const u8 = "",
    /// the client's address and port as text
    peer: []const u8 = "",
    /// the client's address, null if it is unknown
    address: ?net.Address = null,
    /// the server's address and port as text
    local: []const u8 = "",
    /// virtual path in which the session started
    root: []const u8 = "/",
    /// the group that the login named
    group: []const u8 = "",
    /// the listener's name in the configuration
    listener: []const u8 = "",
    /// the client program's own name
    client: []const u8 = "",
    /// the server's name that the client asked for (HOST, RFC 7151)
    host: []const u8 = "",
    /// the virtual host, by its name in the configuration; empty in none
    vhost: []const u8 = "",
    /// what carries it: "ftpq/1", "http/1.1", "h2" or "h3"; empty for FTP over TCP
    protocol: []const u8 = "",
    /// what this policy's own auth answer left with the session
    state: []const u8 = "",
    tls: Tls = .{},
    /// data connections are protected
    data_tls: bool = false,
    anonymous: bool = false,
    /// the client gives the data port
    active: bool = false,
    /// the representation type is ASCII
    ascii: bool = false,

    /// of reads the session of a record.
    pub fn of(r: *const Record) Session {
        return .{
            .id = r.session,
            .user = r.span(.user),
            .peer = r.span(.peer),
            .address = r.address,
            .local = r.text(.local),
            .root = r.span(.root),
            .group = r.text(.group),
            .listener = r.text(.listener),
            .client = r.text(.client),
            .host = r.text(.host),
            .vhost = r.text(.vhost),
            .protocol = r.text(.protocol),
            .state = r.span(.state),
            .tls = .{
                .enabled = r.flags.tls,
                .version = r.text(.tls_version),
                .cipher = r.text(.tls_cipher),
                .sni = r.text(.sni),
                .alpn = r.text(.alpn),
                .resumed = r.attr(.tls_resumed) != null,
                .cert_subject = r.text(.cert_subject),
                .cert_sha256 = r.text(.cert_sha256),
            },
            .data_tls = r.flags.data_tls,
            .anonymous = r.flags.anonymous,
            .active = r.flags.active,
            .ascii = r.flags.ascii,
        };
    }
};

/// Tls is what is known of the control connection's protection (ABI §5).
pub const Tls = struct {
    enabled: bool = false,
    /// "1.2" or "1.3"
    version: []const u8 = "",
    /// IANA name of the suite
    cipher: []const u8 = "",
    /// server name that the client sent
    sni: []const u8 = "",
    alpn: []const u8 = "",
    resumed: bool = false,
    /// subject of the verified client certificate
    cert_subject: []const u8 = "",
    /// digest of its DER form, hex
    cert_sha256: []const u8 = "",
};
