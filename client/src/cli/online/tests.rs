//! Whole commands against a daemon that is truthful unless told otherwise.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fs;
use std::time::Duration;

use clap::Parser;
use proto::reason::Reason;
use proto::refusal::Refusal;
use tonic::Status;

use crate::cli::args::Arguments;
use crate::cli::screen::Output;
use crate::cli::tests::{Paper, trusting};
use crate::exit::Exit;
use crate::fake::Daemon;
use crate::fixture::{CALLER, Log};

/// Runs a command; `@` is the daemon's directory.
fn run(daemon: &Daemon, line: &str) -> (Exit, String, String) {
    // The daemon answers while nobody holds its state.
    let trusted = daemon.state().log.key();
    trusting(daemon, &trusted, line)
}

fn refusal(reason: Reason) -> Status {
    proto::wire::refusal::status(
        &Refusal::new(reason, "as the test wants it").after(Duration::from_millis(1)),
    )
}

fn with_file(name: &str, content: &str) -> Daemon {
    let daemon = Daemon::start();
    fs::write(daemon.path(name), content).unwrap();
    let pem = daemon.state().key.public.to_pem();
    fs::write(daemon.path("key.pem"), pem).unwrap();
    daemon
}

#[test]
fn a_file_is_signed_checked_written_and_verifies_offline() {
    let daemon = with_file("app", "an artefact");
    let (exit, out, err) = run(&daemon, "sign release/linux @app");
    assert_eq!((exit, err.as_str()), (Exit::Done, ""), "{out}");
    assert!(out.starts_with("signed ") && out.contains("release/linux@3"), "{out}");
    let (exit, out, err) =
        run(&daemon, "verify --key @key.pem --signature @app.sig --receipt @app.receipt @app");
    assert_eq!(exit, Exit::Done, "{err}");
    assert!(out.contains("VERIFIED") && out.contains("record 1,") && out.contains("not proven"), "{out}");
    fs::write(daemon.path("app"), "another artefact").unwrap();
    let (exit, _, err) =
        run(&daemon, "verify --key @key.pem --signature @app.sig --receipt @app.receipt @app");
    assert_eq!(exit, Exit::Failed);
    assert!(err.contains("NOT VERIFIED"), "{err}");
}

#[test]
fn the_same_id_is_sent_until_it_is_answered_and_a_new_one_where_the_outcome_is_unknown() {
    let daemon = with_file("app", "an artefact");
    daemon.state().refusals.extend([refusal(Reason::LogUnavailable), refusal(Reason::BackendUnavailable)]);
    let (exit, _, err) = run(&daemon, "sign release/linux @app --request-id build-1");
    assert_eq!(exit, Exit::Done, "{err}");
    assert_eq!(daemon.calls(), ["sign build-1", "sign build-1", "sign build-1"]);

    daemon.state().refusals.push_back(refusal(Reason::OutcomeUnknown));
    let (exit, _, err) = run(&daemon, "sign release/linux @app --request-id build-2 --force");
    assert_eq!(exit, Exit::Done, "{err}");
    assert!(err.contains("does not know how request build-2 ended"), "{err}");
    let calls: Vec<String> = daemon.calls().into_iter().filter(|call| call.starts_with("sign")).collect();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0], "sign build-2");
    assert_eq!(calls[1].len(), "sign ".len() + 32, "a new id of our own: {}", calls[1]);
}

#[test]
fn a_lie_is_never_written() {
    let daemon = with_file("app", "an artefact");
    daemon.state().lies = true;
    let (exit, _, err) = run(&daemon, "sign release/linux @app");
    assert_eq!(exit, Exit::Failed);
    assert!(err.contains("does not verify; nothing was written"), "{err}");
    assert!(!daemon.path("app.sig").exists() && !daemon.path("app.receipt").exists());
}

#[test]
fn what_can_be_wrong_with_the_command_is_said_before_anything_is_asked() {
    let daemon = with_file("app", "an artefact");
    fs::write(daemon.path("app.sig"), "precious").unwrap();
    fs::write(daemon.path("large"), vec![0; (4 << 20) + 1]).unwrap();
    for (line, exit, words) in [
        ("sign release/linux @app", Exit::Failed, "exists"),
        ("sign release/linux@3 @app", Exit::Usage, "names a version"),
        ("sign Release @app --force", Exit::Usage, "is not the name of a key"),
        ("sign release/linux @none", Exit::Usage, "cannot be read"),
        ("sign release/linux @large", Exit::Usage, "at most 4 MiB"),
        ("sign release/linux --image registry.example.org/app:1.2", Exit::Usage, "names no digest"),
        ("sign release/linux --digest sha256:00", Exit::Usage, "is not a digest"),
        ("sign release/linux @app --force --request-id a/b", Exit::Usage, "is not a request id"),
        ("sign release/linux @app --force --annotation a", Exit::Usage, "expected NAME=VALUE"),
        ("stop --claim a --reason x", Exit::Usage, "expected NAME=VALUE"),
        ("stop a --sign --reason x", Exit::Usage, "no signing_key is set"),
    ] {
        let (found, _, err) = run(&daemon, line);
        assert_eq!(found, exit, "{line}: {err}");
        assert!(err.contains(words), "{line}: {err}");
    }
    assert_eq!(daemon.calls(), Vec::<String>::new());
    assert_eq!(fs::read_to_string(daemon.path("app.sig")).unwrap(), "precious");
}

#[test]
fn many_files_are_one_request_and_each_has_its_own_end() {
    let daemon = with_file("a", "first");
    for (name, content) in [("b", "second"), ("c", "forbidden bytes"), ("d", "fourth")] {
        fs::write(daemon.path(name), content).unwrap();
    }
    daemon.state().refusals.push_back(refusal(Reason::BackendBusy));
    let (exit, out, err) = run(&daemon, "sign release/linux @a @b @c @d --request-id build");
    assert_eq!(exit, Exit::Failed, "one is refused for good");
    assert!(out.contains("signed 3 of 4 files"), "{out}");
    assert!(err.contains("POLICY_DENIED") && err.contains("/c"), "{err}");
    assert_eq!(
        daemon.calls().into_iter().filter(|call| !call.starts_with("consistency")).collect::<Vec<_>>(),
        ["batch", "sign build.1", "sign build.2", "sign build.3", "sign build.4", "batch", "sign build.1"]
    );
    for name in ["a", "b", "d"] {
        let line = format!("verify --key @key.pem --signature @{name}.sig --receipt @{name}.receipt @{name}");
        assert_eq!(run(&daemon, &line).0, Exit::Done, "{name}");
    }
    assert!(!daemon.path("c.sig").exists());
}

#[test]
fn a_log_that_was_rolled_back_or_forked_is_an_alarm() {
    let daemon = with_file("app", "an artefact");
    assert_eq!(run(&daemon, "sign release/linux @app").0, Exit::Done);
    assert_eq!(run(&daemon, "log head").0, Exit::Done);
    daemon.calls();
    let original = std::mem::replace(&mut daemon.state().log, Log::new());
    for (what, records) in [("rolled back", 0), ("forked", 5)] {
        for number in 0..records {
            let mut state = daemon.state();
            let (key, log) = {
                let state = &mut *state;
                (&state.key, &mut state.log)
            };
            log.sign(key, format!("another history {number}").as_bytes());
        }
        let (exit, out, err) = run(&daemon, "sign release/linux @app --force");
        assert_eq!(exit, Exit::Failed, "{what}: {err}");
        assert!(err.starts_with("THE SIGNING LOG CONTRADICTS ITSELF"), "{what}: {err}");
        assert_eq!(out, "");
        assert!(
            !daemon.calls().iter().any(|call| call.starts_with("sign ")),
            "{what}: asked for nothing after the alarm"
        );
    }
    // The right store is put back, and everything goes on.
    daemon.state().log = original;
    let (exit, _, err) = run(&daemon, "sign release/linux @app --force");
    assert_eq!(exit, Exit::Done, "{err}");
}

#[test]
fn a_stop_is_the_first_thing_that_is_sent() {
    let daemon = with_file("app", "an artefact");
    assert_eq!(run(&daemon, "sign release/linux @app").0, Exit::Done);
    daemon.calls();
    daemon.state().refusals.push_back(refusal(Reason::LogUnavailable));
    let (exit, out, err) = run(&daemon, "stop release/linux --reason leaked");
    assert_eq!(exit, Exit::Done, "{err}");
    assert!(out.starts_with("stopped: key release/linux; nothing that this covers still signs\n"), "{out}");
    assert_eq!(daemon.calls(), ["stop", "stop"]);
}

#[test]
fn details_are_erased_one_by_one_and_what_was_erased_is_said_before_a_refusal() {
    let daemon = with_file("app", "an artefact");
    assert_eq!(run(&daemon, "sign release/linux @app").0, Exit::Done);
    daemon.calls();
    let (exit, out, err) = run(&daemon, "log redact 1 99 --reason asked");
    assert_eq!(exit, Exit::Failed, "{err}");
    assert!(out.contains("the detail of record 1") && !out.contains("99"), "{out}");
    assert_eq!(daemon.calls().into_iter().filter(|call| call.starts_with("redact")).count(), 1);
}

#[test]
fn records_are_proven_exported_and_checked_offline() {
    let daemon = with_file("app", "an artefact");
    for _ in 0..4 {
        assert_eq!(run(&daemon, "sign release/linux @app --force").0, Exit::Done);
    }
    let (exit, out, err) = run(&daemon, "log tail -n 3");
    assert_eq!((exit, out.matches("release/linux@3 released").count()), (Exit::Done, 3), "{err}");
    let (exit, _, err) = run(&daemon, "log prove 4 --out @r --detail @d");
    assert_eq!(exit, Exit::Done, "{err}");
    let ask = "verify --key @key.pem --signature @app.sig @app --receipt @r --detail @d --expect-caller";
    let (exit, out, err) = run(&daemon, &format!("{ask} {CALLER}"));
    assert_eq!(exit, Exit::Done, "{err}");
    assert!(out.contains(CALLER), "{out}");
    assert_eq!(run(&daemon, &format!("{ask} dns:mallory.example.org")).0, Exit::Failed);
    assert_eq!(run(&daemon, "log verify @r").0, Exit::Done);
    for (range, words) in [("", "all 5 records"), ("--start 2 --end 4", "records 2 to 3")] {
        let (exit, _, err) = run(&daemon, &format!("log export --out @export --force {range}"));
        assert_eq!(exit, Exit::Done, "{err}");
        let (exit, out, err) = run(&daemon, "log verify @export");
        assert_eq!(exit, Exit::Done, "{err}");
        assert!(out.contains(words), "{out}");
    }
    let (exit, _, err) = run(&daemon, "log export --out @other --start 3 --end 9");
    assert_eq!(exit, Exit::Usage, "{err}");
    assert!(!daemon.path("other").exists());
    let (exit, out, _) = run(&daemon, "log search --key release/linux --limit 4");
    assert_eq!(
        (exit, out.lines().filter(|line| line.contains("sign release/linux@3")).count()),
        (Exit::Done, 4)
    );
}

#[test]
fn a_search_says_which_records_it_has_not_looked_at() {
    let daemon = with_file("app", "an artefact");
    assert_eq!(run(&daemon, "sign release/linux @app").0, Exit::Done);
    let size = daemon.state().log.size();
    let search = "log search --key release/linux";
    assert!(!run(&daemon, search).2.contains("not searched"));
    daemon.state().unsearched = size - 1;
    let (exit, out, err) = run(&daemon, search);
    assert_eq!((exit, out.as_str()), (Exit::Done, "No record below index 1 matches.\n"), "{err}");
    assert!(err.contains(&format!("records 1 to {} are not searched yet", size - 1)), "{err}");
}

#[test]
fn a_leaf_is_proven_by_its_hash_and_a_proof_of_another_place_is_not_believed() {
    let daemon = with_file("app", "an artefact");
    for _ in 0..3 {
        assert_eq!(run(&daemon, "sign release/linux @app --force").0, Exit::Done);
    }
    let hash = |index: usize| proto::proof::leaf::leaf_hash(&daemon.state().log.leaves[index]).to_string();
    let (exit, out, err) = run(&daemon, &format!("log prove {}", hash(2)));
    assert_eq!(exit, Exit::Done, "{err}");
    assert!(out.contains("record 2 is in") && out.contains(&hash(2)), "{out}");
    let (exit, out, err) = run(&daemon, &format!("log prove {} --out @r --detail @d", hash(3)));
    assert_eq!(exit, Exit::Done, "{err}");
    assert!(out.contains("record 3 is in") && out.contains("operation"), "{out}");
    assert_eq!(run(&daemon, "log verify @r").0, Exit::Done);
    let (exit, _, err) = run(&daemon, &format!("log prove {}", "ab".repeat(32)));
    assert_eq!(exit, Exit::Failed);
    assert!(err.contains("UNKNOWN_RECORD") && err.contains("leaf hash"), "{err}");
    daemon.state().lies = true;
    let (exit, out, err) = run(&daemon, &format!("log prove {}", hash(2)));
    assert_eq!(exit, Exit::Failed, "{out}");
    assert!(err.contains("the proof proves nothing"), "{err}");
}

#[test]
fn keys_are_listed_over_all_pages_and_refusals_keep_their_words() {
    let daemon = with_file("app", "an artefact");
    let (exit, out, _) = run(&daemon, "keys list");
    assert_eq!(exit, Exit::Done);
    assert!(out.contains("release/linux") && out.contains("release/mac"), "{out}");
    let (exit, out, _) = run(&daemon, "keys public release/linux");
    assert_eq!((exit, out), (Exit::Done, daemon.state().key.public.to_pem()));
    let (exit, _, err) = run(&daemon, "keys show release/none");
    assert_eq!(exit, Exit::Failed);
    assert!(err.contains("UNKNOWN_KEY") && err.contains("countersign keys list"), "{err}");
    let (exit, out, _) = run(&daemon, "sign release/linux @app --validate-only");
    assert_eq!((exit, daemon.path("app.sig").exists()), (Exit::Done, false));
    assert!(out.contains("would be signed by release/linux@3"), "{out}");
}

#[test]
fn a_daemon_that_is_not_there_is_a_reason_to_try_again() {
    let daemon = with_file("app", "an artefact");
    let arguments = [
        "countersign",
        "keys",
        "list",
        "--address",
        "unix:/nonexistent/sock",
        "--deadline",
        "50ms",
        "--state",
        "/nonexistent",
    ];
    let arguments = Arguments::try_parse_from(arguments).unwrap();
    let paper = Paper::new(Output::Table);
    assert_eq!(crate::cli::execute(&arguments, &mut paper.screen(), &|_| None), Exit::Retry);
    assert!(paper.err().contains("unix:/nonexistent/sock"), "{}", paper.err());
    drop(daemon);
}
