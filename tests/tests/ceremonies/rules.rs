//! Other guardrails, by the real program from their file to the transcript: tighter ones at once, looser ones after a day that a
//! clock of the test lets pass; `kill -9` at every durable step; and a copy of the log that brings them back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ceremonies::act::{Decision, Deed};
use ceremonies::amendment;
use ceremonies::transcript::{Verdict, verify};
use daemon::clock::{Clock as _, ManualClock, SystemClock};
use proto::hash::Hash;
use proto::reason::Reason;
use proto::wire::v1::CeremonyState as State;
use tests::ask;
use tests::inside::{Apart, Inside};
use tests::world::Plan;

use crate::kill::{MOMENTS, strike, struck_act};
use crate::people::{done, refused};
use crate::room::{Open, Room, new_key, template, told};

const KEY: &str = "release/linux";

const NO_BLOBS: &str = "\n@id(\"no-blobs\")\nforbid (principal, action == Action::\"sign\", resource) when { context.kind == \"blob\" };\n";

/// A room whose instance signs with one key.
fn with_key() -> Room {
    let room = Room::software();
    let open = room.proposed(&new_key(KEY, "software"));
    room.arm(&open);
    room.executes(&open).unwrap();
    room.complete(&open);
    room.uses(KEY).unwrap();
    room
}

/// The text of a file of the instance.
fn file(room: &Room, name: &str) -> String {
    std::fs::read_to_string(room.world.place().join(name)).unwrap()
}

/// The guardrails that the instance began with, under one more rule that forbids; both files are written beside them.
fn writes_stricter(room: &Room) -> String {
    let (present, forbid) = (file(room, "guardrails.toml"), file(room, "forbid.cedar"));
    let stricter = forbid.clone() + NO_BLOBS;
    std::fs::write(room.world.place().join("stricter.cedar"), &stricter).unwrap();
    let next = present
        .replace("forbid.cedar", "stricter.cedar")
        .replace(&Hash::of(forbid.as_bytes()).to_string(), &Hash::of(stricter.as_bytes()).to_string());
    let path = room.world.place().join("stricter.toml");
    std::fs::write(&path, next).unwrap();
    path.display().to_string()
}

fn writes_template(room: &Room) {
    let template = "kind = \"policy.change\"\nmode = \"rehearsal\"\nenvironment = \"rehearsal\"\nlives = \"1h\"\n\
                    purpose = \"other rules\"\njustification = \"to see it\"\nticket = \"none\"\n";
    std::fs::write(room.world.scratch().join("policy.toml"), template).unwrap();
}

/// Drafted and proposed by commands.
fn proposed(room: &Room, guardrails: &str, file: &str) -> (Open, String) {
    let new = ["ceremony", "new", "policy.toml", "-o", file, "--guardrails", guardrails];
    let said = done(room, "oskar", &new);
    let next = format!("propose {file} --guardrails {guardrails}");
    assert!(said.replace(['\n', ' '], "").contains(&next.replace(' ', "")), "{said}");
    let propose = ["ceremony", "propose", file, "--yes", "--guardrails", guardrails];
    done(room, "oskar", &propose);
    let statement = std::fs::read(room.world.scratch().join(file)).unwrap();
    let statement = ceremonies::statement::Statement::parse(&statement).unwrap();
    (Open { id: statement.common().ceremony.to_string(), statement }, said)
}

/// What was said, whatever the width of the screen.
fn flat(said: &str) -> String {
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn denied(room: &Room) -> Reason {
    ask::reason(&room.uses(KEY).unwrap_err())
}

#[test]
fn tighter_guardrails_are_in_force_at_once_and_come_back_from_a_copy_of_the_log() {
    let mut room = with_key();
    writes_template(&room);
    let stricter = writes_stricter(&room);
    let (open, said) = proposed(&room, &stricter, "stricter.json");
    assert!(
        said.contains("tighter") && said.contains("forbid \"no-blobs\"") && !said.contains("looser"),
        "{said}"
    );
    let said = done(&room, "ada", &["inbox"]);
    assert!(said.contains("tighter") && said.contains("at once"), "{said}");
    for officer in ["ada", "bob"] {
        let said = done(&room, officer, &["approve", &open.id, "--yes"]);
        for part in ["tighter", "one more rule forbids", "The next guardrails,", "@id(\"no-blobs\")"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    for _before_and_after in 0..2 {
        room.uses(KEY).unwrap();
        done(&room, "wanda", &["attest", &open.id, "--yes"]);
    }
    assert_eq!(room.state(&open), State::Completed);
    assert_eq!(denied(&room), Reason::PolicyDenied);

    // The configured file is the old one. It decides nothing, by a signal or by a start.
    room.world.process().signal(rustix::process::Signal::HUP);
    let said = room.world.process().says("the policy files are unchanged", tests::PATIENCE);
    assert!(!said.contains("stays in force"), "{said}");
    assert_eq!(denied(&room), Reason::PolicyDenied);
    room.world.kill();
    std::fs::remove_file(room.world.place().join("guardrails.toml")).unwrap();
    room.world.start();
    assert_eq!(denied(&room), Reason::PolicyDenied);

    // Grants of a ceremony, too; then a copy of the log is put in the place of all that the state directory holds of it.
    let grants = file(&room, "grants.cedar")
        + "@id(\"guest\")\npermit (principal == Caller::\"unix:77\", action, resource);\n";
    let replaces = Hash::of(file(&room, "grants.cedar").as_bytes());
    let target = format!("grants = \"{}\"\nreplaces = \"{replaces}\"\n", Hash::of(grants.as_bytes()));
    let statement = room.draft("ada", &template("grant.change", &target)).unwrap();
    let act = room.signed("ada", Deed::Propose { statement: statement.digest() });
    let documents = [("grants".to_owned(), grants.into_bytes())].into();
    room.send_proposal_with(statement.encode(), act, documents).unwrap();
    let change = Open { id: statement.common().ceremony.to_string(), statement };
    for officer in ["ada", "bob"] {
        room.approves(officer, &change).unwrap();
    }
    room.until(&change, State::Completed);
    let instance = room.instance();
    let copy = room.world.scratch().join("copy");
    let mut backup = room.world.countersignd("backup");
    backup.arg("--config").arg(room.world.config()).arg(&copy);
    let said = tests::process::Process::output(backup);
    assert!(said.contains("verified up to this checkpoint"), "{said}");
    assert!(room.world.stop().success());
    for entry in std::fs::read_dir(room.world.state()).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("log.db") || name.starts_with("index.db") || name == "grants" {
            let path = entry.path();
            if path.is_dir() {
                std::fs::remove_dir_all(path).unwrap()
            } else {
                std::fs::remove_file(path).unwrap()
            }
        }
    }
    std::fs::copy(copy.join("log.db"), room.world.state().join("log.db")).unwrap();
    room.world.start();
    assert_eq!(denied(&room), Reason::PolicyDenied);
    let restored = room.instance();
    assert_eq!(
        (
            restored.guardrails_sha256,
            restored.guardrails_version,
            restored.grants_sha256,
            restored.guardrails
        ),
        (instance.guardrails_sha256, 2, instance.grants_sha256, instance.guardrails)
    );
    for open in [&open, &change] {
        let verdict = verify(&room.transcript(open).unwrap(), Hash::of(&room.genesis.encode()));
        assert!(matches!(verdict, Verdict::Valid(_)), "{verdict}");
    }
    room.ends_well();
}

#[test]
fn looser_guardrails_wait_and_whoever_is_against_them_says_so() {
    let room = Room::software();
    writes_template(&room);
    let present = room.world.place().join("guardrails.toml").display().to_string();
    let stricter = writes_stricter(&room);
    let (open, _) = proposed(&room, &stricter, "stricter.json");
    room.holds(&open, &["ada", "bob"], &["wanda"]);
    assert_eq!(room.state(&open), State::Completed);
    // Back to where it began: a rule that forbids is gone.
    let (open, said) = proposed(&room, &present, "back.json");
    assert!(said.contains("looser") && said.contains("a rule that forbids is gone"), "{said}");
    for officer in ["ada", "bob"] {
        let said = flat(&done(&room, officer, &["approve", &open.id, "--yes"]));
        assert!(said.contains("looser") && said.contains("a day after the last attestation"), "{said}");
    }
    for _before_and_after in 0..2 {
        done(&room, "wanda", &["attest", &open.id, "--yes"]);
    }
    assert_eq!(room.state(&open), State::Waiting);
    let said = flat(&done(&room, "ada", &["ceremony", "show", &open.id]));
    for part in ["waiting,", "looser", "unless an officer or a witness vetoes it", "wanda (record"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    for who in ["carol", "walter", "ada"] {
        let said = done(&room, who, &["inbox"]);
        assert!(said.contains("countersign ceremony veto") && said.contains("looser"), "{who}: {said}");
    }
    let said = refused(&room, "carol", &["ceremony", "transcript", &open.id, "--out", "none"]);
    assert!(said.contains("waiting"), "{said}");
    let said = done(&room, "carol", &["ceremony", "veto", &open.id, "--reason", "nobody told me"]);
    assert!(said.contains("vetoed"), "{said}");
    assert_eq!((room.state(&open), room.instance().guardrails_version), (State::Vetoed, 2));
    // What is wrong with a file is said where it is wrong.
    let broken = room.world.place().join("broken.toml");
    std::fs::write(&broken, "[ceremony.\"key.generate\"]\nwitnesses = 0\n").unwrap();
    let broken = broken.display().to_string();
    let said = refused(&room, "oskar", &["ceremony", "new", "policy.toml", "--guardrails", &broken]);
    assert!(said.contains("line 2") && said.contains("at least one witness must attest"), "{said}");
    room.ends_well();
}

#[test]
fn an_authority_that_is_gone_vouches_for_nobody_from_that_moment() {
    let mut room = with_key();
    let over_tls = |room: &Room| room.wait(async { room.world.channel() });
    let before = over_tls(&room);
    let sign = |room: &Room, channel: tonic::transport::Channel| {
        let mut client = proto::wire::v1::signing_service_client::SigningServiceClient::new(channel);
        let request = tests::load::request(KEY, b"a message");
        room.wait(async move { client.sign(request).await.map(drop) })
    };
    sign(&room, before.clone()).unwrap();
    let present = file(&room, "guardrails.toml");
    let begins = present.find("[[client_ca]]").unwrap();
    let ends = present.find("[log]").unwrap();
    let next = format!("{}{}", &present[..begins], &present[ends..]);
    let target = format!(
        "guardrails = {{ version = 2, sha256 = \"{}\" }}\nloosens = false\n",
        Hash::of(next.as_bytes())
    );
    let statement = room.draft("oskar", &template("policy.change", &target)).unwrap();
    let act = room.signed("oskar", Deed::Propose { statement: statement.digest() });
    let forbid = file(&room, "forbid.cedar");
    let name = amendment::name(&Hash::of(forbid.as_bytes()));
    let documents = [("guardrails.next".to_owned(), next.into_bytes()), (name, forbid.into_bytes())].into();
    room.send_proposal_with(statement.encode(), act, documents).unwrap();
    let open = Open { id: statement.common().ceremony.to_string(), statement };
    // With the last attestation nobody is vouched for any more.
    room.only_local();
    room.holds(&open, &["ada", "bob"], &["wanda"]);
    assert_eq!(room.state(&open), State::Completed);
    // The connection of before, and a new one with the same certificate.
    let end = crate::room::now().later(tests::PATIENCE);
    while sign(&room, before.clone()).is_ok() {
        assert!(crate::room::now() < end, "it signs on");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(sign(&room, over_tls(&room)).is_err());
    room.ends_well();
}

#[test]
fn killed_at_every_step_of_a_policy_change_it_is_the_old_rules_or_the_new_ones() {
    let mut room = with_key();
    let stricter = std::fs::read_to_string(writes_stricter(&room)).unwrap();
    let forbid = file(&room, "stricter.cedar");
    let target = format!(
        "guardrails = {{ version = 2, sha256 = \"{}\" }}\nloosens = false\n",
        Hash::of(stricter.as_bytes())
    );
    let statement = room.draft("oskar", &template("policy.change", &target)).unwrap();
    let act = room.signed("oskar", Deed::Propose { statement: statement.digest() });
    let open = Open { id: statement.common().ceremony.to_string(), statement: statement.clone() };
    let ca = file(&room, "tls/ca.pem");
    let documents: std::collections::BTreeMap<String, Vec<u8>> = [
        ("guardrails.next".to_owned(), stricter.clone()),
        (amendment::name(&Hash::of(forbid.as_bytes())), forbid),
        (amendment::name(&Hash::of(ca.as_bytes())), ca),
    ]
    .map(|(name, text)| (name, text.into_bytes()))
    .into();
    let mut seen = BTreeSet::new();
    for (call, nth) in MOMENTS {
        if seen.contains(&true) {
            break;
        }
        let documents = documents.clone();
        let reached = strike(&mut room, call, nth, |room| {
            room.send_proposal_with(statement.encode(), act.clone(), documents)
        });
        assert!(reached, "{call} {nth}");
        seen.insert(room.find(&open.id).is_ok());
    }
    assert_eq!(seen, BTreeSet::from([false, true]));
    let mut known = BTreeSet::new();
    let (decision, digest) = (Decision::Accept, open.digest());
    for officer in ["ada", "bob"] {
        let act = room.signed(officer, Deed::Approve { decision, statement: digest });
        struck_act(&mut room, &open, officer, &act, &mut known);
    }
    // The attestation arms it: its start and its outputs are records of their own.
    let act = room.signed("wanda", Deed::Attest { decision, outcome: None, statement: digest });
    assert!(strike(&mut room, "fdatasync", 3, |room| room.submit(act.clone())));
    if room.state(&open) == State::Proposed {
        room.submit(act).unwrap();
    }
    room.until(&open, State::Executed);
    room.uses(KEY).unwrap();
    // The last attestation and the completion are two records: killed as the second is written, and once more after it.
    let outcome = Some(room.outcome(&open));
    let last = room.signed("wanda", Deed::Attest { decision, outcome, statement: digest });
    let _reached = strike(&mut room, "fdatasync", 2, |room| room.submit(last));
    room.until(&open, State::Completed);
    let end = crate::room::now().later(tests::PATIENCE);
    while room.ceremony(&open).completed.is_none() && crate::room::now() < end {
        std::thread::sleep(Duration::from_millis(50));
    }
    room.world.kill();
    room.world.start();
    assert_eq!(room.instance().guardrails_sha256, Hash::of(stricter.as_bytes()).as_bytes());
    assert_eq!(denied(&room), Reason::PolicyDenied);
    let kinds = room.kinds(0);
    assert_eq!(kinds.iter().filter(|kind| *kind == "ceremony.completed").count(), 2, "{kinds:?}");
    let verdict = verify(&room.transcript(&open).unwrap(), Hash::of(&room.genesis.encode()));
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict}");
    room.ends_well();
}

/// The other process of the test below, which starts and kills it; in a run of all tests it does nothing.
#[test]
fn an_instance_that_is_killed() {
    Inside::serve();
}

/// `kill -9` in every hour of the day that looser rules wait: what was forbidden stays forbidden until the day is over, and then it is
/// permitted once for all.
#[test]
fn killed_throughout_the_day_that_looser_rules_wait_nothing_is_permitted_early_or_forgotten() {
    let world = Plan::new().key(KEY, "ecdsa-p256-sha256", &["blob"]).make();
    let begun = SystemClock::start().wall();
    let clock = Arc::new(ManualClock::new(begun));
    let room = Room::of(world, None).under(&clock);
    let start = || Apart::start(&room.world, "rules::an_instance_that_is_killed", clock.wall());
    let passes = |by: Duration| {
        clock.advance(by);
        Apart::set(&room.world, clock.wall());
    };
    let mut apart = start();
    room.uses(KEY).unwrap();
    let (first, forbid, ca) =
        (file(&room, "guardrails.toml"), file(&room, "forbid.cedar"), file(&room, "tls/ca.pem"));
    let stricter = std::fs::read_to_string(writes_stricter(&room)).unwrap();
    let strict = file(&room, "stricter.cedar");
    let _tight = changes(&room, &stricter, &[&strict, &ca], 2, false);
    assert_eq!(denied(&room), Reason::PolicyDenied);
    let open = changes(&room, &first, &[&forbid, &ca], 3, true);
    for _hour in 0..6 {
        apart.kill();
        apart = start();
        assert_eq!((room.state(&open), denied(&room)), (State::Waiting, Reason::PolicyDenied));
        passes(Duration::from_secs(235 * 60));
    }
    // Half an hour is left. The process that was started in it sees the day end, and is killed at some moment of that.
    apart.kill();
    apart = start();
    assert_eq!((room.state(&open), denied(&room)), (State::Waiting, Reason::PolicyDenied));
    let end = std::time::Instant::now() + tests::PATIENCE;
    let before = room.head().size;
    passes(Duration::from_secs(31 * 60));
    while room.head().size == before {
        assert!(std::time::Instant::now() < end, "{:?}", room.state(&open));
    }
    apart.kill();
    apart = start();
    // Attested and waited for, it is completed with the next record.
    while room.uses(KEY).is_err() {
        assert!(std::time::Instant::now() < end, "{:?}", room.state(&open));
    }
    assert_eq!(room.state(&open), State::Completed);
    apart.kill();
    apart = start();
    room.uses(KEY).unwrap();
    let verdict = verify(&room.transcript(&open).unwrap(), Hash::of(&room.genesis.encode()));
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict}");
    apart.kill();
    let ledger = room.world.ledger();
    assert_eq!(ledger.complaints(), Vec::<String>::new());
    let completed = |record: &tests::ledger::Record| {
        record.body["kind"] == "ceremony.completed"
            && record.body["body"]["effect"].get("guardrails").is_some()
    };
    assert_eq!(ledger.records.iter().filter(|record| completed(record)).count(), 2);
}

/// A change of the guardrails that these officers approved and wanda attested, before and after.
fn changes(room: &Room, text: &str, files: &[&str], version: u64, loosens: bool) -> Open {
    let target = format!(
        "guardrails = {{ version = {version}, sha256 = \"{}\" }}\nloosens = {loosens}\n",
        Hash::of(text.as_bytes())
    );
    let statement = room.draft("oskar", &template("policy.change", &target)).unwrap();
    let act = room.signed("oskar", Deed::Propose { statement: statement.digest() });
    let files =
        files.iter().map(|file| (amendment::name(&Hash::of(file.as_bytes())), file.as_bytes().to_vec()));
    let documents = files.chain([("guardrails.next".to_owned(), text.as_bytes().to_vec())]).collect();
    room.send_proposal_with(statement.encode(), act, documents).unwrap();
    let open = Open { id: statement.common().ceremony.to_string(), statement };
    for officer in ["ada", "bob"] {
        room.approves(officer, &open).unwrap();
    }
    room.attests("wanda", &open).unwrap();
    room.attests_after("wanda", &open).unwrap();
    open
}

/// The whole product but its process, under a clock that the test moves: what was forbidden is permitted a day later, not before,
/// also where the daemon was started anew in between.
#[test]
fn what_becomes_looser_is_permitted_after_a_day_and_not_before() {
    let world = Plan::new().key(KEY, "ecdsa-p256-sha256", &["blob"]).make();
    let clock = Arc::new(ManualClock::new(SystemClock::start().wall()));
    let room = Room::of(world, None).under(&clock);
    let mut inside = room.wait(Inside::start(&room.world, Arc::clone(&clock)));
    room.uses(KEY).unwrap();
    let (first, forbid, ca) =
        (file(&room, "guardrails.toml"), file(&room, "forbid.cedar"), file(&room, "tls/ca.pem"));
    let stricter = std::fs::read_to_string(writes_stricter(&room)).unwrap();
    let strict = file(&room, "stricter.cedar");
    let _tight = changes(&room, &stricter, &[&strict, &ca], 2, false);
    assert_eq!(denied(&room), Reason::PolicyDenied);
    let open = changes(&room, &first, &[&forbid, &ca], 3, true);
    for hours in [12, 11] {
        clock.advance(Duration::from_secs(hours * 3600));
        room.wait(inside.ticks());
        assert_eq!((room.state(&open), denied(&room)), (State::Waiting, Reason::PolicyDenied));
        room.wait(inside.end());
        inside = room.wait(Inside::start(&room.world, Arc::clone(&clock)));
    }
    clock.advance(Duration::from_secs(3601));
    room.wait(inside.ticks());
    assert_eq!(room.state(&open), State::Completed);
    room.uses(KEY).unwrap();
    let late = room.vetoes("carol", &open).unwrap_err();
    assert_eq!(told(&late), (Reason::ActRefused, "over".to_owned()));
    let verdict = verify(&room.transcript(&open).unwrap(), Hash::of(&room.genesis.encode()));
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict}");
    room.wait(inside.end());
}
