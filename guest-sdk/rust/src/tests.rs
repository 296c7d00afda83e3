//! The SDK on the golden vectors of the ABI, natively. That the same bytes come out of
//! a compiled module is the business of tests/sdk.

use std::panic::catch_unwind;
use std::time::Duration;

use crate::record::address;
use crate::*;

fn unhex(s: &str) -> Vec<u8> {
    (0..s.len() / 2).map(|i| u8::from_str_radix(&s[2 * i..2 * i + 2], 16).unwrap()).collect()
}

/// The vectors of a file, which the reader of settings reads.
fn vectors(json: &str, least: usize) -> Settings {
    let all = Settings::parse(format!("{{\"v\":{json}}}").as_bytes());
    assert!(all.objects("v").len() >= least, "{:?}", all.finish());
    all
}

fn records() -> Settings {
    vectors(include_str!("../../vectors/records.json"), 118)
}

fn bad_records() -> Settings {
    vectors(include_str!("../../vectors/bad-records.json"), 51)
}

const HOOKS: [&str; 9] = ["auth", "fs", "list", "cmd", "site", "throttle", "data", "event", "cert"];

/// Reads a record as a question of the hook and asks it for everything, which is
/// printed so that nothing is left out.
fn read(hook: &str, rec: &[u8]) -> std::result::Result<String, BadRecord> {
    Ok(match hook {
        "auth" => {
            let q = auth::Question::decode(rec)?;
            format!("{:?} {} {:?} {}", q.password(), q.early(), q.binding(), meta(&q))
        }
        "fs" => {
            let q = fs::Question::decode(rec)?;
            let paths: Vec<_> = q.paths().map(|p| (p.name(), p.parent(), p.extension())).collect();
            let facts = (q.exists(), q.is_dir(), q.size(), q.data_peer());
            format!("{} {:?} {:?} {paths:?} {:?} {facts:?} {}", q.op(), q.path(), q.path2(), q.arg(), meta(&q))
        }
        "list" => {
            let q = list::Question::decode(rec)?;
            let all: Vec<_> = q.entries().map(|e| (e.name().to_vec(), e.mode(), e.size(), e.modified())).collect();
            let answer = q.hide_if(|e| e.is_dir() || e.name().starts_with(b"."));
            assert_eq!(answer.fault(), None);
            format!("{:?} {all:?} {answer:?} {}", q.path(), meta(&q))
        }
        "cmd" => {
            let q = cmd::Question::decode(rec)?;
            format!("{:?} {:?} {:?} {}", q.verb(), q.arg(), q.dir(), meta(&q))
        }
        "site" => {
            let q = site::Question::decode(rec)?;
            format!("{:?} {:?} {:?} {}", q.verb(), q.arg(), q.dir(), meta(&q))
        }
        "throttle" => {
            let q = throttle::Question::decode(rec)?;
            let facts = (q.total(), q.moved(), q.took(), q.upload(), q.data_peer());
            format!("{} {:?} {facts:?} {}", q.op(), q.path(), meta(&q))
        }
        "data" => {
            let q = data::Question::decode(rec)?;
            let facts = (q.offset(), q.last(), q.upload(), q.carry(), q.data_peer());
            format!("{} {:?} {facts:?} {:?} {}", q.op(), q.path(), q.bytes(), meta(&q))
        }
        "event" => {
            let q = event::Question::decode(rec)?;
            let facts = (q.size(), q.took(), q.code(), q.op(), q.generation(), q.late(), q.data_peer());
            format!("{} {:?} {:?} {:?} {facts:?} {:?} {}", q.kind(), q.path(), q.path2(), q.line(), q.policy(), meta(&q))
        }
        "cert" => {
            let q = cert::Question::decode(rec)?;
            format!("{:?} {}", q.name(), meta(&q))
        }
        other => panic!("no hook {other}"),
    })
}

fn meta(m: &Meta) -> String {
    let numbers = (m.session(), m.request(), m.time().utc().date(), m.a(), m.b(), m.flags());
    let truths = (m.tls(), m.data_tls(), m.anonymous(), m.active(), m.ascii(), m.shadow(), m.tls_resumed());
    let who = (m.user(), m.group(), m.peer(), m.ip(), m.local(), m.root(), m.state());
    let tls = (m.tls_version(), m.tls_cipher(), m.sni(), m.alpn(), m.cert_subject(), m.cert_sha256());
    let what = (m.listener(), m.client(), m.host(), m.vhost(), m.protocol());
    format!("{numbers:?} {truths:?} {who:?} {tls:?} {what:?}")
}

#[test]
fn records_are_read() {
    let all = records();
    let mut kinds = [0; 9];
    for v in all.objects("v") {
        let (name, hook) = (v.string("name", ""), v.string("hook", ""));
        let rec = unhex(&v.string("record", ""));
        let said = read(&hook, &rec);
        assert!(said.is_ok(), "{name}: {said:?}");
        let kind = HOOKS.iter().position(|h| *h == hook).unwrap();
        kinds[kind] += 1;
        let m = Meta::decode(&rec, kind as u16 + 1).unwrap();
        let number = |key| v.string(key, "").parse::<i128>().unwrap();
        assert_eq!(i128::from(m.op_number()), i128::from(v.int("op", -1)), "{name}");
        assert_eq!(i128::from(m.session()), number("session"), "{name}");
        assert_eq!(i128::from(m.request()), number("request"), "{name}");
        assert_eq!(i128::from(m.time().0), number("time_ns"), "{name}");
        assert_eq!((i128::from(m.a()), i128::from(m.b())), (number("a"), number("b")), "{name}");
        let spans = v.object("spans").unwrap();
        for (key, span) in [
            ("USER", Span::User), ("PATH", Span::Path), ("ARG", Span::Arg), ("PEER", Span::Peer),
            ("PEER16", Span::Peer16), ("ROOT", Span::Root), ("ATTR", Span::Attr), ("STATE", Span::State),
            ("EXTRA", Span::Extra),
        ] {
            assert_eq!(m.span(span), unhex(&spans.string(key, "")), "{name}: {key}");
        }
        assert_eq!(spans.finish(), Ok(()), "{name}");
    }
    assert!(kinds.iter().all(|&n| n > 0), "{kinds:?}");
}

#[test]
fn all_fields_of_a_login() {
    let all = records();
    let v = all.objects("v").iter().find(|v| v.string("name", "") == "login, all fields").unwrap();
    let rec = unhex(&v.string("record", ""));
    let q = auth::Question::decode(&rec).unwrap();
    assert!(q.tls() && q.data_tls() && q.anonymous() && q.active() && q.ascii() && q.tls_resumed());
    assert!(!q.early() && !q.shadow());
    assert_eq!((q.user().to_str(), q.password().to_str()), (Some("\u{e4}nn\u{e4}"), Some("geheim")));
    assert_eq!(q.ip().unwrap().to_string(), "192.0.2.7");
    assert_eq!(q.time().utc().date(), "2023-11-14");
    assert!(q.root() == "/home" && q.state() == b"\0\x01\x02\xff" && q.group() == "staff");
    assert!(q.tls_version() == "1.3" && q.sni() == "ftp.example.org" && q.client() == "lftp/4.9");
    assert!(q.listener() == "public" && q.local() == "[2001:db8::1]:21" && q.host() == "");
}

#[test]
fn the_virtual_host() {
    let all = records();
    let found = |name: &str| {
        let v = all.objects("v").iter().find(|v| v.string("name", "") == name).unwrap();
        unhex(&v.string("record", ""))
    };
    let (of_one, of_none) = (found("login, virtual host, all fields"), found("login, host"));
    let q = auth::Question::decode(&of_one).unwrap();
    assert!(q.vhost() == "shop" && q.host() == "ftp.example.net" && q.listener() == "public");
    let q = auth::Question::decode(&of_none).unwrap();
    assert!(q.vhost() == "" && q.host() == "[2001:db8::1]");
    let asked = fake::fs(Op::Write, "/a").user("anna").vhost("museum");
    assert!(asked.question().vhost() == "museum" && fake::fs(Op::Write, "/a").question().vhost() == "");
}

#[test]
fn what_carries_a_session() {
    let all = records();
    let found = |name: &str| {
        let v = all.objects("v").iter().find(|v| v.string("name", "") == name).unwrap();
        unhex(&v.string("record", ""))
    };
    let (bound, early, web) = (found("login, binding, all fields"), found("login, binding, early"), found("login, protocol"));
    let q = auth::Question::decode(&bound).unwrap();
    assert!(q.protocol() == "ftpq/1" && q.vhost() == "shop" && q.password() == "geheim");
    assert_eq!(q.binding().map(|b| (b.len(), &b[..4], b[31])), Some((32, &b"\0\xff\nb"[..], 0)));
    assert_eq!(auth::Question::decode(&early).unwrap().binding(), Some(&[0; 32][..]));
    let q = auth::Question::decode(&web).unwrap();
    assert!(q.protocol() == "http/1.1" && q.binding().is_none());
    let asked = fake::auth().protocol("h3").binding(&[7; 32]).question();
    assert!(asked.protocol() == "h3" && asked.binding() == Some(&[7; 32]));
    assert!(fake::auth().question().protocol() == "" && fake::auth().question().binding().is_none());
}

#[test]
fn bad_records_are_refused() {
    for v in bad_records().objects("v") {
        let rec = unhex(&v.string("record", ""));
        let said = read(&v.string("hook", ""), &rec);
        assert!(said.is_err(), "{}: {said:?}", v.string("name", ""));
    }
}

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }

    /// Damages bytes: flips, sets to greatest, cuts off.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..1 + self.throw(3) {
            let at = self.throw(bytes.len());
            match self.throw(8) {
                _ if bytes.is_empty() => return,
                0 => bytes.truncate(at),
                1 => bytes[at] = 0xff,
                2 => bytes[at] = 0,
                _ => bytes[at] ^= 1 << self.throw(8),
            }
        }
    }
}

/// Whatever the bytes are, they are read or refused, and never panic.
#[test]
fn damaged_records_do_not_panic() {
    let (good, bad) = (records(), bad_records());
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut read_all, mut refused) = (0, 0);
    for v in good.objects("v").iter().chain(bad.objects("v")) {
        let (hook, rec) = (v.string("hook", ""), unhex(&v.string("record", "")));
        for _ in 0..300 {
            let mut rec = rec.clone();
            dice.damage(&mut rec);
            let len = rec.len() as u32;
            if rec.len() >= 4 && dice.throw(4) > 0 {
                rec[..4].copy_from_slice(&len.to_le_bytes());
            }
            match catch_unwind(|| read(&hook, &rec).is_ok()) {
                Ok(true) => read_all += 1,
                Ok(false) => refused += 1,
                Err(_) => panic!("{}: {rec:02x?}", v.string("name", "")),
            }
        }
    }
    assert!(read_all > 1000 && refused > 1000, "{read_all} read, {refused} refused");
}

#[test]
fn addresses() {
    let read = |s: &str| address(s.as_bytes()).map(|(ip, port)| (std::net::Ipv6Addr::from(ip).to_string(), port));
    for (text, ip, port) in [
        ("192.0.2.7:40001", "::ffff:192.0.2.7", 40001),
        ("[2001:db8::1]:21", "2001:db8::1", 21),
        ("192.0.2.7:000021", "::ffff:192.0.2.7", 21),
        ("[::]:0", "::", 0),
        ("[::1]:65535", "::1", 65535),
        ("[1::]:1", "1::", 1),
        ("[1:2:3:4:5:6:7:8]:1", "1:2:3:4:5:6:7:8", 1),
        ("[1:2:3:4:5:6:7::]:1", "1:2:3:4:5:6:7:0", 1),
        ("[fe80::1%eth0]:1", "fe80::1", 1),
        ("[::ffff:192.0.2.7]:1", "::ffff:192.0.2.7", 1),
        ("[64:ff9b::192.0.2.33]:1", "64:ff9b::c000:221", 1),
    ] {
        assert_eq!(read(text), Some((ip.to_string(), port)), "{text}");
    }
    for text in [
        "", ":", "1.2.3.4", "1.2.3.4:", "1.2.3:1", "1.2.3.4.5:1", "01.2.3.4:1", "1.2.3.256:1", "1.2.3.4:65536",
        "1.2.3.4:-1", "[]:1", "[:]:1", "[:::]:1", "[1:2]:1", "[1::2::3]:1", "[1:2:3:4:5:6:7:8:9]:1",
        "[1:2:3:4:5:6:7:8::]:1", "[::1:]:1", "[:1::]:1", "[12345::]:1", "[g::]:1", "[::%]:1", "::1:1", "[::1]1",
        "[::1.2.3]:1", "[1:2:3:4:5:6:7:1.2.3.4]:1",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn dates() {
    for (unix, date, weekday) in [
        (0, "1970-01-01", 4),
        (-1, "1969-12-31", 3),
        (951_782_400, "2000-02-29", 2),
        (951_868_800, "2000-03-01", 3),
        (1_700_000_000, "2023-11-14", 2),
        (4_107_542_400, "2100-03-01", 1),
    ] {
        let utc = Time(unix * 1_000_000_000).utc();
        assert_eq!((utc.date().as_str(), utc.weekday), (date, weekday), "{unix}");
    }
    let utc = Time(1_700_000_000_999_999_999).utc();
    assert_eq!((utc.hour, utc.minute, utc.second), (22, 13, 20));
}

#[test]
fn paths() {
    let p = Path::new("/in/a.tar.GZ");
    assert!(p.name() == "a.tar.GZ" && p.parent() == "/in" && p.extension() == "GZ");
    assert!(p.has_extension(&["exe", "gz"]) && !p.has_extension(&["tar.gz"]) && !p.has_extension::<&str>(&[]));
    assert!(p.within("/in") && p.within("/") && !p.within("/i") && !p.within("/in/a") && p.within("/in/a.tar.GZ"));
    assert!(Path::new("/a.exe. .").has_extension(&["exe"]) && !Path::new("/. .").has_extension(&[""; 0]));
    let root = Path::new("/");
    assert!(root.name() == "" && root.parent() == "/" && Path::new("/a").parent() == "/" && root.within("/"));
    assert!(Path::new("/.profile").extension() == "" && Path::new("/a.").extension() == "");
    assert_eq!(format!("{} {:?}", Text::new(b"\xff"), Path::new("/\"")), "\u{fffd} \"/\\\"\"");
}

#[test]
fn where_bytes_go() {
    let all = records();
    let found = |name: &str| {
        let v = all.objects("v").iter().find(|v| v.string("name", "") == name).unwrap();
        unhex(&v.string("record", ""))
    };
    let (read, chunk) = (found("read, data peer"), found("data, data peer"));
    assert!(fs::Question::decode(&read).unwrap().data_peer() == "198.51.100.1:20000");
    assert!(data::Question::decode(&chunk).unwrap().data_peer() == "198.51.100.1:20000");
    let (rate, sent, moved) = (found("throttle, data peer"), found("event, data peer"), found("kind client_moved"));
    assert!(throttle::Question::decode(&rate).unwrap().data_peer() == "[2001:db8::7]:40002");
    assert!(event::Question::decode(&sent).unwrap().data_peer() == "198.51.100.1:20000");
    let q = event::Question::decode(&moved).unwrap();
    assert!(q.kind() == EventKind::ClientMoved && q.line() == "192.0.2.8:40001" && q.data_peer() == "");
    let asked = fake::fs(Op::Read, "/a").data_peer("192.0.2.7:1");
    assert!(asked.question().data_peer() == "192.0.2.7:1" && fake::fs(Op::Read, "/a").question().data_peer() == "");
}

#[test]
fn networks_have_one_form() {
    for good in ["0.0.0.0/0", "::/0", "192.0.2.7/32", "10.128.0.0/9", "2001:db8::7/128", "2001:db8:8000::/33"] {
        assert_eq!(auth::Answer::allow().network(good).fault(), None, "{good}");
    }
    for bad in [
        "192.0.2.1", "192.0.2.0/33", "192.0.2.1/24", "10.128.0.0/8", "::ffff:192.0.2.0/120", "::1/64", "::/129", "::%1/64", "192.0.2.0/",
        "192.0.2.0/024", "192.0.02.0/24", "192.0.2.0/24 ", "192.0.2.0/-1", "192.0.2.0/+8", "0/0", "192.0.2.0/24/24", "",
    ] {
        assert!(auth::Answer::allow().network(bad).fault().is_some(), "{bad}");
    }
}

#[test]
fn answers_refuse_what_the_host_would() {
    let long = "x".repeat(513);
    let (one, two) = (fs::Answer::deny("a").text("b"), auth::Answer::pass().password_hash("$2y$"));
    for (what, fault) in [
        ("twice", one.fault()),
        ("hash beside pass", two.fault()),
        ("long text", fs::Answer::deny(&long).fault()),
        ("two lines", fs::Answer::deny("a\r\n550 b").fault()),
        ("code", fs::Answer::deny_code(399, "").fault()),
        ("code", site::Answer::done_code(331).fault()),
        ("relative", fs::Answer::rewrite("x").fault()),
        ("path with a NUL", fs::Answer::rewrite(b"/x\0").fault()),
        ("second path beside deny", fs::Answer::deny("").and_path2("/x").fault()),
        ("letters", auth::Answer::allow().perms("elz").fault()),
        ("letters", auth::Answer::allow().perms("ee").fault()),
        ("rule", auth::Answer::allow().rule("in", "e", true).fault()),
        ("rules", (0..257).fold(auth::Answer::allow(), |a, _| a.rule("/", "e", true)).fault()),
        ("network", auth::Answer::allow().network("192.0.2.1").fault()),
        ("networks", (0..257).fold(auth::Answer::allow(), |a, _| a.network("::/0")).fault()),
        ("lines", (0..65).fold(site::Answer::done(), |a, _| a.line("x")).fault()),
        ("state", auth::Answer::allow().state(&[0; 1025]).fault()),
        ("rate", fs::Answer::allow().rate_up(1 << 63).fault()),
        ("sessions", auth::Answer::allow().max_sessions(1 << 31).fault()),
        ("expires", auth::Answer::allow().expires(Time(-1)).fault()),
        ("bits", list::Answer::pass().hide_bits(&[0; 33]).fault()),
        ("bits beside deny", list::Answer::deny("").hide_bits(&[1]).fault()),
        ("ttl", fs::Answer::pass().cache(Duration::from_secs(1 << 40)).fault()),
        ("carry", data::Answer::pass().carry(&[0; 1025]).fault()),
        ("chunk", data::Answer::rewrite(&vec![0; 1 << 20]).fault()),
    ] {
        let fault = fault.expect(what);
        assert!(fault.contains("tests.rs:") || what == "chunk", "{what}: {fault}");
    }
    let cut = fs::Answer::fail(&format!("a\nb\u{fffd}{long}"));
    assert_eq!(cut, fs::Answer::fail(&format!("a?b?{}", "x".repeat(508))));
    let shown = format!("{:?}", fs::Answer::deny_code(553, "no").label("x").finally());
    assert_eq!(shown, "deny 553 TEXT=\"no\" LABEL=\"x\" final");
}

#[test]
fn settings_are_typed() {
    let text = r#" { "ext" : ["a", "b\u00e9\ud83d\ude00"] , "n":-12,"on":true,"off":false,"text":"x\n\"\/",
        "o":{"b":{"n":1}},"l":[{"n":2},{}],"e":[],"f":[] } "#;
    let s = Settings::parse(text.as_bytes());
    assert_eq!(s.strings("ext", &[]), ["a", "b\u{e9}\u{1f600}"]);
    assert!(s.int("n", 0) == -12 && s.bool("on", false) && !s.bool("off", true) && s.string("text", "") == "x\n\"/");
    assert!(s.int("none", 7) == 7 && s.string("none2", "d") == "d" && s.strings("none3", &["p", "q"]).len() == 2);
    assert_eq!(s.object("o").and_then(|o| o.object("b")).map(|b| b.int("n", 0)), Some(1));
    assert_eq!(s.objects("l").iter().map(|o| o.int("n", 100)).sum::<i64>(), 102);
    assert!(s.objects("e").is_empty() && s.strings("f", &["x"]).is_empty() && s.object("none").is_none());
    assert_eq!(s.finish(), Ok(()));
    assert_eq!(Settings::parse(b"").finish(), Ok(()));
}

#[test]
fn settings_tell_what_is_wrong() {
    for (text, says) in [
        (&b"[]"[..], "want '{'"),
        (b"{", "want"),
        (b"{} x", "text after"),
        (b"{\"a\":1,}", "want '\"'"),
        (b"{\"a\":1,\"a\":2}", "\"a\" is given twice"),
        (b"{\"a\":1.5}", "whole number"),
        (b"{\"a\":1e3}", "whole number"),
        (b"{\"a\":01}", "whole number"),
        (b"{\"a\":-}", "whole number"),
        (b"{\"a\":9223372036854775808}", "whole number"),
        (b"{\"a\":[{},\"x\"]}", "want '{'"),
        (b"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}", "too many objects"),
        (b"{\"a\":null}", "want a string"),
        (b"{\"a\":\"", "without an end"),
        (b"{\"a\":\"\\", "without an end"),
        (b"{\"a\":\"\\x\"}", "escape"),
        (b"{\"a\":\"\\ud800\"}", "surrogate"),
        (b"{\"a\":\"\\udc00\"}", "surrogate"),
        (b"{\"a\":\"\\ud800\\u0041\"}", "surrogate"),
        (b"{\"a\":\"\\u12\"}", "hex digits"),
        (b"{\"a\":\"\n\"}", "control character"),
        (b"{\"a\":\"\xff\"}", "UTF-8"),
        (b"{\"a\":tru}", "want true"),
        (b"{\"extra\":1}", "unknown setting \"extra\""),
        (b"{\"o\":1}", "setting \"o\" is not an object"),
        (b"{\"l\":{}}", "setting \"l\" is not a list of objects"),
        (b"{\"o\":{\"x\":1}}", "unknown setting \"o.x\""),
        (b"{\"o\":{\"n\":\"1\"}}", "setting \"o.n\" is not a whole number"),
        (b"{\"l\":[{\"n\":1},{\"m\":1}]}", "unknown setting \"l[1].m\""),
        (b"{\"l\":[{\"n\":true}]}", "setting \"l[0].n\" is not a whole number"),
    ] {
        let s = Settings::parse(text);
        s.object("o").map(|o| o.int("n", 0));
        s.objects("l").iter().for_each(|o| assert_ne!(o.int("n", 0), -1));
        let said = s.finish().err().unwrap_or_default();
        assert!(said.contains(says), "{}: {said:?}, want {says:?}", String::from_utf8_lossy(text));
    }
}

/// Whatever the text is, it is read or refused, and never panics.
#[test]
fn damaged_settings_do_not_panic() {
    let text = br#"{"a":["x","\u00e9\ud83d\ude00"],"n":-12,"t":true,"o":{"l":[{"n":2},{}],"e":[]},"s":"\"\\"}"#;
    let mut dice = Dice(88_172_645_463_325_252);
    for _ in 0..20_000 {
        let mut text = text.to_vec();
        dice.damage(&mut text);
        let s = catch_unwind(|| Settings::parse(&text).finish());
        assert!(s.is_ok(), "{}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn values() {
    let second = Some(Duration::from_secs(1));
    assert_eq!(kv::get("k"), Ok(None));
    kv::set("k", "value", None).unwrap();
    assert_eq!(kv::get("k").unwrap().as_deref(), Some(&b"value"[..]));
    assert_eq!(kv::get_into("k", &mut [0; 2]), Ok(Some(5)));
    assert_eq!((kv::incr("k", 1, None), kv::counter("k")), (Err(Error::Type), Err(Error::Type)));
    assert_eq!((kv::get(""), kv::set("k", vec![0; 4097], None)), (Err(Error::Size), Err(Error::Size)));
    assert_eq!((kv::incr("n", 5, second), kv::incr("n", -7, None), kv::counter("n")), (Ok(5), Ok(-2), Ok(-2)));
    assert_eq!(kv::incr("n", i64::MIN, None), Ok(i64::MIN));
    assert_eq!(kv::cas("k", Some(b"x"), Some(b"y"), None), Ok(false));
    assert_eq!(kv::cas("k", Some(b"value"), None, None), Ok(true));
    assert_eq!((kv::get("k"), kv::cas("k", None, Some(b""), second)), (Ok(None), Ok(true)));
    assert_eq!(kv::get("k"), Ok(Some(vec![])));
    fake::advance(Duration::from_secs(1));
    assert_eq!((kv::get("k"), kv::counter("n")), (Ok(None), Ok(0)));
    assert_eq!((kv::remove("k"), kv::remove("k")), (Ok(()), Ok(())));
}

#[test]
fn what_the_server_knows() {
    let facts = host::Stat { mode: 0o040_755, size: 7, modified: Time(9) };
    fake::file("/a", facts);
    assert_eq!((host::stat("/a"), host::stat("/b")), (Ok(facts), Err(Error::NotFound)));
    assert!(facts.is_dir());
    fake::digest("MD5", &[1, 2]);
    assert_eq!((host::digest("MD5"), host::digest("x")), (Ok(vec![1, 2]), Err(Error::NotFound)));
    fake::password_hash("$2y$");
    assert_eq!((host::verify_password("$2y$"), host::verify_password("")), (Ok(true), Ok(false)));
    fake::random(&[1, 0, 0, 0, 0, 0, 0, 0, 2]);
    assert_eq!((random::u64(), random::u64(), random::u64()), (1, 2, 0));
    metric::add("n", 2);
    metric::add("n", -1);
    metric::set("g", -3);
    assert_eq!((fake::metric("n"), fake::metric("g"), fake::metric("x")), (Some(2), Some(-3), None));
    log::info("a");
    log::warn("b");
    assert_eq!(fake::logged(), ["a", "b"]);
}

#[test]
fn requests() {
    fake::http("POST https://x/y", 201, &[("ETag", "v"), ("x", "hidden")], b"made");
    let r = fetch::Request::post("https://x/y", "body").header("a", "b").want("Etag").timeout(Duration::from_secs(1));
    let r = r.send().unwrap();
    assert_eq!((r.status(), r.body()), (201, &b"made"[..]));
    assert!(r.header("ETAG").unwrap() == "v" && r.header("x").is_none() && r.header("eta").is_none());
    assert_eq!(fetch::Request::get("https://x/y").send().unwrap_err(), Error::Denied);
    fake::http_fails("GET https://x/y", Error::Timeout);
    assert_eq!(fetch::Request::get("https://x/y").send().unwrap_err(), Error::Timeout);
    assert_eq!(fake::fetched(), ["POST https://x/y", "GET https://x/y", "GET https://x/y"]);
    let small = fetch::Request::post("https://x/y", "").room(3).send().unwrap_err();
    assert_eq!((small, small.code()), (Error::Size, -3));
}

#[test]
fn fake_questions_are_what_they_say() {
    let q = fake::fs(Op::Rename, "/a").path2("/b").user("u").group("g").size(7).at(86_400).question();
    assert!(q.path() == "/a" && q.path2() == "/b" && q.user() == "u" && q.group() == "g" && q.size() == 7);
    assert_eq!((q.time().utc().date(), q.paths().count(), q.exists()), ("1970-01-02".to_string(), 2, true));
    assert!(fake::fs(Op::Write, "/a").path2("/b").question().path2() == "/b");
    assert_eq!(fake::fs(Op::Rename, "/a").question().paths().count(), 1);
    let q = fake::list("/d", &[("x", 0o040_755, 0), ("yy", 0o100_644, 9)]).question();
    assert_eq!(q.entries().map(|e| (e.is_dir(), e.size())).collect::<Vec<_>>(), [(true, 0), (false, 9)]);
    assert_eq!(q.hide_if(|e| e.name() == "yy"), list::Answer::pass().hide_bits(&[2]));
    assert_eq!(q.hide_if(|_| false), list::Answer::pass());
    let q = fake::site("QUOTA", "x").question();
    assert!(q.verb() == "QUOTA" && q.arg() == "x" && q.dir() == "/");
    let q = fake::data(Op::Write, "/a", b"xyz").span(Span::Extra, b"c").flags(flag::LAST).question();
    assert!(q.bytes() == b"xyz" && q.carry() == b"c" && q.last() && q.upload());
    assert_eq!(fake::throttle(Op::Read, "/a").question().total(), None);
    assert!(fake::event(EventKind::FileDeleted, "/a").numbers(5, -1).question().took() == Duration::ZERO);
    assert!(fake::cert("a.example").question().name() == "a.example");
    assert!(fake::auth().user("u").state(b"s").session(4).question().session() == 4);
    assert!(fake::cmd("NOOP", "").question().verb() == "NOOP");
}
