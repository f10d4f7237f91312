//! The runbooks of `ceremonies/runbooks` are carried out: every block of a page, in order, by the people whom it names, against the
//! real daemon and a SoftHSM token, and what the page says one sees is looked for in what was said.
//!
//! A page tells this test what to do in the first line of a block:
//!
//! - `sh as=ada,bob`: these people run it, one after the other, each with a key and a memory of his own; `host` is whoever sets up
//!   the daemon's machine. Variables in capitals last to the end of the page.
//! - `types=yes` is typed at once, `types=yes@armed,q@executed` as soon as that word was shown; `fails`: it must be refused.
//! - `sh not-run="why"`: it is not run, and that is why.
//! - `text see`: these lines are in what the last block said, in this order; `…` stands for anything.
//!
//! What it does not do: it does not read the page, and does not judge whether a person would understand it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "runbooks/given.rs"]
mod given;
#[path = "runbooks/page.rs"]
mod page;
#[path = "runbooks/play.rs"]
mod play;
#[allow(dead_code, reason = "the pages need less of it than the tests of ceremonies")]
#[path = "ceremonies/room.rs"]
mod room;

use std::collections::BTreeSet;

use given::Given;
use page::Page;

#[track_caller]
fn carried_out(name: &str, given: Given) {
    play::play(&Page::read(name), given);
}

#[test]
fn an_instance_begins() {
    carried_out("begin-an-instance", Given::nothing());
}

#[test]
fn a_key_is_born() {
    carried_out("birth-of-a-key", Given::instance());
}

#[test]
fn a_key_is_adopted() {
    carried_out("adopt-a-key", Given::instance().with_a_key_in_the_token());
}

#[test]
fn a_repository_is_granted() {
    carried_out("grant-a-repository", Given::instance());
}

#[test]
fn a_key_is_resumed() {
    carried_out("resume-a-key", Given::instance().with_a_key());
}

#[test]
fn a_stop_is_lifted() {
    carried_out("lift-a-stop", Given::instance());
}

#[test]
fn the_guardrails_are_changed() {
    carried_out("change-the-guardrails", Given::instance());
}

#[test]
fn the_roster_is_changed() {
    carried_out("change-the-roster", Given::instance());
}

#[test]
fn what_a_failed_birth_left_is_destroyed() {
    carried_out("destroy-what-is-left", Given::instance().with_a_failed_birth());
}

#[test]
fn an_interrupted_execution_is_resolved() {
    carried_out("interrupted-execution", Given::instance().with_an_interrupted_birth());
}

#[test]
fn keys_are_bound_to_a_new_device() {
    carried_out("new-device", Given::instance().with_a_key().on_another_device());
}

#[test]
fn the_log_key_is_changed() {
    carried_out("change-the-log-key", Given::instance().with_a_key());
}

#[test]
fn a_suspect_token_does_no_harm() {
    carried_out("suspect-token", Given::instance().with_a_key().with_an_open_ceremony());
}

#[test]
fn a_lost_log_is_recovered() {
    carried_out("recover-the-log", Given::instance().with_a_key().with_a_lost_log());
}

#[test]
fn few_officers_are_noticed() {
    carried_out("few-officers", Given::instance().with_a_key());
}

#[test]
fn every_page_is_carried_out_by_a_test_and_runs_something() {
    let tests = include_str!("runbooks.rs");
    let all: BTreeSet<String> = page::names();
    assert!(all.len() > 10, "{all:?}");
    for name in all {
        let page = Page::read(&name);
        assert_eq!(page.complaints(), [""; 0], "{name}");
        if name != "README" {
            assert!(tests.contains(&format!("carried_out(\"{name}\"")), "no test carries out {name}.md");
            assert!(page.has_all_signs(), "{name}: it has no DO, IF … THEN or END");
        }
    }
}
