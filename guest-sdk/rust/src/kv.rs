//! Values that outlive the instance, the module's replacement and the server (ABI §7).
//! Capability `kv`.
//!
//! Keys have 1 to 256 bytes, values up to 4,096. Each call is atomic among all
//! instances. What was written in the last second may be lost if the server is killed. A
//! `ttl` of `None` keeps the key for ever; one below a millisecond is one.

use std::time::Duration;

use crate::sys;
use crate::Error;

/// Stands for "no such key" where a length is wanted.
const ABSENT: usize = u32::MAX as usize;

fn ms(ttl: Option<Duration>) -> i64 {
    ttl.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX).max(1))
}

/// Copies the value into `out` and returns its length, `None` if there is no such key.
/// A value that is longer than `out` is not copied, and its length is returned all the
/// same.
///
/// # Errors
/// [`Error::Size`] for the key.
pub fn get_into<K: AsRef<[u8]>>(key: K, out: &mut [u8]) -> Result<Option<usize>, Error> {
    let k = key.as_ref();
    // SAFETY: pointers and lengths are those of slices.
    match sys::checked(unsafe { sys::kv_get(k.as_ptr(), k.len(), out.as_mut_ptr(), out.len()) }) {
        Ok(n) => Ok(Some(n)),
        Err(Error::NotFound) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Returns the value, `None` if there is no such key.
///
/// # Errors
/// [`Error::Size`] for the key.
pub fn get<K: AsRef<[u8]>>(key: K) -> Result<Option<Vec<u8>>, Error> {
    let mut value = vec![0; 4096];
    let n = get_into(key, &mut value)?;
    Ok(n.map(|n| {
        value.truncate(n);
        value
    }))
}

/// Returns the counter, 0 if there is no such key.
///
/// # Errors
/// [`Error::Type`] if the value is no counter, [`Error::Size`] for the key.
pub fn counter<K: AsRef<[u8]>>(key: K) -> Result<i64, Error> {
    let mut n = [0; 8];
    match get_into(key, &mut n)? {
        None => Ok(0),
        Some(8) => Ok(i64::from_le_bytes(n)),
        Some(_) => Err(Error::Type),
    }
}

/// Stores a value.
///
/// # Errors
/// [`Error::Full`], [`Error::Size`].
pub fn set<K: AsRef<[u8]>, V: AsRef<[u8]>>(key: K, value: V, ttl: Option<Duration>) -> Result<(), Error> {
    let (k, v) = (key.as_ref(), value.as_ref());
    // SAFETY: pointers and lengths are those of slices.
    let n = unsafe { sys::kv_set(k.as_ptr(), k.len(), v.as_ptr(), v.len(), ms(ttl)) };
    sys::checked(n.into()).map(drop)
}

/// Removes a key. That there is no such key is no error.
///
/// # Errors
/// [`Error::Size`] for the key.
pub fn remove<K: AsRef<[u8]>>(key: K) -> Result<(), Error> {
    let k = key.as_ref();
    // SAFETY: as in set; the host does not look at the value.
    let n = unsafe { sys::kv_set(k.as_ptr(), k.len(), k.as_ptr(), ABSENT, 0) };
    sys::checked(n.into()).map(drop)
}

/// Adds to a counter and returns the sum. A key that is not there counts from 0 and gets
/// the `ttl`; one that is there keeps its own. The sum stays within an i64 at either end.
///
/// # Errors
/// [`Error::Type`] if the value is no counter, [`Error::Full`], [`Error::Size`].
pub fn incr<K: AsRef<[u8]>>(key: K, delta: i64, ttl: Option<Duration>) -> Result<i64, Error> {
    let (k, mut sum) = (key.as_ref(), 0);
    // SAFETY: as in set; the sum is written to a number that lives on.
    let n = unsafe { sys::kv_incr(k.as_ptr(), k.len(), delta, ms(ttl), &mut sum) };
    sys::checked(n.into()).map(|_| sum)
}

/// Stores `new` if the value is `old`, and returns whether it was. `None` stands for "no
/// such key" in `old` and for "remove it" in `new`.
///
/// # Errors
/// [`Error::Full`], [`Error::Size`].
pub fn cas<K: AsRef<[u8]>>(
    key: K, old: Option<&[u8]>, new: Option<&[u8]>, ttl: Option<Duration>,
) -> Result<bool, Error> {
    let k = key.as_ref();
    let len = |v: Option<&[u8]>| v.map_or(ABSENT, <[u8]>::len);
    let (o, n) = (old.unwrap_or_default(), new.unwrap_or_default());
    // SAFETY: as in set.
    let done = unsafe { sys::kv_cas(k.as_ptr(), k.len(), o.as_ptr(), len(old), n.as_ptr(), len(new), ms(ttl)) };
    sys::checked(done.into()).map(|n| n == 1)
}
