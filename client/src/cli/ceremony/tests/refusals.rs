//! Each reason for which nothing is signed, with its words.

use proto::wire::v1::CeremonyState;

use super::*;
use crate::fixture::Log;
use crate::people::open::state_name;

fn acts(daemon: &Daemon) -> usize {
    daemon.state().council.as_ref().unwrap().held[0].wire.acts.len()
}

#[test]
fn whatever_is_wrong_nothing_is_signed() {
    let daemon = opened();
    let zeros = "0".repeat(64);
    for (person, line, words) in [
        ("ada", format!("approve {ID} --genesis-sha256 {zeros}"), "ANOTHER INSTANCE"),
        ("eve", format!("approve {ID}"), "`eve` is not in the roster"),
        ("wim", format!("attest {ID}"), "the signing key is `wes`'s, and `wim` is set as the person"),
        ("wes", format!("approve {ID}"), "`wes` is no officer, and officers approve a key.generate"),
        ("ada", format!("approve {ID} --signing-key @eve"), "the signing key is not one of the roster's"),
        ("ada", format!("attest {ID}"), "`ada` may not attest: witness may"),
        ("ada", format!("approve {}", "b".repeat(32)), "there is no such ceremony"),
        ("ada", format!("approve {ID} --signing-key @none"), "none is no file"),
        (
            "bob",
            "ceremony propose @s.json".to_owned(),
            "the statement is `ada`'s to propose, and you are `bob`",
        ),
        ("bob", format!("ceremony veto {ID} --reason ' '"), "a reason has 1 to 4096 bytes"),
        ("bob", format!("ceremony run {ID}"), "`bob` may not execute: operator may"),
        ("oda", format!("ceremony transcript {ID} --out @t"), "a transcript is of a completed one"),
    ] {
        let line = if person == "wim" { format!("{line} --signing-key @wes") } else { line };
        let err = refused(&daemon, person, &line, "yes\n");
        assert!(err.contains(words), "{line}: {err}");
    }
    for answer in ["", "\n", "y\n", "Yes\n", "no\n"] {
        let err = refused(&daemon, "ada", &format!("approve {ID}"), answer);
        assert!(err.contains("nothing was signed"), "{answer:?}: {err}");
    }
    assert_eq!(acts(&daemon), 1, "the proposal alone");
}

#[test]
fn settings_that_are_missing_are_named_with_the_line_to_add() {
    let daemon = opened();
    for (line, words) in [
        (
            "inbox --address unix:/none",
            "add the line `person = \"ada\"` to ~/.config/countersign/config.toml",
        ),
        ("inbox --address unix:/none --person ada", "add the line `genesis_sha256 = "),
        ("ceremony run 00 --person ada", "expected a ceremony id"),
    ] {
        let all = std::iter::once("countersign").chain(line.split_whitespace());
        let err = match Arguments::try_parse_from(all) {
            Err(error) => error.to_string(),
            Ok(arguments) => {
                let paper = Paper::new(Output::Table);
                let look =
                    |name: &str| (name == "HOME").then(|| daemon.directory.path().display().to_string());
                assert_eq!(
                    crate::cli::execute(&arguments, &mut paper.screen(), &look),
                    Exit::Usage,
                    "{line}"
                );
                paper.err()
            }
        };
        assert!(flat(&err).contains(words), "{line}: {err}");
    }
}

#[test]
fn a_log_that_does_not_extend_what_was_seen_is_an_alarm() {
    let daemon = opened();
    done(&daemon, "bob", "inbox", "");
    daemon.state().log = Log::new();
    let err = refused(&daemon, "bob", &format!("approve {ID}"), "yes\n");
    assert!(err.starts_with("THE SIGNING LOG CONTRADICTS ITSELF"), "{err}");
    assert_eq!(acts(&daemon), 1);
}

#[test]
fn a_head_that_is_not_of_this_log_is_an_alarm() {
    let daemon = room();
    done(&daemon, "ada", "ceremony new @template.toml -o @s.json", "");
    let text = std::fs::read_to_string(daemon.path("s.json")).unwrap();
    let root = daemon.state().log.root(1).to_string();
    assert!(text.contains(&root));
    std::fs::write(daemon.path("other.json"), text.replace(&root, &"1".repeat(64))).unwrap();
    let err = refused(&daemon, "ada", "ceremony propose @other.json", "yes\n");
    assert!(err.starts_with("DO NOT SIGN"), "{err}");
    assert!(err.contains("a head of 1 records that is not one of this log"), "{err}");
}

#[test]
fn a_statement_of_another_mode_or_time_is_refused() {
    let daemon = room();
    done(&daemon, "ada", "ceremony new @template.toml -o @s.json", "");
    let text = std::fs::read_to_string(daemon.path("s.json")).unwrap();
    let production = text
        .replace("\"mode\":\"rehearsal\"", "\"mode\":\"production\"")
        .replace("rehearsal.example.org", "log.example.org");
    std::fs::write(daemon.path("production.json"), production).unwrap();
    let err = refused(&daemon, "ada", "ceremony propose @production.json", "yes\n");
    assert!(err.contains("is for mode production, and this instance is a rehearsal"), "{err}");
    let err = refused(&daemon, "ada", "ceremony propose @production.json --yes", "");
    assert!(err.contains("--yes is for rehearsals"), "{err}");
    std::fs::write(daemon.path("spaced.json"), text.replace(",\"kind\"", ", \"kind\"")).unwrap();
    let err = refused(&daemon, "ada", "ceremony propose @spaced.json", "yes\n");
    assert!(err.contains("spaced.json is no statement"), "{err}");
    set_wall(at(73 * 3600).microseconds());
    let err = refused(&daemon, "ada", "ceremony propose @s.json", "yes\n");
    assert!(err.contains("the statement expired at 2026-11-24T05:0"), "{err}");
}

#[test]
fn a_statement_that_is_not_its_template_is_refused() {
    let daemon = opened();
    std::fs::write(daemon.path("mine.toml"), TEMPLATE.replace("hsm-a", "hsm-b")).unwrap();
    let err = refused(&daemon, "ada", &format!("approve {ID} --template @mine.toml"), "yes\n");
    assert!(err.contains("NOT what the template says"), "{err}");
    assert!(err.contains("target.backend: hsm-b in the template, hsm-a in the statement"), "{err}");
    daemon.state().council.as_mut().unwrap().drafts_something_else = true;
    let err = refused(&daemon, "ada", "ceremony new @template.toml -o @n.json", "");
    assert!(err.contains("purpose: first key for Linux releases in the template, another purpose"), "{err}");
    assert!(!daemon.path("n.json").exists());
    std::fs::write(daemon.path("bad.toml"), TEMPLATE.replace("lives = \"72h\"\n", "")).unwrap();
    let err = refused(&daemon, "ada", "ceremony new @bad.toml", "");
    assert!(err.contains("bad.toml is not understood") && err.contains("lives"), "{err}");
    std::fs::write(daemon.path("stray"), "stray").unwrap();
    let err = refused(&daemon, "ada", "ceremony propose @s.json --document roster=@stray", "yes\n");
    assert!(err.contains("does not name a document with the SHA-256"), "{err}");
}

#[test]
fn outputs_with_other_deviations_than_shown_are_not_attested() {
    let daemon = armed();
    done(&daemon, "oda", &format!("ceremony run {ID}"), "yes\nq\n");
    daemon.state().council.as_mut().unwrap().hides_deviations = true;
    let err = refused(&daemon, "wim", &format!("attest {ID}"), "yes\n");
    assert!(
        err.starts_with("DO NOT SIGN") && err.contains("the deviations that are shown are not those"),
        "{err}"
    );
    daemon.state().council.as_mut().unwrap().hides_deviations = false;
    done(&daemon, "wim", &format!("attest {ID} --refuse --reason 'another serial'"), "yes\n");
    let state = daemon.state().council.as_ref().unwrap().shown(0).state();
    assert_eq!(state_name(state), state_name(CeremonyState::Failed));
    let err = refused(&daemon, "wes", &format!("attest {ID}"), "yes\n");
    assert!(err.contains("the ceremony is failed: `attest` has no place there"), "{err}");
}

#[test]
fn an_act_that_was_taken_and_whose_answer_was_lost_is_found_in_the_log() {
    let daemon = opened();
    done(&daemon, "ada", &format!("approve {ID}"), "yes\n");
    let lost = daemon.state().council.as_ref().unwrap().held[0].wire.acts[1].clone();
    let act = lost.act.unwrap();
    for (name, content) in
        [("a.act.json", act.document.clone()), ("a.act.json.sig", act.signature.clone().into_bytes())]
    {
        std::fs::write(daemon.path(name), content).unwrap();
    }
    // The daemon refuses it as one that it has; the client finds it.
    let out = done(&daemon, "oda", "ceremony submit @a.act.json", "");
    assert!(out.contains(&format!("taken: approve of ada, in record {}", lost.log_index)), "{out}");
}

#[test]
fn a_ceremony_that_is_not_what_it_says_is_an_alarm() {
    let daemon = opened();
    type Lie = fn(&mut proto::wire::v1::Ceremony);
    let lies: [(Lie, &str); 3] = [
        (
            |wire| wire.kind = "key.adopt".to_owned(),
            "calls it `key.adopt`, and its statement is of kind key.generate",
        ),
        (
            |wire| wire.acts[0].act.as_mut().unwrap().document.push(b' '),
            "the act in record 1 has not the SHA-256 by which it is named",
        ),
        (
            |wire| {
                let text = String::from_utf8(wire.statement.clone()).unwrap();
                wire.statement = text.replace(ID, &"b".repeat(32)).into_bytes();
            },
            "and a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7 was asked for",
        ),
    ];
    for (lie, words) in lies {
        let held = daemon.state().council.as_ref().unwrap().held[0].wire.clone();
        lie(&mut daemon.state().council.as_mut().unwrap().held[0].wire);
        for command in ["approve", "ceremony show", "ceremony watch"] {
            let err = refused(&daemon, "bob", &format!("{command} {ID}"), "yes\n");
            assert!(err.starts_with("DO NOT SIGN") && err.contains(words), "{command}: {err}");
        }
        daemon.state().council.as_mut().unwrap().held[0].wire = held;
    }
    assert_eq!(acts(&daemon), 1);
}

#[test]
fn a_signature_that_is_not_the_persons_is_shown_as_such() {
    let daemon = opened();
    done(&daemon, "ada", &format!("approve {ID}"), "yes\n");
    let proposal = daemon.state().council.as_ref().unwrap().held[0].wire.acts[0].act.clone();
    {
        let mut state = daemon.state();
        let act = &mut state.council.as_mut().unwrap().held[0].wire.acts[1];
        act.act = proposal.clone();
        act.act_sha256 = Hash::of(&proposal.unwrap().document).as_bytes().to_vec();
    }
    let out = done(&daemon, "bob", &format!("ceremony show {ID}"), "");
    assert!(out.contains("ada (record 2, signature NOT checked)"), "{out}");
}

#[test]
fn what_a_daemon_says_moves_no_cursor() {
    let daemon = opened();
    let status =
        crate::fake::council::refuse(proto::reason::Reason::MalformedRequest, "no\u{1b}[2J\u{202e}way");
    daemon.state().refusals.push_back(status);
    let err = refused(&daemon, "bob", "inbox", "");
    assert!(err.contains("no\\u{1b}[2J\\u{202e}way"), "{err}");
    daemon.state().council.as_mut().unwrap().held[0].wire.acts[0].reason = "\u{1b}[31mred".to_owned();
    daemon.state().council.as_mut().unwrap().held[0].wire.acts[0].decision = "veto".to_owned();
    let out = done(&daemon, "bob", &format!("ceremony show {ID}"), "");
    assert!(out.contains("\\u{1b}[31mred"), "{out}");
}
