//! Bounds how many bytes and files each user stores, or brings in a month.
//!
//! What counts is in the server's values, one for each user, and changed in one step
//! each time: any number of instances may decide at one moment. Memory holds settings
//! alone.

use std::time::Duration;

use edgeftp::{event, fs, kv, Policy, Result, Settings, Text, Time};

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Amount {
    bytes: i64,
    files: i64,
}

struct Quota {
    each: Amount, // 0 is no limit
    users: Vec<(String, Amount)>,
    monthly: bool,
}

fn limits(s: &Settings) -> Amount {
    let number = |key| {
        let n = s.int(key, 0);
        if n < 0 {
            s.refuse(key, "a number of 0 or more");
        }
        n
    };
    Amount { bytes: number("bytes"), files: number("files") }
}

impl Policy for Quota {
    fn new(s: &Settings) -> Result<Self> {
        let users = s.objects("users").iter().map(|u| (u.string("user", ""), limits(u)));
        Ok(Quota { each: limits(s), users: users.collect(), monthly: s.bool("monthly", false) })
    }
}

/// How long an upload's charge waits for the event that says how the upload ended.
const PENDING: Duration = Duration::from_secs(600);

/// A month's counter is of no use after it, whenever in the month it began.
const MONTH: Duration = Duration::from_secs(32 * 86_400);

/// As often a change is tried that others get in the way of; one of them gets through
/// each time.
const TRIES: usize = 1000;

/// Counters as they are kept: `BYTES FILES`.
fn parse(value: Option<&[u8]>) -> Result<Amount> {
    let text = match value {
        None => return Ok(Amount::default()),
        Some(v) => std::str::from_utf8(v)?,
    };
    let (bytes, files) = text.split_once(' ').ok_or("a counter is damaged")?;
    Ok(Amount { bytes: bytes.parse()?, files: files.parse()? })
}

impl Amount {
    fn text(self) -> String {
        format!("{} {}", self.bytes, self.files)
    }

    /// Adds, without a counter below zero.
    fn plus(self, other: Amount) -> Amount {
        let add = |a: i64, b: i64| a.saturating_add(b).max(0);
        Amount { bytes: add(self.bytes, other.bytes), files: add(self.files, other.files) }
    }

    fn less(self) -> Amount {
        Amount { bytes: -self.bytes, files: -self.files }
    }
}

impl Quota {
    fn limit(&self, user: &Text) -> Amount {
        let own = self.users.iter().find(|(name, _)| *user == *name);
        own.map_or(self.each, |(_, limit)| *limit)
    }

    fn key(&self, user: &Text, at: Time) -> Vec<u8> {
        let mut key = b"u/".to_vec();
        if self.monthly {
            key.extend_from_slice(at.utc().date()[..8].as_bytes()); // 2026-11-
        }
        key.extend_from_slice(user);
        key
    }

    /// Changes a counter in one step. `f` says what to add, or nothing to leave it.
    fn update(&self, key: &[u8], f: impl Fn(Amount) -> Option<Amount>) -> Result<bool> {
        let ttl = if self.monthly { Some(MONTH) } else { None };
        for _ in 0..TRIES {
            let old = kv::get(key)?;
            let used = parse(old.as_deref())?;
            let change = match f(used) {
                None => return Ok(false),
                Some(change) => change,
            };
            let new = used.plus(change).text();
            if kv::cas(key, old.as_deref(), Some(new.as_bytes()), ttl)? {
                return Ok(true);
            }
        }
        Err("too many uploads at one time".into())
    }

    /// Before the transfer: whether there is room at all, and how much.
    fn begin(&self, q: &fs::Question, limit: Amount) -> Result<fs::Answer> {
        let used = parse(kv::get(self.key(q.user(), q.time()))?.as_deref())?;
        let new_file = q.op() == fs::Op::Unique || !q.exists();
        if limit.files > 0 && new_file && used.files >= limit.files {
            return Ok(full());
        }
        if limit.bytes == 0 {
            return Ok(fs::Answer::pass());
        }
        let most = (limit.bytes - used.bytes).max(0).saturating_add(q.size() as i64);
        if most == 0 || q.a() > most {
            return Ok(full());
        }
        Ok(fs::Answer::pass().max_file_size(most as u64))
    }

    /// After the last byte: charges what the upload adds, if it fits.
    fn commit(&self, q: &fs::Question, limit: Amount) -> Result<fs::Answer> {
        let grown = Amount { bytes: q.a() - q.size() as i64, files: i64::from(!q.exists()) };
        let key = self.key(q.user(), q.time());
        let fits = |used: Amount| {
            let over = |limit, used: i64, more: i64| limit > 0 && more > 0 && used.saturating_add(more) > limit;
            let no = over(limit.bytes, used.bytes, grown.bytes) || over(limit.files, used.files, grown.files);
            Some(grown).filter(|_| !no)
        };
        if q.shadow() {
            let used = parse(kv::get(key)?.as_deref())?;
            return Ok(fits(used).map_or_else(full, |_| fs::Answer::pass()));
        }
        if !self.update(&key, fits)? {
            return Ok(full());
        }
        let what = [grown.text().as_bytes(), b" ", &key].concat();
        let note = kv::set(pending(q.user(), q.session(), q.request()), what, Some(PENDING));
        if let Err(e) = note {
            self.update(&key, |_| Some(grown.less()))?;
            return Err(e.into());
        }
        Ok(fs::Answer::pass())
    }
}

fn full() -> fs::Answer {
    fs::Answer::deny_code(552, "you have stored as much as you may")
}

/// What was charged and where: `BYTES FILES KEY`. The event may come in another month.
fn charge(note: &[u8]) -> Result<(Amount, &[u8])> {
    let mut spaces = note.iter().enumerate().filter(|(_, &c)| c == b' ').map(|(i, _)| i);
    let end = spaces.nth(1).ok_or("a charge is damaged")?;
    Ok((parse(Some(&note[..end]))?, &note[end + 1..]))
}

/// Where the charge of an upload is remembered: its event has the same numbers.
fn pending(user: &[u8], session: u64, request: u64) -> Vec<u8> {
    [format!("p/{session}/{request}/").as_bytes(), user].concat()
}

impl fs::Hook for Quota {
    fn fs(&mut self, q: &fs::Question) -> Result<fs::Answer> {
        let limit = self.limit(q.user());
        if limit == Amount::default() {
            return Ok(fs::Answer::pass());
        }
        if q.user().len() > 200 {
            return Ok(fs::Answer::deny("the user's name is too long")); // for a key
        }
        match q.op() {
            fs::Op::Commit => self.commit(q, limit),
            op if op.uploads() => self.begin(q, limit),
            _ => Ok(fs::Answer::pass()),
        }
    }
}

impl event::Hook for Quota {
    fn event(&mut self, e: &event::Question) -> Result<()> {
        if e.shadow() || e.user().len() > 200 || self.limit(e.user()) == Amount::default() {
            return Ok(());
        }
        let mut back = Amount::default();
        let mut key = self.key(e.user(), e.time());
        match e.kind() {
            // An empty file is not told from a link or what is left of an upload.
            event::Kind::FileDeleted if e.size() > 0 && !self.monthly => {
                back = Amount { bytes: -e.size(), files: -1 };
            }
            event::Kind::FileReceived | event::Kind::IncompleteFileReceived => {
                let note = pending(e.user(), e.session(), e.request());
                let charged = kv::get(&note)?;
                if kv::cas(&note, charged.as_deref(), None, None)? && e.kind() != event::Kind::FileReceived {
                    if let Some(note) = charged.as_deref() {
                        let (amount, at) = charge(note)?;
                        back = amount.less();
                        key = at.to_vec();
                    }
                }
            }
            _ => {}
        }
        if back != Amount::default() {
            self.update(&key, |_| Some(back))?;
        }
        Ok(())
    }
}

edgeftp::export!(Quota: fs, event);

#[cfg(test)]
mod policy_test;
