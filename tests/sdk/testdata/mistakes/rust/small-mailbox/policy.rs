use edgeftp::{data, Policy, Result, Settings};

struct Guard;

impl Policy for Guard {
    fn new(_: &Settings) -> Result<Self> {
        Ok(Guard)
    }
}

impl data::Hook for Guard {
    fn data(&mut self, _: &data::Question) -> Result<data::Answer> {
        Ok(data::Answer::pass())
    }
}

edgeftp::export!(Guard: data; mailbox 65536);
