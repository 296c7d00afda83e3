use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// Bytes that are text as a rule: names, arguments and the like (ABI §3).
///
/// Clients may send what is no UTF-8, so a `Text` is bytes: compare it with a `str`,
/// use it as a `[u8]`, or print it (bytes that are no UTF-8 are shown as U+FFFD). Empty
/// stands for "there is none".
#[repr(transparent)]
#[derive(PartialEq, Eq, Hash)]
pub struct Text([u8]);

impl Text {
    pub(crate) fn new(b: &[u8]) -> &Text {
        // SAFETY: Text is a [u8] with another name (repr(transparent)).
        unsafe { &*(b as *const [u8] as *const Text) }
    }

    /// The text as a `str`, `None` if it is not UTF-8.
    pub fn to_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The text with U+FFFD for what is not UTF-8. For logs, not for decisions.
    pub fn lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl Deref for Text {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, s: &str) -> bool {
        &self.0 == s.as_bytes()
    }
}

impl PartialEq<String> for Text {
    fn eq(&self, s: &String) -> bool {
        &self.0 == s.as_bytes()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lossy())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.lossy(), f)
    }
}

/// A virtual path: absolute and canonical, with no `.`, `..` or `//` (ABI §3). It is a
/// [`Text`] with what policies ask of paths.
#[repr(transparent)]
#[derive(PartialEq, Eq, Hash)]
pub struct Path(Text);

impl Path {
    /// Looks at bytes as a path. They are not checked.
    pub fn new<B: AsRef<[u8]> + ?Sized>(b: &B) -> &Path {
        // SAFETY: Path is a Text with another name (repr(transparent)).
        unsafe { &*(Text::new(b.as_ref()) as *const Text as *const Path) }
    }

    /// The last name of the path, empty for `/`.
    pub fn name(&self) -> &Text {
        let at = self.iter().rposition(|&c| c == b'/').map_or(0, |i| i + 1);
        Text::new(&self[at..])
    }

    /// The directory that holds the path, `/` for `/` itself.
    pub fn parent(&self) -> &Path {
        match self.iter().rposition(|&c| c == b'/') {
            Some(0) | None => Path::new("/"),
            Some(i) => Path::new(&self.0[..i]),
        }
    }

    /// What follows the last dot of the name, empty without one. A name that begins
    /// with its only dot has none.
    pub fn extension(&self) -> &Text {
        let name = self.name();
        match name.iter().rposition(|&c| c == b'.') {
            None | Some(0) => Text::new(b""),
            Some(i) => Text::new(&name.0[i + 1..]),
        }
    }

    /// Whether the extension is one of these, with a dot or without, in any case of ASCII
    /// letters. Dots and spaces at the end of the name do not count: Windows drops them.
    pub fn has_extension<S: AsRef<str>>(&self, any: &[S]) -> bool {
        let end = self.iter().rposition(|&c| c != b'.' && c != b' ').map_or(0, |i| i + 1);
        let mine = Path::new(&self[..end]).extension();
        any.iter().any(|e| mine.eq_ignore_ascii_case(e.as_ref().trim_start_matches('.').as_bytes()))
    }

    /// Whether the path is the directory or lies below it: `/in/a` is within `/in`, and
    /// `/inbox` is not.
    pub fn within<B: AsRef<[u8]> + ?Sized>(&self, dir: &B) -> bool {
        match self.strip_prefix(dir.as_ref()) {
            Some(rest) => rest.is_empty() || rest[0] == b'/' || dir.as_ref() == b"/",
            None => false,
        }
    }
}

impl Deref for Path {
    type Target = Text;
    fn deref(&self) -> &Text {
        &self.0
    }
}

impl AsRef<[u8]> for Path {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq<str> for Path {
    fn eq(&self, s: &str) -> bool {
        &self.0 == s
    }
}

impl PartialEq<String> for Path {
    fn eq(&self, s: &String) -> bool {
        &self.0 == s
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
