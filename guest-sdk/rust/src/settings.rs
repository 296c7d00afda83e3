use std::cell::{Cell, RefCell};

#[cfg(not(target_arch = "wasm32"))]
use crate::Result;

/// The settings of a policy: one JSON object of strings, whole numbers, truths, lists of
/// strings, objects and lists of objects.
///
/// Ask for each key with its default. What is wrong (text that is no such JSON, a value
/// of another type, a key that nobody asked for) is remembered, and refuses the policy
/// after [`Policy::new`](crate::Policy::new) with the first fault's words:
/// `setting "limit" is not a whole number`, `unknown setting "limt"`.
#[derive(Debug, Default)]
pub struct Settings {
    values: Vec<Setting>,
    path: String, // of an object in another one, with a dot behind
    fault: RefCell<Option<String>>,
}

#[derive(Debug)]
struct Setting {
    key: String,
    value: Value,
    asked: Cell<bool>,
}

#[derive(Debug)]
enum Value {
    Text(String),
    Int(i64),
    Bool(bool),
    Texts(Vec<String>),
    Object(Settings),
    Objects(Vec<Settings>),
    Empty, // a list of nothing, be it of strings or objects
}

impl Settings {
    /// Reads the settings. No bytes at all are an empty object. A fault is told by
    /// [`finish`](Self::finish).
    pub fn parse(json: &[u8]) -> Settings {
        if json.is_empty() {
            return Settings::default();
        }
        let mut p = Parser { text: json, at: 0, depth: 0 };
        p.whole().unwrap_or_else(|fault| Settings { fault: RefCell::new(Some(fault)), ..Settings::default() })
    }

    /// The string under the key.
    pub fn string(&self, key: &str, default: &str) -> String {
        match self.get(key) {
            Some(Value::Text(s)) => s.clone(),
            other => self.other(key, "a string", other, default.to_string()),
        }
    }

    /// The whole number under the key.
    pub fn int(&self, key: &str, default: i64) -> i64 {
        match self.get(key) {
            Some(Value::Int(n)) => *n,
            other => self.other(key, "a whole number", other, default),
        }
    }

    /// The truth under the key.
    pub fn bool(&self, key: &str, default: bool) -> bool {
        match self.get(key) {
            Some(Value::Bool(b)) => *b,
            other => self.other(key, "true or false", other, default),
        }
    }

    /// The list of strings under the key. An empty list is a value.
    pub fn strings(&self, key: &str, default: &[&str]) -> Vec<String> {
        match self.get(key) {
            Some(Value::Texts(list)) => list.clone(),
            Some(Value::Empty) => Vec::new(),
            other => {
                let default = default.iter().map(|s| s.to_string()).collect();
                self.other(key, "a list of strings", other, default)
            }
        }
    }

    /// The object under the key, `None` if there is none.
    pub fn object(&self, key: &str) -> Option<&Settings> {
        match self.get(key) {
            Some(Value::Object(o)) => Some(o),
            other => self.other(key, "an object", other, None),
        }
    }

    /// The list of objects under the key, empty if there is none.
    pub fn objects(&self, key: &str) -> &[Settings] {
        match self.get(key) {
            Some(Value::Objects(list)) => list,
            Some(Value::Empty) => &[],
            other => self.other(key, "a list of objects", other, &[]),
        }
    }

    /// The keys that are there, in order of the text. It asks for none of them.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|s| s.key.as_str())
    }

    /// Says that a setting, which is of the right type, means nothing: `setting "zone" is
    /// not WHAT`.
    pub fn refuse(&self, key: &str, what: &str) {
        self.fault(["setting \"", &self.path, key, "\" is not ", what].concat());
    }

    /// The first fault, also of objects in this one. The SDK asks for it after
    /// [`Policy::new`](crate::Policy::new).
    ///
    /// # Errors
    /// What is wrong with the settings, in words for the operator.
    pub fn finish(&self) -> std::result::Result<(), String> {
        if let Some(fault) = &*self.fault.borrow() {
            return Err(fault.clone());
        }
        let mut unknown = Vec::new();
        for s in &self.values {
            match &s.value {
                _ if !s.asked.get() => unknown.push(["\"", &self.path, &s.key, "\""].concat()),
                Value::Object(o) => o.finish()?,
                Value::Objects(list) => list.iter().try_for_each(Settings::finish)?,
                _ => {}
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        Err(["unknown setting ", &unknown.join(", ")].concat())
    }

    fn get(&self, key: &str) -> Option<&Value> {
        let s = self.values.iter().find(|s| s.key == key)?;
        s.asked.set(true);
        Some(&s.value)
    }

    /// The default, with a fault if there is a value of another type.
    fn other<T>(&self, key: &str, what: &str, value: Option<&Value>, default: T) -> T {
        if value.is_some() {
            self.refuse(key, what);
        }
        default
    }

    fn fault(&self, text: String) {
        self.fault.borrow_mut().get_or_insert(text);
    }

    fn rename(&mut self, path: String) {
        for s in &mut self.values {
            match &mut s.value {
                Value::Object(o) => o.rename([&path, s.key.as_str(), "."].concat()),
                Value::Objects(list) => {
                    for (i, o) in list.iter_mut().enumerate() {
                        o.rename([&path, s.key.as_str(), "[", &i.to_string(), "]."].concat());
                    }
                }
                _ => {}
            }
        }
        self.path = path;
    }
}

/// A fault while reading.
type Read<T> = std::result::Result<T, String>;

/// Objects in objects.
const MAX_DEPTH: usize = 8;

/// Reads JSON (RFC 8259), as much of it as settings need.
struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn fail<T>(&self, what: &str) -> Read<T> {
        Err(["settings, byte ", &(self.at + 1).to_string(), ": ", what].concat())
    }

    /// The next byte that is no space, 0 at the end.
    fn peek(&mut self) -> u8 {
        while let Some(&c) = self.text.get(self.at) {
            if !matches!(c, b' ' | b'\t' | b'\r' | b'\n') {
                return c;
            }
            self.at += 1;
        }
        0
    }

    fn want(&mut self, c: u8) -> Read<()> {
        if self.peek() != c {
            return self.fail(&["want '", &char::from(c).to_string(), "'"].concat());
        }
        self.at += 1;
        Ok(())
    }

    fn comma(&mut self) -> bool {
        let more = self.peek() == b',';
        self.at += usize::from(more);
        more
    }

    fn whole(&mut self) -> Read<Settings> {
        let mut s = self.object()?;
        self.peek();
        if self.at < self.text.len() {
            return self.fail("text after the object");
        }
        s.rename(String::new());
        Ok(s)
    }

    fn object(&mut self) -> Read<Settings> {
        let mut s = Settings::default();
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail("too many objects in objects");
        }
        self.want(b'{')?;
        let mut more = self.peek() != b'}';
        while more {
            let key = self.string()?;
            if s.keys().any(|k| k == key) {
                return self.fail(&["\"", &key, "\" is given twice"].concat());
            }
            self.want(b':')?;
            let value = self.value()?;
            s.values.push(Setting { key, value, asked: Cell::new(false) });
            more = self.comma();
        }
        self.want(b'}')?;
        self.depth -= 1;
        Ok(s)
    }

    fn value(&mut self) -> Read<Value> {
        match self.peek() {
            b'"' => self.string().map(Value::Text),
            b'[' => self.list(),
            b'{' => self.object().map(Value::Object),
            b't' => self.word("true").map(|()| Value::Bool(true)),
            b'f' => self.word("false").map(|()| Value::Bool(false)),
            b'-' | b'0'..=b'9' => self.number().map(Value::Int),
            _ => self.fail("want a string, a whole number, true, false, a list or an object"),
        }
    }

    fn word(&mut self, w: &str) -> Read<()> {
        if !self.text[self.at..].starts_with(w.as_bytes()) {
            return self.fail(&["want ", w].concat());
        }
        self.at += w.len();
        Ok(())
    }

    fn list(&mut self) -> Read<Value> {
        self.want(b'[')?;
        let value = match self.peek() {
            b']' => Value::Empty,
            b'{' => Value::Objects(self.items(Self::object)?),
            _ => Value::Texts(self.items(Self::string)?),
        };
        self.want(b']')?;
        Ok(value)
    }

    fn items<T>(&mut self, item: fn(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let mut list = Vec::new();
        loop {
            list.push(item(self)?);
            if !self.comma() {
                return Ok(list);
            }
        }
    }

    fn number(&mut self) -> Read<i64> {
        let rest = &self.text[self.at..];
        let sign = usize::from(rest[0] == b'-');
        let digits = rest[sign..].iter().take_while(|c| c.is_ascii_digit()).count();
        if matches!(rest.get(sign + digits), Some(b'.' | b'e' | b'E')) {
            return self.fail("not a whole number");
        }
        let text = std::str::from_utf8(&rest[..sign + digits]).unwrap_or_default();
        match text.parse() {
            Ok(n) if digits == 1 || rest[sign] != b'0' => {
                self.at += sign + digits;
                Ok(n)
            }
            _ => self.fail("not a whole number of 64 bits"),
        }
    }

    fn next(&mut self) -> Read<u8> {
        match self.text.get(self.at) {
            Some(&c) => {
                self.at += 1;
                Ok(c)
            }
            None => self.fail("string without an end"),
        }
    }

    fn string(&mut self) -> Read<String> {
        self.want(b'"')?;
        let mut out = Vec::new();
        loop {
            match self.next()? {
                b'"' => break,
                b'\\' => self.escape(&mut out)?,
                c if c < 0x20 => return self.fail("control character in a string"),
                c => out.push(c),
            }
        }
        String::from_utf8(out).or_else(|_| self.fail("string is not UTF-8"))
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Read<()> {
        let c = match self.next()? {
            c @ (b'"' | b'\\' | b'/') => c,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode(out),
            _ => return self.fail("unknown escape"),
        };
        out.push(c);
        Ok(())
    }

    fn unicode(&mut self, out: &mut Vec<u8>) -> Read<()> {
        let mut n = self.hex()?;
        if (0xd800..0xdc00).contains(&n) && self.text[self.at..].starts_with(b"\\u") {
            self.at += 2;
            let low = self.hex()?;
            if !(0xdc00..0xe000).contains(&low) {
                return self.fail("half of a surrogate pair");
            }
            n = 0x10000 + (n - 0xd800) * 0x400 + (low - 0xdc00);
        }
        match char::from_u32(n) {
            Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            None => return self.fail("half of a surrogate pair"),
        }
        Ok(())
    }

    fn hex(&mut self) -> Read<u32> {
        let mut n = 0;
        for _ in 0..4 {
            match self.text.get(self.at).and_then(|&c| char::from(c).to_digit(16)) {
                Some(d) => n = n << 4 | d,
                None => return self.fail("want four hex digits"),
            }
            self.at += 1;
        }
        Ok(n)
    }
}

/// The policy of these settings, as the server would make it: for tests.
///
/// # Errors
/// What the operator would be told.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn policy<P: crate::Policy>(json: &str) -> Result<P> {
    let s = Settings::parse(json.as_bytes());
    let p = P::new(&s);
    s.finish()?;
    p
}
