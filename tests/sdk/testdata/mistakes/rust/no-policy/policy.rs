use edgeftp::{fs, Result};

struct Guard;

impl fs::Hook for Guard {
    fn fs(&mut self, _: &fs::Question) -> Result<fs::Answer> {
        Ok(fs::Answer::pass())
    }
}

edgeftp::export!(Guard: fs);
