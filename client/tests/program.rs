//! The program itself, as a shell starts it. Being here, this test also makes cargo build the program whenever it builds
//! the tests, so that those of the whole never meet an old one.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::process::Command;

#[test]
fn it_says_its_version_and_refuses_what_it_does_not_know_with_exit_code_2() {
    let program = env!("CARGO_BIN_EXE_countersign");
    let version = Command::new(program).arg("--version").output().unwrap();
    assert!(version.status.success());
    assert_eq!(
        String::from_utf8(version.stdout).unwrap().trim(),
        concat!("countersign ", env!("CARGO_PKG_VERSION"))
    );
    let unknown = Command::new(program).arg("sing").output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8(unknown.stderr).unwrap().contains("sign"));
}
