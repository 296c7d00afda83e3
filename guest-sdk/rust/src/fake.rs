//! A server for unit tests: it makes policies, asks questions and plays the imports.
//! Only natively; a module does not have it.
//!
//! ```
//! # use edgeftp::{fs, Policy, Result, Settings};
//! # struct Guard;
//! # impl Policy for Guard { fn new(_: &Settings) -> Result<Guard> { Ok(Guard) } }
//! # impl fs::Hook for Guard {
//! #     fn fs(&mut self, q: &fs::Question) -> Result<fs::Answer> {
//! #         Ok(if q.op().uploads() { fs::Answer::deny("no") } else { fs::Answer::pass() })
//! #     }
//! # }
//! use edgeftp::fake;
//! use fs::Hook;
//!
//! let mut guard: Guard = fake::policy("{}").unwrap();
//! let q = fake::fs(fs::Op::Write, "/in/a.exe").user("ann");
//! assert_eq!(guard.fs(&q.question()).unwrap(), fs::Answer::deny("no"));
//! ```
//!
//! Each thread has a world of its own, as each test of `cargo test` and `rustc --test`
//! has: values, files and answers of other servers put in by one test are not there for
//! another. Time stands still but for [`advance`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use crate::guest::Decode;
use crate::host::Stat;
use crate::{auth, cert, cmd, data, event, fs, list, site, throttle};
use crate::{flag, Attr, Error, EventKind, Op, Policy, Result, Span};

/// Makes a policy of its settings, as the server does.
///
/// # Errors
/// What refuses the policy, in the words that the operator would read.
pub fn policy<P: Policy>(settings: &str) -> Result<P> {
    crate::settings::policy(settings)
}

/// A question that is being made. It comes from session 1 at 192.0.2.1:40000 with the
/// root `/` at 1700000000 (seconds since 1970), as those of `tests.json` do.
#[must_use = "ask it with question()"]
#[derive(Clone, Debug)]
pub struct Ask<Q> {
    op: u16,
    session: u64,
    time: i64,
    a: i64,
    b: i64,
    flags: u32,
    spans: [Vec<u8>; 9],
    attrs: BTreeMap<u16, Vec<u8>>,
    entries: Vec<(String, u32, i64)>,
    kind: PhantomData<Q>,
}

fn ask<Q>(op: u16, path: &str, arg: &[u8]) -> Ask<Q> {
    let mut peer16 = vec![0; 10];
    peer16.extend_from_slice(&[0xff, 0xff, 192, 0, 2, 1]);
    let text = |s: &str| s.as_bytes().to_vec();
    Ask {
        op,
        session: 1,
        time: 1_700_000_000_000_000_000,
        a: 0,
        b: 0,
        flags: 0,
        spans: [
            vec![], text(path), arg.to_vec(), text("192.0.2.1:40000"), peer16, text("/"), vec![], vec![], vec![],
        ],
        attrs: BTreeMap::new(),
        entries: Vec::new(),
        kind: PhantomData,
    }
}

/// A login; see [`Ask::user`].
pub fn auth() -> Ask<auth::Question<'static>> {
    ask(0, "", b"")
}

/// An operation on a path.
pub fn fs(op: Op, path: &str) -> Ask<fs::Question<'static>> {
    ask(op.number(), path, b"")
}

/// A listing with entries of name, st_mode and size.
pub fn list(path: &str, entries: &[(&str, u32, i64)]) -> Ask<list::Question<'static>> {
    let mut q = ask(0, path, b"");
    q.entries = entries.iter().map(|e| (e.0.to_string(), e.1, e.2)).collect();
    q
}

/// A command in capitals with its argument.
pub fn cmd(verb: &str, arg: &str) -> Ask<cmd::Question<'static>> {
    ask(0, "/", arg.as_bytes()).span(Span::Extra, verb.as_bytes())
}

/// A SITE command of the policy with its argument.
pub fn site(verb: &str, arg: &str) -> Ask<site::Question<'static>> {
    ask(0, "/", arg.as_bytes()).span(Span::Extra, verb.as_bytes())
}

/// A transfer of a path that begins, of an unknown length.
pub fn throttle(op: Op, path: &str) -> Ask<throttle::Question<'static>> {
    let mut q = ask(op.number(), path, b"").numbers(-1, 0);
    q.flags |= if op.uploads() { flag::UPLOAD } else { 0 };
    q
}

/// A chunk of a transfer, at offset 0.
pub fn data(op: Op, path: &str, bytes: &[u8]) -> Ask<data::Question<'static>> {
    let mut q = ask(op.number(), path, bytes);
    q.flags |= if op.uploads() { flag::UPLOAD } else { 0 };
    q
}

/// An event about a path.
pub fn event(kind: EventKind, path: &str) -> Ask<event::Question<'static>> {
    ask(kind.number(), path, b"")
}

/// A name that is to get a certificate.
pub fn cert(name: &str) -> Ask<cert::Question<'static>> {
    ask(0, "", name.as_bytes())
}

impl<Q> Ask<Q> {
    /// The name of the user.
    pub fn user(self, name: &str) -> Self {
        self.span(Span::User, name.as_bytes())
    }

    /// The group of the session.
    pub fn group(self, name: &str) -> Self {
        self.attr(Attr::Group, name.as_bytes())
    }

    /// The virtual host that the session belongs to, by its name in the configuration.
    pub fn vhost(self, name: &str) -> Self {
        self.attr(Attr::Vhost, name.as_bytes())
    }

    /// What carries the session, such as `h2`.
    pub fn protocol(self, name: &str) -> Self {
        self.attr(Attr::Protocol, name.as_bytes())
    }

    /// The data connection's other end, an address with a port.
    pub fn data_peer(self, address: &str) -> Self {
        self.attr(Attr::DataPeer, address.as_bytes())
    }

    /// The number of the session.
    pub fn session(mut self, n: u64) -> Self {
        self.session = n;
        self
    }

    /// The time, in seconds since 1970.
    pub fn at(mut self, unix: i64) -> Self {
        self.time = unix * 1_000_000_000;
        self
    }

    /// STATE of the session.
    pub fn state(self, bytes: &[u8]) -> Self {
        self.span(Span::State, bytes)
    }

    /// Sets flags: bits of [`flag`].
    pub fn flags(mut self, bits: u32) -> Self {
        self.flags |= bits;
        self
    }

    /// The numbers a and b (ABI §4).
    pub fn numbers(mut self, a: i64, b: i64) -> Self {
        self.a = a;
        self.b = b;
        self
    }

    /// The raw bytes of a span.
    pub fn span(mut self, s: Span, bytes: &[u8]) -> Self {
        self.spans[s as usize] = bytes.to_vec();
        self
    }

    /// The raw bytes of an attribute.
    pub fn attr(mut self, key: Attr, bytes: &[u8]) -> Self {
        self.attrs.insert(key as u16, bytes.to_vec());
        self
    }
}

impl Ask<auth::Question<'static>> {
    /// What the two ends of the connection know and nobody else.
    pub fn binding(self, bytes: &[u8; 32]) -> Self {
        self.attr(Attr::Binding, bytes)
    }
}

impl Ask<fs::Question<'static>> {
    /// The second path.
    pub fn path2(self, path: &str) -> Self {
        if Op::from_number(self.op).two_paths() {
            return self.span(Span::Arg, path.as_bytes());
        }
        self.attr(Attr::Path2, path.as_bytes())
    }

    /// The file exists and has so many bytes.
    pub fn size(self, n: u64) -> Self {
        self.flags(flag::EXISTS).attr(Attr::Size, &n.to_le_bytes())
    }
}

impl<Q: Decode> Ask<Q> {
    /// The question. Its bytes stay for the rest of the test run.
    ///
    /// # Panics
    /// If the question breaks the ABI, such as a listing without entries.
    pub fn question(&self) -> Q {
        match Q::decode(Box::leak(self.record().into_boxed_slice())) {
            Ok(q) => q,
            Err(e) => panic!("{e}"),
        }
    }

    /// The bytes of the question, as the server would write them (ABI §3).
    pub fn record(&self) -> Vec<u8> {
        let n = if matches!(Q::KIND, 4 | 5 | 7) { 9 } else { 8 };
        let mut rec = vec![0; 56 + 8 * n];
        let mut put = |at: usize, bytes: &[u8]| rec[at..at + bytes.len()].copy_from_slice(bytes);
        put(4, &Q::KIND.to_le_bytes());
        put(6, &self.op.to_le_bytes());
        put(8, &self.session.to_le_bytes());
        put(16, &1u64.to_le_bytes());
        put(24, &self.time.to_le_bytes());
        put(32, &(if Q::KIND == 3 { self.entries.len() as i64 } else { self.a }).to_le_bytes());
        put(40, &self.b.to_le_bytes());
        put(48, &self.flags.to_le_bytes());
        put(52, &(n as u32).to_le_bytes());
        for i in 0..n {
            let bytes = match i {
                2 if Q::KIND == 3 => {
                    rec.resize((rec.len() + 7) / 8 * 8, 0);
                    self.listing(rec.len())
                }
                6 => self.attributes(),
                _ => self.spans[i].clone(),
            };
            let (off, len) = (rec.len() as u32, bytes.len() as u32);
            rec[56 + 8 * i..60 + 8 * i].copy_from_slice(&off.to_le_bytes());
            rec[60 + 8 * i..64 + 8 * i].copy_from_slice(&len.to_le_bytes());
            rec.extend_from_slice(&bytes);
            rec.push(0);
        }
        let size = rec.len() as u32;
        rec[..4].copy_from_slice(&size.to_le_bytes());
        rec
    }

    fn attributes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (key, value) in &self.attrs {
            out.extend_from_slice(&key.to_le_bytes());
            out.extend_from_slice(&(value.len() as u16).to_le_bytes());
            out.extend_from_slice(value);
        }
        out
    }

    fn listing(&self, base: usize) -> Vec<u8> {
        let (mut fixed, mut names) = (Vec::new(), Vec::new());
        for (name, mode, size) in &self.entries {
            let off = base + 32 * self.entries.len() + names.len();
            for n in [off as u32, name.len() as u32, *mode, 0] {
                fixed.extend_from_slice(&n.to_le_bytes());
            }
            fixed.extend_from_slice(&size.to_le_bytes());
            fixed.extend_from_slice(&0i64.to_le_bytes());
            names.extend_from_slice(name.as_bytes());
            names.push(0);
        }
        fixed.extend_from_slice(&names);
        fixed
    }
}

type Response = std::result::Result<(u32, Vec<(String, String)>, Vec<u8>), Error>;

#[derive(Default)]
struct World {
    now_ms: i64,
    kv: BTreeMap<Vec<u8>, (Vec<u8>, i64)>, // value, and when it vanishes; 0 never
    log: Vec<String>,
    metrics: BTreeMap<String, i64>,
    random: Vec<u8>,
    files: BTreeMap<Vec<u8>, Stat>,
    digests: BTreeMap<String, Vec<u8>>,
    hash: Option<String>,
    http: BTreeMap<String, Response>,
    fetched: Vec<String>,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

fn world<T>(f: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with(|w| f(&mut w.borrow_mut()))
}

/// Moves the time of values on, so that those with a time to live vanish.
pub fn advance(d: Duration) {
    world(|w| w.now_ms += d.as_millis() as i64);
}

/// The lines that were logged so far, oldest first.
pub fn logged() -> Vec<String> {
    world(|w| w.log.clone())
}

/// The value of a metric, `None` if it was never told.
pub fn metric(name: &str) -> Option<i64> {
    world(|w| w.metrics.get(name).copied())
}

/// The bytes that [`random`](crate::random) hands out next; after them come zeros.
pub fn random(bytes: &[u8]) {
    world(|w| w.random = bytes.to_vec());
}

/// What lies at a path for [`host::stat`](crate::host::stat).
pub fn file(path: &str, stat: Stat) {
    world(|w| w.files.insert(path.into(), stat));
}

/// The digest of the question's file for [`host::digest`](crate::host::digest).
pub fn digest(algorithm: &str, bytes: &[u8]) {
    world(|w| w.digests.insert(algorithm.into(), bytes.to_vec()));
}

/// The only hash that [`host::verify_password`](crate::host::verify_password) finds right.
pub fn password_hash(hash: &str) {
    world(|w| w.hash = Some(hash.into()));
}

/// The answer of another server to `METHOD URL`: a status, headers and a body.
pub fn http(request: &str, status: u32, headers: &[(&str, &str)], body: &[u8]) {
    let headers = headers.iter().map(|h| (h.0.to_ascii_lowercase(), h.1.to_string())).collect();
    world(|w| w.http.insert(request.into(), Ok((status, headers, body.to_vec()))));
}

/// The failure of a request `METHOD URL`. One that nobody told about is
/// [`Error::Denied`].
pub fn http_fails(request: &str, e: Error) {
    world(|w| w.http.insert(request.into(), Err(e)));
}

/// The requests that were sent so far, each as `METHOD URL`.
pub fn fetched() -> Vec<String> {
    world(|w| w.fetched.clone())
}

/// The imports, with the types that they have in a module.
pub(crate) mod imports {
    use super::{world, World};
    use crate::Error;

    /// The bytes of an argument.
    unsafe fn bytes<'a>(p: *const u8, len: usize) -> &'a [u8] {
        // SAFETY: the callers are the modules of this crate, which hand on slices.
        unsafe { std::slice::from_raw_parts(p, len) }
    }

    /// Writes a result, if there is room.
    unsafe fn give(value: &[u8], out: *mut u8, cap: usize) -> i64 {
        if value.len() > cap {
            return Error::Size.code().into();
        }
        // SAFETY: as in bytes.
        unsafe { std::ptr::copy_nonoverlapping(value.as_ptr(), out, value.len()) };
        value.len() as i64
    }

    pub(crate) unsafe fn log(_level: u32, text: *const u8, len: usize) {
        let line = String::from_utf8_lossy(unsafe { bytes(text, len) }).into_owned();
        world(|w| w.log.push(line));
    }

    impl World {
        fn value(&mut self, key: &[u8]) -> Option<&(Vec<u8>, i64)> {
            let now = self.now_ms;
            self.kv.retain(|_, v| v.1 == 0 || v.1 > now);
            self.kv.get(key)
        }

        fn put(&mut self, key: &[u8], value: &[u8], ttl_ms: i64) {
            let ends = if ttl_ms > 0 { self.now_ms.saturating_add(ttl_ms) } else { 0 };
            self.kv.insert(key.into(), (value.into(), ends));
        }
    }

    fn good(key: &[u8], value: usize) -> bool {
        !key.is_empty() && key.len() <= 256 && (value <= 4096 || value == ABSENT)
    }

    const ABSENT: usize = u32::MAX as usize;

    pub(crate) unsafe fn kv_get(key: *const u8, key_len: usize, out: *mut u8, cap: usize) -> i64 {
        let key = unsafe { bytes(key, key_len) };
        if !good(key, 0) {
            return Error::Size.code().into();
        }
        match world(|w| w.value(key).map(|v| v.0.clone())) {
            None => Error::NotFound.code().into(),
            Some(v) if v.len() > cap => v.len() as i64,
            Some(v) => unsafe { give(&v, out, cap) },
        }
    }

    pub(crate) unsafe fn kv_set(key: *const u8, key_len: usize, value: *const u8, len: usize, ttl_ms: i64) -> i32 {
        let key = unsafe { bytes(key, key_len) };
        if !good(key, len) {
            return Error::Size.code();
        }
        if len == ABSENT {
            world(|w| w.kv.remove(key));
        } else {
            let value = unsafe { bytes(value, len) };
            world(|w| w.put(key, value, ttl_ms));
        }
        0
    }

    pub(crate) unsafe fn kv_incr(key: *const u8, key_len: usize, delta: i64, ttl_ms: i64, out: *mut i64) -> i32 {
        let key = unsafe { bytes(key, key_len) };
        if !good(key, 0) {
            return Error::Size.code();
        }
        let sum = world(|w| {
            let old = w.value(key).cloned();
            let n = match &old {
                None => 0,
                Some((v, _)) => i64::from_le_bytes(v.as_slice().try_into().ok()?),
            };
            let sum = n.saturating_add(delta);
            w.put(key, &sum.to_le_bytes(), ttl_ms);
            if let (Some((_, ends)), Some(v)) = (old, w.kv.get_mut(key)) {
                v.1 = ends;
            }
            Some(sum)
        });
        match sum {
            None => Error::Type.code(),
            Some(n) => {
                // SAFETY: as in bytes.
                unsafe { *out = n };
                0
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    pub(crate) unsafe fn kv_cas(
        key: *const u8, key_len: usize, old: *const u8, old_len: usize, new: *const u8, new_len: usize, ttl_ms: i64,
    ) -> i32 {
        let key = unsafe { bytes(key, key_len) };
        if !good(key, old_len) || !good(key, new_len) {
            return Error::Size.code();
        }
        let now = world(|w| w.value(key).map(|v| v.0.clone()));
        let want = if old_len == ABSENT { None } else { Some(unsafe { bytes(old, old_len) }) };
        if now.as_deref() != want {
            return 0;
        }
        match unsafe { kv_set(key.as_ptr(), key_len, new, new_len, ttl_ms) } {
            0 => 1,
            e => e,
        }
    }

    pub(crate) unsafe fn metric(name: *const u8, len: usize, kind: u32, value: i64) {
        let name = String::from_utf8_lossy(unsafe { bytes(name, len) }).into_owned();
        world(|w| {
            let n = w.metrics.entry(name).or_default();
            *n = if kind == 0 { *n + value.max(0) } else { value };
        });
    }

    pub(crate) unsafe fn random(out: *mut u8, len: usize) {
        let next = world(|w| {
            let n = w.random.len().min(len);
            let mut next: Vec<u8> = w.random.drain(..n).collect();
            next.resize(len, 0);
            next
        });
        unsafe { give(&next, out, len) };
    }

    pub(crate) unsafe fn pw_verify(hash: *const u8, len: usize) -> i32 {
        let hash = unsafe { bytes(hash, len) };
        world(|w| w.hash.as_ref().map_or(false, |h| h.as_bytes() == hash).into())
    }

    pub(crate) unsafe fn stat(path: *const u8, len: usize, out: *mut u8, cap: usize) -> i64 {
        let path = unsafe { bytes(path, len) };
        let s = match world(|w| w.files.get(path).copied()) {
            Some(s) => s,
            None => return Error::NotFound.code().into(),
        };
        let mut e = [0; 32];
        e[8..12].copy_from_slice(&s.mode.to_le_bytes());
        e[16..24].copy_from_slice(&s.size.to_le_bytes());
        e[24..].copy_from_slice(&s.modified.0.to_le_bytes());
        unsafe { give(&e, out, cap) }
    }

    pub(crate) unsafe fn digest(algorithm: *const u8, len: usize, out: *mut u8, cap: usize) -> i64 {
        let name = String::from_utf8_lossy(unsafe { bytes(algorithm, len) }).into_owned();
        match world(|w| w.digests.get(&name).cloned()) {
            None => Error::NotFound.code().into(),
            Some(d) => unsafe { give(&d, out, cap) },
        }
    }

    pub(crate) unsafe fn fetch(request: *const u8, len: usize, out: *mut u8, cap: usize) -> i64 {
        let (name, wanted) = crate::fetch::of_request(unsafe { bytes(request, len) });
        let answer = world(|w| {
            w.fetched.push(name.clone());
            w.http.get(&name).cloned().unwrap_or(Err(Error::Denied))
        });
        match answer {
            Err(e) => e.code().into(),
            Ok((status, mut headers, body)) => {
                headers.retain(|h| wanted.contains(&h.0));
                unsafe { give(&crate::fetch::response(status, &headers, &body), out, cap) }
            }
        }
    }
}
