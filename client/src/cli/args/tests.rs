//! What the grammar takes and refuses.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use clap::{CommandFactory, Parser};

use super::log::LogCommand;
use super::{Arguments, Command};

fn parse(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(std::iter::once("countersign").chain(line.split_whitespace()))
}

#[test]
fn the_grammar_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn sign_takes_exactly_one_kind_of_input() {
    let Command::Sign(sign) =
        parse("sign release/linux a b c --annotation x=1 --annotation y=2").unwrap().command
    else {
        panic!("not sign")
    };
    assert_eq!(sign.files.len(), 3);
    assert_eq!(sign.annotations, ["x=1", "y=2"]);
    let Command::Sign(sign) = parse("sign k --digest sha256:00 --digest sha384:00").unwrap().command else {
        panic!("not sign")
    };
    assert_eq!(sign.digest.len(), 2);
    for bad in [
        "sign",
        "sign k",
        "sign k file --digest sha256:00",
        "sign k file --image r@sha256:00",
        "sign k --image r@sha256:00 --dsse t:f",
        "sign k file --image-annotation a=b",
        "sign k file --payload p",
        "sign k file --encoding pem",
    ] {
        assert_eq!(parse(bad).unwrap_err().exit_code(), 2, "{bad}");
    }
}

#[test]
fn verify_wants_key_signature_and_one_input() {
    assert!(parse("verify --key k.pem --signature s file --receipt r --log-key l.pub --expect-caller dns:a --detail d").is_ok());
    for bad in [
        "verify --key k.pem file",
        "verify --signature s file",
        "verify --key k.pem --signature s",
        "verify --key k.pem --signature s file --digest sha256:00",
        "verify --key k.pem --signature s file --expect-caller dns:a",
    ] {
        assert_eq!(parse(bad).unwrap_err().exit_code(), 2, "{bad}");
    }
}

#[test]
fn stop_wants_one_target_and_a_reason() {
    for good in
        ["release/linux@3", "--caller dns:a", "--issuer https://i", "--claim a=b", "--backend hsm", "--all"]
    {
        assert!(parse(&format!("stop {good} --reason leaked")).is_ok(), "{good}");
    }
    for bad in [
        "stop --reason x",
        "stop a --all --reason x",
        "stop a",
        "stop a b --reason x",
        "stop --backend a --caller b --reason x",
    ] {
        assert_eq!(parse(bad).unwrap_err().exit_code(), 2, "{bad}");
    }
}

#[test]
fn search_wants_a_term_that_is_indexed() {
    assert!(parse("log search --kind sign").is_err());
    assert!(parse("log search --request-id a").is_err());
    assert!(parse("log search --since 2h --kind sign").is_ok());
    let Command::Log(log) = parse("log tail -f -n 3").unwrap().command else { panic!("not log") };
    assert!(matches!(log.what, LogCommand::Tail(tail) if tail.follow && tail.lines == 3));
}

#[test]
fn connection_flags_work_before_and_after_the_command() {
    let before = parse("--address unix:/s keys list").unwrap();
    let after = parse("keys list --address unix:/s --output json").unwrap();
    assert_eq!(before.connection.address, after.connection.address);
    assert_eq!(after.output, crate::cli::screen::Output::Json);
}
