//! The imports (ABI §7), and what they return.

use std::fmt;

/// Why the host did not do what it was asked (ABI §7). Nothing was changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// There is no such key, path or file.
    NotFound,
    /// The space of values is full.
    Full,
    /// An argument is too long or empty, or there is too little room for the result.
    Size,
    /// The value is no counter.
    Type,
    /// Not at this stage, not this host, or not for this session.
    Denied,
    /// The disk, the network or the other server failed.
    Io,
    /// The time of the call or of the request is over.
    Timeout,
    /// Too many at once, or asked from within itself.
    Busy,
    /// The arguments mean nothing.
    Invalid,
    /// An error that this SDK has no name for.
    Other(i32),
}

const ERRORS: [(Error, &str); 9] = [
    (Error::NotFound, "not found"),
    (Error::Full, "the space of values is full"),
    (Error::Size, "too long, or empty, or no room for the result"),
    (Error::Type, "the value is no counter"),
    (Error::Denied, "denied"),
    (Error::Io, "the disk, the network or the other server failed"),
    (Error::Timeout, "the time is over"),
    (Error::Busy, "busy"),
    (Error::Invalid, "the arguments mean nothing"),
];

impl Error {
    /// The number in the ABI, below zero.
    pub fn code(self) -> i32 {
        match self {
            Error::Other(n) => n,
            e => ERRORS.iter().position(|x| x.0 == e).map_or(-1, |i| -1 - i as i32),
        }
    }

    fn of(code: i64) -> Error {
        let at = usize::try_from(-1 - code).unwrap_or(usize::MAX);
        ERRORS.get(at).map_or(Error::Other(code as i32), |x| x.0)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match ERRORS.iter().find(|x| x.0 == *self) {
            Some((_, text)) => f.write_str(text),
            None => write!(f, "error {} of the server", self.code()),
        }
    }
}

impl std::error::Error for Error {}

/// What an import returned: a number of 0 or more, or an error.
pub(crate) fn checked(n: i64) -> Result<usize, Error> {
    if n < 0 {
        return Err(Error::of(n));
    }
    Ok(n as usize)
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::fake::imports::*;

#[cfg(target_arch = "wasm32")]
pub(crate) use wasm::*;

#[cfg(target_arch = "wasm32")]
mod wasm {
    // Only those that are called become imports of the module.
    #[link(wasm_import_module = "edgeftp")]
    extern "C" {
        pub(crate) fn log(level: u32, text: *const u8, len: usize);
        pub(crate) fn kv_get(key: *const u8, key_len: usize, out: *mut u8, cap: usize) -> i64;
        pub(crate) fn kv_set(key: *const u8, key_len: usize, value: *const u8, len: usize, ttl_ms: i64) -> i32;
        pub(crate) fn kv_incr(key: *const u8, key_len: usize, delta: i64, ttl_ms: i64, out: *mut i64) -> i32;
        #[allow(clippy::too_many_arguments)]
        pub(crate) fn kv_cas(
            key: *const u8, key_len: usize, old: *const u8, old_len: usize, new: *const u8, new_len: usize, ttl_ms: i64,
        ) -> i32;
        pub(crate) fn metric(name: *const u8, len: usize, kind: u32, value: i64);
        pub(crate) fn random(out: *mut u8, len: usize);
        pub(crate) fn pw_verify(hash: *const u8, len: usize) -> i32;
        pub(crate) fn stat(path: *const u8, len: usize, out: *mut u8, cap: usize) -> i64;
        pub(crate) fn digest(algorithm: *const u8, len: usize, out: *mut u8, cap: usize) -> i64;
        pub(crate) fn fetch(request: *const u8, len: usize, out: *mut u8, cap: usize) -> i64;
    }

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    extern "C" {
        fn fd_write(fd: u32, pieces: *const [usize; 2], n: usize, written: *mut usize) -> u32;
    }

    /// Writes to standard error, which the host captures.
    pub(crate) fn stderr(text: &[u8]) {
        let (pieces, mut written) = ([text.as_ptr() as usize, text.len()], 0);
        // SAFETY: the piece is that of a slice that lives on.
        unsafe { fd_write(2, &pieces, 1, &mut written) };
    }
}
