//! {{name}} refuses files by the extensions of their names.
//!
//! Memory is a cache: the server runs several instances, closes one after a fault and
//! replaces all at a swap. What must stay goes into edgeftp::kv or the session's STATE.

use edgeftp::{fs, Policy, Result, Settings};

struct Guard {
    deny: Vec<String>,
}

impl Policy for Guard {
    fn new(s: &Settings) -> Result<Self> {
        Ok(Guard { deny: s.strings("deny_extensions", &["exe", "scr"]) })
    }
}

impl fs::Hook for Guard {
    fn fs(&mut self, q: &fs::Question) -> Result<fs::Answer> {
        // A name comes into being by an upload, a link, and a rename, which has two.
        let makes_a_name = q.op().uploads() || matches!(q.op(), fs::Op::Rename | fs::Op::Symlink);
        if makes_a_name && q.paths().any(|p| p.has_extension(&self.deny)) {
            return Ok(fs::Answer::deny("files of this kind are not accepted here"));
        }
        Ok(fs::Answer::pass())
    }
}

edgeftp::export!(Guard: fs);

#[cfg(test)]
mod policy_test;
