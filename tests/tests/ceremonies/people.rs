//! Somebody new comes into the roster, by the real program from the proof of her key to the transcript; and `kill -9` of the
//! daemon at every durable step of that.

use std::collections::BTreeSet;
use std::process::Command;

use ceremonies::act::{Decision, Deed};
use ceremonies::transcript::{Verdict, verify};
use proto::hash::Hash;
use proto::wire::v1::CeremonyState as State;
use tests::process::Process;

use crate::kill::{MOMENTS, strike, struck_act};
use crate::room::{Open, Room, new_key};

/// What somebody's own command line does: with a key of his own, and what his machine has seen.
pub fn by(room: &Room, person: &str, arguments: &[&str]) -> Command {
    let mut command = room.world.countersign(arguments);
    command.args(["--person", person, "--signing-key"]).arg(room.world.place().join("people").join(person));
    command.arg("--state").arg(room.world.scratch().join(format!("seen-{person}")));
    command.env_remove("SSH_AUTH_SOCK").stdin(std::process::Stdio::null());
    command
}

#[track_caller]
pub fn done(room: &Room, person: &str, arguments: &[&str]) -> String {
    Process::output(by(room, person, arguments))
}

/// What a command says that does not do it.
#[track_caller]
pub fn refused(room: &Room, person: &str, arguments: &[&str]) -> String {
    let output = by(room, person, arguments).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success(), "{said}");
    said
}

/// The roster after the one in force as somebody writes it, in this file: one goes, and the other comes in his place.
pub fn writes_roster(room: &Room, file: &str, goes: &str, comes: Option<&str>) {
    let present = room.roster();
    let mut text = format!(
        "version = {}\nmode = \"rehearsal\"\napprovals = {}\n",
        present.version() + 1,
        present.approvals()
    );
    for person in present.document().people {
        let (id, keys) = match (person.person == goes, comes) {
            (false, _) => (person.person.clone(), person.keys.clone()),
            (true, Some(comes)) => (comes.to_owned(), vec![room.key(comes).public().to_string()]),
            (true, None) => continue,
        };
        let quoted =
            |items: &[String]| items.iter().map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(", ");
        text.push_str(&format!(
            "\n[[person]]\nperson = \"{id}\"\nname = \"{id}\"\nunit = \"{}\"\nroles = [{}]\nkeys = [{}]\n",
            person.unit,
            quoted(&person.roles),
            quoted(&keys)
        ));
    }
    std::fs::write(room.world.scratch().join(file), text).unwrap();
}

/// A template without a target: that follows from the roster.
pub fn writes_template(room: &Room) {
    let template = "kind = \"roster.change\"\nmode = \"rehearsal\"\nenvironment = \"rehearsal\"\nlives = \"1h\"\n\
                    purpose = \"somebody comes\"\njustification = \"to see it\"\nticket = \"none\"\n";
    std::fs::write(room.world.scratch().join("change.toml"), template).unwrap();
}

#[test]
fn somebody_new_proves_her_key_and_decides_from_then_on() {
    let mut room = Room::software();
    room.enters("dora");
    // Names are written as ids here, so that everybody changes his name, too.
    writes_roster(&room, "next.toml", "carol", Some("dora"));
    writes_template(&room);
    let said = refused(&room, "ada", &["ceremony", "prove", "next.toml", "--yes"]);
    assert!(said.contains("needs no proof"), "{said}");
    let said = refused(&room, "dora", &["ceremony", "new", "change.toml", "--roster", "next.toml"]);
    assert!(said.contains("not in the roster"), "{said}");
    let said = refused(&room, "oskar", &["ceremony", "new", "change.toml", "--roster", "next.toml"]);
    assert!(said.contains("no proof of possession by it came"), "{said}");
    let said = done(&room, "dora", &["ceremony", "prove", "next.toml", "-o", "dora.proof", "--yes"]);
    assert!(said.contains("joins") && said.contains("SHA256:"), "{said}");
    let proven = ["--roster", "next.toml", "--proof", "dora.proof"];
    let new = [&["ceremony", "new", "change.toml", "-o", "change.json"], &proven[..]].concat();
    let said = done(&room, "oskar", &new);
    assert!(said.contains("propose change.json --roster next.toml --proof dora.proof"), "{said}");
    let propose = [&["ceremony", "propose", "change.json", "--yes"], &proven[..]].concat();
    done(&room, "oskar", &propose);
    let statement = std::fs::read(room.world.scratch().join("change.json")).unwrap();
    let statement = ceremonies::statement::Statement::parse(&statement).unwrap();
    let open = Open { id: statement.common().ceremony.to_string(), statement };
    // She is asked, although no roster in force knows her.
    let said = done(&room, "dora", &["inbox"]);
    assert!(said.contains("countersign approve"), "{said}");
    for officer in ["ada", "bob", "dora"] {
        let said = done(&room, officer, &["approve", &open.id, "--yes"]);
        for part in ["joins", "dora (dora) of release, officer", "leaves", "Carol (carol)", "SHA256:"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    for _before_and_after in 0..2 {
        for witness in ["wanda", "walter"] {
            done(&room, witness, &["attest", &open.id, "--yes"]);
        }
    }
    assert_eq!(room.state(&open), State::Completed);
    // From now on she decides, and carol is nobody.
    std::fs::write(room.world.scratch().join("key.toml"), new_key("release/linux", "software")).unwrap();
    done(&room, "dora", &["ceremony", "new", "key.toml", "-o", "key.json"]);
    done(&room, "dora", &["ceremony", "propose", "key.json", "--yes"]);
    let said = refused(&room, "carol", &["inbox"]);
    assert!(said.contains("not in the roster"), "{said}");
    done(&room, "dora", &["ceremony", "transcript", &open.id, "--out", "transcript"]);
    let genesis = Hash::of(&room.genesis.encode()).to_string();
    let said = done(&room, "dora", &["ceremony", "verify", "transcript", "--genesis-sha256", &genesis]);
    assert!(said.contains("VALID") && !said.contains("DEVIATIONS"), "{said}");
    room.ends_well();
}

#[test]
fn killed_at_every_step_of_a_roster_change_it_is_the_old_roster_or_the_new_one() {
    let mut room = Room::software();
    room.enters("dora");
    let next = room.replaces("carol", "dora");
    let old = room.roster();
    let statement = room.drafts_roster("oskar", &next).unwrap();
    let act = room.signed("oskar", Deed::Propose { statement: statement.digest() });
    let open = Open { id: statement.common().ceremony.to_string(), statement: statement.clone() };
    let mut seen = BTreeSet::new();
    for (call, nth) in MOMENTS {
        if seen.contains(&true) {
            break;
        }
        let documents = next.documents.clone();
        let reached = strike(&mut room, call, nth, |room| {
            room.send_proposal_with(statement.encode(), act.clone(), documents)
        });
        assert!(reached, "{call} {nth}");
        seen.insert(room.find(&open.id).is_ok());
    }
    assert_eq!(seen, BTreeSet::from([false, true]));
    let mut known = BTreeSet::new();
    let (decision, digest) = (Decision::Accept, open.digest());
    for officer in ["ada", "bob", "dora"] {
        let act = room.signed(officer, Deed::Approve { decision, statement: digest });
        struck_act(&mut room, &open, officer, &act, &mut known);
    }
    let attest = Deed::Attest { decision, outcome: None, statement: digest };
    let act = room.signed("wanda", attest.clone());
    struck_act(&mut room, &open, "wanda", &act, &mut known);
    // The last one arms it: its start and its outputs are records of their own, and each may be the last of a daemon.
    let act = room.signed("walter", attest);
    assert!(strike(&mut room, "fdatasync", 3, |room| room.submit(act.clone())));
    if room.state(&open) == State::Proposed {
        room.submit(act).unwrap();
    }
    room.until(&open, State::Executed);
    assert_eq!(room.roster(), old);
    room.attests_after("wanda", &open).unwrap();
    // The last attestation and the completion are two records: killed as the second is written, and once more after it.
    let outcome = Some(room.outcome(&open));
    let last = room.signed("walter", Deed::Attest { decision, outcome, statement: digest });
    let _reached = strike(&mut room, "fdatasync", 2, |room| room.submit(last));
    room.until(&open, State::Completed);
    let end = crate::room::now().later(tests::PATIENCE);
    while room.ceremony(&open).completed.is_none() && crate::room::now() < end {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    room.world.kill();
    room.world.start();
    assert_eq!(room.roster(), next.roster);
    let kinds = room.kinds(0);
    assert_eq!(kinds.iter().filter(|kind| *kind == "ceremony.completed").count(), 1, "{kinds:?}");
    let verdict = verify(&room.transcript(&open).unwrap(), Hash::of(&room.genesis.encode()));
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict}");
    room.ends_well();
}
