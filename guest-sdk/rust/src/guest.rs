//! The border between the module and the host.

#[cfg(target_arch = "wasm32")]
pub use wasm::{configure, Guest, Mailbox};

/// Types that fake questions can be made for.
pub trait Decode: Sized {
    /// The number of the hook.
    const KIND: u16;
    /// Reads a record.
    fn decode(record: &'static [u8]) -> Result<Self, crate::BadRecord>;
}

/// The least mailbox for these hooks (ABI §2).
#[doc(hidden)]
pub const fn least_mailbox(hooks: &[&str]) -> usize {
    if has(hooks, "data") {
        81_920
    } else {
        4096
    }
}

/// The mailbox for these hooks: with `list` it holds 256 entries with names of 255
/// bytes, with `data` a chunk that has grown to three times its length.
#[doc(hidden)]
pub const fn mailbox(hooks: &[&str]) -> usize {
    if has(hooks, "data") {
        256 << 10
    } else if has(hooks, "list") {
        128 << 10
    } else {
        32 << 10
    }
}

/// Whether the hook is named. `==` on `str` is not const in Rust 1.63.
const fn has(hooks: &[&str], want: &str) -> bool {
    let mut i = 0;
    while i < hooks.len() {
        let (a, b) = (hooks[i].as_bytes(), want.as_bytes());
        let mut at = 0;
        while a.len() == b.len() && at < a.len() && a[at] == b[at] {
            at += 1;
        }
        if a.len() == b.len() && at == a.len() {
            return true;
        }
        i += 1;
    }
    false
}

/// Memory for the entries of an answer, on its way round from the last answer: after
/// the first few questions an answer allocates nothing.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn spare() -> Vec<u8> {
    Vec::with_capacity(64)
}

#[cfg(target_arch = "wasm32")]
pub(crate) use wasm::spare;

#[cfg(target_arch = "wasm32")]
mod wasm {
    use std::any::Any;
    use std::cell::UnsafeCell;
    use std::panic::Location;

    use crate::reply::Reply;
    use crate::{sys, Policy, Settings};

    /// Where questions come in and answers go out (ABI §2). It is a static of its own, all
    /// zeros, so that it takes no room in the module.
    #[doc(hidden)]
    #[repr(C, align(8))]
    pub struct Mailbox<const N: usize>(UnsafeCell<[u8; N]>);

    // SAFETY: a module has one thread, and the host makes one call at a time.
    unsafe impl<const N: usize> Sync for Mailbox<N> {}

    impl<const N: usize> Mailbox<N> {
        pub const fn new() -> Self {
            Mailbox(UnsafeCell::new([0; N]))
        }
    }

    /// What a module keeps.
    #[doc(hidden)]
    pub struct Guest<P: 'static, const N: usize> {
        mailbox: &'static Mailbox<N>,
        policy: UnsafeCell<Option<P>>,
    }

    // SAFETY: as above.
    unsafe impl<P, const N: usize> Sync for Guest<P, N> {}

    struct Spare(UnsafeCell<Vec<u8>>);

    // SAFETY: as above.
    unsafe impl Sync for Spare {}

    static SPARE: Spare = Spare(UnsafeCell::new(Vec::new()));

    pub(crate) fn spare() -> Vec<u8> {
        // SAFETY: one thread, and the borrow ends here.
        let mut v = unsafe { std::mem::take(&mut *SPARE.0.get()) };
        v.clear();
        v.reserve(64);
        v
    }

    /// Serves edgeftp_config, which the host calls before any hook.
    #[doc(hidden)]
    pub fn configure<P: Policy, const N: usize>(g: &Guest<P, N>, len: u32) -> u64 {
        let settings = Settings::parse(g.record(len));
        let made = P::new(&settings);
        // What is wrong with the settings is the cause of what P::new makes of them.
        match settings.finish().map_err(Into::into).and(made) {
            Ok(p) => {
                // SAFETY: one thread, and nobody holds the policy between calls.
                unsafe { *g.policy.get() = Some(p) };
                0
            }
            Err(e) => g.answer(Reply::fail(&e.to_string())),
        }
    }

    impl<P, const N: usize> Guest<P, N> {
        pub const fn new(mailbox: &'static Mailbox<N>) -> Self {
            Guest { mailbox, policy: UnsafeCell::new(None) }
        }

        /// Serves edgeftp_abi_v1.
        pub fn hello(&self) -> u64 {
            std::panic::set_hook(Box::new(|info| tell(info.location(), info.payload())));
            (N as u64) << 32 | self.mailbox.0.get() as usize as u64
        }

        /// Serves a hook.
        pub fn ask(&self, len: u32, serve: fn(&mut P, &[u8]) -> Reply) -> u64 {
            // SAFETY: one thread, and one call at a time: there is no other borrow.
            match unsafe { &mut *self.policy.get() } {
                Some(p) => self.answer(serve(p, self.record(len))),
                None => self.answer(Reply::fail("asked before edgeftp_config was called")),
            }
        }

        /// Serves edgeftp_idle.
        pub fn idle(&self, f: fn(&mut P)) {
            // SAFETY: as in ask.
            if let Some(p) = unsafe { &mut *self.policy.get() } {
                f(p);
            }
        }

        fn record(&self, len: u32) -> &[u8] {
            // SAFETY: what was read of it is dropped before the answer is written.
            unsafe { &(*self.mailbox.0.get())[..len as usize] }
        }

        /// Writes the answer over the question.
        fn answer(&self, mut reply: Reply) -> u64 {
            let verdict = match reply.finish(N) {
                Ok((verdict, bytes)) => {
                    // SAFETY: the question is not looked at any more.
                    let out = unsafe { &mut *self.mailbox.0.get() };
                    out[..bytes.len()].copy_from_slice(bytes);
                    verdict
                }
                Err(why) => return self.answer(Reply::fail(&why)),
            };
            let entries = reply.take();
            if entries.capacity() > 0 {
                // SAFETY: one thread, and the borrow ends here.
                unsafe { *SPARE.0.get() = entries };
            }
            verdict
        }
    }

    /// Tells the host why the module panics: what is written to standard error during
    /// a call leads the error. No capability is needed for that, and it cannot be
    /// dropped as a line of the log can.
    fn tell(at: Option<&Location<'_>>, said: &(dyn Any + Send)) {
        let mut line = String::with_capacity(256);
        if let Some(at) = at {
            line.push_str(at.file());
            for n in [at.line(), at.column()] {
                line.push(':');
                line.push_str(&n.to_string());
            }
            line.push_str(": ");
        }
        match (said.downcast_ref::<&str>(), said.downcast_ref::<String>()) {
            (Some(s), _) => line.push_str(s),
            (_, Some(s)) => line.push_str(s),
            _ => line.push_str("panic"),
        }
        if line.ends_with("time not implemented on this platform") {
            line.push_str(": a policy has no clock but the time of its question, q.time()");
        }
        sys::stderr(line.as_bytes());
    }
}
