use edgeftp::{fs, kv, Policy, Result, Settings};

struct Guard;

impl Policy for Guard {
    fn new(_: &Settings) -> Result<Self> {
        Ok(Guard)
    }
}

impl fs::Hook for Guard {
    fn fs(&mut self, _: &fs::Question) -> Result<fs::Answer> {
        kv::incr("asked", 1, None)?;
        Ok(fs::Answer::pass())
    }
}

edgeftp::export!(Guard: fs);
