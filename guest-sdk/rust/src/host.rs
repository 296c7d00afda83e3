//! What the server knows of files and passwords (ABI §7). Each function has a capability
//! of its own, and works in hooks alone.

use crate::record::{i64_at, u32_at};
use crate::sys;
use crate::{Error, Time};

/// Facts of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// `st_mode` of POSIX: kind and permissions.
    pub mode: u32,
    /// Bytes.
    pub size: i64,
    /// The last modification.
    pub modified: Time,
}

impl Stat {
    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }
}

/// Tells what lies at a canonical virtual path, as the session of the question would see
/// it, links followed. Capability `fs.stat`.
///
/// # Errors
/// [`Error::Denied`] where no session is logged in or it may not see the path,
/// [`Error::NotFound`], [`Error::Invalid`], [`Error::Size`], [`Error::Io`],
/// [`Error::Timeout`].
pub fn stat<P: AsRef<[u8]> + ?Sized>(path: &P) -> Result<Stat, Error> {
    let (p, mut e) = (path.as_ref(), [0; 32]);
    // SAFETY: pointers and lengths are those of slices.
    sys::checked(unsafe { sys::stat(p.as_ptr(), p.len(), e.as_mut_ptr(), e.len()) })?;
    Ok(Stat { mode: u32_at(&e, 8), size: i64_at(&e, 16), modified: Time(i64_at(&e, 24)) })
}

/// Returns the digest of the question's file, by a name of the command HASH (`SHA-256`,
/// `SHA-512`, `SHA-1`, `MD5`, `CRC32`): in `commit` of the upload that is about to become
/// visible, else of the file at the path. It reads the whole file. Capability `digest`,
/// only in the hook `fs`.
///
/// # Errors
/// [`Error::Denied`], [`Error::NotFound`], [`Error::Invalid`], [`Error::Size`],
/// [`Error::Io`], [`Error::Timeout`], [`Error::Busy`].
pub fn digest(algorithm: &str) -> Result<Vec<u8>, Error> {
    let mut out = vec![0; 64];
    // SAFETY: pointers and lengths are those of slices.
    let n = unsafe { sys::digest(algorithm.as_ptr(), algorithm.len(), out.as_mut_ptr(), out.len()) };
    out.truncate(sys::checked(n)?);
    Ok(out)
}

/// Tells whether a stored hash (PHC argon2id or bcrypt) is that of the password which
/// the login brought. Capability `pw`, only in `auth`, and not in an early question.
///
/// # Errors
/// [`Error::Denied`], [`Error::Invalid`], [`Error::Size`], [`Error::Busy`],
/// [`Error::Timeout`].
pub fn verify_password(hash: &str) -> Result<bool, Error> {
    // SAFETY: pointer and length are those of a slice.
    let n = unsafe { sys::pw_verify(hash.as_ptr(), hash.len()) };
    sys::checked(n.into()).map(|n| n == 1)
}
