//! A stop that its person signs, with nothing but an SSH key.

use super::*;

#[test]
fn a_stop_is_one_question_one_signature_and_one_call() {
    let daemon = room();
    for (person, target, words) in [
        ("ada", "release/linux", "stopped: key release/linux;"),
        ("wes", "--caller spiffe://example.org/ci", "stopped: caller spiffe://example.org/ci;"),
        ("bob", "--backend hsm-a", "stopped: backend hsm-a;"),
        ("wim", "--all", "stopped: everything;"),
    ] {
        daemon.calls();
        let line = format!("stop {target} --sign --reason 'the runner was stolen'");
        let out = done(&daemon, person, &line, "");
        assert!(out.starts_with(words), "{out}");
        assert_eq!(daemon.calls(), ["instance", "stop"], "{target}");
    }
    let state = daemon.state();
    assert_eq!(state.council.as_ref().unwrap().reasons, ["the runner was stolen"; 4]);
}

#[test]
fn no_log_key_is_needed_and_a_lost_answer_is_no_failure() {
    let daemon = room();
    daemon.state().loses_stops = true;
    let said = run_in(&daemon, Output::Json, "ada", "stop --all --sign --reason x", "");
    assert_eq!(said.exit, Exit::Done, "{}", said.err);
    assert!(
        said.out.contains("\"answer_lost\": true") || said.out.contains("\"answer_lost\":true"),
        "{}",
        said.out
    );
    assert_eq!(daemon.calls().iter().filter(|call| *call == "stop").count(), 2);
}

#[test]
fn nothing_is_signed_for_another_instance_or_without_a_reason() {
    let daemon = room();
    daemon.calls();
    let other = format!("stop --all --sign --reason x --genesis-sha256 {}", "ab".repeat(32));
    assert!(refused(&daemon, "ada", &other, "").contains("ANOTHER INSTANCE"));
    assert_eq!(daemon.calls(), ["instance"]);
    assert!(refused(&daemon, "ada", "stop --all --sign --reason ' '", "").contains("a reason has 1 to"));
    assert_eq!(daemon.calls(), Vec::<String>::new());
}

#[test]
fn who_may_not_stop_is_refused_and_a_version_that_cannot_be_looked_up_is_its_whole_key() {
    let daemon = room();
    // eve is nobody of the roster, oda an operator.
    for person in ["eve", "oda"] {
        refused(&daemon, person, "stop --all --sign --reason x", "");
    }
    daemon.calls();
    let said = refused(&daemon, "ada", "stop release/linux@3 --sign --reason x", "");
    assert!(
        said.contains("by its key id") && said.contains("countersign stop release/linux --sign"),
        "{said}"
    );
    assert_eq!(daemon.calls(), Vec::<String>::new(), "nothing was stopped");
    assert!(daemon.state().council.as_ref().unwrap().stopped.is_empty());
}
