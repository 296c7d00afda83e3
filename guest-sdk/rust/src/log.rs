//! Lines for the server's log (ABI §7). No capability is needed.
//!
//! A line is cut at 1,024 bytes and escaped; of a policy that writes more than 50 a
//! second the rest is dropped.

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// Writes one line.
pub fn line(level: Level, text: &str) {
    // SAFETY: pointer and length are those of a slice.
    unsafe { crate::sys::log(level as u32, text.as_ptr(), text.len()) }
}

/// Writes a line for whoever looks for a fault.
pub fn debug(text: &str) {
    line(Level::Debug, text);
}

/// Writes a line about what is as it should be.
pub fn info(text: &str) {
    line(Level::Info, text);
}

/// Writes a line about what somebody should look at.
pub fn warn(text: &str) {
    line(Level::Warn, text);
}

/// Writes a line about what went wrong.
pub fn error(text: &str) {
    line(Level::Error, text);
}
