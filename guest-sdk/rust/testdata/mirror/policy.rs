//! The mirror guest: it says what the SDK reads, gives the answers that it is told to,
//! and calls the imports. Every language's SDK has one, and one driver asks them all.

use std::time::Duration;

use edgeftp::{
    auth, cert, cmd, data, event, fetch, fs, host, kv, list, log, metric, random, site, throttle,
};
use edgeftp::{Attr, Error, Meta, Policy, Result, Settings, Span, Time};

struct Mirror;

impl Policy for Mirror {
    fn new(_: &Settings) -> Result<Self> {
        Ok(Mirror)
    }
}

impl data::Hook for Mirror {
    fn data(&mut self, q: &data::Question) -> Result<data::Answer> {
        let chunk = q.bytes();
        let said = match chunk.first() {
            Some(b'Q') => read(chunk[1], &chunk[2..]).unwrap_or_else(|| b"refused\n".to_vec()),
            Some(b'A') => give(&chunk[1..]).unwrap_or_else(|| b"refused\n".to_vec()),
            Some(b'I') => call(&mut Args(&chunk[1..])),
            _ => b"unknown\n".to_vec(),
        };
        Ok(data::Answer::rewrite(&said))
    }
}

edgeftp::export!(Mirror: data);

fn hex(b: &[u8]) -> String {
    b.iter().map(|c| format!("{c:02x}")).collect()
}

/// Reads the record and says what it holds, nothing if it is none.
fn read(hook: u8, rec: &[u8]) -> Option<Vec<u8>> {
    let said = match hook {
        1 => tell(&*auth::Question::decode(rec).ok()?, false),
        2 => tell(&*fs::Question::decode(rec).ok()?, false),
        3 => {
            let q = list::Question::decode(rec).ok()?;
            let mut said = tell(&*q, false);
            for e in q.entries() {
                let (mode, size, at) = (e.mode(), e.size(), e.modified().0);
                said += &format!("entry {mode} {size} {at} {}\n", hex(e.name()));
            }
            said
        }
        4 => tell(&*cmd::Question::decode(rec).ok()?, true),
        5 => tell(&*site::Question::decode(rec).ok()?, true),
        6 => tell(&*throttle::Question::decode(rec).ok()?, false),
        7 => tell(&*data::Question::decode(rec).ok()?, true),
        8 => tell(&*event::Question::decode(rec).ok()?, false),
        9 => tell(&*cert::Question::decode(rec).ok()?, false),
        _ => return None,
    };
    Some(said.into_bytes())
}

fn tell(m: &Meta, extra: bool) -> String {
    let mut said = format!(
        "op {}\nsession {}\nrequest {}\ntime {}\na {}\nb {}\nflags {}\n",
        m.op_number(), m.session(), m.request(), m.time().0, m.a(), m.b(), m.flags()
    );
    for (name, span) in [
        ("USER", Span::User), ("PATH", Span::Path), ("ARG", Span::Arg), ("PEER", Span::Peer), ("PEER16", Span::Peer16),
        ("ROOT", Span::Root), ("ATTR", Span::Attr), ("STATE", Span::State), ("EXTRA", Span::Extra),
    ] {
        if span != Span::Extra || extra {
            said += &format!("{name} {}\n", hex(m.span(span)));
        }
    }
    for key in [
        Attr::TlsVersion, Attr::TlsCipher, Attr::Sni, Attr::Alpn, Attr::TlsResumed, Attr::CertSubject, Attr::CertSha256,
        Attr::Listener, Attr::Group, Attr::Client, Attr::Local, Attr::Path2, Attr::RawArg, Attr::Code, Attr::Op,
        Attr::Policy, Attr::Generation, Attr::Host, Attr::Size, Attr::Took, Attr::Vhost, Attr::Protocol,
        Attr::Binding, Attr::DataPeer,
    ] {
        if let Some(value) = m.attr(key) {
            said += &format!("attr {} {}\n", key as u16, hex(value));
        }
    }
    said
}

/// What is left of the instruction.
struct Args<'a>(&'a [u8]);

impl<'a> Args<'a> {
    fn take(&mut self, n: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(n);
        self.0 = rest;
        head
    }

    fn number(&mut self, n: usize) -> u64 {
        self.take(n).iter().rev().fold(0, |all, &c| all << 8 | u64::from(c))
    }

    /// Bytes with their length in front, `None` for the absent value.
    fn maybe(&mut self) -> Option<&'a [u8]> {
        match self.number(4) as u32 {
            u32::MAX => None,
            n => Some(self.take(n as usize)),
        }
    }

    fn bytes(&mut self) -> &'a [u8] {
        self.maybe().unwrap_or_default()
    }

    fn text(&mut self) -> &'a str {
        std::str::from_utf8(self.bytes()).unwrap_or_default()
    }

    fn ttl(&mut self) -> Option<Duration> {
        match self.number(8) as i64 {
            ms if ms > 0 => Some(Duration::from_millis(ms as u64)),
            _ => None,
        }
    }
}

/// An entry that an answer is to have.
struct Value<'a> {
    key: u64,
    bytes: &'a [u8],
}

impl<'a> Value<'a> {
    fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes).ok()
    }

    fn u64(&self) -> Option<u64> {
        self.bytes.try_into().ok().map(u64::from_le_bytes)
    }

    fn u32(&self) -> Option<u32> {
        self.bytes.try_into().ok().map(u32::from_le_bytes)
    }

    fn ms(&self) -> Option<Duration> {
        self.u32().map(|n| Duration::from_millis(n.into()))
    }

    fn truth(&self) -> Option<bool> {
        match self.bytes {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

/// Makes an answer with the SDK, with one setter for each entry.
fn give(instruction: &[u8]) -> Option<Vec<u8>> {
    let mut args = Args(instruction);
    let (hook, action, flags) = (args.number(1), args.number(1), args.number(1));
    let code = args.number(2) as u16;
    let bytes = args.bytes();
    let mut entries = Vec::new();
    while !args.0.is_empty() {
        let (key, n) = (args.number(2), args.number(2));
        entries.push(Value { key, bytes: args.take(n as usize) });
    }
    let (verdict, reply) = match hook {
        1 => auth_answer(action, flags, code, &entries)?.encode(),
        2 => fs_answer(action, flags, code, &entries)?.encode(),
        3 => list_answer(action, code, &entries)?.encode(),
        4 => cmd_answer(action, code, &entries)?.encode(),
        5 => site_answer(action, code, &entries)?.encode(),
        6 => throttle_answer(action, &entries)?.encode(),
        7 => data_answer(action, code, bytes, &entries)?.encode(),
        8 => event_answer(action, &entries)?.encode(),
        9 => cert_answer(action, &entries)?.encode(),
        _ => return None,
    }
    .ok()?;
    // A flag that was not asked for, or one that could not be set.
    if verdict >> 24 & 0xff != flags {
        return None;
    }
    Some([&verdict.to_le_bytes()[..], &reply].concat())
}

/// The text of a failure, which comes with the answer.
fn why<'a>(entries: &[Value<'a>]) -> Option<&'a str> {
    match entries {
        [] => Some(""),
        [v] if v.key == 1 => v.text(),
        _ => None,
    }
}

fn auth_answer(action: u64, flags: u64, code: u16, entries: &[Value]) -> Option<auth::Answer> {
    let mut a = match action {
        0 => auth::Answer::pass(),
        1 => auth::Answer::allow(),
        2 => auth::Answer::deny_code(code, ""),
        5 => return Some(auth::Answer::fail(why(entries)?)),
        _ => return None,
    };
    for v in entries {
        a = match v.key {
            1 => a.text(v.text()?),
            3 => a.home(v.bytes),
            4 => a.perms(v.text()?),
            5 => a.rate_down(v.u64()?),
            6 => a.rate_up(v.u64()?),
            10 => a.expires(Time(v.u64()? as i64)),
            11 => a.state(v.bytes),
            12 => a.max_sessions(v.u32()?),
            13 => a.msg_login(v.text()?),
            14 => a.msg_quit(v.text()?),
            16 => a.label(v.text()?),
            17 => a.group(v.text()?),
            19 => a.max_file_size(v.u64()?),
            20 => a.password_hash(v.text()?),
            21 => a.data_tls_required(v.truth()?),
            24 => {
                let mut parts = v.bytes.splitn(3, |&c| c == 0);
                let (dir, letters) = (parts.next()?, std::str::from_utf8(parts.next()?).ok()?);
                a.rule(dir, letters, Value { key: 24, bytes: parts.next()? }.truth()?)
            }
            29 => a.network(v.text()?),
            25 => a.anonymous(v.truth()?),
            26 => match v.bytes {
                [bits @ 0..=3] => a.lenient(bits & 1 != 0, bits & 2 != 0),
                _ => return None,
            },
            _ => return None,
        }
    }
    Some(if flags & 1 != 0 { a.finally() } else { a })
}

fn fs_answer(action: u64, flags: u64, code: u16, entries: &[Value]) -> Option<fs::Answer> {
    let mut rest = entries;
    let mut a = match action {
        0 => fs::Answer::pass(),
        1 => fs::Answer::allow(),
        2 => fs::Answer::deny_code(code, ""),
        3 => {
            let (first, others) = entries.split_first()?;
            rest = others;
            match first.key {
                2 => fs::Answer::rewrite(first.bytes),
                23 => fs::Answer::rewrite2(first.bytes),
                _ => return None,
            }
        }
        4 => fs::Answer::hide(),
        5 => return Some(fs::Answer::fail(why(entries)?)),
        _ => return None,
    };
    for v in rest {
        a = match v.key {
            1 => a.text(v.text()?),
            5 => a.rate_down(v.u64()?),
            6 => a.rate_up(v.u64()?),
            15 => a.cache(v.ms()?),
            16 => a.label(v.text()?),
            19 => a.max_file_size(v.u64()?),
            21 => a.data_tls_required(v.truth()?),
            23 => a.and_path2(v.bytes),
            _ => return None,
        }
    }
    Some(if flags & 1 != 0 { a.finally() } else { a })
}

fn list_answer(action: u64, code: u16, entries: &[Value]) -> Option<list::Answer> {
    let mut a = match action {
        0 => list::Answer::pass(),
        1 => list::Answer::allow(),
        2 => list::Answer::deny_code(code, ""),
        4 => list::Answer::hide(),
        5 => return Some(list::Answer::fail(why(entries)?)),
        _ => return None,
    };
    for v in entries {
        a = match v.key {
            1 => a.text(v.text()?),
            18 => a.hide_bits(v.bytes),
            _ => return None,
        }
    }
    Some(a)
}

fn cmd_answer(action: u64, code: u16, entries: &[Value]) -> Option<cmd::Answer> {
    let mut a = match action {
        0 => cmd::Answer::pass(),
        1 => cmd::Answer::allow(),
        2 => cmd::Answer::deny_code(code, ""),
        5 => return Some(cmd::Answer::fail(why(entries)?)),
        _ => return None,
    };
    for v in entries {
        a = match v.key {
            1 => a.text(v.text()?),
            _ => return None,
        }
    }
    Some(a)
}

fn site_answer(action: u64, code: u16, entries: &[Value]) -> Option<site::Answer> {
    let mut a = match action {
        0 => site::Answer::pass(),
        1 => site::Answer::done_code(code),
        2 => site::Answer::refused_code(code),
        5 => return Some(site::Answer::fail(why(entries)?)),
        _ => return None,
    };
    for v in entries {
        a = match v.key {
            22 => a.line(v.text()?),
            _ => return None,
        }
    }
    Some(a)
}

fn throttle_answer(action: u64, entries: &[Value]) -> Option<throttle::Answer> {
    let mut a = match action {
        0 => throttle::Answer::pass(),
        1 => throttle::Answer::allow(),
        5 => return Some(throttle::Answer::fail(why(entries)?)),
        _ => return None,
    };
    for v in entries {
        a = match v.key {
            15 => a.ask_again(v.ms()?),
            28 => a.rate(v.u64()?),
            _ => return None,
        }
    }
    Some(a)
}

fn data_answer(action: u64, code: u16, bytes: &[u8], entries: &[Value]) -> Option<data::Answer> {
    let mut a = match action {
        0 => data::Answer::pass(),
        1 => data::Answer::allow(),
        2 => data::Answer::deny_code(code, ""),
        3 => data::Answer::rewrite(bytes),
        4 => data::Answer::hide(),
        5 => return Some(data::Answer::fail(why(entries)?)),
        _ => return None,
    };
    for v in entries {
        a = match v.key {
            1 => a.text(v.text()?),
            27 => a.carry(v.bytes),
            _ => return None,
        }
    }
    Some(a)
}

fn event_answer(action: u64, entries: &[Value]) -> Option<event::Answer> {
    match action {
        0 if entries.is_empty() => Some(event::Answer::pass()),
        1 if entries.is_empty() => Some(event::Answer::allow()),
        2 => Some(event::Answer::deny(why(entries)?)),
        5 => Some(event::Answer::fail(why(entries)?)),
        _ => None,
    }
}

fn cert_answer(action: u64, entries: &[Value]) -> Option<cert::Answer> {
    let mut a = match action {
        0 => cert::Answer::pass(),
        1 => cert::Answer::allow(),
        2 => cert::Answer::deny(""),
        5 => return Some(cert::Answer::fail(why(entries)?)),
        _ => return None,
    };
    for v in entries {
        a = match v.key {
            1 => a.text(v.text()?),
            _ => return None,
        }
    }
    Some(a)
}

/// Calls an import and says what it returned.
fn call(args: &mut Args) -> Vec<u8> {
    let (result, out) = match import(args) {
        Ok(said) => said,
        Err(e) => (i64::from(e.code()), Vec::new()),
    };
    let mut said = format!("result {result}\n");
    if !out.is_empty() {
        said += &format!("out {}\n", hex(&out));
    }
    said.into_bytes()
}

fn import(args: &mut Args) -> std::result::Result<(i64, Vec<u8>), Error> {
    let with_length = |out: Vec<u8>| (out.len() as i64, out);
    Ok(match args.number(1) {
        0 => {
            let level = match args.number(8) {
                0 => log::Level::Debug,
                2 => log::Level::Warn,
                3 => log::Level::Error,
                _ => log::Level::Info,
            };
            log::line(level, args.text());
            (0, vec![])
        }
        1 => with_length(kv::get(args.bytes())?.ok_or(Error::NotFound)?),
        2 => {
            let (key, value, ttl) = (args.bytes(), args.maybe(), args.ttl());
            match value {
                Some(v) => kv::set(key, v, ttl)?,
                None => kv::remove(key)?,
            }
            (0, vec![])
        }
        3 => {
            let (key, delta, ttl) = (args.bytes(), args.number(8) as i64, args.ttl());
            (0, kv::incr(key, delta, ttl)?.to_le_bytes().to_vec())
        }
        4 => {
            let (key, old, new, ttl) = (args.bytes(), args.maybe(), args.maybe(), args.ttl());
            (kv::cas(key, old, new, ttl)?.into(), vec![])
        }
        5 => {
            let (name, kind, value) = (args.text(), args.number(8), args.number(8) as i64);
            match kind {
                0 => metric::add(name, value),
                1 => metric::set(name, value),
                _ => return Err(Error::Invalid),
            }
            (0, vec![])
        }
        6 => {
            let mut out = vec![0; args.number(8) as usize];
            random::fill(&mut out);
            (0, out)
        }
        7 => (host::verify_password(args.text())?.into(), vec![]),
        8 => {
            let s = host::stat(args.bytes())?;
            let mut e = [0; 32];
            e[8..12].copy_from_slice(&s.mode.to_le_bytes());
            e[16..24].copy_from_slice(&s.size.to_le_bytes());
            e[24..].copy_from_slice(&s.modified.0.to_le_bytes());
            with_length(e.to_vec())
        }
        9 => with_length(host::digest(args.text())?),
        10 => {
            let (method, url, body) = (args.text(), args.text(), args.bytes());
            let r = fetch::Request::new(method, url).body(body).send()?;
            with_length(r.as_bytes().to_vec())
        }
        _ => return Err(Error::Invalid),
    })
}
