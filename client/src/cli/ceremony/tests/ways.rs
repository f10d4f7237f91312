//! From a template to a transcript, and back out of it.

use super::*;
use crate::cli::tests::expect;
use proto::wire::v1;

#[test]
fn from_a_template_to_a_transcript() {
    let daemon = room();
    assert!(done(&daemon, "ada", "inbox", "").contains("Nothing waits for ada."));
    let out = done(&daemon, "ada", "ceremony new @template.toml -o @s.json", "");
    assert!(
        out.contains("written to ") && out.contains("says the same, as far as it says anything"),
        "{out}"
    );
    done(&daemon, "ada", "ceremony propose @s.json", "yes\n");
    expect("inbox.txt", &faded(&daemon, &done(&daemon, "bob", "inbox", "")));
    let out = done(&daemon, "bob", &format!("approve {ID} --template @template.toml"), "yes\n");
    expect("approve.txt", &faded(&daemon, &out));
    assert!(done(&daemon, "bob", "inbox", "").contains("Nothing waits for bob."));
    done(&daemon, "ada", &format!("approve {ID}"), "yes\n");
    done(&daemon, "wim", &format!("attest {ID}"), "yes\n");
    done(&daemon, "wes", &format!("attest {ID}"), "yes\n");
    assert!(done(&daemon, "oda", "inbox", "").contains(&format!("countersign ceremony run {ID}")));
    done(&daemon, "oda", &format!("ceremony run {ID}"), "yes\nq\n");
    let out = done(&daemon, "wim", &format!("attest {ID}"), "yes\n");
    assert!(out.contains("The words of these outputs") && out.contains("the ceremony is executed"), "{out}");
    let out = done(&daemon, "wes", &format!("attest {ID}"), "yes\n");
    assert!(out.contains("the ceremony is completed"), "{out}");
    expect("ceremony-show.txt", &faded(&daemon, &done(&daemon, "ada", &format!("ceremony show {ID}"), "")));
    expect("ceremony-list.txt", &done(&daemon, "ada", "ceremony list --ended", ""));
    assert!(done(&daemon, "ada", "ceremony list", "").contains("There is no open ceremony."));
    let out = done(&daemon, "ada", &format!("ceremony watch {ID}"), "");
    assert!(out.contains("completed") && out.contains("attested by wes, wim"), "{out}");

    let piece = |path: &str, content: &[u8]| v1::GetTranscriptResponse {
        path: path.to_owned(),
        content: content.to_vec(),
        last: true,
    };
    daemon.state().council.as_mut().unwrap().transcript =
        vec![piece("acts/ada.json", b"1"), piece("manifest.json", b"{}")];
    let out = done(&daemon, "ada", &format!("ceremony transcript {ID} --out @t"), "");
    assert!(out.contains("written 2 files"), "{out}");
    assert_eq!(std::fs::read(daemon.path("t/acts/ada.json")).unwrap(), b"1");
    let err = refused(&daemon, "ada", &format!("ceremony transcript {ID} --out @t"), "");
    assert!(err.contains("exists, and a transcript is written to a new directory"), "{err}");
    daemon.state().council.as_mut().unwrap().transcript = vec![piece("../t2", b"1")];
    let err = refused(&daemon, "ada", &format!("ceremony transcript {ID} --out @u"), "");
    assert!(err.contains("a file called `../t2`") && !daemon.path("u").exists(), "{err}");
}

#[test]
fn the_next_one_is_compared_with_the_last_of_its_kind() {
    let daemon = armed();
    done(&daemon, "oda", &format!("ceremony run {ID}"), "yes\nq\n");
    done(&daemon, "wim", &format!("attest {ID}"), "yes\n");
    done(&daemon, "wes", &format!("attest {ID}"), "yes\n");
    std::fs::write(
        daemon.path("next.toml"),
        TEMPLATE.replace("release/linux", "release/mac").replace("SN-0123", "SN-9"),
    )
    .unwrap();
    let out = done(&daemon, "ada", "ceremony new @next.toml -o @next.json --ticket OPS-9", "");
    let at = out.find("Different from the last completed key.generate").unwrap();
    expect("differs.txt", &faded(&daemon, &out[at..]));
}

#[test]
fn no_is_said_and_taken_back() {
    let daemon = opened();
    let out =
        done(&daemon, "bob", &format!("approve {ID} --refuse --reason 'not before the audit'"), "yes\n");
    assert!(out.contains("refused in record"), "{out}");
    let out = done(&daemon, "ada", &format!("ceremony show {ID}"), "");
    assert!(flat(&out).contains("bob (refuse, record 2): not before the audit"), "{out}");
    assert!(done(&daemon, "bob", "inbox", "").contains("Nothing waits"), "he has said no");
    let err = refused(&daemon, "bob", &format!("approve {ID}"), "yes\n");
    assert!(err.contains("`bob` has refused"), "{err}");
    let out = done(&daemon, "bob", &format!("ceremony withdraw {ID} --reason 'the audit is done'"), "");
    assert!(out.contains("withdrawn in record"), "{out}");
    done(&daemon, "bob", &format!("approve {ID}"), "yes\n");
    let err = refused(&daemon, "cyd", &format!("ceremony withdraw {ID} --reason x"), "");
    assert!(err.contains("`cyd` has no act in this ceremony that can be taken back"), "{err}");
    let out = done(&daemon, "cyd", &format!("ceremony veto {ID} --reason 'wrong device'"), "");
    assert!(out.contains("the ceremony is vetoed"), "{out}");
    let said = run_in(&daemon, Output::Json, "ada", &format!("ceremony show {ID}"), "");
    let document: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&document["state"], &document["acts"][4]["decision"]), (&"vetoed".into(), &"veto".into()));
}

#[test]
fn a_person_is_suspended() {
    let daemon = room();
    let out = done(&daemon, "ada", "ceremony suspend bob --reason 'token lost'", "");
    assert!(out.contains("the acts of bob count no more"), "{out}");
    let out = run_in(&daemon, Output::Table, "bob", "inbox", "");
    assert!(out.err.contains("YOU ARE SUSPENDED since record"), "{}", out.err);
    let said = run_in(&daemon, Output::Json, "ada", "inbox", "");
    let document: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(document["suspensions"][0]["person"], "bob");
    // A second person takes two officers; nobody counts twice.
    let out = done(&daemon, "ada", "ceremony suspend wim --reason 'token lost'", "");
    assert!(out.contains("wim is NOT suspended yet") && out.contains("another officer"), "{out}");
    let out = run_in(&daemon, Output::Table, "cyd", "inbox", "");
    assert!(out.err.contains("bob is suspended since record"), "{}", out.err);
    assert!(out.err.contains("ada would suspend wim, which takes another officer"), "{}", out.err);
    let err = refused(&daemon, "ada", "ceremony suspend wim --reason 'token lost'", "");
    assert!(err.contains("has said so already"), "{err}");
    let err = refused(&daemon, "ada", "ceremony suspend eve --reason 'token lost'", "");
    assert!(err.contains("`eve` is not in the roster"), "{err}");
    let err = refused(&daemon, "wim", "ceremony suspend bob --reason 'token lost'", "");
    assert!(err.contains("`wim` may not suspend: officer may"), "{err}");
}

#[test]
fn a_clock_is_accepted_that_this_machine_bears_out() {
    let daemon = room();
    let shows = |trusted: bool, ahead: u64| {
        let now = crate::people::text::now();
        let wall = Some(proto::wire::time::to_wire(now.later(std::time::Duration::from_secs(ahead))));
        let used = Some(proto::wire::time::to_wire(now.earlier(std::time::Duration::from_secs(1_000_000))));
        let clock = Some(proto::wire::v1::ClockState { trusted, wall, used });
        daemon.state().council.as_mut().unwrap().clock = clock;
    };
    let line = "ceremony accept-clock --reason 'the machine was off'";
    shows(true, 0);
    let err = refused(&daemon, "ada", line, "yes\n");
    assert!(err.contains("the daemon trusts its clock"), "{err}");
    shows(false, 120);
    let err = refused(&daemon, "ada", line, "yes\n");
    assert!(err.contains("one of them is wrong, and nothing was signed"), "{err}");
    shows(false, 0);
    let err = refused(&daemon, "wim", line, "yes\n");
    assert!(err.contains("`wim` may not accept-clock"), "{err}");
    let err = refused(&daemon, "ada", line, "\n");
    assert!(err.contains("nothing was signed"), "{err}");
    let out = done(&daemon, "ada", line, "yes\n");
    for part in ["is not trusted", "expected", "here", "accepted:"] {
        assert!(out.contains(part), "{part}: {out}");
    }
}

#[test]
fn programs_get_one_document_and_must_say_yes() {
    let daemon = opened();
    let said = run_in(&daemon, Output::Json, "ada", &format!("approve {ID}"), "yes\n");
    assert_eq!(said.exit, Exit::Usage, "{}", said.err);
    assert!(said.err.contains("nobody reads the statement"), "{}", said.err);
    let said = run_in(&daemon, Output::Json, "ada", &format!("approve {ID} --yes"), "");
    let document: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&document["decision"], &document["state"]), (&"accept".into(), &"proposed".into()));
    let digest = daemon.state().council.as_ref().unwrap().held[0].session.digest();
    assert_eq!(document["statement_sha256"], digest.to_string());
    let said = run_in(&daemon, Output::Json, "bob", "inbox", "");
    let document: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(document["waiting"][0]["duty"], "approve");
}
