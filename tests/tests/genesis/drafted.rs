//! `init --draft` and `init --complete`: an instance from files that people carry.

use ceremonies::act::namespace;
use ceremonies::genesis::Mode;
use ceremonies::words::Words;
use proto::hash::Hash;
use tests::process::Process;

use crate::desk::{Desk, good, refused};
use crate::site::begun;

const ALL: [&str; 5] = ["ada", "bob", "cyd", "fay", "gus"];

#[track_caller]
fn says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

#[test]
fn a_production_instance_begins_when_all_have_signed() {
    let mut desk = Desk::new(Mode::Production);
    let said = good(desk.draft(&["--allow-software-officer-keys", "--allow-software-backend"]));
    let statement = desk.statement();
    let [first, second] = Words::of(&statement.digest()).lines();
    says(&said, &[&statement.digest().to_string(), &first, &second, "all of ada, bob, cyd", "2 of fay, gus"]);
    assert_eq!(statement.common().log.origin.as_str(), "signing.example.org");
    assert_eq!(
        (statement.common().environment.as_str(), statement.common().initiator.as_str()),
        ("production", "oskar")
    );
    assert!(!desk.world.config().exists(), "nothing has begun");
    desk.sign_all(&ALL);
    let said = good(desk.complete());
    says(&said, &[&statement.digest().to_string(), &first, &second, "ada, bob, cyd, fay, gus"]);
    let genesis = begun(&desk.world.ledger());
    assert_eq!(genesis.statement(), &statement);
    assert!(genesis.allow_software_backend());
    assert_eq!(genesis.roster().officers(), 3);
    // A second time is refused, and nothing is lost.
    says(&refused(desk.complete()), &["exist"]);
    desk.world.configure("[log]\n", "[log]\nreserve = \"1MiB\"\n");
    desk.world.start();
    desk.world.stop();
    // Its people hold its ceremonies themselves.
    let before = desk.world.ledger().size;
    let mut played = desk.world.countersignd("rehearse-key");
    played.args(["release/linux", "--algorithm", "ed25519", "--purpose", "blob", "--config"]);
    played.arg(desk.world.config());
    says(&refused(played), &["production instance", "nobody plays their parts"]);
    assert_eq!(desk.world.ledger().size, before, "something was recorded");
    // A changed grants file is refused, where a rehearsal would log it.
    std::fs::write(desk.made("grants.cedar"), "// nobody\n").unwrap();
    let mut daemon = Process::start(desk.world.daemon());
    assert!(!daemon.finished(tests::PATIENCE).success());
    says(&daemon.said(), &["the grants file has SHA-256", "put the approved file back"]);
}

#[test]
fn a_rehearsal_can_begin_in_two_steps_too() {
    let mut desk = Desk::new(Mode::Rehearsal);
    good(desk.draft(&["--environment", "staging"]));
    assert_eq!(desk.statement().common().log.origin.as_str(), "rehearsal.signing.example.org");
    assert_eq!(desk.statement().common().environment.as_str(), "staging");
    desk.sign_all(&ALL);
    good(desk.complete());
    assert_eq!(begun(&desk.world.ledger()).mode(), Mode::Rehearsal);
    desk.world.configure("[log]\n", "[log]\nreserve = \"1MiB\"\n");
    desk.world.start();
}

#[test]
fn a_draft_says_everything_that_is_wrong_and_makes_nothing() {
    let desk = Desk::new(Mode::Production);
    let said = refused(desk.draft(&[]));
    says(
        &said,
        &["roster.toml", "line 9: person[0].keys[0]", "person[5].keys[0]", "keys on FIDO tokens only"],
    );
    let allowed = "--allow-software-officer-keys";
    let with = |flag: &str, value: &str| {
        let mut command = desk.init(&["--draft", allowed, flag, value]);
        for (other, word) in [
            ("--name", "signing.example.org"),
            ("--initiator", "oskar"),
            ("--ticket", "OPS-4711"),
            ("--justification", "We begin."),
        ] {
            if other != flag {
                command.args([other, word]);
            }
        }
        for (other, name) in
            [("--roster", "roster.toml"), ("--guardrails", "guardrails.toml"), ("--grants", "grants.cedar")]
        {
            if other != flag {
                command.arg(other).arg(desk.path(name));
            }
        }
        refused(command)
    };
    says(&with("--initiator", "fay"), &["`fay` cannot propose a genesis"]);
    says(&with("--initiator", "Fay"), &["--initiator", "is no person's id"]);
    says(&with("--name", "Signing"), &["--name", "expected"]);
    says(&with("--name", "rehearsal.example.org"), &["mode production", "rehearsal."]);
    says(&with("--justification", ""), &["--justification", "expected"]);
    says(&with("--ticket", "a\tb"), &["--ticket", "U+0009"]);
    says(&with("--roster", "/nowhere/roster.toml"), &["/nowhere/roster.toml"]);
    let wrong = desk.path("wrong.toml");
    std::fs::write(&wrong, "[ceremony.genesis]\nwitnesses = 0\n").unwrap();
    says(&with("--guardrails", &wrong.display().to_string()), &["line 2", "at least one witness"]);
    // What guardrails name is copied with them, so it lies below them.
    std::fs::create_dir(desk.path("policy")).unwrap();
    let (inner, forbid) =
        (desk.path("policy/guardrails.toml"), std::fs::read(desk.path("rules/forbid.cedar")));
    let sha256 = Hash::of(&forbid.unwrap());
    let text = format!("[forbid]\nfile = \"../rules/forbid.cedar\"\nsha256 = \"{sha256}\"\n");
    std::fs::write(&inner, text).unwrap();
    let said = with("--guardrails", &inner.display().to_string());
    says(&said, &["../rules/forbid.cedar", "below their own directory"]);
    let lacking = desk.init(&["--draft", "--name", "signing.example.org"]);
    says(&refused(lacking), &["--roster", "--initiator", "--ticket"]);
    says(&refused(desk.init(&[])), &["--draft", "--complete", "--rehearsal"]);
    assert!(!desk.world.place().exists(), "something was made");
}

#[test]
fn who_has_not_signed_and_which_act_is_wrong_is_said_at_once() {
    let desk = Desk::new(Mode::Production);
    good(desk.draft(&["--allow-software-officer-keys"]));
    says(
        &refused(desk.complete()),
        &["approval of `ada`", "approval of `bob`", "approval of `cyd`", "0 of 2 witnesses"],
    );
    // One for a rehearsal, one of a stranger's key, one about something else, one without its signature, and a letter.
    desk.sign_all(&["ada", "fay"]);
    desk.sign("bob", &desk.act("bob"), namespace(Mode::Rehearsal));
    let mut other = desk.act("cyd");
    other.instance = "other.example.org".into();
    desk.sign("cyd", &other, namespace(Mode::Production));
    let arguments = ["-q", "-t", "ed25519", "-N", "", "-f", "mallory"];
    tests::openssh::done(tests::openssh::ssh_keygen(desk.world.scratch(), &arguments, b""));
    desk.sign("mallory", &desk.act("mallory"), namespace(Mode::Production));
    desk.sign_all(&["gus"]);
    std::fs::remove_file(desk.made("acts/genesis.gus.act.json.sig")).unwrap();
    std::fs::write(desk.made("acts/letter.txt"), "dear all").unwrap();
    let said = refused(desk.complete());
    says(
        &said,
        &[
            "letter.txt is no act",
            "genesis.gus.act.json is there and genesis.gus.act.json.sig is not",
            "genesis.mallory.act.json.sig: nobody of the roster has the key",
            "`act.bob`:",
            "countersign.act.rehearsal.v1",
            "`act.cyd`:",
            "other.example.org",
            "1 of 2 witnesses",
        ],
    );
    assert!(!said.contains("`ada`"), "{said}");
    assert!(!desk.world.config().exists() && !desk.made("state/log.db").exists(), "something was made");
    // What was wrong is put right, and the same step goes on.
    for name in ["letter.txt", "genesis.mallory.act.json", "genesis.mallory.act.json.sig"] {
        std::fs::remove_file(desk.made("acts").join(name)).unwrap();
    }
    desk.sign_all(&["bob", "cyd", "gus"]);
    good(desk.complete());
    // Nothing allowed keys in software, so nothing configures them, and what somebody writes there does not start.
    let config = std::fs::read_to_string(desk.world.config()).unwrap();
    assert!(!config.contains("software"), "{config}");
    let identity = desk.path("identity");
    daemon::backend::software::create_identity(&identity).unwrap();
    let backend = format!("\n[backend.soft]\nkind = \"software\"\nidentity = {{ file = {identity:?} }}\n");
    std::fs::write(desk.world.config(), config.replace("[log]\n", "[log]\nreserve = \"1MiB\"\n") + &backend)
        .unwrap();
    let mut daemon = Process::start(desk.world.daemon());
    assert!(!daemon.finished(tests::PATIENCE).success());
    says(&daemon.said(), &["allow_software_backend"]);
}

#[test]
fn what_was_signed_is_what_begins() {
    let desk = Desk::new(Mode::Production);
    good(desk.draft(&["--allow-software-officer-keys"]));
    desk.sign_all(&ALL);
    for (name, expected) in [
        ("roster.json", "the document `roster` has SHA-256"),
        ("guardrails.toml", "the document `guardrails` has SHA-256"),
        ("grants.cedar", "the document `grants` has SHA-256"),
        ("rules/forbid.cedar", "rules/forbid.cedar has SHA-256"),
        ("genesis.json", "no JSON"),
    ] {
        let path = desk.made(name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}\n#")).unwrap();
        says(&refused(desk.complete()), &[expected]);
        std::fs::write(&path, text).unwrap();
    }
    // Another log key than the one that people signed.
    let other = Desk::new(Mode::Production);
    good(other.draft(&["--allow-software-officer-keys"]));
    let key = desk.made("state/log.key");
    std::fs::rename(&key, desk.path("log.key")).unwrap();
    std::fs::copy(other.made("state/log.key"), &key).unwrap();
    says(&refused(desk.complete()), &["state/log.key", "put the drafted key back"]);
    std::fs::rename(desk.path("log.key"), &key).unwrap();
    good(desk.complete());
}
