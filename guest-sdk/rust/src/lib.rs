//! The guest SDK for Rust: it makes a module that an edgeftp server can load out of a
//! type that answers questions.
//!
//! A policy that refuses uploads of executables is, as a whole:
//!
//! ```
//! use edgeftp::{fs, Policy, Result, Settings};
//!
//! struct Guard {
//!     deny: Vec<String>,
//! }
//!
//! impl Policy for Guard {
//!     fn new(s: &Settings) -> Result<Guard> {
//!         Ok(Guard { deny: s.strings("deny_extensions", &["exe"]) })
//!     }
//! }
//!
//! impl fs::Hook for Guard {
//!     fn fs(&mut self, q: &fs::Question) -> Result<fs::Answer> {
//!         if q.op().uploads() && q.path().has_extension(&self.deny) {
//!             return Ok(fs::Answer::deny("no executables"));
//!         }
//!         Ok(fs::Answer::pass())
//!     }
//! }
//!
//! edgeftp::export!(Guard: fs);
//! # fn main() {}
//! ```
//!
//! # Memory is a cache
//!
//! The server runs several instances of a module, closes one after a fault and replaces
//! all at a swap. Each instance has a policy value of its own, made by [`Policy::new`],
//! and asks it one question at a time. What must stay goes into [`kv`], or into the
//! session's STATE ([`auth::Answer::state`]).
//!
//! # Hooks
//!
//! There is a module for each: [`auth`], [`fs`], [`list`], [`cmd`], [`site`],
//! [`throttle`], [`data`], [`event`] and [`cert`], with the trait `Hook`, the `Question`
//! (a view of the record, nothing is copied) and the `Answer` (with the setters that the
//! hook takes, and no others). [`export!`] names the type and its hooks: a module takes
//! part in exactly these.
//!
//! # Errors and panics
//!
//! An error of a hook is the answer `fail`: what was asked is refused, its text goes to
//! the log, and the policy goes on. A panic costs the instance; the server's log leads
//! with `policy.rs:12:5: ` and the message.
//!
//! # What a policy can do
//!
//! [`log`], [`kv`], [`metric`], [`random`], [`host`] and [`fetch`] ask the server. Each
//! but `log` needs a capability in `manifest.json`, and a module imports only what it
//! calls. There are no files, no sockets, no environment and no clock but
//! [`Meta::time`]: of the standard library `std::fs` and `std::net` return errors here,
//! and `Instant::now` and `SystemTime::now` panic. The stack has 128 KiB.
//!
//! # Tests
//!
//! Everything compiles and runs natively too, where [`fake`] asks the questions and
//! plays the server. `edgeftp policy test` runs the tests of `policy.rs` and those of
//! `tests.json`.

#![deny(missing_docs)]
#![deny(unsafe_op_in_unsafe_fn)]

#[macro_use]
mod reply;
#[macro_use]
mod hooks;
#[cfg(not(target_arch = "wasm32"))]
pub mod fake;
pub mod fetch;
mod guest;
pub mod host;
pub mod kv;
pub mod log;
pub mod metric;
mod op;
pub mod random;
mod record;
mod settings;
mod sys;
#[cfg(test)]
mod tests;
mod text;
mod time;

pub use hooks::{auth, cert, cmd, data, event, fs, idle, list, site, throttle};
pub use op::{EventKind, Op};
pub use record::{flag, Attr, BadRecord, Meta, Span};
pub use settings::Settings;
pub use sys::Error;
pub use text::{Path, Text};
pub use time::{Time, Utc};

#[doc(hidden)]
pub use guest::{least_mailbox, mailbox};
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use guest::{configure, Guest, Mailbox};

/// What can fail in a policy: `?` takes every error there, and `Err("why".into())` or
/// `Err("why")?` makes one.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A policy, before its hooks.
pub trait Policy: Sized {
    /// Makes the policy of its settings, once for each instance, before its first
    /// question. Settings that it does not ask for are refused when it returns.
    ///
    /// # Errors
    /// An error refuses the module at load, and the operator reads it.
    fn new(settings: &Settings) -> Result<Self>;
}

/// Exports a policy with the hooks that it takes part in:
///
/// ```ignore
/// edgeftp::export!(Guard: fs, event);
/// ```
///
/// The hooks are `auth`, `fs`, `list`, `cmd`, `site`, `throttle`, `data`, `event`,
/// `cert`, and `idle` for housekeeping; the type implements the trait `Hook` of each. It
/// stands once in a module. The mailbox has 32,768 bytes, with `list` 131,072 and with
/// `data` 262,144; `export!(Guard: data; mailbox 1048576)` makes it another one, in
/// memory that each instance has.
#[macro_export]
macro_rules! export {
    ($policy:ty : $($hook:ident),+ $(,)?) => {
        $crate::export!($policy: $($hook),+; mailbox $crate::mailbox(&[$(stringify!($hook)),+]));
    };
    ($policy:ty : $($hook:ident),+ ; mailbox $size:expr) => {
        const _: () = {
            const SIZE: usize = $size;
            assert!(SIZE >= $crate::least_mailbox(&[$(stringify!($hook)),+]),
                "the mailbox is too small: at least 4096 bytes, and 81920 with the hook data");
            assert!(SIZE <= 1 << 20, "the mailbox is too large: at most 1048576 bytes");
            #[cfg(target_arch = "wasm32")]
            static MAILBOX: $crate::Mailbox<SIZE> = $crate::Mailbox::new();
            #[cfg(target_arch = "wasm32")]
            static GUEST: $crate::Guest<$policy, SIZE> = $crate::Guest::new(&MAILBOX);

            #[cfg(target_arch = "wasm32")]
            #[export_name = "edgeftp_abi_v1"]
            extern "C" fn hello(_minor: u32, _features: u64) -> u64 {
                GUEST.hello()
            }

            #[cfg(target_arch = "wasm32")]
            #[export_name = "edgeftp_config"]
            extern "C" fn config(len: u32) -> u64 {
                $crate::configure(&GUEST, len)
            }

            $($crate::__hook!($hook, $policy);)+
        };
    };
    ($policy:ty) => {
        compile_error!(concat!("name the hooks: edgeftp::export!(", stringify!($policy), ": fs);"));
    };
}

/// Exports one hook.
#[doc(hidden)]
#[macro_export]
macro_rules! __hook {
    (auth, $p:ty) => { $crate::__hook!("edgeftp_auth", auth, $p); };
    (fs, $p:ty) => { $crate::__hook!("edgeftp_fs", fs, $p); };
    (list, $p:ty) => { $crate::__hook!("edgeftp_list", list, $p); };
    (cmd, $p:ty) => { $crate::__hook!("edgeftp_cmd", cmd, $p); };
    (site, $p:ty) => { $crate::__hook!("edgeftp_site", site, $p); };
    (throttle, $p:ty) => { $crate::__hook!("edgeftp_throttle", throttle, $p); };
    (data, $p:ty) => { $crate::__hook!("edgeftp_data", data, $p); };
    (event, $p:ty) => { $crate::__hook!("edgeftp_event", event, $p); };
    (cert, $p:ty) => { $crate::__hook!("edgeftp_cert", cert, $p); };
    (idle, $p:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[export_name = "edgeftp_idle"]
        extern "C" fn idle() {
            GUEST.idle(<$p as $crate::idle::Hook>::idle);
        }
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn(&mut $p) = <$p as $crate::idle::Hook>::idle;
    };
    ($name:literal, $hook:ident, $p:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[export_name = $name]
        extern "C" fn $hook(len: u32) -> u64 {
            GUEST.ask(len, $crate::$hook::serve::<$p>)
        }
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const fn has<P: $crate::Policy + $crate::$hook::Hook>() {}
            has::<$p>();
        };
    };
    ($other:ident, $p:ty) => {
        compile_error!(concat!("there is no hook `", stringify!($other),
            "`: the hooks are auth, fs, list, cmd, site, throttle, data, event, cert and idle"));
    };
}
