//! A write-only inbox: what is uploaded into it gets a name of its user and day, and is
//! not seen again but by one group.

use edgeftp::{fs, list, Path, Policy, Result, Settings, Text};

struct Dropbox {
    inbox: String,
    readers: String, // a group; empty is nobody
    directories: bool,
}

impl Policy for Dropbox {
    fn new(s: &Settings) -> Result<Self> {
        let inbox = s.string("inbox", "/in");
        if !inbox.starts_with('/') || inbox[1..].split('/').any(|name| matches!(name, "" | "." | "..")) {
            s.refuse("inbox", "an absolute path of a directory below the root");
        }
        let readers = s.string("readers", "");
        Ok(Dropbox { inbox, readers, directories: s.bool("directories", false) })
    }
}

impl Dropbox {
    /// Whether the path is in the inbox or the inbox itself, for one who may only write.
    fn guards(&self, path: &Path, group: &Text) -> bool {
        path.within(&self.inbox) && self.binds(group)
    }

    /// Whether somebody of the group may only write.
    fn binds(&self, group: &Text) -> bool {
        self.readers.is_empty() || *group != self.readers
    }

    /// Whether the inbox would get another path: what it lies in would be renamed, or
    /// linked to.
    fn moves(&self, q: &fs::Question) -> bool {
        let again = matches!(q.op(), fs::Op::Rename | fs::Op::Symlink);
        again && self.binds(q.group()) && q.paths().any(|p| Path::new(&self.inbox).within(p))
    }

    /// The path that an upload gets: /in/USER~DATE~NAME, or /in/USER/DATE/NAME.
    fn place(&self, q: &fs::Question) -> Vec<u8> {
        let between = if self.directories { b'/' } else { b'~' };
        let mut path = self.inbox.clone().into_bytes();
        path.push(b'/');
        safe(q.user(), &mut path);
        path.push(between);
        path.extend_from_slice(q.time().utc().date().as_bytes());
        path.push(between);
        path.extend_from_slice(q.path().name());
        path
    }
}

/// Appends a user's name so that no two are one, none is two parts of the path, and none
/// is a directory of another meaning: what might, stands as % and two hex digits.
fn safe(user: &[u8], path: &mut Vec<u8>) {
    for (i, &c) in user.iter().enumerate() {
        if c.is_ascii_alphanumeric() || b"-_@".contains(&c) || (c == b'.' && i > 0) {
            path.push(c);
        } else {
            path.extend_from_slice(format!("%{c:02X}").as_bytes());
        }
    }
}

impl fs::Hook for Dropbox {
    fn fs(&mut self, q: &fs::Question) -> Result<fs::Answer> {
        if !q.paths().any(|p| self.guards(p, q.group())) && !self.moves(q) {
            return Ok(fs::Answer::pass());
        }
        let itself = q.path() == &self.inbox;
        match q.op() {
            fs::Op::Stat | fs::Op::Cwd | fs::Op::List if itself => Ok(fs::Answer::pass()),
            fs::Op::Stat | fs::Op::Cwd | fs::Op::List => Ok(fs::Answer::hide()),
            // It is asked about the path that an upload got, which has its new name.
            fs::Op::Commit => Ok(fs::Answer::pass()),
            op if op.uploads() && !itself && self.guards(q.path(), q.group()) => {
                if q.time().0 == 0 {
                    return Err("the time is unknown".into());
                }
                Ok(fs::Answer::rewrite(&self.place(q)))
            }
            _ => Ok(fs::Answer::deny("this is an inbox: files go in and stay as they are")),
        }
    }
}

impl list::Hook for Dropbox {
    /// Shows an empty inbox: clients list what they enter, and a refusal alarms people.
    fn list(&mut self, q: &list::Question) -> Result<list::Answer> {
        Ok(q.hide_if(|_| self.guards(q.path(), q.group())))
    }
}

edgeftp::export!(Dropbox: fs, list);

#[cfg(test)]
mod policy_test;
