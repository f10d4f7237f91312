//! Tokens are fresh, apart from each other, and can be taken away, put back and replaced.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::process::Command;

use softhsm::{Shape, Token, Wire};

fn labels(token: &Token, module: &std::path::Path) -> Vec<String> {
    let (name, value) = token.environment();
    let mut command = Command::new("pkcs11-tool");
    command.env(name, value).arg("--module").arg(module).args(["--login", "--pin", token.pin()]);
    let output = command.args(["--token-label", token.label(), "-O", "--type", "privkey"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.trim().strip_prefix("label:")).map(|l| l.trim().to_owned()).collect()
}

#[test]
fn two_tokens_do_not_see_each_other() {
    let (one, mut other) = (Token::create().unwrap(), Token::create().unwrap());
    assert_ne!(one.serial(), other.serial());
    one.generate("p256", &[1], Shape::P256).unwrap();
    other.generate("p521", &[2], Shape::P521).unwrap();
    assert_eq!(labels(&one, one.module()), ["p256"]);
    assert_eq!(labels(&other, other.module()), ["p521"]);

    other.change_pin("992211").unwrap();
    other.remove().unwrap();
    assert!(labels(&other, other.module()).is_empty());
    other.put_back().unwrap();
    assert_eq!(labels(&other, other.module()), ["p521"]);
    let before = other.serial().to_owned();
    other.replace().unwrap();
    assert_ne!(other.serial(), before);
    assert!(labels(&other, other.module()).is_empty());
}

#[test]
fn the_wire_passes_calls_through_counts_them_and_fails_as_told() {
    let token = Token::create().unwrap();
    token.generate("k", &[1], Shape::P256).unwrap();
    let wire = Wire::build(token.directory(), token.module()).unwrap();
    assert_eq!(labels(&token, &wire.module()), ["k"]);
    assert_eq!(wire.calls("Login").unwrap(), 1);
    wire.fail("Login", 0x30).unwrap();
    assert!(labels(&token, &wire.module()).is_empty());
    wire.clear().unwrap();
    assert_eq!(labels(&token, &wire.module()), ["k"]);
    assert_eq!(wire.calls("Login").unwrap(), 3);
}
