//! Unit tests, without a server: `edgeftp policy test` runs them natively.

use super::Guard;
use edgeftp::fs::{Answer, Hook, Op};
use edgeftp::fake;

#[test]
fn either_name_of_a_rename_counts() {
    let mut guard: Guard = fake::policy(r#"{"deny_extensions":["exe"]}"#).unwrap();
    let mut renamed = |from, to| guard.fs(&fake::fs(Op::Rename, from).path2(to).question()).unwrap();
    let denied = Answer::deny("files of this kind are not accepted here");
    assert_eq!(renamed("/a.txt", "/a.exe"), denied);
    assert_eq!(renamed("/a.exe", "/a.txt"), denied);
    assert_eq!(renamed("/a.txt", "/b.txt"), Answer::pass());
}

#[test]
fn settings_are_checked() {
    let fault = |settings| fake::policy::<Guard>(settings).err().map(|e| e.to_string());
    assert_eq!(fault("{}"), None);
    assert_eq!(fault(r#"{"deny_extension":[]}"#).unwrap(), "unknown setting \"deny_extension\"");
}
