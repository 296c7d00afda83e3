/// Makes the question type of one hook: a view of the record.
macro_rules! question {
    ($kind:literal, $(#[$doc:meta])*) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct Question<'a>(crate::Meta<'a>);

        impl<'a> std::ops::Deref for Question<'a> {
            type Target = crate::Meta<'a>;
            fn deref(&self) -> &crate::Meta<'a> {
                &self.0
            }
        }

        impl<'a> Question<'a> {
            /// The number of the hook: the kind of its records.
            pub const KIND: u16 = $kind;

            /// Reads a record (ABI §3). Nothing outside of it is read, and nothing of it
            /// is copied.
            ///
            /// # Errors
            /// Bytes that are no question of this hook.
            pub fn decode(record: &'a [u8]) -> Result<Question<'a>, crate::BadRecord> {
                check(crate::Meta::decode(record, $kind)?).map(Question)
            }
        }

        impl crate::guest::Decode for Question<'static> {
            const KIND: u16 = $kind;
            fn decode(record: &'static [u8]) -> Result<Self, crate::BadRecord> {
                Question::decode(record)
            }
        }

        #[doc(hidden)]
        pub fn serve<P: Hook>(p: &mut P, record: &[u8]) -> crate::reply::Reply {
            match Question::decode(record) {
                Ok(q) => asked(p, &q),
                Err(e) => crate::reply::Reply::fail(&e.to_string()),
            }
        }
    };
}

/// Makes the trait of one hook that answers with its `Answer`.
macro_rules! hook {
    ($method:ident, $(#[$doc:meta])*) => {
        $(#[$doc])*
        pub trait Hook {
            /// Answers one question.
            ///
            /// # Errors
            /// An error is the answer `fail`: the decision fails closed, the text goes
            /// to the server's log.
            fn $method(&mut self, q: &Question<'_>) -> crate::Result<Answer>;
        }

        fn asked<P: Hook>(p: &mut P, q: &Question<'_>) -> crate::reply::Reply {
            match p.$method(q) {
                Ok(a) => a.0,
                Err(e) => crate::reply::Reply::fail(&e.to_string()),
            }
        }
    };
}

pub mod auth {
    //! The hook `auth`: who may log in.

    use crate::record::flag;
    use crate::reply::{action, key};
    use crate::{Attr, BadRecord, Meta, Span, Text, Time};

    question! {1,
        /// [`user`](Meta::user) asks to log in.
    }
    hook! {auth,
        /// Decides who may log in. No opinion from any policy is a refusal.
        ///
        /// In an [`early`](Question::early) question the client has shown a certificate;
        /// who allows it without a hash lets it in without a password, so compare
        /// [`cert_sha256`](Meta::cert_sha256) with the user's own first.
    }
    answer! {
        /// An answer of the hook `auth`.
    }
    constructors! {
        /// No opinion.
        pass = PASS;
        /// The user may log in, if no other policy refuses.
        allow = ALLOW;
    }
    refusals! {}
    narrowing! {}
    texts! {
        /// The server's words at 230.
        msg_login = MSG_LOGIN;
        /// The server's words at 221.
        msg_quit = MSG_QUIT;
        /// The group of the session.
        group = GROUP;
    }

    fn check(m: Meta<'_>) -> Result<Meta<'_>, BadRecord> {
        m.no_op()
    }

    impl<'a> Question<'a> {
        /// The password, if the policy has the capability `password`, else empty.
        pub fn password(&self) -> &'a Text {
            self.text(Span::Arg)
        }

        /// Whether there is no password yet, but a verified client certificate.
        pub fn early(&self) -> bool {
            self.has(flag::EARLY)
        }

        /// 32 bytes that the two ends of the connection know and nobody else, over QUIC;
        /// `None` elsewhere. What the client proves may be bound to them; they are not to
        /// be kept.
        pub fn binding(&self) -> Option<&'a [u8]> {
            self.attr(Attr::Binding)
        }
    }

    impl Answer {
        /// Allows if the password is that of the stored hash (PHC argon2id or bcrypt),
        /// which the server verifies.
        #[track_caller]
        pub fn allow_with_hash(hash: &str) -> Answer {
            Answer::allow().password_hash(hash)
        }

        /// The stored hash that the server verifies; beside [`allow`](Self::allow) alone.
        #[track_caller]
        pub fn password_hash(mut self, hash: &str) -> Answer {
            if self.0.action() != action::ALLOW {
                self.0.fault("PWHASH goes with allow alone");
            }
            self.0.text(key::PWHASH, hash);
            self
        }

        /// Where the session starts: an absolute path.
        #[track_caller]
        pub fn home<B: AsRef<[u8]> + ?Sized>(mut self, path: &B) -> Answer {
            self.0.path(key::HOME, path.as_ref());
            self
        }

        /// Letters of `elradfmwMT`, each at most once; they only narrow.
        #[track_caller]
        pub fn perms(mut self, letters: &str) -> Answer {
            self.0.perms(letters);
            self
        }

        /// In a directory these letters stand in place of [`perms`](Self::perms), with
        /// all `below` it or in it alone; the longest directory wins. Up to 256 times.
        #[track_caller]
        pub fn rule<B: AsRef<[u8]> + ?Sized>(mut self, dir: &B, letters: &str, below: bool) -> Answer {
            self.0.rule(dir.as_ref(), letters, below);
            self
        }

        /// A network that the user may come from, such as `192.0.2.0/24` or
        /// `2001:db8::/32`; without one it is anywhere. The server looks at the client's
        /// address before the login holds, and again when the client moves. Up to 256 times.
        ///
        /// The manifest must say `"abi": "1.5"`: an older server would let in from anywhere.
        #[track_caller]
        pub fn network(mut self, network: &str) -> Answer {
            self.0.network(network);
            self
        }

        /// When the session ends by itself.
        #[track_caller]
        pub fn expires(mut self, at: Time) -> Answer {
            match u64::try_from(at.0) {
                Ok(ns) => self.0.u64(key::EXPIRES, ns),
                Err(_) => self.0.fault("EXPIRES is before 1970"),
            }
            self
        }

        /// At most 1,024 bytes that come back to this policy as [`state`](Meta::state)
        /// of every question of the session, whichever instance it is asked of.
        #[track_caller]
        pub fn state(mut self, bytes: &[u8]) -> Answer {
            self.0.raw(key::STATE, bytes, 1024);
            self
        }

        /// How many sessions the user may have at one time, 0 no limit.
        #[track_caller]
        pub fn max_sessions(mut self, n: u32) -> Answer {
            self.0.u32(key::MAX_SESSIONS, n);
            self
        }

        /// Makes the session anonymous: nothing of it is kept.
        #[track_caller]
        pub fn anonymous(mut self, yes: bool) -> Answer {
            self.0.entry(key::ANONYMOUS, &[u8::from(yes)]);
            self
        }

        /// What the user's clients need not do on protected data connections: resume
        /// the TLS session, end with close_notify.
        #[track_caller]
        pub fn lenient(mut self, resumption: bool, close_notify: bool) -> Answer {
            self.0.entry(key::LENIENT, &[u8::from(resumption) | u8::from(close_notify) << 1]);
            self
        }
    }

}

pub mod fs {
    //! The hook `fs`: what an operation on a path may do.

    use std::time::Duration;

    pub use crate::op::Op;
    use crate::record::flag;
    use crate::reply::{action, key, Reply};
    use crate::{Attr, BadRecord, Meta, Path, Span, Text};

    question! {2,
        /// An operation on a path.
    }
    hook! {fs,
        /// Decides about operations on paths. Look at both [`paths`](Question::paths).
    }
    answer! {
        /// An answer of the hook `fs`.
    }
    constructors! {
        /// No opinion: the session's own permissions decide.
        pass = PASS;
        /// In favour.
        allow = ALLOW;
        /// Refused as if the path did not exist.
        hide = HIDE;
    }
    refusals! {}
    narrowing! {}

    fn check(m: Meta<'_>) -> Result<Meta<'_>, BadRecord> {
        m.some_op()
    }

    impl<'a> Question<'a> {
        /// The operation.
        pub fn op(&self) -> Op {
            Op::from_number(self.op_number())
        }

        /// The path, after earlier policies rewrote it.
        pub fn path(&self) -> &'a Path {
            self.0.path()
        }

        /// The second path of a rename, or the target of a symbolic link; else empty.
        pub fn path2(&self) -> &'a Path {
            if self.op().two_paths() {
                return Path::new(self.span(Span::Arg));
            }
            Path::new(self.attr(Attr::Path2).unwrap_or_default())
        }

        /// The paths that are there, one or two: a policy that looks at names looks at
        /// all of them, or a rename gets around it.
        pub fn paths(&self) -> impl Iterator<Item = &'a Path> {
            [self.path(), self.path2()].into_iter().filter(|p| !p.is_empty())
        }

        /// The raw argument of the command.
        pub fn arg(&self) -> &'a Text {
            if self.op().two_paths() {
                return self.attr_text(Attr::RawArg);
            }
            self.text(Span::Arg)
        }

        /// Whether the path exists now.
        pub fn exists(&self) -> bool {
            self.has(flag::EXISTS)
        }

        /// Whether the path is a directory now.
        pub fn is_dir(&self) -> bool {
            self.has(flag::DIR)
        }

        /// The bytes that the file at the path has now, 0 if there is none.
        pub fn size(&self) -> u64 {
            self.attr_u64(Attr::Size)
        }

        /// Where the data connection of a transfer or listing is to go, if the client has
        /// said (PORT, EPRT); at `commit`, where the bytes came from. Empty if there is none
        /// yet.
        pub fn data_peer(&self) -> &'a Text {
            self.attr_text(Attr::DataPeer)
        }
    }

    impl Answer {
        /// In favour, of another path.
        #[track_caller]
        pub fn rewrite<B: AsRef<[u8]> + ?Sized>(path: &B) -> Answer {
            let mut r = Reply::new(action::REWRITE);
            r.path(key::PATH, path.as_ref());
            Answer(r)
        }

        /// In favour, of another second path.
        #[track_caller]
        pub fn rewrite2<B: AsRef<[u8]> + ?Sized>(path2: &B) -> Answer {
            let mut r = Reply::new(action::REWRITE);
            r.path(key::PATH2, path2.as_ref());
            Answer(r)
        }

        /// The second path beside a [`rewrite`](Self::rewrite) of the first.
        #[track_caller]
        pub fn and_path2<B: AsRef<[u8]> + ?Sized>(mut self, path2: &B) -> Answer {
            if self.0.action() != action::REWRITE {
                self.0.fault("only a rewrite has a path");
            }
            self.0.path(key::PATH2, path2.as_ref());
            self
        }

        /// The same answer holds for the same question so long, from whichever session.
        #[track_caller]
        pub fn cache(mut self, ttl: Duration) -> Answer {
            self.0.cache(ttl);
            self
        }
    }
}

pub mod list {
    //! The hook `list`: which entries of a directory a session sees.

    use crate::record::{i64_at, u32_at};
    use crate::reply::{action, key};
    use crate::{BadRecord, Meta, Path, Span, Text, Time};

    question! {3,
        /// A part of a directory that is about to be shown: 1 to 256 entries.
    }
    hook! {list,
        /// Decides what of a directory is seen. A long one comes in several questions.
    }
    answer! {
        /// An answer of the hook `list`.
    }
    constructors! {
        /// All entries are seen.
        pass = PASS;
        /// As [`pass`](Self::pass).
        allow = ALLOW;
        /// The whole listing is refused, as by [`deny`](Self::deny).
        hide = HIDE;
    }
    refusals! {}

    /// Bytes of an entry without its name.
    const ENTRY: usize = 32;

    fn check(m: Meta<'_>) -> Result<Meta<'_>, BadRecord> {
        let m = m.no_op()?;
        let arg = m.span(Span::Arg);
        let n = match usize::try_from(m.a()) {
            Ok(n) if (1..=256).contains(&n) && n * ENTRY <= arg.len() => n,
            _ => return Err(BadRecord("a wrong number of entries")),
        };
        let base = u32_at(m.rec, crate::record::HEADER + 8 * Span::Arg as usize) as usize;
        if base % 8 != 0 {
            return Err(BadRecord("the entries are not aligned"));
        }
        for e in arg[..n * ENTRY].chunks_exact(ENTRY) {
            let (off, len) = (u32_at(e, 0) as usize, u32_at(e, 4) as usize);
            let names = base + n * ENTRY;
            if off < names || off as u64 + len as u64 >= (base + arg.len()) as u64 {
                return Err(BadRecord("the name of an entry is outside ARG"));
            }
            let name = &m.rec[off..off + len];
            if m.rec[off + len] != 0 || name.is_empty() || name.iter().any(|&c| c == 0 || c == b'/') {
                return Err(BadRecord("an entry has no good name"));
            }
        }
        Ok(m)
    }

    /// One entry of a directory.
    #[derive(Clone, Copy)]
    pub struct Entry<'a> {
        fixed: &'a [u8],
        name: &'a Text,
    }

    impl<'a> Entry<'a> {
        /// The name, without a slash.
        pub fn name(&self) -> &'a Text {
            self.name
        }

        /// `st_mode` of POSIX: kind and permissions.
        pub fn mode(&self) -> u32 {
            u32_at(self.fixed, 8)
        }

        /// Whether the entry is a directory.
        pub fn is_dir(&self) -> bool {
            self.mode() & 0o170_000 == 0o040_000
        }

        /// Bytes.
        pub fn size(&self) -> i64 {
            i64_at(self.fixed, 16)
        }

        /// The last modification.
        pub fn modified(&self) -> Time {
            Time(i64_at(self.fixed, 24))
        }
    }

    impl<'a> Question<'a> {
        /// The directory.
        pub fn path(&self) -> &'a Path {
            self.0.path()
        }

        /// The entries, in order.
        pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'a>> {
            let rec = self.rec;
            let fixed = &self.span(Span::Arg)[..self.a() as usize * ENTRY];
            fixed.chunks_exact(ENTRY).map(move |fixed| {
                let (off, len) = (u32_at(fixed, 0) as usize, u32_at(fixed, 4) as usize);
                Entry { fixed, name: Text::new(&rec[off..off + len]) }
            })
        }

        /// The answer that hides the entries for which `f` says so.
        pub fn hide_if<F: FnMut(&Entry<'a>) -> bool>(&self, mut f: F) -> Answer {
            let mut bits = [0; 32];
            for (i, e) in self.entries().enumerate() {
                if f(&e) {
                    bits[i / 8] |= 1 << (i % 8);
                }
            }
            let used = bits.iter().rposition(|&b| b != 0).map_or(0, |i| i + 1);
            match used {
                0 => Answer::pass(),
                n => Answer::pass().hide_bits(&bits[..n]),
            }
        }
    }

    impl Answer {
        /// Hides entry i where bit i%8 of byte i/8 is set; at most 32 bytes, and no bit
        /// for an entry that is not there. [`Question::hide_if`] is the short way.
        #[track_caller]
        pub fn hide_bits(mut self, bits: &[u8]) -> Answer {
            if self.0.action() > action::ALLOW {
                self.0.fault("HIDE_BITS go with pass and allow alone");
            }
            self.0.raw(key::HIDE_BITS, bits, 32);
            self
        }
    }
}

pub mod cmd {
    //! The hook `cmd`: whether a command is carried out.

    use crate::{BadRecord, Meta, Path, Span, Text};

    question! {4,
        /// A command that is in order and about to be carried out.
    }
    hook! {cmd,
        /// Decides about commands. What goes by path belongs into the hook `fs`.
    }
    answer! {
        /// An answer of the hook `cmd`.
    }
    constructors! {
        /// No opinion.
        pass = PASS;
        /// As [`pass`](Self::pass).
        allow = ALLOW;
    }
    refusals! {}

    fn check(m: Meta<'_>) -> Result<Meta<'_>, BadRecord> {
        verb(m)
    }

    /// The rule for records with a command in EXTRA.
    pub(super) fn verb(m: Meta<'_>) -> Result<Meta<'_>, BadRecord> {
        if m.span(Span::Extra).is_empty() {
            return Err(BadRecord("no command"));
        }
        m.no_op()
    }

    impl<'a> Question<'a> {
        /// The command in capitals; a SITE command as `SITE CHMOD`.
        pub fn verb(&self) -> &'a Text {
            self.text(Span::Extra)
        }

        /// The argument as the client sent it, empty for PASS and ACCT.
        pub fn arg(&self) -> &'a Text {
            self.text(Span::Arg)
        }

        /// The working directory, empty before the login.
        pub fn dir(&self) -> &'a Path {
            self.0.path()
        }
    }
}

pub mod site {
    //! The hook `site`: carries out SITE commands of the policy's own, which the
    //! manifest's key `site` names.

    use crate::reply::{action, key, Reply};
    use crate::{BadRecord, Meta, Path, Span, Text};

    question! {5,
        /// A SITE command of this policy, from a session that may give it.
    }
    hook! {site,
        /// Carries out SITE commands.
    }
    answer! {
        /// An answer of the hook `site`: a code, and lines for the client.
    }
    constructors! {
        /// There is no such command.
        pass = PASS;
        /// Carried out; the code is 200.
        done = ALLOW;
        /// Refused; the code is 550.
        refused = DENY;
    }

    fn check(m: Meta<'_>) -> Result<Meta<'_>, BadRecord> {
        super::cmd::verb(m)
    }

    impl<'a> Question<'a> {
        /// The command's `verb` of the manifest.
        pub fn verb(&self) -> &'a Text {
            self.text(Span::Extra)
        }

        /// What followed the verb.
        pub fn arg(&self) -> &'a Text {
            self.text(Span::Arg)
        }

        /// The working directory.
        pub fn dir(&self) -> &'a Path {
            self.0.path()
        }
    }

    impl Answer {
        /// Carried out, with a code of 200 to 299, 0 for 200.
        #[track_caller]
        pub fn done_code(code: u16) -> Answer {
            Answer(Reply::new(action::ALLOW).code(code, 200, 299))
        }

        /// Refused, with a code of 400 to 599, 0 for 550.
        #[track_caller]
        pub fn refused_code(code: u16) -> Answer {
            Answer(Reply::new(action::DENY).code(code, 400, 599))
        }

        /// One more line of the reply, which may be empty; up to 64.
        #[track_caller]
        pub fn line(mut self, text: &str) -> Answer {
            self.0.text(key::LINE, text);
            self
        }
    }
}

pub mod throttle {
    //! The hook `throttle`: how fast a transfer may go.

    use std::time::Duration;

    pub use crate::op::Op;
    use crate::record::flag;
    use crate::{Attr, BadRecord, Meta, Path, Text};

    question! {6,
        /// A transfer that begins, or whose last answer is over.
    }
    hook! {throttle,
        /// Says how fast transfers may go. After an error the last answer stays.
    }
    answer! {
        /// An answer of the hook `throttle`.
    }
    constructors! {
        /// No limit, unless [`rate`](Self::rate) sets one.
        pass = PASS;
        /// As [`pass`](Self::pass).
        allow = ALLOW;
    }
    numbers! {
        /// Bytes per second of this transfer, 0 no limit.
        rate = RATE;
    }

    fn check(m: Meta<'_>) -> Result<Meta<'_>, BadRecord> {
        m.some_op()
    }

    impl<'a> Question<'a> {
        /// `read`, `write`, `append`, `unique` or `list`.
        pub fn op(&self) -> Op {
            Op::from_number(self.op_number())
        }

        /// What is transferred.
        pub fn path(&self) -> &'a Path {
            self.0.path()
        }

        /// From the client to the server.
        pub fn upload(&self) -> bool {
            self.has(flag::UPLOAD)
        }

        /// Bytes that are to be moved, `None` if unknown.
        pub fn total(&self) -> Option<u64> {
            u64::try_from(self.a()).ok()
        }

        /// Bytes that were moved.
        pub fn moved(&self) -> u64 {
            self.b() as u64
        }

        /// How long the transfer has taken.
        pub fn took(&self) -> Duration {
            Duration::from_nanos(self.attr_u64(Attr::Took))
        }

        /// The data connection's other end; empty if it is not known yet.
        pub fn data_peer(&self) -> &'a Text {
            self.attr_text(Attr::DataPeer)
        }
    }

    impl Answer {
        /// Limits the transfer to so many bytes per second.
        #[track_caller]
        pub fn limit(bytes_per_second: u64) -> Answer {
            Answer::pass().rate(bytes_per_second)
        }

        /// Ask again then; less than 100 ms is 100 ms.
        #[track_caller]
        pub fn ask_again(mut self, after: Duration) -> Answer {
            self.0.ttl(after);
            self
        }
    }
}

pub mod data {
    //! The hook `data`: whether bytes may pass, and as what.

    pub use crate::op::Op;
    use crate::record::flag;
    use crate::reply::{action, key, Reply};
    use crate::{Attr, BadRecord, Meta, Path, Span, Text};

    question! {7,
        /// A chunk of a transfer: 0 to 65,536 bytes of the file.
    }
    hook! {data,
        /// Looks at the bytes of transfers. The next chunk may come to another
        /// instance: what must reach it goes into [`Answer::carry`].
    }
    answer! {
        /// An answer of the hook `data`.
    }
    constructors! {
        /// The bytes pass.
        pass = PASS;
        /// As [`pass`](Self::pass).
        allow = ALLOW;
        /// The transfer ends, as by [`deny`](Self::deny).
        hide = HIDE;
    }
    refusals! {}

    fn check(m: Meta<'_>) -> Result<Meta<'_>, BadRecord> {
        if m.span(Span::Arg).len() > 65_536 {
            return Err(BadRecord("the chunk is too long"));
        }
        if m.span(Span::Extra).len() > 1024 {
            return Err(BadRecord("CARRY is too long"));
        }
        m.some_op()
    }

    impl<'a> Question<'a> {
        /// `read`, `write`, `append` or `unique`.
        pub fn op(&self) -> Op {
            Op::from_number(self.op_number())
        }

        /// The file.
        pub fn path(&self) -> &'a Path {
            self.0.path()
        }

        /// From the client to the server.
        pub fn upload(&self) -> bool {
            self.has(flag::UPLOAD)
        }

        /// Where the chunk begins in the file, counted before any rewriting.
        pub fn offset(&self) -> u64 {
            self.a() as u64
        }

        /// The bytes.
        pub fn bytes(&self) -> &'a [u8] {
            self.span(Span::Arg)
        }

        /// Whether nothing follows; then there may be no bytes.
        pub fn last(&self) -> bool {
            self.has(flag::LAST)
        }

        /// What the answer to the transfer's last chunk carried over.
        pub fn carry(&self) -> &'a [u8] {
            self.span(Span::Extra)
        }

        /// The data connection's other end; empty if it has no address.
        pub fn data_peer(&self) -> &'a Text {
            self.attr_text(Attr::DataPeer)
        }
    }

    impl Answer {
        /// Other bytes pass, as many as the mailbox holds.
        #[track_caller]
        pub fn rewrite<B: AsRef<[u8]> + ?Sized>(bytes: &B) -> Answer {
            let mut r = Reply::new(action::REWRITE);
            r.chunk(bytes.as_ref());
            Answer(r)
        }

        /// At most 1,024 bytes that come back with the next chunk.
        #[track_caller]
        pub fn carry(mut self, bytes: &[u8]) -> Answer {
            self.0.raw(key::CARRY, bytes, 1024);
            self
        }
    }
}

pub mod event {
    //! The hook `event`: what has happened.

    use std::time::Duration;

    pub use crate::op::{EventKind as Kind, Op};
    use crate::record::flag;
    use crate::reply::Reply;
    use crate::{Attr, BadRecord, Meta, Path, Span, Text};

    question! {8,
        /// Something that has happened.
    }

    /// Is told what has happened.
    pub trait Hook {
        /// Takes one event.
        ///
        /// # Errors
        /// An error counts the event as lost, or has it told again where the operator
        /// keeps events until they were taken.
        fn event(&mut self, e: &Question<'_>) -> crate::Result<()>;
    }

    fn asked<P: Hook>(p: &mut P, q: &Question<'_>) -> Reply {
        match p.event(q) {
            Ok(()) => Answer::pass().0,
            Err(e) => Answer::fail(&e.to_string()).0,
        }
    }

    answer! {
        /// What the hook sends: a hook only says whether it took the event.
        #[doc(hidden)]
    }
    constructors! {
        /// Taken.
        pass = PASS;
        /// Taken.
        allow = ALLOW;
    }
    refusals! {}

    fn check(m: Meta<'_>) -> Result<Meta<'_>, BadRecord> {
        m.some_op()
    }

    impl<'a> Question<'a> {
        /// What has happened.
        pub fn kind(&self) -> Kind {
            Kind::from_number(self.op_number())
        }

        /// The path that the event is about.
        pub fn path(&self) -> &'a Path {
            self.0.path()
        }

        /// The second path of a rename.
        pub fn path2(&self) -> &'a Path {
            Path::new(self.attr(Attr::Path2).unwrap_or_default())
        }

        /// One line: the command of `command_done`, the reason of a refusal or failure.
        pub fn line(&self) -> &'a Text {
            self.text(Span::Arg)
        }

        /// Bytes.
        pub fn size(&self) -> i64 {
            self.a()
        }

        /// How long it took.
        pub fn took(&self) -> Duration {
            Duration::from_nanos(self.b().max(0) as u64)
        }

        /// The reply code, 0 if there was none.
        pub fn code(&self) -> u16 {
            self.attr_u64(Attr::Code) as u16
        }

        /// The operation that the event is about, `None` without one.
        pub fn op(&self) -> Option<Op> {
            Some(self.attr_u64(Attr::Op) as u16).filter(|&n| n != 0).map(Op::from_number)
        }

        /// The policy that the event is about.
        pub fn policy(&self) -> &'a Text {
            self.attr_text(Attr::Policy)
        }

        /// The generation of that policy.
        pub fn generation(&self) -> u64 {
            self.attr_u64(Attr::Generation)
        }

        /// Whether the command began under policies that had ended when this happened.
        pub fn late(&self) -> bool {
            self.has(flag::LATE)
        }

        /// Of a transfer, the data connection's other end; else empty.
        pub fn data_peer(&self) -> &'a Text {
            self.attr_text(Attr::DataPeer)
        }
    }
}

pub mod cert {
    //! The hook `cert`: whether a name may get a certificate.

    use crate::{BadRecord, Meta, Span, Text};

    question! {9,
        /// A name for which there is no certificate yet.
    }
    hook! {cert,
        /// Decides for which names certificates are asked for. Only
        /// [`allow`](Answer::allow) grants.
    }
    answer! {
        /// An answer of the hook `cert`.
    }
    constructors! {
        /// No opinion.
        pass = PASS;
        /// The name may get a certificate.
        allow = ALLOW;
    }
    texts! {
        /// One line for the log.
        text = TEXT;
    }

    fn check(m: Meta<'_>) -> Result<Meta<'_>, BadRecord> {
        if m.span(Span::Arg).is_empty() {
            return Err(BadRecord("no name"));
        }
        m.no_op()
    }

    impl<'a> Question<'a> {
        /// The host name, in lower case.
        pub fn name(&self) -> &'a Text {
            self.text(Span::Arg)
        }
    }

    impl Answer {
        /// Refused, with a line for the log.
        #[track_caller]
        pub fn deny(text: &str) -> Answer {
            Answer(crate::reply::Reply::new(crate::reply::action::DENY)).text(text)
        }
    }
}

pub mod idle {
    //! The export `edgeftp_idle`: housekeeping now and then between two questions.

    /// Keeps house.
    pub trait Hook {
        /// Called now and then, between two questions. It is not promised.
        fn idle(&mut self);
    }
}
