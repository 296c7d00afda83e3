use super::{safe, Dropbox};
use edgeftp::fs::{Answer, Hook, Op};
use edgeftp::list::Hook as _;
use edgeftp::{fake, list};

fn dropbox(settings: &str) -> Dropbox {
    fake::policy(settings).unwrap()
}

#[test]
fn settings() {
    for bad in ["in", "/", "/in/", "//in", "", "/in/.", "/a/../in"] {
        let fault = fake::policy::<Dropbox>(&format!("{{\"inbox\":\"{bad}\"}}")).err().unwrap();
        assert_eq!(fault.to_string(), "setting \"inbox\" is not an absolute path of a directory below the root");
    }
}

#[test]
fn names_of_users_stay_apart() {
    let name = |user: &[u8]| {
        let mut path = Vec::new();
        safe(user, &mut path);
        String::from_utf8(path).unwrap()
    };
    assert_eq!(name(b"ann.lee@example.org"), "ann.lee@example.org");
    assert_eq!(name(b"../bob"), "%2E.%2Fbob");
    assert_eq!(name(b"a~b"), "a%7Eb");
    assert_eq!(name(b"a%7Eb"), "a%257Eb");
    assert_eq!(name("\u{e9}\n".as_bytes()), "%C3%A9%0A");
}

#[test]
fn the_day_is_that_of_the_question_in_utc() {
    let mut d = dropbox("{}");
    let mut at = |unix| d.fs(&fake::fs(Op::Write, "/in/a.txt").user("ann").at(unix).question());
    assert_eq!(at(951_868_799).unwrap(), Answer::rewrite("/in/ann~2000-02-29~a.txt"));
    assert_eq!(at(951_868_800).unwrap(), Answer::rewrite("/in/ann~2000-03-01~a.txt"));
    assert_eq!(at(0).unwrap_err().to_string(), "the time is unknown");
}

#[test]
fn names_that_are_not_utf8_pass_through() {
    let q = fake::fs(Op::Write, "").span(edgeftp::Span::Path, b"/in/\xff").user("ann");
    assert_eq!(dropbox("{}").fs(&q.question()).unwrap(), Answer::rewrite(b"/in/ann~2023-11-14~\xff"));
}

#[test]
fn what_the_inbox_lies_in_stays_where_it_is() {
    let mut d = dropbox(r#"{"inbox":"/a/in","readers":"staff"}"#);
    let no = Answer::deny("this is an inbox: files go in and stay as they are");
    for (op, path, path2, want) in [
        (Op::Rename, "/a", "", &no),
        (Op::Rename, "/a", "/b", &no),
        (Op::Symlink, "/b", "/a", &no),
        (Op::Symlink, "/b", "/", &no),
        (Op::Rename, "/ab", "/b", &Answer::pass()),
        (Op::Symlink, "/b", "/ab", &Answer::pass()),
        (Op::List, "/a", "", &Answer::pass()),
        (Op::Write, "/a", "", &Answer::pass()),
    ] {
        let q = fake::fs(op, path).path2(path2).user("ann");
        assert_eq!(&d.fs(&q.question()).unwrap(), want, "{path} {path2}");
        assert_eq!(d.fs(&q.clone().group("staff").question()).unwrap(), Answer::pass());
    }
}

#[test]
fn only_readers_see_entries() {
    let mut d = dropbox(r#"{"readers":"staff"}"#);
    let q = fake::list("/in", &[("a", 0o100_644, 1), ("b", 0o100_644, 1)]);
    assert_eq!(d.list(&q.question()).unwrap(), list::Answer::pass().hide_bits(&[3]));
    assert_eq!(d.list(&q.clone().group("staff").question()).unwrap(), list::Answer::pass());
    // Without readers in the settings, a session without a group is none of them.
    assert_eq!(dropbox("{}").list(&q.question()).unwrap(), list::Answer::pass().hide_bits(&[3]));
}
