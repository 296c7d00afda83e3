use edgeftp::{fs, Policy, Result, Settings};

struct Guard;

impl Policy for Guard {
    fn new(s: &Settings) -> Result<Self> {
        s.int("limit", 10);
        Ok(Guard)
    }
}

impl fs::Hook for Guard {
    fn fs(&mut self, _: &fs::Question) -> Result<fs::Answer> {
        Ok(fs::Answer::pass())
    }
}

edgeftp::export!(Guard: fs);
