use std::net::{IpAddr, Ipv6Addr};

use crate::{Path, Text, Time};

/// Why a record is no question: a break of ABI §3 to §5, in a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRecord(pub &'static str);

impl std::fmt::Display for BadRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the question breaks the ABI: ")?;
        f.write_str(self.0)
    }
}

impl std::error::Error for BadRecord {}

/// Bytes of a record before its span table (ABI §3).
pub(crate) const HEADER: usize = 56;

/// A later minor may append spans, up to this number in all.
const MAX_SPANS: u32 = 64;

/// A span of the record (ABI §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names are the ABI's
pub enum Span {
    User,
    Path,
    Arg,
    Peer,
    Peer16,
    Root,
    Attr,
    State,
    Extra,
}

/// A key of ATTR (ABI §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names are the ABI's
pub enum Attr {
    TlsVersion = 1,
    TlsCipher,
    Sni,
    Alpn,
    TlsResumed,
    CertSubject,
    CertSha256,
    Listener,
    Group,
    Client,
    Local,
    Path2,
    RawArg,
    Code,
    Op,
    Policy,
    Generation,
    Host,
    Size,
    Took,
    Vhost,
    Protocol,
    Binding,
    DataPeer,
}

/// One more than the greatest key of ATTR that this SDK knows.
pub(crate) const ATTRS: usize = 25;

/// The numbers of the flags (ABI §3).
#[allow(missing_docs)] // the names are the ABI's
pub mod flag {
    pub const TLS: u32 = 1;
    pub const DATA_TLS: u32 = 1 << 1;
    pub const ANONYMOUS: u32 = 1 << 2;
    pub const DIR: u32 = 1 << 3;
    pub const EXISTS: u32 = 1 << 4;
    pub const ACTIVE: u32 = 1 << 5;
    pub const ASCII: u32 = 1 << 6;
    pub const SHADOW: u32 = 1 << 7;
    pub const REPLAY: u32 = 1 << 8;
    pub const LAST: u32 = 1 << 9;
    pub const UPLOAD: u32 = 1 << 10;
    pub const EARLY: u32 = 1 << 11;
    pub const LATE: u32 = 1 << 12;
}

/// What every question says: the session, who asks, and how he is connected. Each
/// hook's `Question` derefs to it, so that `q.user()` works with all of them.
///
/// It lies in the mailbox and is gone with the answer; copy what is to be kept.
#[derive(Clone)]
pub struct Meta<'a> {
    pub(crate) rec: &'a [u8],
    spans: [&'a [u8]; 9],
    attrs: [Option<&'a [u8]>; ATTRS],
}

#[inline(always)] // rustc 1.63 calls it
pub(crate) fn u16_at(b: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([b[at], b[at + 1]])
}

#[inline(always)] // rustc 1.63 calls it
pub(crate) fn u32_at(b: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

#[inline(always)] // rustc 1.63 calls it
pub(crate) fn i64_at(b: &[u8], at: usize) -> i64 {
    let mut n = [0; 8];
    n.copy_from_slice(&b[at..at + 8]);
    i64::from_le_bytes(n)
}

impl<'a> Meta<'a> {
    /// Checks a record of the hook with this number (ABI §3 and §5).
    pub(crate) fn decode(rec: &'a [u8], kind: u16) -> Result<Meta<'a>, BadRecord> {
        if rec.len() < HEADER {
            return Err(BadRecord("shorter than its header"));
        }
        if u32_at(rec, 0) as usize != rec.len() {
            return Err(BadRecord("not as long as its size says"));
        }
        if u16_at(rec, 4) != kind {
            return Err(BadRecord("it is for another hook"));
        }
        let mut m = Meta { rec, spans: [b""; 9], attrs: [None; ATTRS] };
        m.read_spans(if matches!(kind, 4 | 5 | 7) { 9 } else { 8 })?;
        m.read_attrs()?;
        m.check_peer()?;
        if m.span(Span::State).len() > 1024 {
            return Err(BadRecord("STATE is too long"));
        }
        Ok(m)
    }

    fn read_spans(&mut self, least: u32) -> Result<(), BadRecord> {
        let n = u32_at(self.rec, 52);
        if n < least || n > MAX_SPANS {
            return Err(BadRecord("a wrong number of spans"));
        }
        let end = HEADER + 8 * n as usize;
        if end > self.rec.len() {
            return Err(BadRecord("the span table is cut off"));
        }
        for i in 0..least as usize {
            let (off, len) = (u32_at(self.rec, HEADER + 8 * i), u32_at(self.rec, HEADER + 8 * i + 4));
            // In 64 bits the sum of two 32-bit numbers cannot wrap.
            let stop = u64::from(off) + u64::from(len);
            if (off as usize) < end || stop >= self.rec.len() as u64 {
                return Err(BadRecord("a span is outside the record"));
            }
            if self.rec[stop as usize] != 0 {
                return Err(BadRecord("no NUL after a span"));
            }
            self.spans[i] = &self.rec[off as usize..stop as usize];
        }
        Ok(())
    }

    fn read_attrs(&mut self) -> Result<(), BadRecord> {
        let mut rest = self.spans[Span::Attr as usize];
        while !rest.is_empty() {
            if rest.len() < 4 || rest.len() - 4 < usize::from(u16_at(rest, 2)) {
                return Err(BadRecord("ATTR is cut off"));
            }
            let key = usize::from(u16_at(rest, 0));
            let (value, next) = rest[4..].split_at(usize::from(u16_at(rest, 2)));
            rest = next;
            let want = match key {
                0 => return Err(BadRecord("ATTR has key 0")),
                5 => 0,
                14 | 15 => 2,
                17 | 19 | 20 => 8,
                23 => 32,
                _ => value.len(),
            };
            if value.len() != want {
                return Err(BadRecord("an attribute has a wrong length"));
            }
            if key >= ATTRS {
                continue; // of a later minor
            }
            if (key == 19 || key == 20) && value[7] > 0x7f {
                return Err(BadRecord("a number in ATTR is out of range"));
            }
            if key == 11 && address(value).is_none() {
                return Err(BadRecord("LOCAL is no address with a port"));
            }
            if key == 24 && address(value).is_none() {
                return Err(BadRecord("DATA_PEER is no address with a port"));
            }
            if self.attrs[key].replace(value).is_some() {
                return Err(BadRecord("an attribute is given twice"));
            }
        }
        Ok(())
    }

    fn check_peer(&self) -> Result<(), BadRecord> {
        let (peer, raw) = (self.span(Span::Peer), self.span(Span::Peer16));
        if peer.is_empty() && raw.is_empty() {
            return Ok(());
        }
        match address(peer) {
            Some((ip, _)) if ip == raw => Ok(()),
            Some(_) => Err(BadRecord("PEER16 is not PEER")),
            None => Err(BadRecord("PEER is no address with a port")),
        }
    }

    pub(crate) fn op(&self) -> u16 {
        u16_at(self.rec, 6)
    }

    pub(crate) fn no_op(self) -> Result<Meta<'a>, BadRecord> {
        match self.op() {
            0 => Ok(self),
            _ => Err(BadRecord("an operation where there is none")),
        }
    }

    pub(crate) fn some_op(self) -> Result<Meta<'a>, BadRecord> {
        match self.op() {
            0 => Err(BadRecord("no operation")),
            _ => Ok(self),
        }
    }

    pub(crate) fn path(&self) -> &'a Path {
        Path::new(self.spans[Span::Path as usize])
    }

    pub(crate) fn text(&self, s: Span) -> &'a Text {
        Text::new(self.spans[s as usize])
    }

    pub(crate) fn attr_text(&self, a: Attr) -> &'a Text {
        Text::new(self.attr(a).unwrap_or_default())
    }

    pub(crate) fn attr_u64(&self, a: Attr) -> u64 {
        let mut n = [0; 8];
        let b = self.attr(a).unwrap_or_default();
        n[..b.len()].copy_from_slice(b); // 2 or 8 bytes: read_attrs has looked
        u64::from_le_bytes(n)
    }

    pub(crate) fn has(&self, flag: u32) -> bool {
        self.flags() & flag != 0
    }

    /// The raw bytes of a span; the typed methods say the same in words.
    pub fn span(&self, s: Span) -> &'a [u8] {
        self.spans[s as usize]
    }

    /// The raw bytes of an attribute, `None` if it is absent.
    pub fn attr(&self, a: Attr) -> Option<&'a [u8]> {
        self.attrs[a as usize]
    }

    /// The number `op` of the record, as it stands there.
    pub fn op_number(&self) -> u16 {
        self.op()
    }

    /// The number `a` of the record (ABI §4).
    pub fn a(&self) -> i64 {
        i64_at(self.rec, 32)
    }

    /// The number `b` of the record (ABI §4).
    pub fn b(&self) -> i64 {
        i64_at(self.rec, 40)
    }

    /// The flags of the record: bits of [`flag`].
    pub fn flags(&self) -> u32 {
        u32_at(self.rec, 48)
    }

    /// The session, unique within the server process.
    pub fn session(&self) -> u64 {
        i64_at(self.rec, 8) as u64
    }

    /// The number of the question within its session.
    pub fn request(&self) -> u64 {
        i64_at(self.rec, 16) as u64
    }

    /// When the question was asked. A guest has no other clock.
    pub fn time(&self) -> Time {
        Time(i64_at(self.rec, 24))
    }

    /// The name given with USER.
    pub fn user(&self) -> &'a Text {
        self.text(Span::User)
    }

    /// The client's address and port as text, `192.0.2.7:40001`.
    pub fn peer(&self) -> &'a Text {
        self.text(Span::Peer)
    }

    /// The client's address, `None` if unknown. IPv4 is IPv4, however it came.
    pub fn ip(&self) -> Option<IpAddr> {
        let raw = self.span(Span::Peer16);
        let mut b = [0; 16];
        if raw.len() != b.len() {
            return None;
        }
        b.copy_from_slice(raw);
        if b[..12] == MAPPED {
            return Some(IpAddr::from([b[12], b[13], b[14], b[15]]));
        }
        Some(IpAddr::V6(Ipv6Addr::from(b)))
    }

    /// The virtual path in which the session started.
    pub fn root(&self) -> &'a Path {
        Path::new(self.span(Span::Root))
    }

    /// What this policy's own `auth` answer left with the session, empty if nothing.
    pub fn state(&self) -> &'a [u8] {
        self.span(Span::State)
    }

    /// The group that the login named.
    pub fn group(&self) -> &'a Text {
        self.attr_text(Attr::Group)
    }

    /// Whether the control connection is protected.
    pub fn tls(&self) -> bool {
        self.has(flag::TLS)
    }

    /// Whether data connections are protected.
    pub fn data_tls(&self) -> bool {
        self.has(flag::DATA_TLS)
    }

    /// Whether the user is the anonymous user.
    pub fn anonymous(&self) -> bool {
        self.has(flag::ANONYMOUS)
    }

    /// Whether the client gives the data port.
    pub fn active(&self) -> bool {
        self.has(flag::ACTIVE)
    }

    /// Whether the representation type is ASCII.
    pub fn ascii(&self) -> bool {
        self.has(flag::ASCII)
    }

    /// Whether this is a trial: the answer is compared and has no effect. Write no values.
    pub fn shadow(&self) -> bool {
        self.has(flag::SHADOW)
    }

    /// `1.2` or `1.3`, empty without TLS.
    pub fn tls_version(&self) -> &'a Text {
        self.attr_text(Attr::TlsVersion)
    }

    /// The IANA name of the cipher suite.
    pub fn tls_cipher(&self) -> &'a Text {
        self.attr_text(Attr::TlsCipher)
    }

    /// Whether the TLS session was resumed.
    pub fn tls_resumed(&self) -> bool {
        self.attr(Attr::TlsResumed).is_some()
    }

    /// The server name that the client sent in TLS.
    pub fn sni(&self) -> &'a Text {
        self.attr_text(Attr::Sni)
    }

    /// The negotiated protocol of TLS.
    pub fn alpn(&self) -> &'a Text {
        self.attr_text(Attr::Alpn)
    }

    /// The subject of the verified client certificate.
    pub fn cert_subject(&self) -> &'a Text {
        self.attr_text(Attr::CertSubject)
    }

    /// The SHA-256 of the verified client certificate's DER form, in hex.
    pub fn cert_sha256(&self) -> &'a Text {
        self.attr_text(Attr::CertSha256)
    }

    /// The listener's name in the configuration.
    pub fn listener(&self) -> &'a Text {
        self.attr_text(Attr::Listener)
    }

    /// The client program's own name (CLNT, CSID).
    pub fn client(&self) -> &'a Text {
        self.attr_text(Attr::Client)
    }

    /// The server's control address and port.
    pub fn local(&self) -> &'a Text {
        self.attr_text(Attr::Local)
    }

    /// The server's name that the client asked for (HOST, RFC 7151).
    pub fn host(&self) -> &'a Text {
        self.attr_text(Attr::Host)
    }

    /// The virtual host, by its name in the configuration; empty in a session of none.
    pub fn vhost(&self) -> &'a Text {
        self.attr_text(Attr::Vhost)
    }

    /// What carries the session: `ftpq/1`, `http/1.1`, `h2` or `h3`; empty for FTP over TCP.
    pub fn protocol(&self) -> &'a Text {
        self.attr_text(Attr::Protocol)
    }
}

/// What stands before an IPv4 address in 16 bytes.
const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/// Reads `192.0.2.7:40001` or `[2001:db8::1%zone]:40001` as 16 bytes and a port. The
/// standard library's own reader is four times the size of all else here.
pub(crate) fn address(text: &[u8]) -> Option<([u8; 16], u16)> {
    let colon = text.iter().rposition(|&c| c == b':')?;
    let port = decimal(&text[colon + 1..], 65_535)? as u16;
    let host = &text[..colon];
    let mut ip = [0; 16];
    if host.first() == Some(&b'[') && host.last() == Some(&b']') && host.len() > 2 {
        let inner = &host[1..host.len() - 1];
        let zone = inner.iter().position(|&c| c == b'%');
        if zone.map_or(false, |z| z + 1 == inner.len()) {
            return None;
        }
        v6(&inner[..zone.unwrap_or(inner.len())], &mut ip)?;
    } else {
        ip[..12].copy_from_slice(&MAPPED);
        v4(host, &mut ip[12..])?;
    }
    Some((ip, port))
}

fn decimal(b: &[u8], most: u32) -> Option<u32> {
    // A port may begin with zeros, a part of an address may not.
    if b.is_empty() || (b[0] == b'0' && b.len() > 1 && most == 255) {
        return None;
    }
    let mut n = 0;
    for &c in b {
        n = n * 10 + u32::from(c.checked_sub(b'0').filter(|&d| d < 10)?);
        if n > most {
            return None;
        }
    }
    Some(n)
}

fn v4(text: &[u8], out: &mut [u8]) -> Option<()> {
    let mut parts = text.split(|&c| c == b'.');
    for byte in out.iter_mut().take(4) {
        *byte = decimal(parts.next()?, 255)? as u8;
    }
    parts.next().map_or(Some(()), |_| None)
}

fn v6(text: &[u8], out: &mut [u8; 16]) -> Option<()> {
    let (mut at, mut gap, mut rest) = (0, None, text);
    if rest.starts_with(b"::") {
        gap = Some(0);
        rest = &rest[2..];
    }
    while !rest.is_empty() {
        let end = rest.iter().position(|&c| c == b':').unwrap_or(rest.len());
        let part = &rest[..end];
        if end == rest.len() && part.contains(&b'.') && at <= 12 {
            v4(part, &mut out[at..at + 4])?;
            at += 4;
            break;
        }
        if part.is_empty() || part.len() > 4 || at > 14 {
            return None;
        }
        let mut n = 0u16;
        for &c in part {
            n = n << 4 | (c as char).to_digit(16)? as u16;
        }
        out[at..at + 2].copy_from_slice(&n.to_be_bytes());
        at += 2;
        rest = &rest[end..];
        if rest.starts_with(b"::") && gap.is_none() {
            gap = Some(at);
            rest = &rest[2..];
        } else if !rest.is_empty() {
            rest = &rest[1..];
            if rest.is_empty() {
                return None; // a colon at the end
            }
        }
    }
    match gap {
        None => Some(()).filter(|_| at == 16),
        Some(_) if at == 16 => None,
        Some(g) => {
            out.copy_within(g..at, 16 - (at - g));
            out[g..16 - (at - g)].fill(0);
            Some(())
        }
    }
}
