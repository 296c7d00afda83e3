//! Numbers among the server's metrics, with the policy's name beside them (ABI §7).
//! Capability `metric`.
//!
//! A name has 1 to 64 bytes of `a-z`, `0-9` and `_` and begins with a letter; a policy
//! may have 64, each of one kind. What breaks these rules is dropped, and the server's
//! log says so once.

fn send(name: &str, kind: u32, value: i64) {
    // SAFETY: pointer and length are those of a slice.
    unsafe { crate::sys::metric(name.as_ptr(), name.len(), kind, value) }
}

/// Adds to a counter; a negative number is not added.
pub fn add(name: &str, n: i64) {
    send(name, 0, n);
}

/// Sets a gauge.
pub fn set(name: &str, value: i64) {
    send(name, 1, value);
}
