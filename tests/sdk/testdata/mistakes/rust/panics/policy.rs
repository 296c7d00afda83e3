use edgeftp::{fs, Policy, Result, Settings};

struct Guard;

impl Policy for Guard {
    fn new(_: &Settings) -> Result<Self> {
        Ok(Guard)
    }
}

impl fs::Hook for Guard {
    fn fs(&mut self, q: &fs::Question) -> Result<fs::Answer> {
        let parts: Vec<&[u8]> = q.path().split(|&c| c == b'/').collect();
        Ok(fs::Answer::deny(&String::from_utf8_lossy(parts[2])))
    }
}

edgeftp::export!(Guard: fs);
