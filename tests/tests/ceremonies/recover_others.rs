//! Logs that are lost with something special about them: keys in a token, production, and a log key that had changed.

use std::path::Path;

use ceremonies::act::{Decision, Deed, namespace};
use ceremonies::genesis::Mode;
use ceremonies::statement::Target;
use ceremonies::transcript::{Verdict, verify};
use proto::reason::Reason;
use proto::wire::v1::CeremonyState as State;
use tests::world::Plan;

use crate::lost::{Desk, KEY, ORIGIN, good, refused, says};
use crate::people::{by, done};
use crate::rebind::{born, uses};
use crate::rekey::{executed, first, made, pinned, restarts};
use crate::room::{Room, new_key, template, told};
use crate::site::Site;

/// A template for the instance that this is.
pub fn here(room: &Room, template: &str) -> String {
    let common = room.genesis.common();
    template
        .replace("mode = \"rehearsal\"", &format!("mode = \"{}\"", common.mode))
        .replace("environment = \"rehearsal\"", &format!("environment = \"{}\"", common.environment))
}

/// The new log runs in place of the old one: its key is stopped, and signs again when two officers and a witness say so.
#[track_caller]
fn goes_on(desk: &mut Desk, officers: [&str; 2], witness: &str) {
    desk.moves();
    desk.room.world.start();
    let room = &desk.room;
    assert_eq!(uses(room, KEY), Err(Reason::KeySuspended));
    let target = format!("finding = \"nobody else has it\"\nkey = \"{KEY}\"\nstop = 1\n");
    let open = room.proposed(&here(room, &template("key.resume", &target)));
    for officer in officers {
        room.approves(officer, &open).unwrap();
    }
    room.attests(witness, &open).unwrap();
    room.until(&open, State::Executed);
    room.attests_after(witness, &open).unwrap();
    room.until(&open, State::Completed);
    assert_eq!(uses(room, KEY), Ok(()));
    let verdict = verify(&room.transcript(&open).unwrap(), desk.statement().digest());
    // Production's people have keys in software here, which their transcripts say.
    match room.genesis.common().mode {
        Mode::Production => assert!(matches!(verdict, Verdict::ValidWithDeviations(_)), "{verdict}"),
        Mode::Rehearsal => assert!(matches!(verdict, Verdict::Valid(_)), "{verdict}"),
    }
}

/// What was drafted, for the other mode: whoever has the files cannot write it so that it is a statement.
#[track_caller]
fn is_never_of_the_other_mode(desk: &Desk) {
    let path = desk.directory().join("recover.json");
    let drafted = std::fs::read_to_string(&path).unwrap();
    let (own, other) = match desk.statement().common().mode {
        Mode::Production => ("production", "rehearsal"),
        Mode::Rehearsal => ("rehearsal", "production"),
    };
    let said = format!("\"mode\":\"{own}\"");
    assert_eq!(drafted.matches(&said).count(), 1);
    // Under a name of the new log that fits the mode, too.
    let (from, to) = (desk.origin, if other == "rehearsal" { ORIGIN } else { "second.example.org" });
    for to in [from, to] {
        let other = drafted.replace(&said, &format!("\"mode\":\"{other}\"")).replace(from, to);
        std::fs::write(&path, other).unwrap();
        says(&refused(desk.complete()), &["do not fit"]);
        desk.nothing_is_made();
    }
    std::fs::write(&path, drafted).unwrap();
}

#[test]
fn a_key_in_a_token_is_found_there_by_the_new_log() {
    let room = Room::token();
    born(&room, KEY);
    let (objects, births) = (room.objects(), room.births());
    let mut desk = Desk::after(room, |room| assert_eq!(uses(room, KEY), Ok(())));
    good(desk.draft(&[]));
    for officer in ["ada", "carol"] {
        desk.approves(officer);
    }
    desk.attests("wanda");
    good(desk.complete());
    goes_on(&mut desk, ["bob", "carol"], "walter");
    assert_eq!((desk.room.objects(), desk.room.births()), (objects, births), "nothing was made there");
    desk.room.ends_well();
}

#[test]
fn production_goes_on_as_production_and_a_rehearsal_as_a_rehearsal() {
    let rehearsal = Desk::after(Room::software(), |room| {
        room.proposed(&new_key(KEY, "software"));
    });
    good(rehearsal.draft(&[]));
    is_never_of_the_other_mode(&rehearsal);

    let room = Site::new(Mode::Production, "").start();
    let open = room.proposed(&here(&room, &new_key(KEY, "software")));
    for officer in ["ada", "cyd"] {
        room.approves(officer, &open).unwrap();
    }
    for witness in ["fay", "gus"] {
        room.attests(witness, &open).unwrap();
    }
    room.executes(&open).unwrap();
    for witness in ["fay", "gus"] {
        room.attests_after(witness, &open).unwrap();
    }
    room.until(&open, State::Completed);
    let mut desk = Desk::after(room, |room| assert_eq!(uses(room, KEY), Ok(())));
    says(&refused(desk.draft(&["--origin", ORIGIN])), &["target.origin", "rehearsal."]);
    assert!(!desk.directory().exists());
    good(desk.draft(&[]));
    is_never_of_the_other_mode(&desk);
    let deed = Deed::Approve { decision: Decision::Accept, statement: desk.statement().digest() };
    desk.put("ada", "ada", &desk.act("ada", deed), namespace(Mode::Rehearsal));
    desk.approves("cyd");
    desk.attests("fay");
    says(&refused(desk.complete()), &["act.ada", "countersign.act.rehearsal.v1"]);
    desk.approves("ada");
    good(desk.complete());
    goes_on(&mut desk, ["bob", "dan"], "gus");
    desk.room.ends_well();
}

/// The log has this key in place of that one.
#[track_caller]
fn rekeyed(room: &mut Room, old: (&Path, &str), new: (&Path, &str)) {
    restarts(room, old.0, Some(new.0));
    let open = executed(room, new.1, old.1);
    room.attests_after("wanda", &open).unwrap();
    room.until(&open, State::Completed);
    restarts(room, new.0, None);
}

#[test]
fn a_log_goes_on_whose_key_had_changed_before_and_in_the_gap() {
    let mut room = Room::of(Plan::new().key(KEY, "ed25519", &["blob"]).start(), None);
    let old = (first(&room), pinned(&room));
    let (second, third) = (made(&room, "second.key"), made(&room, "third.key"));
    rekeyed(&mut room, (&old.0, &old.1), (&second.0, &second.1));
    let mut desk = Desk::after(room, |room| {
        rekeyed(room, (&second.0, &second.1), (&third.0, &third.1));
        room.uses(KEY).unwrap();
        done(room, "ada", &["ceremony", "list"]);
    });
    // The anchor keeps a head by a key that the copy knows nothing of. Whoever has followed the log has what leads there.
    says(&refused(desk.draft(&[])), &["the anchor", "no checkpoint of this log", "--log-keys FILE"]);
    let kept = |ending: &str| {
        let files = std::fs::read_dir(desk.room.world.scratch().join("seen-ada")).unwrap();
        let mut files = files.map(|entry| entry.unwrap().path());
        files.find(|path| path.extension().is_some_and(|end| end == ending)).unwrap()
    };
    let (keys, seen) = (kept("keys").display().to_string(), kept("checkpoint").display().to_string());
    let text = std::fs::read_to_string(&keys).unwrap();
    let other = desk.room.world.scratch().join("other.keys");
    let (before, last) = text.split_at(text.rfind("\nindex ").unwrap());
    let elsewhere = format!("{before}{}", last.replacen("\nindex ", "\nindex 1", 1));
    for (changed, expected) in [(elsewhere, "end 2 of"), ("nothing\n".to_owned(), "end 1 of")] {
        std::fs::write(&other, changed).unwrap();
        let said = refused(desk.draft(&["--log-keys", &other.display().to_string()]));
        says(&said, &[expected, "the log's keys"]);
    }
    assert!(!desk.directory().exists());
    let said = good(desk.draft(&["--log-keys", &keys, "--log-keys", &keys, "--checkpoint", &seen]));
    says(&said, &["has seen", "are missing"]);
    let Target::LogRecover(target) = desk.statement().target().clone() else { panic!() };
    assert_eq!(target.replaces.as_str(), second.1, "the key in force where the copy ends");
    let file = desk.directory().join("recover.json").display().to_string();
    good(by(&desk.room, "ada", &["approve", &file, "--yes"]));
    for end in ["act.json", "act.json.sig"] {
        let name = format!("recover.ada.{end}");
        std::fs::rename(desk.directory().join(&name), desk.directory().join("acts").join(&name)).unwrap();
    }
    desk.approves("bob");
    desk.attests("wanda");
    good(desk.complete());
    let recovery = desk.directory().join("recovery");
    let judged = || {
        let (directory, digest) = (recovery.display().to_string(), desk.old.to_string());
        desk.room.world.run(&["ceremony", "verify", &directory, "--genesis-sha256", &digest])
    };
    let (code, said, why) = judged();
    assert_eq!(code, 0, "{said}{why}");
    let ends = std::fs::read(recovery.join("known.keys.txt")).unwrap();
    std::fs::remove_file(recovery.join("known.keys.txt")).unwrap();
    let (code, _, why) = judged();
    assert!(code != 0 && why.contains("INVALID (checkpoint)"), "{why}");
    std::fs::write(recovery.join("known.keys.txt"), ends).unwrap();
    goes_on(&mut desk, ["ada", "bob"], "wanda");
    let status = desk.room.draft(
        "oskar",
        &template("key.resume", &format!("finding = \"again\"\nkey = \"{KEY}\"\nstop = 1\n")),
    );
    assert_eq!(told(&status.unwrap_err()).0, Reason::StatementRefused);
    desk.room.ends_well();
}
