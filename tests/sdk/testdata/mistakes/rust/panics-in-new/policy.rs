use edgeftp::{fs, Policy, Result, Settings};

struct Guard;

impl Policy for Guard {
    fn new(_: &Settings) -> Result<Self> {
        let table: u32 = "x".parse().unwrap();
        assert!(table > 0);
        Ok(Guard)
    }
}

impl fs::Hook for Guard {
    fn fs(&mut self, _: &fs::Question) -> Result<fs::Answer> {
        Ok(fs::Answer::pass())
    }
}

edgeftp::export!(Guard: fs);
