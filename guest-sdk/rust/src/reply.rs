use std::fmt;
use std::net::IpAddr;
use std::panic::Location;

/// Actions (ABI §6).
pub(crate) mod action {
    pub const PASS: u8 = 0;
    pub const ALLOW: u8 = 1;
    pub const DENY: u8 = 2;
    pub const REWRITE: u8 = 3;
    pub const HIDE: u8 = 4;
    pub const FAIL: u8 = 5;
}

/// Keys of a reply (ABI §6).
pub(crate) mod key {
    pub const TEXT: u16 = 1;
    pub const PATH: u16 = 2;
    pub const HOME: u16 = 3;
    pub const PERMS: u16 = 4;
    pub const RATE_DOWN: u16 = 5;
    pub const RATE_UP: u16 = 6;
    pub const EXPIRES: u16 = 10;
    pub const STATE: u16 = 11;
    pub const MAX_SESSIONS: u16 = 12;
    pub const MSG_LOGIN: u16 = 13;
    pub const MSG_QUIT: u16 = 14;
    pub const TTL_MS: u16 = 15;
    pub const LABEL: u16 = 16;
    pub const GROUP: u16 = 17;
    pub const HIDE_BITS: u16 = 18;
    pub const MAX_FILE_SIZE: u16 = 19;
    pub const PWHASH: u16 = 20;
    pub const DATA_TLS_REQUIRED: u16 = 21;
    pub const LINE: u16 = 22;
    pub const PATH2: u16 = 23;
    pub const RULE: u16 = 24;
    pub const ANONYMOUS: u16 = 25;
    pub const LENIENT: u16 = 26;
    pub const CARRY: u16 = 27;
    pub const RATE: u16 = 28;
    pub const NETWORK: u16 = 29;
}

/// What the standard library says where a module has nothing.
const UNSUPPORTED: &str = "operation not supported on this platform";
const HINT: &str = ": a policy has no files, no sockets and no processes";

const FINAL: u8 = 1;
const CACHE: u8 = 2;

/// Bytes of a text (ABI §6).
const MAX_TEXT: usize = 512;

/// An answer on its way to the host. The answers of the hooks are made of it, each with
/// what its hook takes; the first fault of a setter makes the answer a failure.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    action: u8,
    flags: u8,
    code: u16,
    seen: u32,
    rules: u16,
    networks: u16,
    lines: u16,
    data: Option<usize>, // length of the new bytes, which lead the entries
    entries: Vec<u8>,
    fault: Option<(&'static str, &'static Location<'static>)>, // and where it was made
}

impl Reply {
    pub(crate) const fn new(action: u8) -> Reply {
        Reply {
            action,
            flags: 0,
            code: 0,
            seen: 0,
            rules: 0,
            networks: 0,
            lines: 0,
            data: None,
            entries: Vec::new(),
            fault: None,
        }
    }

    /// A failure with the text made one line of at most 512 bytes.
    pub(crate) fn fail(text: &str) -> Reply {
        let mut line = String::new();
        let hint = if text.ends_with(UNSUPPORTED) { HINT } else { "" };
        for c in text.chars().chain(hint.chars()) {
            let c = if (c < ' ' && c != '\t') || c == '\x7f' || c == '\u{fffd}' { '?' } else { c };
            if line.len() + c.len_utf8() > MAX_TEXT {
                break;
            }
            line.push(c);
        }
        let mut r = Reply::new(action::FAIL);
        r.text(key::TEXT, &line);
        r
    }

    #[track_caller]
    pub(crate) fn fault(&mut self, why: &'static str) {
        self.fault = self.fault.or(Some((why, Location::caller())));
    }

    /// Sets the code of a reply, 0 for the server's own.
    #[track_caller]
    pub(crate) fn code(mut self, code: u16, least: u16, most: u16) -> Reply {
        if code != 0 && (code < least || code > most) {
            self.fault("the answer's code is out of range");
        }
        self.code = code;
        self
    }

    /// FINAL, which the hooks auth and fs take.
    pub(crate) fn last(&mut self) {
        self.flags |= FINAL;
    }

    #[track_caller]
    pub(crate) fn cache(&mut self, ttl: std::time::Duration) {
        self.flags |= CACHE;
        self.ttl(ttl);
    }

    #[track_caller]
    pub(crate) fn ttl(&mut self, ttl: std::time::Duration) {
        match i32::try_from(ttl.as_millis()) {
            Ok(ms) => self.entry(key::TTL_MS, &ms.to_le_bytes()),
            Err(_) => self.fault("TTL_MS is out of range"),
        }
    }

    pub(crate) fn action(&self) -> u8 {
        self.action
    }

    pub(crate) fn has(&self, key: u16) -> bool {
        self.seen & 1 << key != 0
    }

    #[track_caller]
    pub(crate) fn entry(&mut self, key: u16, value: &[u8]) {
        let repeats = matches!(key, key::LINE | key::RULE | key::NETWORK);
        if self.has(key) && !repeats {
            return self.fault("a key of the answer is given twice");
        }
        self.seen |= 1 << key;
        if self.entries.capacity() == 0 {
            self.entries = crate::guest::spare();
        }
        self.entries.extend_from_slice(&key.to_le_bytes());
        self.entries.extend_from_slice(&(value.len() as u16).to_le_bytes());
        self.entries.extend_from_slice(value);
    }

    /// One line of at most 512 bytes without control characters.
    #[track_caller]
    pub(crate) fn text(&mut self, key: u16, text: &str) {
        let control = |c: u8| (c < 0x20 && c != b'\t') || c == 0x7f;
        if text.len() > MAX_TEXT || text.bytes().any(control) {
            return self.fault("a text of the answer is not one line of at most 512 bytes");
        }
        if key == key::LINE {
            self.lines += 1;
            if self.lines > 64 {
                return self.fault("more than 64 lines");
            }
        } else if text.is_empty() {
            return; // no text is none
        }
        self.entry(key, text.as_bytes());
    }

    #[track_caller]
    pub(crate) fn path(&mut self, key: u16, path: &[u8]) {
        if good_path(path) {
            self.entry(key, path);
        } else {
            self.fault("a path of the answer is not absolute, too long, or holds NUL, CR or LF");
        }
    }

    #[track_caller]
    pub(crate) fn perms(&mut self, letters: &str) {
        if good_perms(letters) {
            self.entry(key::PERMS, letters.as_bytes());
        } else {
            self.fault(BAD_PERMS);
        }
    }

    #[track_caller]
    pub(crate) fn rule(&mut self, dir: &[u8], letters: &str, below: bool) {
        self.rules += 1;
        match () {
            _ if self.rules > 256 => self.fault("more than 256 rules"),
            _ if !good_path(dir) => self.fault("the directory of a rule is no absolute path"),
            _ if !good_perms(letters) => self.fault(BAD_PERMS),
            _ => {
                let value = [dir, letters.as_bytes(), &[u8::from(below)]].join(&0);
                self.entry(key::RULE, &value);
            }
        }
    }

    #[track_caller]
    pub(crate) fn network(&mut self, text: &str) {
        self.networks += 1;
        match () {
            _ if self.networks > 256 => self.fault("more than 256 networks"),
            _ if !good_network(text) => self.fault(BAD_NETWORK),
            _ => self.entry(key::NETWORK, text.as_bytes()),
        }
    }

    #[track_caller]
    pub(crate) fn u64(&mut self, key: u16, n: u64) {
        if n > i64::MAX as u64 {
            return self.fault("a number of the answer is out of range");
        }
        self.entry(key, &n.to_le_bytes());
    }

    #[track_caller]
    pub(crate) fn u32(&mut self, key: u16, n: u32) {
        if n > i32::MAX as u32 {
            return self.fault("a number of the answer is out of range");
        }
        self.entry(key, &n.to_le_bytes());
    }

    #[track_caller]
    pub(crate) fn raw(&mut self, key: u16, bytes: &[u8], most: usize) {
        if bytes.len() > most {
            return self.fault("bytes of the answer are too long");
        }
        self.entry(key, bytes);
    }

    /// The new bytes of a chunk. They come before all entries.
    #[track_caller]
    pub(crate) fn chunk(&mut self, bytes: &[u8]) {
        self.entries = crate::guest::spare();
        match u32::try_from(bytes.len()) {
            Ok(n) => self.entries.extend_from_slice(&n.to_le_bytes()),
            Err(_) => return self.fault("the chunk is too long"),
        }
        self.entries.extend_from_slice(bytes);
        self.data = Some(bytes.len());
    }

    /// The verdict and the bytes of the reply, or why there is no such answer.
    pub(crate) fn finish(&self, room: usize) -> Result<(u64, &[u8]), String> {
        if let Some((why, at)) = self.fault {
            return Err([at.file(), ":", &at.line().to_string(), ": ", why].concat());
        }
        if self.entries.len() > room {
            return Err("the answer is longer than the mailbox".to_string());
        }
        let verdict = (self.entries.len() as u64) << 32
            | u64::from(self.flags) << 24
            | u64::from(self.action) << 16
            | u64::from(self.code);
        Ok((verdict, &self.entries))
    }

    /// The memory of the entries, for the next answer.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.entries)
    }
}

const BAD_NETWORK: &str = "a network is none: write it like 192.0.2.0/24 or 2001:db8::/32";

/// A network in its one form: no bits behind its length, IPv4 not as IPv6.
fn good_network(text: &str) -> bool {
    let (address, length) = match text.split_once('/') {
        Some(parts) => parts,
        None => return false,
    };
    let bits = match length.parse::<u32>() {
        Ok(n) if n.to_string() == length => n,
        _ => return false,
    };
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(a)) => bits <= 32 && u32::from(a).checked_shl(bits).unwrap_or(0) == 0,
        Ok(IpAddr::V6(a)) => {
            let mapped = a.segments()[..6] == [0, 0, 0, 0, 0, 0xffff];
            bits <= 128 && !mapped && u128::from(a).checked_shl(bits).unwrap_or(0) == 0
        }
        Err(_) => false,
    }
}

const BAD_PERMS: &str = "permissions are letters of elradfmwMT, each once";

fn good_path(p: &[u8]) -> bool {
    p.first() == Some(&b'/') && p.len() <= 4096 && !p.iter().any(|c| matches!(c, 0 | b'\r' | b'\n'))
}

fn good_perms(letters: &str) -> bool {
    let known = letters.bytes().all(|c| b"elradfmwMT".contains(&c));
    known && letters.bytes().enumerate().all(|(i, c)| !letters.as_bytes()[..i].contains(&c))
}

impl fmt::Debug for Reply {
    /// Shows an answer as `deny 553 TEXT="no"`, for the messages of failed tests.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["pass", "allow", "deny", "rewrite", "hide", "fail"];
        f.write_str(names[usize::from(self.action)])?;
        if self.code != 0 {
            write!(f, " {}", self.code)?;
        }
        let mut rest = &self.entries[..];
        if let Some(n) = self.data {
            write!(f, " data={:?}", crate::Text::new(&rest[4..4 + n]))?;
            rest = &rest[4 + n..];
        }
        while rest.len() >= 4 {
            let n = usize::from(u16::from_le_bytes([rest[2], rest[3]]));
            let name = NAMES[usize::from(rest[0]).min(NAMES.len() - 1)];
            write!(f, " {}={:?}", name, crate::Text::new(&rest[4..4 + n]))?;
            rest = &rest[4 + n..];
        }
        if self.flags & FINAL != 0 {
            f.write_str(" final")?;
        }
        match self.fault {
            Some((why, _)) => write!(f, " (refused: {why})"),
            None => Ok(()),
        }
    }
}

const NAMES: [&str; 31] = [
    "?", "TEXT", "PATH", "HOME", "PERMS", "RATE_DOWN", "RATE_UP", "?", "?", "?", "EXPIRES", "STATE",
    "MAX_SESSIONS", "MSG_LOGIN", "MSG_QUIT", "TTL_MS", "LABEL", "GROUP", "HIDE_BITS",
    "MAX_FILE_SIZE", "PWHASH", "DATA_TLS_REQUIRED", "LINE", "PATH2", "RULE", "ANONYMOUS", "LENIENT",
    "CARRY", "RATE", "NETWORK", "?",
];

/// Makes the answer type of one hook, with what every hook has.
macro_rules! answer {
    ($(#[$doc:meta])*) => {
        $(#[$doc])*
        #[must_use = "an answer has to be returned"]
        #[derive(Clone, PartialEq, Eq)]
        pub struct Answer(pub(crate) crate::reply::Reply);

        impl std::fmt::Debug for Answer {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Answer {
            /// The policy could not decide: what was asked is refused, the text goes to
            /// the server's log and never to the client. An `Err` of the hook does the
            /// same.
            pub fn fail(text: &str) -> Answer {
                Answer(crate::reply::Reply::fail(text))
            }

            /// Why the host would refuse this answer, with the file and line that made it
            /// so; `None` if it would not. The SDK answers `fail` with these words.
            pub fn fault(&self) -> Option<String> {
                self.0.finish(1 << 20).err()
            }

            #[doc(hidden)]
            pub fn encode(&self) -> Result<(u64, Vec<u8>), String> {
                self.0.finish(1 << 20).map(|(v, b)| (v, b.to_vec()))
            }
        }
    };
}

/// Adds constructors to an answer that is a plain action.
macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident = $action:ident;)+) => {
        impl Answer {
            $($(#[$doc])*
            pub const fn $name() -> Answer {
                Answer(crate::reply::Reply::new(crate::reply::action::$action))
            })+
        }
    };
}

/// Adds `deny` and `deny_code`, and TEXT where it may stand by itself.
macro_rules! refusals {
    () => {
        impl Answer {
            /// Refuses with a line for the client, empty for the server's own words.
            #[track_caller]
            pub fn deny(text: &str) -> Answer {
                Answer::deny_code(0, text)
            }

            /// Refuses with a reply code of 400 to 599, 0 for the server's own.
            #[track_caller]
            pub fn deny_code(code: u16, text: &str) -> Answer {
                let r = crate::reply::Reply::new(crate::reply::action::DENY).code(code, 400, 599);
                Answer(r).text(text)
            }
        }
        texts! {
            /// One line for the client of a refusal.
            text = TEXT;
        }
    };
}

/// Adds setters of texts.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $key:ident;)+) => {
        impl Answer {
            $($(#[$doc])*
            #[track_caller]
            pub fn $name(mut self, text: &str) -> Answer {
                self.0.text(crate::reply::key::$key, text);
                self
            })+
        }
    };
}

/// Adds setters of numbers of 64 bits.
macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident = $key:ident;)+) => {
        impl Answer {
            $($(#[$doc])*
            #[track_caller]
            pub fn $name(mut self, n: u64) -> Answer {
                self.0.u64(crate::reply::key::$key, n);
                self
            })+
        }
    };
}

/// Adds what narrows a session or an operation, and FINAL.
macro_rules! narrowing {
    () => {
        numbers! {
            /// Bytes per second from the server to the client, 0 no limit.
            rate_down = RATE_DOWN;
            /// Bytes per second from the client to the server, 0 no limit.
            rate_up = RATE_UP;
            /// Bytes that a stored file may have, 0 no limit.
            max_file_size = MAX_FILE_SIZE;
        }
        texts! {
            /// A word that events carry.
            label = LABEL;
        }
        impl Answer {
            /// Requires protected data connections.
            #[track_caller]
            pub fn data_tls_required(mut self, yes: bool) -> Answer {
                self.0.entry(crate::reply::key::DATA_TLS_REQUIRED, &[u8::from(yes)]);
                self
            }

            /// Asks no later policy (the flag FINAL).
            pub fn finally(mut self) -> Answer {
                self.0.last();
                self
            }
        }
    };
}
