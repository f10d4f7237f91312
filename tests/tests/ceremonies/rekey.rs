//! A log whose key is changed by a ceremony: by whom it is signed then, who follows it, what stays believed, and what a stolen
//! old key is worth.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ceremonies::act::{Decision, Deed};
use ceremonies::transcript::{Verdict, verify};
use proto::proof::checkpoint::Checkpoint;
use proto::proof::note;
use proto::reason::Reason;
use proto::wire::v1::CeremonyState as State;
use tests::ask;
use tests::process::Process;

use crate::kill::strike;
use crate::room::{Open, Room, new_key, template, told};

const KEY: &str = "release/linux";

/// The next log key, made by the command that makes one: its file, and what verifies it.
pub fn made(room: &Room, name: &str) -> (PathBuf, String) {
    let file = room.world.scratch().join(name);
    let mut command = room.world.countersignd("log-key");
    command.arg("--new").arg(&file).arg("--config").arg(room.world.config());
    let said = Process::output(command);
    let key = said.lines().find_map(|line| line.trim().strip_prefix("log key   ")).unwrap().to_owned();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    (file, key)
}

/// The file of the key that `init` has made.
pub fn first(room: &Room) -> PathBuf {
    room.world.state().join("log.key")
}

/// The key that `init` has made, as it is verified.
pub fn pinned(room: &Room) -> String {
    std::fs::read_to_string(room.world.place().join("log.pub")).unwrap().trim().to_owned()
}

/// The daemon is stopped, and started with these keys in its configuration.
pub fn restarts(room: &mut Room, key: &Path, next: Option<&Path>) {
    assert!(room.world.stop().success());
    starts(room, key, next).unwrap();
}

/// The daemon is started with these keys in its configuration, or says why it is not.
fn starts(room: &mut Room, key: &Path, next: Option<&Path>) -> Result<(), String> {
    let mut config: toml::Table = std::fs::read_to_string(room.world.config()).unwrap().parse().unwrap();
    let file = |path: &Path| {
        toml::Table::from_iter([("file".to_owned(), toml::Value::from(path.display().to_string()))])
    };
    let log = config["log"].as_table_mut().unwrap();
    log.insert("key".into(), file(key).into());
    log.remove("next_key");
    if let Some(next) = next {
        log.insert("next_key".into(), file(next).into());
    }
    std::fs::write(room.world.config(), config.to_string()).unwrap();
    let command = room.world.daemon();
    let started = room.world.start_as(command);
    if started.is_err() {
        drop(room.world.release());
    }
    started
}

fn rekeying(key: &str, replaces: &str) -> String {
    template("log.rekey", &format!("log_key = \"{key}\"\nreplaces = \"{replaces}\"\n"))
}

/// Two officers and a witness; it starts by itself then.
#[track_caller]
pub fn executed(room: &Room, key: &str, replaces: &str) -> Open {
    let open = room.proposed(&rekeying(key, replaces));
    for officer in ["ada", "bob"] {
        room.approves(officer, &open).unwrap();
    }
    assert_eq!(room.state(&open), State::Proposed);
    room.attests("wanda", &open).unwrap();
    room.until(&open, State::Executed);
    open
}

#[track_caller]
fn born(room: &Room, name: &str) -> Open {
    let open = room.proposed(&new_key(name, "software"));
    room.arm(&open);
    room.executes(&open).unwrap();
    room.complete(&open);
    open
}

#[track_caller]
fn is_valid(room: &Room, open: &Open) {
    let verdict = verify(&room.transcript(open).unwrap(), room.genesis.digest());
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict}");
}

/// The newest checkpoint, and by how many keys it is signed.
fn newest(room: &Room) -> (String, usize) {
    let text = room.instance().checkpoint;
    let lines = note::parse(&text).unwrap().signatures().len();
    (text, lines)
}

/// Signs a file by the client's command line; the receipt is beside it.
fn signs(room: &Room, name: &str) -> String {
    let file = room.world.scratch().join(name);
    std::fs::write(&file, name).unwrap();
    let file = file.display().to_string();
    room.world.done(&["sign", KEY, &file]);
    file
}

/// What `verify` says of a signed file, by this log key, a state directory of nobody and these arguments.
fn verifies(room: &Room, file: &str, key: &str, more: &[&str]) -> (i32, String) {
    let public = room.world.scratch().join("release.pem");
    std::fs::write(&public, room.world.done(&["keys", "public", KEY])).unwrap();
    let (signature, receipt) = (format!("{file}.sig"), format!("{file}.receipt"));
    let nobody = room.world.scratch().join("nobody").display().to_string();
    let public = public.display().to_string();
    let mut all = vec!["verify", file, "--signature", &signature, "--key", &public, "--receipt", &receipt];
    all.extend(["--log-key", key]);
    if !more.contains(&"--state") {
        all.extend(["--state", &nobody]);
    }
    all.extend(more);
    let (code, out, err) = room.world.run(&all);
    (code, out + &err)
}

#[test]
fn a_log_key_is_changed_by_a_quorum_and_everybody_follows() {
    let mut room = Room::software();
    let birth = born(&room, KEY);
    let old = pinned(&room);
    let before = signs(&room, "before");
    let guard = |reason, guard: &str| (reason, guard.to_owned());
    let refused = |room: &Room, key: &str, replaces: &str| {
        let from = room.mark();
        let refusal = told(&room.draft("oskar", &rekeying(key, replaces)).unwrap_err());
        assert_eq!(room.mark(), from, "nothing is recorded");
        refusal
    };

    // The next key is made on the host, once, and nothing else happens by that.
    let (file, new) = made(&room, "second.key");
    let again = room
        .world
        .countersignd("log-key")
        .arg("--new")
        .arg(&file)
        .arg("--config")
        .arg(room.world.config())
        .output();
    assert!(!again.unwrap().status.success(), "it is never over a file that is there");
    assert_eq!(refused(&room, &new, &old), guard(Reason::StatementRefused, "no-log-key"));
    let (_, third) = made(&room, "third.key");
    let key = first(&room);
    restarts(&mut room, &key, Some(&file));
    assert_eq!(refused(&room, &third, &old), guard(Reason::StatementRefused, "no-log-key"));
    assert_eq!(refused(&room, &new, &third), guard(Reason::StatementRefused, "other-log-key"));
    assert_eq!(refused(&room, &old, &old).0, Reason::StatementInvalid);
    assert_eq!(refused(&room, &new.replace("rehearsal.", "rehearsal.x."), &old).0, Reason::StatementInvalid);

    // One veto ends nothing, two do.
    let vetoed = room.proposed(&rekeying(&new, &old));
    room.vetoes("carol", &vetoed).unwrap();
    assert_eq!(room.state(&vetoed), State::Proposed);
    room.vetoes("walter", &vetoed).unwrap();
    assert_eq!(room.state(&vetoed), State::Vetoed);

    let open = executed(&room, &new, &old);
    assert_eq!(newest(&room).1, 1, "nothing is changed before it is attested");
    let outputs: serde_json::Value = serde_json::from_slice(&room.ceremony(&open).outputs).unwrap();
    let shown = outputs["checkpoint"].as_str().unwrap();
    for key in [&old, &new] {
        Checkpoint::verify(shown, &key.parse().unwrap()).unwrap();
    }
    // Another one meanwhile.
    assert_eq!(refused(&room, &new, &old), guard(Reason::StatementRefused, "in-progress"));
    room.attests_after("wanda", &open).unwrap();
    assert_eq!(room.state(&open), State::Completed);
    let (text, lines) = newest(&room);
    assert_eq!(lines, 2, "both keys have signed the end of the old one");
    for key in [&old, &new] {
        Checkpoint::verify(&text, &key.parse().unwrap()).unwrap();
    }
    let after = signs(&room, "after");
    let (text, lines) = newest(&room);
    assert_eq!(lines, 1);
    Checkpoint::verify(&text, &new.parse().unwrap()).unwrap();

    // What was valid stays valid, and what comes is.
    let later = born(&room, "release/later");
    for open in [&birth, &open, &later] {
        is_valid(&room, open);
    }

    // The client has followed it, says so once, and remembers it.
    let (code, out, err) = room.world.run(&["log", "keys"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains(&old) && out.contains(&new) && out.contains("in force"), "{out}");
    let nobody = room.world.scratch().join("somebody-else").display().to_string();
    let (code, out, err) = room.world.run(&["log", "head", "--state", &nobody]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(err.contains("has another key since this client saw it last") && err.contains(&new), "{err}");
    let (code, _, err) = room.world.run(&["log", "head", "--state", &nobody]);
    assert_eq!((code, err.contains("another key")), (0, false), "{err}");
    room.world.done(&["log", "head", "--log-key", &new, "--state", &nobody]);

    // Offline: what was signed before verifies by the old key for ever, what came after by the chain.
    let ends = room.world.scratch().join("log.ends").display().to_string();
    room.world.done(&["log", "keys", "--out", &ends]);
    let chain = ["--log-keys", ends.as_str()];
    let seen = room.world.scratch().join("client").display().to_string();
    assert_eq!(verifies(&room, &before, &old, &[]).0, 0);
    let (code, said) = verifies(&room, &after, &old, &[]);
    assert!(code != 0 && said.contains("is not signed by"), "{said}");
    assert_eq!(verifies(&room, &after, &old, &chain), (0, verifies(&room, &after, &new, &[]).1));
    assert_eq!(verifies(&room, &after, &old, &["--state", &seen]).0, 0, "it has followed the log already");
    assert_ne!(verifies(&room, &before, &new, &[]).0, 0);
    assert_eq!(verifies(&room, &before, &new, &chain).0, 0);
    assert_ne!(verifies(&room, &before, &third, &chain).0, 0);
    // The whole log, by either key: it brings its keys along.
    let export = room.world.scratch().join("log.jsonl").display().to_string();
    room.world.done(&["log", "export", "--out", &export]);
    for key in [&old, &new] {
        let said = room.world.done(&["log", "verify", &export, "--log-key", key, "--state", &nobody]);
        assert!(said.contains("VERIFIED"), "{said}");
    }
    let receipt = format!("{after}.receipt");
    room.world.done(&["log", "verify", &receipt, "--log-key", &old, "--log-keys", &ends, "--state", &nobody]);

    // A start takes the key in force in either place, and says which one it lacks.
    let backup = room.world.scratch().join("backup");
    let mut command = room.world.countersignd("backup");
    command.arg(&backup).arg("--config").arg(room.world.config());
    let said = Process::output(command);
    assert!(said.contains("verified up to this checkpoint"), "{said}");
    restarts(&mut room, &file, Some(&key));
    restarts(&mut room, &file, None);
    signs(&room, "with the new one alone");
    assert!(room.world.stop().success());
    let said = starts(&mut room, &key, None).unwrap_err();
    assert!(said.contains(&format!("the log key in force is {new}")), "{said}");
    starts(&mut room, &file, None).unwrap();
    is_valid(&room, &birth);

    // A key that has ended comes never again.
    restarts(&mut room, &file, Some(&key));
    assert_eq!(refused(&room, &old, &new), guard(Reason::StatementRefused, "spent-log-key"));
    room.ends_well();
}

#[test]
fn a_checkpoint_of_the_old_key_counts_up_to_its_end_and_stops_signing_beyond() {
    let mut room = Room::software();
    born(&room, KEY);
    let old = pinned(&room);
    let (file, new) = made(&room, "second.key");
    let key = first(&room);
    restarts(&mut room, &key, Some(&file));
    let early = newest(&room).0;
    let open = executed(&room, &new, &old);
    room.attests_after("wanda", &open).unwrap();
    let end = newest(&room).0;
    for shown in [&early, &end] {
        ask::present(&room.world, shown).unwrap();
    }
    room.uses(KEY).unwrap();
    // Whoever has stolen the old key goes on with it: here, with the right root of a tree that is beyond its end.
    let head = Checkpoint::verify(&newest(&room).0, &new.parse().unwrap()).unwrap();
    let text = std::fs::read_to_string(&key).unwrap();
    // PRIVATE+KEY+<origin>+<hash>+<base64>, which may have a plus sign itself.
    let seed = text.trim().splitn(5, '+').nth(4).unwrap();
    let seed = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, seed).unwrap();
    let thief = note::Ed25519Signer::from_seed(&head.origin, &seed[1..]).unwrap();
    let forged = head.sign(&thief).unwrap();
    let status = ask::present(&room.world, &forged).unwrap_err();
    assert_eq!(ask::reason(&status), Reason::LogUnavailable, "{status}");
    assert_eq!(ask::reason(&room.uses(KEY).unwrap_err()), Reason::LogUnavailable);
    assert!(room.world.stop().success());
    let said = starts(&mut room, &file, None).unwrap_err();
    assert!(said.contains("what was presented"), "{said}");
}

#[test]
fn killed_at_every_step_of_a_change_the_log_has_one_key_at_every_head() {
    let mut room = Room::software();
    born(&room, KEY);
    let (mut file, mut key) = (first(&room), pinned(&room));
    let mut found = BTreeSet::new();
    let points = [("pwrite64", 1), ("fdatasync", 1), ("fdatasync", 2), ("fdatasync", 3), ("fdatasync", 4)];
    for (number, (call, nth)) in points.into_iter().enumerate() {
        let (next_file, next) = made(&room, &format!("next-{number}.key"));
        restarts(&mut room, &file, Some(&next_file));
        let open = executed(&room, &next, &key);
        let (decision, outcome) = (Decision::Accept, Some(room.outcome(&open)));
        let deed = Deed::Attest { decision, outcome, statement: open.digest() };
        let act = room.signed("wanda", deed);
        let reached = strike(&mut room, call, nth, |room| room.submit(act.clone()));
        // Whatever is in the log, the head is signed by the key that is in force at it.
        let changed =
            room.world.ledger().records.iter().any(|record| {
                record.body["body"]["effect"]["log_key"]["key"].as_str() == Some(next.as_str())
            });
        tests::tell(&format!("changing the log key, {call} {nth}: reached {reached}, changed {changed}"));
        found.insert((reached, changed));
        if let Err(status) = room.submit(act) {
            assert_eq!(told(&status).0, Reason::ActRefused, "{status}");
        }
        room.until(&open, State::Completed);
        room.uses(KEY).unwrap();
        Checkpoint::verify(&newest(&room).0, &next.parse().unwrap()).unwrap();
        is_valid(&room, &open);
        (file, key) = (next_file, next);
        restarts(&mut room, &file, None);
    }
    assert!(found.contains(&(true, false)) && found.contains(&(false, true)), "{found:?}");
    let said = room.world.done(&["log", "keys"]);
    assert_eq!(said.matches("ended with the tree of").count(), points.len(), "{said}");
    room.ends_well();
}
