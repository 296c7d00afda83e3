//! HTTP requests (ABI §7). Capability `fetch:HOST`, only in the hooks `auth`, `site`,
//! `event` and `cert`.
//!
//! ```no_run
//! # fn main() -> edgeftp::Result<()> {
//! let r = edgeftp::fetch::Request::get("https://example.org/users/ann").send()?;
//! if r.status() == 200 {
//!     edgeftp::log::info(&String::from_utf8_lossy(r.body()));
//! }
//! # Ok(())
//! # }
//! ```

use std::time::Duration;

use crate::record::u32_at;
use crate::sys;
use crate::{Error, Text};

const METHOD: u32 = 1;
const URL: u32 = 2;
const HEADER: u32 = 3;
const BODY: u32 = 4;
const TIMEOUT_MS: u32 = 5;
const WANT: u32 = 6;

/// A request that is being made. The host checks it when it is sent.
#[must_use = "a request does nothing until it is sent"]
#[derive(Clone, Debug)]
pub struct Request {
    entries: Vec<u8>,
    room: usize,
}

impl Request {
    /// A request with this method to this URL.
    pub fn new(method: &str, url: &str) -> Request {
        let r = Request { entries: Vec::with_capacity(256), room: 64 << 10 };
        r.with(METHOD, &[method.as_bytes()]).with(URL, &[url.as_bytes()])
    }

    /// A GET request.
    pub fn get(url: &str) -> Request {
        Request::new("GET", url)
    }

    /// A POST request with a body.
    pub fn post<B: AsRef<[u8]> + ?Sized>(url: &str, body: &B) -> Request {
        Request::new("POST", url).body(body)
    }

    fn with(mut self, key: u32, value: &[&[u8]]) -> Request {
        let n: usize = value.iter().map(|v| v.len()).sum();
        self.entries.extend_from_slice(&key.to_le_bytes());
        self.entries.extend_from_slice(&(n as u32).to_le_bytes());
        for v in value {
            self.entries.extend_from_slice(v);
        }
        self
    }

    /// A header of the request, up to 32 of them.
    pub fn header(self, name: &str, value: &str) -> Request {
        self.with(HEADER, &[name.as_bytes(), b"\0", value.as_bytes()])
    }

    /// The body, at most 65,536 bytes.
    pub fn body<B: AsRef<[u8]> + ?Sized>(self, body: &B) -> Request {
        self.with(BODY, &[body.as_ref()])
    }

    /// How long it may take; it only lowers the host's own bound.
    pub fn timeout(self, d: Duration) -> Request {
        let ms = u32::try_from(d.as_millis()).unwrap_or(u32::MAX);
        self.with(TIMEOUT_MS, &[&ms.to_le_bytes()])
    }

    /// A header that the response is to show, up to 16 of them.
    pub fn want(self, header: &str) -> Request {
        self.with(WANT, &[header.as_bytes()])
    }

    /// How many bytes the response may have with its headers: 64 KiB unless set, at most
    /// 1 MiB. What is longer is [`Error::Size`].
    pub fn room(mut self, bytes: usize) -> Request {
        self.room = bytes;
        self
    }

    /// Sends the request and waits for the response. Any status is a response.
    ///
    /// # Errors
    /// [`Error::Denied`] for a host that was not granted or a hook that may not ask,
    /// [`Error::Invalid`] for a broken request, [`Error::Size`], [`Error::Io`],
    /// [`Error::Timeout`], [`Error::Busy`].
    pub fn send(self) -> Result<Response, Error> {
        let mut out = vec![0; self.room];
        // SAFETY: pointers and lengths are those of slices.
        let n = unsafe { sys::fetch(self.entries.as_ptr(), self.entries.len(), out.as_mut_ptr(), out.len()) };
        out.truncate(sys::checked(n)?);
        if out.len() < 4 {
            return Err(Error::Invalid);
        }
        Ok(Response(out))
    }
}

/// Entries of `u32 key, u32 length, bytes`; what is cut off ends them.
fn entries(mut rest: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    std::iter::from_fn(move || {
        if rest.len() < 8 || rest.len() - 8 < u32_at(rest, 4) as usize {
            return None;
        }
        let (key, n) = (u32_at(rest, 0), u32_at(rest, 4) as usize);
        let value = &rest[8..8 + n];
        rest = &rest[8 + n..];
        Some((key, value))
    })
}

/// The response.
#[derive(Clone, Debug)]
pub struct Response(Vec<u8>);

impl Response {
    /// The status, such as 200.
    pub fn status(&self) -> u32 {
        u32_at(&self.0, 0)
    }

    /// The first header of this name among those of [`Request::want`].
    pub fn header(&self, name: &str) -> Option<&Text> {
        let named = |v: &[u8]| v.len() > name.len() && v[..name.len()].eq_ignore_ascii_case(name.as_bytes());
        entries(&self.0[4..])
            .find(|&(k, v)| k == HEADER && named(v) && v[name.len()] == 0)
            .map(|(_, v)| Text::new(&v[name.len() + 1..]))
    }

    /// The body, empty without one.
    pub fn body(&self) -> &[u8] {
        entries(&self.0[4..]).find(|&(k, _)| k == BODY).map_or(b"", |(_, v)| v)
    }

    /// The response as the ABI has it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What a fake server needs of a request.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn of_request(request: &[u8]) -> (String, Vec<String>) {
    let text = |v: &[u8]| String::from_utf8_lossy(v).into_owned();
    let get = |key| entries(request).find(|e| e.0 == key).map_or(String::new(), |e| text(e.1));
    let wanted = entries(request).filter(|e| e.0 == WANT).map(|e| text(e.1).to_ascii_lowercase());
    (format!("{} {}", get(METHOD), get(URL)), wanted.collect())
}

/// The bytes of a response of a fake server.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn response(status: u32, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut r = Request { entries: status.to_le_bytes().to_vec(), room: 0 };
    for (name, value) in headers {
        r = r.header(name, value);
    }
    r.body(body).entries
}
