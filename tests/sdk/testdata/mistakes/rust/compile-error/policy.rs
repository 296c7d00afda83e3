use edgeftp::{fs, Policy, Result, Settings};

struct Guard;

impl Policy for Guard {
    fn new(_: &Settings) -> Result<Self> {
        Ok(Guard)
    }
}

impl fs::Hook for Guard {
    fn fs(&mut self, q: &fs::Question) -> Result<fs::Answer> {
        let denied = q.path().has_extension(&extensions);
        Ok(if denied { fs::Answer::deny("no") } else { fs::Answer::pass() })
    }
}

edgeftp::export!(Guard: fs);
