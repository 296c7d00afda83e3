use std::time::Duration;

use super::{pending, Quota};
use edgeftp::event::{Hook as _, Kind};
use edgeftp::fs::{Answer, Hook, Op};
use edgeftp::{fake, flag, kv};

const FULL: &str = "you have stored as much as you may";

fn quota(settings: &str) -> Quota {
    fake::policy(settings).unwrap()
}

fn used(key: &str) -> String {
    String::from_utf8(kv::get(key).unwrap().unwrap_or_default()).unwrap()
}

fn commit(q: &mut Quota, size: i64) -> Answer {
    q.fs(&fake::fs(Op::Commit, "/a").user("ann").numbers(size, 0).question()).unwrap()
}

#[test]
fn settings() {
    let fault = |s| fake::policy::<Quota>(s).err().map_or(String::new(), |e| e.to_string());
    assert_eq!(fault(r#"{"bytes":-1}"#), "setting \"bytes\" is not a number of 0 or more");
    assert_eq!(fault(r#"{"users":[{"user":"a","files":-1}]}"#), "setting \"users[0].files\" is not a number of 0 or more");
    assert_eq!(fault(r#"{"users":[{"name":"a"}]}"#), "unknown setting \"users[0].name\"");
}

#[test]
fn what_does_not_fit_is_refused_and_not_charged() {
    let mut q = quota(r#"{"bytes":100,"files":2}"#);
    assert_eq!(commit(&mut q, 60), Answer::pass());
    assert_eq!(commit(&mut q, 41), Answer::deny_code(552, FULL));
    assert_eq!(commit(&mut q, 40), Answer::pass());
    assert_eq!(commit(&mut q, 0), Answer::deny_code(552, FULL)); // a third file
    assert_eq!(used("u/ann"), "100 2");
}

#[test]
fn a_replacement_costs_what_it_adds() {
    let mut q = quota(r#"{"bytes":100}"#);
    kv::set("u/ann", "90 1", None).unwrap();
    let replace = |size, old| fake::fs(Op::Commit, "/a").user("ann").numbers(size, 0).size(old).question();
    assert_eq!(q.fs(&replace(101, 90)).unwrap(), Answer::deny_code(552, FULL));
    assert_eq!(q.fs(&replace(95, 90)).unwrap(), Answer::pass());
    assert_eq!(used("u/ann"), "95 1");
    assert_eq!(q.fs(&replace(5, 95)).unwrap(), Answer::pass());
    assert_eq!(used("u/ann"), "5 1");
}

#[test]
fn a_transfer_is_told_how_long_it_may_become() {
    let mut q = quota(r#"{"bytes":100}"#);
    kv::set("u/ann", "90 1", None).unwrap();
    let ask = |op, announced| fake::fs(op, "/a").user("ann").numbers(announced, 0);
    assert_eq!(q.fs(&ask(Op::Write, -1).question()).unwrap(), Answer::pass().max_file_size(10));
    assert_eq!(q.fs(&ask(Op::Write, 11).question()).unwrap(), Answer::deny_code(552, FULL));
    assert_eq!(q.fs(&ask(Op::Append, -1).size(30).question()).unwrap(), Answer::pass().max_file_size(40));
    kv::set("u/ann", "100 1", None).unwrap();
    assert_eq!(q.fs(&ask(Op::Unique, -1).question()).unwrap(), Answer::deny_code(552, FULL));
    assert_eq!(q.fs(&ask(Op::Delete, 0).question()).unwrap(), Answer::pass());
}

#[test]
fn an_upload_that_fails_at_last_is_given_back_once() {
    let mut q = quota(r#"{"bytes":100}"#);
    assert_eq!(commit(&mut q, 60), Answer::pass());
    let lost = fake::event(Kind::IncompleteFileReceived, "/a").user("ann").question();
    q.event(&lost).unwrap();
    assert_eq!(used("u/ann"), "0 0");
    assert_eq!(commit(&mut q, 60), Answer::pass());
    q.event(&fake::event(Kind::FileReceived, "/a").user("ann").question()).unwrap();
    q.event(&lost).unwrap();
    assert_eq!((used("u/ann").as_str(), kv::get(pending(b"ann", 1, 1))), ("60 1", Ok(None)));
}

#[test]
fn deletions_are_given_back() {
    let mut q = quota(r#"{"bytes":100}"#);
    kv::set("u/ann", "90 3", None).unwrap();
    let gone = |size| fake::event(Kind::FileDeleted, "/a").user("ann").numbers(size, 0).question();
    q.event(&gone(80)).unwrap();
    q.event(&gone(0)).unwrap();
    assert_eq!(used("u/ann"), "10 2");
    q.event(&gone(80)).unwrap();
    assert_eq!(used("u/ann"), "0 1");
}

#[test]
fn months_begin_anew() {
    let mut q = quota(r#"{"bytes":100,"monthly":true}"#);
    let mut at = |unix| q.fs(&fake::fs(Op::Commit, "/a").user("ann").numbers(60, 0).at(unix).question()).unwrap();
    assert_eq!(at(1_701_388_799), Answer::pass()); // the last second of November 2023
    assert_eq!(at(1_701_388_799), Answer::deny_code(552, FULL));
    assert_eq!(at(1_701_388_800), Answer::pass());
    assert_eq!((used("u/2023-11-ann"), used("u/2023-12-ann")), ("60 1".to_string(), "60 1".to_string()));
    q.event(&fake::event(Kind::FileDeleted, "/a").user("ann").numbers(60, 0).at(1_701_388_800).question()).unwrap();
    assert_eq!(used("u/2023-12-ann"), "60 1");
    fake::advance(Duration::from_secs(32 * 86_400));
    assert_eq!(kv::get("u/2023-11-ann"), Ok(None));
}

#[test]
fn what_fails_in_the_next_month_is_given_back_to_its_own() {
    let mut q = quota(r#"{"bytes":100,"monthly":true}"#);
    let (november, december) = (1_701_388_799, 1_701_388_800);
    let mut bring = |at, session| {
        let ask = fake::fs(Op::Commit, "/a").user("ann").numbers(50, 0).at(at).session(session);
        assert_eq!(q.fs(&ask.question()).unwrap(), Answer::pass());
    };
    bring(november, 1);
    bring(december, 2);
    q.event(&fake::event(Kind::IncompleteFileReceived, "/a").user("ann").at(december).question()).unwrap();
    assert_eq!((used("u/2023-11-ann"), used("u/2023-12-ann")), ("0 0".to_string(), "50 1".to_string()));
}

#[test]
fn a_trial_charges_nothing() {
    let mut q = quota(r#"{"bytes":100}"#);
    let ask = fake::fs(Op::Commit, "/a").user("ann").numbers(60, 0).flags(flag::SHADOW);
    assert_eq!(q.fs(&ask.question()).unwrap(), Answer::pass());
    assert_eq!(kv::get("u/ann"), Ok(None));
    assert_eq!(q.fs(&ask.numbers(101, 0).question()).unwrap(), Answer::deny_code(552, FULL));
}

#[test]
fn users_have_limits_of_their_own() {
    let mut q = quota(r#"{"bytes":10,"users":[{"user":"ann","bytes":100},{"user":"bob"}]}"#);
    let mut ask = |user: &str, size| q.fs(&fake::fs(Op::Commit, "/a").user(user).numbers(size, 0).question()).unwrap();
    assert_eq!((ask("ann", 100), ask("bob", 1000)), (Answer::pass(), Answer::pass()));
    assert_eq!(ask("eve", 11), Answer::deny_code(552, FULL));
    assert_eq!(ask(&"x".repeat(201), 1), Answer::deny("the user's name is too long"));
}

#[test]
fn damaged_counters_fail_closed() {
    let mut q = quota(r#"{"bytes":10}"#);
    for bad in ["", "1", "x 1", "1 2 3"] {
        kv::set("u/ann", bad, None).unwrap();
        assert!(q.fs(&fake::fs(Op::Commit, "/a").user("ann").question()).is_err(), "{bad:?}");
    }
}
