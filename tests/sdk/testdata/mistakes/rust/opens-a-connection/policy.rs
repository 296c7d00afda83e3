use edgeftp::{fs, Policy, Result, Settings};

struct Guard;

impl Policy for Guard {
    fn new(_: &Settings) -> Result<Self> {
        Ok(Guard)
    }
}

impl fs::Hook for Guard {
    fn fs(&mut self, _: &fs::Question) -> Result<fs::Answer> {
        std::net::TcpStream::connect("127.0.0.1:80")?;
        Ok(fs::Answer::pass())
    }
}

edgeftp::export!(Guard: fs);
