//! Refuses every operation that would change something, whatever the users'
//! permissions say.

use edgeftp::{fs, Policy, Result, Settings};

struct Readonly;

impl Policy for Readonly {
    fn new(_: &Settings) -> Result<Self> {
        Ok(Readonly)
    }
}

impl fs::Hook for Readonly {
    fn fs(&mut self, q: &fs::Question) -> Result<fs::Answer> {
        // An operation of a later server is refused until somebody has decided about it.
        if q.op().reads() {
            return Ok(fs::Answer::pass());
        }
        Ok(fs::Answer::deny("this server is read-only"))
    }
}

edgeftp::export!(Readonly: fs);
