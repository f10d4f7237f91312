//! A log that was lost, from its backup to signatures in the log that takes its place; what recovers nothing; and `kill -9` of
//! whoever completes it.

use std::path::{Path, PathBuf};

use ceremonies::act::{Decision, Deed, namespace};
use ceremonies::genesis::Mode;
use ceremonies::statement::Target;
use ceremonies::transcript::{Verdict, verify};
use proto::hash::Hash;
use proto::reason::Reason;
use proto::wire::v1::CeremonyState as State;
use tests::PATIENCE;
use tests::files::{contents, copy};
use tests::process::{Process, killed};
use tests::strace::{Fault, Trace, struck, watched};
use tests::world::Plan;

use crate::lost::{Desk, KEY, ORIGIN, OTHER, good, refused, says};
use crate::people::{by, done};
use crate::room::{Room, new_key, template, told};
use crate::suspend::suspended;

#[test]
fn a_lost_log_goes_on_under_another_name_and_its_keys_sign_when_people_say_so() {
    let mut desk = Desk::lost();
    says(&desk.refuses_to_start(), &["are missing", "countersignd recover"]);
    let old = contents(&desk.room.world.place());
    // Two of three officers and a witness, by their own programs; bob is suspended.
    let said = good(desk.draft(&[]));
    let statement = desk.statement();
    let [first, second] = ceremonies::words::Words::of(&statement.digest()).lines();
    says(
        &said,
        &[&statement.digest().to_string(), &first, &second, "2 keys, all stopped; 1 stops", "2 of ada"],
    );
    let Target::LogRecover(target) = statement.target() else { panic!("{statement:?}") };
    assert_eq!((target.genesis, target.last.size), (desk.old, statement.common().log.size + 1));
    assert!(target.gap.as_str().contains("1 are missing. Everything since"), "{}", target.gap);
    let file = desk.directory().join("recover.json").display().to_string();
    for (person, what) in [("ada", "approve"), ("carol", "approve"), ("wanda", "attest")] {
        let said = good(by(&desk.room, person, &[what, &file, "--yes"]));
        says(&said, &["countersignd recover"]);
        for end in ["act.json", "act.json.sig"] {
            let name = format!("recover.{person}.{end}");
            std::fs::rename(desk.directory().join(&name), desk.directory().join("acts").join(&name)).unwrap();
        }
    }
    let said = good(desk.complete());
    let digest = statement.digest();
    says(
        &said,
        &[&digest.to_string(), &first, &second, "ada, carol, wanda", "genesis_sha256 = ", "key.resume"],
    );
    // Nothing of what was there is another one; what a reader leaves beside a database says nothing.
    let now = contents(&desk.room.world.place());
    let besides = |all: Vec<(PathBuf, Vec<u8>)>| {
        let own = |path: &Path| !path.to_string_lossy().contains("log.db-") && !path.ends_with("lock");
        all.into_iter().filter(|(path, _)| own(path)).collect::<Vec<_>>()
    };
    assert_eq!(besides(old), besides(now));
    // Whoever knows the old genesis is shown that.
    let recovery = desk.directory().join("recovery").display().to_string();
    let judged = |digest: Hash| {
        let digest = digest.to_string();
        desk.room.world.run(&["ceremony", "verify", &recovery, "--genesis-sha256", &digest])
    };
    let (code, said, _) = judged(desk.old);
    says(&said, &["VALID", ORIGIN, &digest.to_string(), &first]);
    assert_eq!(code, 0);
    let (code, _, said) = judged(digest);
    assert!(code != 0 && said.contains("INVALID (genesis digest)"), "{said}");
    // Configurations of the two are not mixed.
    desk.moves();
    let config = std::fs::read_to_string(desk.room.world.config()).unwrap();
    desk.room.world.configure(&digest.to_string(), &desk.old.to_string());
    says(&desk.refuses_to_start(), &[&desk.old.to_string(), &digest.to_string(), "recovered"]);
    std::fs::write(desk.room.world.config(), &config).unwrap();

    desk.room.world.start();
    let (reason, _) = told(&desk.room.uses(KEY).unwrap_err());
    assert_eq!(reason, Reason::KeySuspended);
    assert_eq!(suspended(&desk.room).0, ["bob"]);
    // Whoever pins the old log is told, and believes nothing.
    let (code, _, said) = desk.room.world.run(&["ceremony", "list"]);
    assert!(code != 0, "{said}");
    says(&said, &["recovered", ORIGIN, "sixteen words"]);
    desk.pins(digest, target.log_key.as_str());
    desk.room.world.done(&["ceremony", "list"]);
    let said = desk.room.world.done(&["log", "tail"]);
    says(&said, &["key.carried", "comes over from", "stopped"]);
    let shown = desk.room.world.done(&["keys", "show", KEY, "--output", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert!(
        shown["versions"][0]["key_id"].is_string() && shown["versions"][0]["ceremony"].is_null(),
        "{shown}"
    );
    // What is signed for the old log counts in no other.
    let statement = desk.room.draft("oskar", &new_key("release/new", "software")).unwrap();
    let mut act = desk.room.act(Deed::Propose { statement: statement.digest() });
    act.head.origin = desk.statement().common().log.origin.clone();
    let (reason, _) =
        told(&desk.room.send_proposal(statement.encode(), desk.room.sign("oskar", &act)).unwrap_err());
    assert_eq!(reason, Reason::ActInvalid);
    // A key resumes by the record that brought it, and nothing else of the instance does.
    let resume = |stop: u64| {
        template(
            "key.resume",
            &format!("finding = \"its token was never gone\"\nkey = \"{KEY}\"\nstop = {stop}\n"),
        )
    };
    let refused = told(&desk.room.draft("oskar", &resume(2)).unwrap_err());
    assert_eq!(refused, (Reason::StatementRefused, "no-stop".into()));
    let open = desk.room.proposed(&resume(1));
    for officer in ["ada", "carol"] {
        desk.room.approves(officer, &open).unwrap();
    }
    assert_eq!(told(&desk.room.approves("bob", &open).unwrap_err()).1, "suspended");
    desk.room.attests("wanda", &open).unwrap();
    desk.room.until(&open, State::Executed);
    desk.room.attests_after("wanda", &open).unwrap();
    desk.room.until(&open, State::Completed);
    desk.room.uses(KEY).unwrap();
    assert_eq!(told(&desk.room.uses(OTHER).unwrap_err()).0, Reason::KeySuspended);
    let files = desk.room.transcript(&open).unwrap();
    assert!(matches!(verify(&files, digest), Verdict::Valid(_)), "{}", verify(&files, digest));
    // A restart, and a backup of it.
    assert!(desk.room.world.stop().success());
    desk.room.world.start();
    desk.room.uses(KEY).unwrap();
    let mut backup = desk.room.world.countersignd("backup");
    backup.arg("--config").arg(desk.room.world.config()).arg(desk.room.world.scratch().join("again"));
    good(backup);
    desk.room.ends_well();
}

#[test]
fn what_is_not_decided_by_its_people_makes_no_log() {
    let desk = Desk::lost();
    // Drafts.
    let old = desk.room.genesis.common().log.origin.to_string();
    says(&refused(desk.draft(&["--origin", &old])), &["target.origin", "another origin"]);
    says(&refused(desk.draft(&["--origin", "second.example.org"])), &["target.origin", "rehearsal."]);
    let stranger = desk.room.world.scratch().join("stranger");
    std::fs::write(&stranger, "nothing\n").unwrap();
    let stranger = stranger.display().to_string();
    says(&refused(desk.draft(&["--checkpoint", &stranger])), &[&stranger, "no checkpoint of this log"]);
    let config = std::fs::read_to_string(desk.room.world.config()).unwrap();
    desk.room.world.configure(&desk.old.to_string(), &Hash::of(b"another").to_string());
    says(&refused(desk.draft(&[])), &["another instance"]);
    std::fs::write(desk.room.world.config(), &config).unwrap();
    assert!(!desk.directory().exists(), "something was made");
    good(desk.draft(&[]));
    // One person with the store and the machine.
    says(&refused(desk.complete()), &["0 of 2 officers", "0 of 1 witnesses"]);
    desk.approves("ada");
    says(&refused(desk.complete()), &["1 of 2 officers", "0 of 1 witnesses"]);
    let attest = |person: &str| {
        let statement = desk.statement().digest();
        desk.act(person, Deed::Attest { decision: Decision::Accept, outcome: None, statement })
    };
    desk.put("ada", "ada-too", &attest("ada"), namespace(Mode::Rehearsal));
    says(&refused(desk.complete()), &["another act of `ada`"]);
    desk.takes_back(&["ada-too"]);
    // Who is suspended, who has no such role, who signs for the other mode, or about something else.
    desk.approves("bob");
    desk.attests("wanda");
    says(&refused(desk.complete()), &["`bob`", "suspended", "1 of 2 officers"]);
    desk.takes_back(&["bob"]);
    desk.approves("rita");
    says(&refused(desk.complete()), &["rita", "1 of 2 officers"]);
    desk.takes_back(&["rita"]);
    let deed = Deed::Approve { decision: Decision::Accept, statement: desk.statement().digest() };
    desk.put("carol", "carol", &desk.act("carol", deed), namespace(Mode::Production));
    says(&refused(desk.complete()), &["act.carol", "countersign.act.production.v1"]);
    let deed = Deed::Approve { decision: Decision::Accept, statement: Hash::of(b"another") };
    desk.put("carol", "carol", &desk.act("carol", deed), namespace(Mode::Rehearsal));
    says(&refused(desk.complete()), &["carol", "one statement only"]);
    desk.approves("carol");
    // Two vetoes end it; one does not.
    desk.vetoes("walter");
    desk.vetoes("carol");
    says(&refused(desk.complete()), &["vetoed by `carol` and `walter`"]);
    desk.takes_back(&["no-carol"]);
    // What was drafted is what begins.
    for (name, expected) in [
        ("roster.json", "the document `roster`"),
        ("guardrails.toml", "the document `guardrails`"),
        ("grants.cedar", "the document `grants`"),
        ("carried.json", "the document `carried`"),
        ("recovery/control.jsonl", "INVALID"),
    ] {
        let path = desk.directory().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("rehearsal", "rehearsa1", 1) + " ").unwrap();
        let said = refused(desk.complete());
        assert!(said.contains(expected) || expected == "INVALID", "{name}: {said}");
        std::fs::write(&path, text).unwrap();
    }
    let key = desk.directory().join("state/log.key");
    let drafted = std::fs::read(&key).unwrap();
    std::fs::copy(desk.room.world.state().join("log.key"), &key).unwrap();
    says(&refused(desk.complete()), &["state/log.key", "put the drafted key back"]);
    std::fs::write(&key, drafted).unwrap();
    desk.room.world.configure(&desk.old.to_string(), &Hash::of(b"another").to_string());
    says(&refused(desk.complete()), &["another instance"]);
    std::fs::write(desk.room.world.config(), config).unwrap();
    desk.nothing_is_made();
    good(desk.complete());
    says(&refused(desk.complete()), &["exists already"]);
}

#[test]
fn a_log_that_nobody_knows_to_be_behind_is_not_recovered() {
    let plan = Plan::new().key(KEY, "ed25519", &["blob"]);
    let mut room = Room::of(plan.start(), None);
    room.uses(KEY).unwrap();
    let earlier = room.world.scratch().join("earlier");
    assert!(room.world.stop().success());
    copy(&room.world.place(), &earlier);
    room.world.start();
    done(&room, "ada", &["ceremony", "list"]);
    room.uses(KEY).unwrap();
    done(&room, "ada", &["ceremony", "list"]);
    assert!(room.world.stop().success());
    let desk = Desk::of(room);
    says(&refused(desk.draft(&[])), &["nothing is to be recovered", "--checkpoint"]);
    // Store and anchor were rolled back together: whoever has seen more says so.
    std::fs::rename(desk.room.world.place(), desk.room.world.scratch().join("later")).unwrap();
    std::fs::rename(earlier, desk.room.world.place()).unwrap();
    says(&refused(desk.draft(&[])), &["nothing is to be recovered"]);
    good(desk.draft(&["--log-key-lost"]));
    let file = desk.directory().join("recover.json").display().to_string();
    let said = refused(by(&desk.room, "ada", &["approve", &file, "--yes"]));
    says(&said, &["this machine has seen", "--checkpoint"]);
    let seen = desk.room.world.scratch().join("seen-ada");
    let mut seen = std::fs::read_dir(seen).unwrap().map(|entry| entry.unwrap().path());
    let seen = seen.find(|path| path.extension().is_some_and(|end| end == "checkpoint")).unwrap();
    std::fs::remove_dir_all(desk.directory()).unwrap();
    good(desk.draft(&["--checkpoint", &seen.display().to_string()]));
    let Target::LogRecover(target) = desk.statement().target().clone() else { panic!() };
    assert!(target.last.size > desk.statement().common().log.size);
    good(by(&desk.room, "ada", &["approve", &file, "--yes"]));
    // A store that does not hold together has no head to end at.
    std::fs::remove_dir_all(desk.directory()).unwrap();
    let database = rusqlite::Connection::open(desk.room.world.state().join("log.db")).unwrap();
    let edit =
        "UPDATE record SET leaf = CAST(replace(CAST(leaf AS TEXT), 'unix', 'uniX') AS BLOB) WHERE idx = 1";
    assert_eq!(database.execute(edit, ()).unwrap(), 1);
    drop(database);
    says(&refused(desk.draft(&["--log-key-lost"])), &["does not hold together"]);
    assert!(!desk.directory().exists());
}

#[test]
fn killed_while_it_completes_leaves_no_instance_that_starts() {
    let mut desk = Desk::lost();
    good(desk.draft(&[]));
    desk.approves("ada");
    desk.approves("carol");
    desk.attests("wanda");
    let whole = desk.room.world.scratch().join("whole");
    let again = |desk: &Desk| {
        let _there = std::fs::remove_dir_all(desk.directory());
        copy(&whole, &desk.directory());
    };
    std::fs::rename(desk.directory(), &whole).unwrap();
    again(&desk);
    let trace = desk.room.world.scratch().join("trace");
    good(watched(&desk.complete(), &["fdatasync", "fsync", "pwrite64"], &trace));
    let points = Trace::read(&trace).some_points();
    assert!(points.len() > 8, "{points:?}");
    let old = contents(&desk.room.world.state().join("software"));
    let (mut seen, config) = (0, desk.room.world.config());
    let kept = std::fs::read_to_string(&config).unwrap();
    for point in points {
        again(&desk);
        let mut process = Process::start(struck(&desk.complete(), &point, Fault::Kill, &trace));
        let status = process.finished(PATIENCE);
        assert!(killed(status) || status.success(), "{point}: {status}");
        if !killed(status) {
            continue;
        }
        seen += 1;
        // Configured, by the last step or by hand, it does not start unless it is whole.
        let text = std::fs::read_to_string(&config).unwrap();
        let begun = desk.statement().digest();
        let new = desk.directory().display().to_string();
        let place = desk.room.world.place().display().to_string();
        let text = text
            .replace(&desk.old.to_string(), &begun.to_string())
            .replace(&format!("{place}/state"), &format!("{new}/state"))
            .replace(&format!("{place}/anchor"), &format!("{new}/anchor"));
        std::fs::write(&config, text).unwrap();
        match desk.room.world.start_as(desk.room.world.daemon()) {
            Ok(()) => {
                assert_eq!(told(&desk.room.uses(KEY).unwrap_err()).0, Reason::KeySuspended, "{point}");
                assert!(desk.room.world.stop().success());
            }
            Err(why) => {
                let mut daemon = desk.room.world.release();
                assert!(!daemon.ended(PATIENCE).success(), "{why}");
            }
        }
        std::fs::write(&config, &kept).unwrap();
    }
    assert!(seen > 5, "{seen} moments were met");
    assert_eq!(old, contents(&desk.room.world.state().join("software")));
    again(&desk);
    good(desk.complete());
}
