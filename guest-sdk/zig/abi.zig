//! The numbers of the guest ABI, version 1.5 (guest-sdk/ABI.md), by name.
const std = @import("std");

/// Hook is a stage of the server that a policy may take part in (ABI §3).
pub const Hook = enum(u16) {
    auth = 1,
    fs = 2,
    list = 3,
    cmd = 4,
    site = 5,
    throttle = 6,
    data = 7,
    event = 8,
    cert = 9,

    /// How many spans a record of the hook has at least (ABI §3).
    pub fn spans(h: Hook) u32 {
        return switch (h) {
            .cmd, .site, .data => 9,
            else => 8,
        };
    }
};

/// Op is an operation on a path (ABI §4). A later server may know more of them: a
/// switch needs an `else`, which is best a refusal.
pub const Op = enum(u16) {
    stat = 1,
    list = 2,
    read = 3,
    write = 4,
    append = 5,
    mkdir = 6,
    rmdir = 7,
    delete = 8,
    rename = 9,
    chmod = 10,
    mfmt = 11,
    cwd = 12,
    readlink = 13,
    hash = 14,
    unique = 15,
    commit = 16,
    symlink = 17,
    _,
};

/// EventKind says what has happened (ABI §4). A later server may tell of more.
pub const EventKind = enum(u16) {
    connect = 1,
    disconnect = 2,
    login = 3,
    login_failed = 4,
    logout = 5,
    file_sent = 6,
    file_received = 7,
    incomplete_file_sent = 8,
    incomplete_file_received = 9,
    command_done = 10,
    tls_established = 11,
    tls_failed = 12,
    tls_shutdown = 13,
    timeout = 14,
    max_cons = 15,
    max_cons_per_ip = 16,
    denied = 17,
    file_deleted = 18,
    file_renamed = 19,
    dir_created = 20,
    dir_removed = 21,
    attributes_changed = 22,
    ban_added = 23,
    ban_expired = 24,
    policy_swapped = 25,
    policy_rolled_back = 26,
    policy_failed = 27,
    cert_obtained = 28,
    cert_renewed = 29,
    cert_failed = 30,
    config_reloaded = 31,
    config_rejected = 32,
    draining = 33,
    client_moved = 40,
    _,
};

/// Span numbers a piece of a record (ABI §3).
pub const Span = enum(u8) { user, path, arg, peer, peer16, root, attr, state, extra };

/// Attr numbers a further fact of a record (ABI §5).
pub const Attr = enum(u16) {
    tls_version = 1,
    tls_cipher = 2,
    sni = 3,
    alpn = 4,
    tls_resumed = 5,
    cert_subject = 6,
    cert_sha256 = 7,
    listener = 8,
    group = 9,
    client = 10,
    local = 11,
    path2 = 12,
    raw_arg = 13,
    code = 14,
    op = 15,
    policy = 16,
    generation = 17,
    host = 18,
    size = 19,
    took = 20,
    vhost = 21,
    protocol = 22,
    binding = 23,
    data_peer = 24,

    /// One more than the greatest attribute that this version knows.
    pub const end = 25;
};

/// Flags of a record (ABI §3). All false is the zero value.
pub const Flags = packed struct(u32) {
    tls: bool = false,
    data_tls: bool = false,
    anonymous: bool = false,
    dir: bool = false,
    exists: bool = false,
    active: bool = false,
    ascii: bool = false,
    shadow: bool = false,
    replay: bool = false,
    last: bool = false,
    upload: bool = false,
    early: bool = false,
    late: bool = false,
    later_minors: u19 = 0,
};

/// Action is what a hook answers (ABI §6). Each hook's Answer has its own enum with
/// those of them that it may return, under the same numbers.
pub const Action = enum(u8) { pass = 0, allow = 1, deny = 2, rewrite = 3, hide = 4, fail = 5 };

/// Key numbers an entry of a reply (ABI §6).
pub const Key = enum(u16) {
    text = 1,
    path = 2,
    home = 3,
    perms = 4,
    rate_down = 5,
    rate_up = 6,
    expires = 10,
    state = 11,
    max_sessions = 12,
    msg_login = 13,
    msg_quit = 14,
    ttl_ms = 15,
    label = 16,
    group = 17,
    hide_bits = 18,
    max_file_size = 19,
    pwhash = 20,
    data_tls_required = 21,
    line = 22,
    path2 = 23,
    rule = 24,
    anonymous = 25,
    lenient = 26,
    carry = 27,
    rate = 28,
    network = 29,
};

/// bytes of a text in a reply
pub const max_text = 512;
/// bytes of a path in a reply
pub const max_path = 4096;
/// bytes of STATE
pub const max_state = 1024;
/// bytes of CARRY
pub const max_carry = 1024;
/// bytes of a question of data
pub const max_chunk = 65536;
/// bytes of a value of kv
pub const max_value = 4096;
/// bytes of one call of random
pub const max_random = 4096;
/// entries of one question of list
pub const max_entries = 256;
/// lines of one answer of site
pub const max_lines = 64;
/// rules of one answer of auth
pub const max_rules = 256;
/// networks of one answer of auth
pub const max_networks = 256;
/// bytes of a mailbox, and so of a reply
pub const max_mailbox = 1 << 20;

/// Error is what an import may fail with (ABI §7); the doc comment of each function
/// says with which. The last one is an error of a later server.
pub const Error = error{ NotFound, Full, Size, Type, Denied, Io, Timeout, Busy, Invalid, Unknown };

/// errorOf names the error of a result below zero.
pub fn errorOf(code: i64) Error {
    return switch (code) {
        -1 => error.NotFound,
        -2 => error.Full,
        -3 => error.Size,
        -4 => error.Type,
        -5 => error.Denied,
        -6 => error.Io,
        -7 => error.Timeout,
        -8 => error.Busy,
        -9 => error.Invalid,
        else => error.Unknown,
    };
}

/// codeOf is the number of an error, -10 for Unknown.
pub fn codeOf(err: Error) i64 {
    return switch (err) {
        error.NotFound => -1,
        error.Full => -2,
        error.Size => -3,
        error.Type => -4,
        error.Denied => -5,
        error.Io => -6,
        error.Timeout => -7,
        error.Busy => -8,
        error.Invalid => -9,
        error.Unknown => -10,
    };
}

test "errors have their numbers both ways" {
    var code: i64 = -10;
    while (code < 0) : (code += 1) try std.testing.expectEqual(code, codeOf(errorOf(code)));
}
