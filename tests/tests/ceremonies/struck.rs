//! `kill -9` where people take back or end something, and in ceremonies that start by themselves: no act that was answered is
//! lost, none counts twice, and what was decided goes on.

use std::collections::BTreeSet;

use ceremonies::act::{Decision, Deed};
use ceremonies::transcript::{Verdict, verify};
use proto::hash::Hash;
use proto::wire::v1::CeremonyState as State;

use crate::destroy::{destruction, failed_birth};
use crate::kill::{arrives, clearing, steps, strike, struck_act};
use crate::rebind::{born, uses};
use crate::room::{Open, Room, new_key, template};
use crate::scenarios::interrupted;

/// How many records of this kind there are.
fn count(kinds: &[String], wanted: &str) -> usize {
    kinds.iter().filter(|kind| *kind == wanted).count()
}

/// The last record of a daemon that was killed: the next one begins with what it was started with.
fn newest_before_a_start(kinds: &[String]) -> &str {
    let start = kinds.iter().position(|kind| kind == "config");
    kinds[..start.unwrap_or(kinds.len())].last().map_or("nothing", String::as_str)
}

/// A `grant.change` to the grants that are there and one more; with the digest that is in force then.
fn grants(room: &Room, number: usize) -> (Open, Hash) {
    let replaces = hex::encode(&room.instance().grants_sha256);
    let held = std::fs::read_to_string(room.world.place().join("grants.cedar")).unwrap();
    let text = format!(
        "{held}@id(\"guest-{number}\")\npermit (principal == Caller::\"unix:77\", action, resource);\n"
    );
    let digest = Hash::of(text.as_bytes());
    let target = format!("grants = \"{digest}\"\nreplaces = \"{replaces}\"\n");
    let statement = room.draft("oskar", &template("grant.change", &target)).unwrap();
    let act = room.signed("oskar", Deed::Propose { statement: statement.digest() });
    let documents = [("grants".to_owned(), text.into_bytes())].into();
    room.send_proposal_with(statement.encode(), act, documents).unwrap();
    (Open { id: statement.common().ceremony.to_string(), statement }, digest)
}

#[test]
fn killed_at_every_act_that_takes_back_or_ends_something_and_none_is_lost() {
    const KEY: &str = "release/linux";
    let mut room = Room::token();
    // A withdrawal, and a veto.
    let before = room.instance().grants_sha256;
    let (open, _) = grants(&room, 1);
    let (mut known, statement) = (BTreeSet::new(), open.digest());
    let act = room.signed("ada", Deed::Approve { decision: Decision::Accept, statement });
    let approval = Hash::of(&act.document);
    room.submit(act).unwrap();
    let act = room.signed("ada", Deed::Withdraw { act: approval, statement });
    struck_act(&mut room, &open, "ada takes it back", &act, &mut known);
    assert_eq!(room.ceremony(&open).approvers, Vec::<String>::new());
    room.approves("bob", &open).unwrap();
    assert_eq!(room.state(&open), State::Proposed, "what was taken back counts no more");
    room.approves("ada", &open).unwrap();
    room.until(&open, State::Completed);
    assert_ne!(room.instance().grants_sha256, before);
    let (open, digest) = grants(&room, 2);
    let act = room.signed("carol", Deed::Veto { statement: open.digest() });
    struck_act(&mut room, &open, "carol's veto", &act, &mut BTreeSet::new());
    assert_eq!(room.state(&open), State::Vetoed);
    assert_ne!(room.instance().grants_sha256, digest.as_bytes());

    // A deviation.
    let open = room.proposed(&new_key(KEY, "hsm"));
    room.arm(&open);
    room.executes(&open).unwrap();
    let act = room.signed("wanda", Deed::Deviation { statement: open.digest() });
    struck_act(&mut room, &open, "wanda's deviation", &act, &mut BTreeSet::new());
    room.complete(&open);
    assert_eq!((room.keys_of(&open), room.births()), (1, 1));
    let Verdict::ValidWithDeviations(verified) =
        verify(&room.transcript(&open).unwrap(), room.genesis.digest())
    else {
        panic!("what was said is in its transcript")
    };
    assert_eq!(verified.deviations.len(), 1, "{:?}", verified.deviations);

    // An abort: of a destruction, which goes on whatever is killed, until a person says no.
    let left = failed_birth(&room, "release/windows");
    let open = room.proposed(&destruction("release/windows", &left));
    room.arm(&open);
    let wire = room.wire.as_ref().unwrap();
    wire.hang("DestroyObject").unwrap();
    let started = room.executes_beside(&open);
    room.until(&open, State::Executing);
    let act = room.signed("carol", Deed::Abort { statement: open.digest() });
    struck_act(&mut room, &open, "carol's abort", &act, &mut BTreeSet::new());
    assert!(room.wait(started).unwrap().is_err());
    assert_eq!(room.state(&open), State::Aborted);
    room.wire.as_ref().unwrap().clear().unwrap();
    let size = room.head().size;
    room.world.kill();
    room.world.start();
    assert_eq!((room.state(&open), count(&room.kinds(size), "ceremony.executed")), (State::Aborted, 0));
    assert_eq!((room.keys_of(&left.birth), uses(&room, KEY)), (1, Ok(())));
    let again = room.proposed(&destruction("release/windows", &left));
    room.arm(&again);
    room.executes(&again).unwrap();
    room.complete(&again);
    assert_eq!((room.keys_of(&left.birth), room.births()), (0, 2));
    room.ends_well();
}

#[test]
fn killed_at_every_step_of_a_grant_change_it_comes_into_force_once() {
    let mut room = Room::software();
    let approve = |room: &Room, open: &Open| {
        room.signed("bob", Deed::Approve { decision: Decision::Accept, statement: open.digest() })
    };
    let prepared = |room: &Room, number: usize| {
        let (open, digest) = grants(room, number);
        room.approves("ada", &open).unwrap();
        let act = approve(room, &open);
        (open, digest, act)
    };
    let (open, _, act) = prepared(&room, 0);
    let steps = steps(&mut room, |room| room.submit(act));
    assert_eq!(room.state(&open), State::Completed);
    let mut places = BTreeSet::new();
    for (number, (call, nth)) in steps.into_iter().enumerate() {
        let (open, digest, act) = prepared(&room, number + 1);
        let (from, before) = (room.head().size, room.instance().grants_sha256);
        let reached = strike(&mut room, call, nth, |room| room.submit(act.clone()));
        let kinds = room.kinds(from);
        let place = newest_before_a_start(&kinds).to_owned();
        tests::tell(&format!(
            "grants, {call} {nth}: {}, {place}",
            if reached { "reached" } else { "NOT REACHED" }
        ));
        if place == "nothing" {
            assert_eq!((room.state(&open), &room.instance().grants_sha256), (State::Proposed, &before));
        }
        places.insert(place);
        arrives(&room, &open, &act, &mut BTreeSet::new());
        room.until(&open, State::Completed);
        assert_eq!(room.instance().grants_sha256, digest.as_bytes());
        let kinds = room.kinds(from);
        for kind in ["ceremony.act", "ceremony.started", "ceremony.executed", "ceremony.completed"] {
            assert_eq!(count(&kinds, kind), 1, "{kind}: {kinds:?}");
        }
    }
    for place in ["nothing", "ceremony.act", "ceremony.started", "ceremony.executed", "ceremony.completed"] {
        assert!(places.contains(place), "never killed after {place}: {places:?}");
    }
    room.ends_well();
}

#[test]
fn killed_at_every_step_of_a_resolve_it_clears_up_and_the_birth_starts_once_more() {
    const FIRST: &str = "release/first";
    let mut room = Room::token();
    let _first = born(&room, FIRST);
    let attest = |room: &Room, resolve: &Open| {
        let statement = resolve.digest();
        room.signed("wanda", Deed::Attest { decision: Decision::Accept, outcome: None, statement })
    };
    let prepared = |room: &mut Room, number: usize| {
        let open = interrupted(room, &format!("release/key-{number}"));
        // The token is up, or it would be waited for.
        assert_eq!(uses(room, FIRST), Ok(()));
        assert_eq!(room.keys_of(&open), 1);
        let resolve = clearing(room, &open, "destroy");
        let act = attest(room, &resolve);
        (open, resolve, act)
    };
    let (_, resolve, act) = prepared(&mut room, 0);
    let steps = steps(&mut room, |room| room.submit(act));
    assert_eq!(room.state(&resolve), State::Executed);
    let mut places = BTreeSet::new();
    for (number, (call, nth)) in steps.into_iter().enumerate() {
        let (open, resolve, act) = prepared(&mut room, number + 1);
        let (from, births) = (room.head().size, room.births());
        let reached = strike(&mut room, call, nth, |room| room.submit(act.clone()));
        let place = newest_before_a_start(&room.kinds(from)).to_owned();
        arrives(&room, &resolve, &act, &mut BTreeSet::new());
        room.until(&resolve, State::Executed);
        assert_eq!((room.keys_of(&open), room.births()), (0, births), "nothing is left, nothing is made");
        let outputs: serde_json::Value = serde_json::from_slice(&room.ceremony(&resolve).outputs).unwrap();
        // What a daemon destroyed that was killed before it could say so, the next one did not find.
        let found = outputs["destroyed"].as_array().unwrap().len();
        tests::tell(&format!(
            "resolve, {call} {nth}: {}, {place}, {found} found",
            if reached { "reached" } else { "NOT REACHED" }
        ));
        places.insert((place, found));
        let kinds = room.kinds(from);
        for kind in ["ceremony.act", "ceremony.started", "ceremony.executed"] {
            assert_eq!(count(&kinds, kind), 1, "{kind}: {kinds:?}");
        }
        assert_eq!(room.state(&open), State::Indeterminate, "nothing is in force before it is attested");
        room.attests_after("wanda", &resolve).unwrap();
        room.until(&open, State::Armed);
        room.executes(&open).unwrap();
        room.complete(&open);
        assert_eq!((room.keys_of(&open), room.births()), (1, births + 1));
    }
    let all = [("nothing", 1), ("ceremony.act", 1), ("ceremony.started", 1), ("ceremony.started", 0)];
    for (place, found) in all {
        assert!(places.contains(&(place.to_owned(), found)), "never: {place}, {found}; {places:?}");
    }
    room.ends_well();
}
