//! `kill -9` of the daemon at every durable step of a key's birth on a token. Whatever the moment: no act that was answered
//! is lost, none counts twice, the ceremony goes on or is indeterminate, there are never two keys under its names, and
//! nothing that a crash left is ever used.

use std::collections::BTreeSet;

use ceremonies::act::{Decision, Deed};
use proto::reason::Reason;
use proto::wire::v1::{CeremonyState as State, SignedAct};
use tests::PATIENCE;
use tests::process::killed;
use tests::strace::{Attached, Fault, Point, Trace};
use tonic::Status;

use crate::rebind::uses;
use crate::room::{Open, Room, is_gone, new_key, template, told};

/// Before the record is written: as if it had not been asked. And at the syncs, of which the last finds it written, although
/// nobody has heard of it; the first after a start may be that of the log's empty journal.
pub const MOMENTS: [(&str, usize); 4] =
    [("pwrite64", 1), ("fdatasync", 1), ("fdatasync", 2), ("fdatasync", 3)];

/// Ends the daemon as it makes this call for the n-th time on its log, while something is asked. Says whether it came to
/// that; then it runs again.
pub fn strike<T>(
    room: &mut Room,
    call: &str,
    nth: usize,
    ask: impl FnOnce(&Room) -> Result<T, Status>,
) -> bool {
    let wal = room.world.state().join("log.db-wal");
    let point = Point { call: call.to_owned(), nth, path: Some(wal) };
    let trace = room.world.scratch().join("trace");
    let number = room.world.process().number();
    let attached = Attached::strike(number, &point, Fault::Kill, &trace);
    let answer = ask(room);
    drop(attached);
    let reached = answer.is_err();
    let mut daemon = room.world.release();
    if let Err(status) = answer {
        assert!(is_gone(&status), "{status}");
        assert!(killed(daemon.ended(PATIENCE)), "{point}: {status}");
    } else {
        daemon.kill();
    }
    daemon.silent(PATIENCE);
    room.world.start();
    reached
}

/// The durable steps of what is asked, which is done: of every commit of the log the first write and the sync.
pub fn steps<T>(room: &mut Room, ask: impl FnOnce(&Room) -> Result<T, Status>) -> Vec<(&'static str, usize)> {
    let (wal, trace) = (room.world.state().join("log.db-wal"), room.world.scratch().join("trace-of-steps"));
    let number = room.world.process().number();
    let attached = Attached::watch(number, &["pwrite64", "fdatasync"], &trace);
    drop(ask(room).unwrap());
    drop(attached);
    let (mut steps, mut writes, mut syncs, mut first) = (Vec::new(), 0, 0, true);
    let calls = Trace::read(&trace).calls;
    for (_, call, _) in calls.iter().filter(|(.., on)| on.contains(&format!("<{}>", wal.display()))) {
        if call == "fdatasync" {
            (syncs, first) = (syncs + 1, true);
            steps.push(("fdatasync", syncs));
        } else {
            writes += 1;
            if std::mem::take(&mut first) {
                steps.push(("pwrite64", writes));
            }
        }
    }
    steps
}

/// Sends an act of which nobody knows whether it arrived, as its person would: it is in the log once in the end.
#[track_caller]
pub fn arrives(room: &Room, open: &Open, act: &SignedAct, known: &mut BTreeSet<Vec<u8>>) -> bool {
    let digest = proto::hash::Hash::of(&act.document).as_bytes().to_vec();
    let there = |room: &Room| {
        let acts = room.ceremony(open).acts;
        for known in known.iter() {
            assert_eq!(
                acts.iter().filter(|act| act.act_sha256 == *known).count(),
                1,
                "an act is lost or double"
            );
        }
        acts.iter().filter(|act| act.act_sha256 == digest).count()
    };
    let before = there(room);
    assert!(before <= 1);
    let again = room.submit(act.clone());
    match before {
        0 => drop(again.unwrap()),
        _ => {
            let (reason, guard) = told(&again.unwrap_err());
            assert!(
                reason == Reason::ActRefused && ["replayed", "over"].contains(&guard.as_str()),
                "{guard}"
            );
        }
    }
    assert_eq!(there(room), 1);
    known.insert(digest);
    before == 1
}

/// Each moment of one act, told by what is in the log afterwards.
#[track_caller]
pub fn struck_act(room: &mut Room, open: &Open, who: &str, act: &SignedAct, known: &mut BTreeSet<Vec<u8>>) {
    let mut seen = BTreeSet::new();
    for (call, nth) in MOMENTS {
        if seen.contains(&true) {
            break;
        }
        let reached = strike(room, call, nth, |room| room.submit(act.clone()));
        let digest = proto::hash::Hash::of(&act.document).as_bytes().to_vec();
        let recorded = room.ceremony(open).acts.iter().any(|own| own.act_sha256 == digest);
        let kind = if recorded { "recorded, unanswered" } else { "not recorded" };
        tests::tell(&format!(
            "{who}, {call} {nth}: {}, {kind}",
            if reached { "reached" } else { "NOT REACHED" }
        ));
        assert!(reached, "{who}: {call} {nth} was never reached");
        seen.insert(recorded);
    }
    assert_eq!(seen, BTreeSet::from([false, true]), "{who}: both moments must be met");
    arrives(room, open, act, known);
    // Answered, and then killed.
    room.world.kill();
    room.world.start();
    assert!(
        room.ceremony(open).acts.iter().filter(|act| known.contains(&act.act_sha256)).count() == known.len()
    );
    tests::tell(&format!("{who}, answered: reached"));
}

#[test]
fn killed_at_every_act_before_the_start_and_after_it_and_none_is_lost() {
    let mut room = Room::token();
    let statement = room.draft("oskar", &new_key("release/linux", "hsm")).unwrap();
    let act = room.signed("oskar", Deed::Propose { statement: statement.digest() });
    let open = Open { id: statement.common().ceremony.to_string(), statement: statement.clone() };
    let mut seen = BTreeSet::new();
    for (call, nth) in MOMENTS {
        if seen.contains(&true) {
            break;
        }
        let reached =
            strike(&mut room, call, nth, |room| room.send_proposal(statement.encode(), act.clone()));
        tests::tell(&format!("proposed, {call} {nth}: {}", if reached { "reached" } else { "NOT REACHED" }));
        assert!(reached, "{call} {nth}");
        seen.insert(room.find(&open.id).is_ok());
    }
    assert_eq!(seen, BTreeSet::from([false, true]));
    let again = room.send_proposal(statement.encode(), act).unwrap_err();
    assert_eq!(told(&again).0, Reason::CeremonyExists);
    let mut known = BTreeSet::new();
    let digest = open.digest();
    let (decision, statement) = (Decision::Accept, digest);
    for officer in ["ada", "bob"] {
        let act = room.signed(officer, Deed::Approve { decision, statement });
        struck_act(&mut room, &open, officer, &act, &mut known);
    }
    for witness in ["wanda", "walter"] {
        let act = room.signed(witness, Deed::Attest { decision, outcome: None, statement });
        struck_act(&mut room, &open, witness, &act, &mut known);
    }
    assert_eq!((room.state(&open), room.births()), (State::Armed, 0));
    room.executes(&open).unwrap();
    let output = room.ceremony(&open).outputs;
    let outcome = Some(room.outcome(&open));
    for witness in ["wanda", "walter"] {
        let act = room.signed(witness, Deed::Attest { decision, outcome, statement });
        struck_act(&mut room, &open, &format!("{witness}, after"), &act, &mut known);
    }
    // The last attestation was recorded by a daemon that did not come to complete it: the next one did.
    room.until(&open, State::Completed);
    let kinds = room.kinds(0);
    assert_eq!(kinds.iter().filter(|kind| *kind == "ceremony.completed").count(), 1, "{kinds:?}");
    assert_eq!(room.ceremony(&open).outputs, output);
    assert_eq!((room.keys_of(&open), room.births()), (1, 1));
    assert_eq!(uses(&room, "release/linux"), Ok(()));
    room.ends_well();
}

/// Where the log of a ceremony stood when the daemon was killed, and what was on the token then.
fn place(room: &Room, open: &Open, from: u64) -> &'static str {
    let kinds = room.kinds(from);
    let has = |kind: &str| kinds.iter().any(|own| own == kind);
    match (has("ceremony.started"), has("ceremony.executed"), room.keys_of(open)) {
        (false, false, 0) => "before the start",
        (true, false, 0) => "started, nothing made",
        (true, false, 1) => "made, not recorded",
        (true, true, 1) => "executed, unanswered",
        other => panic!("{other:?}: {kinds:?}"),
    }
}

#[test]
fn killed_at_every_step_of_an_execution_it_is_never_repeated_and_never_adopted() {
    let mut room = Room::token();
    let mut places = BTreeSet::new();
    let points: Vec<(&str, usize)> =
        [("pwrite64", 1)].into_iter().chain((1..=12).map(|n| ("fdatasync", n))).collect();
    for (call, nth) in points {
        let name = format!("release/{call}-{nth}");
        let open = room.proposed(&new_key(&name, "hsm"));
        room.arm(&open);
        let (from, births) = (room.head().size, room.births());
        let act = room.signed("oskar", Deed::Execute { statement: open.digest() });
        if !strike(&mut room, call, nth, |room| room.send_start(act.clone())) {
            assert!(nth > 1, "{call} was never reached");
            assert_eq!((room.state(&open), room.keys_of(&open)), (State::Executed, 1));
            room.complete(&open);
            break;
        }
        let place = place(&room, &open, from);
        tests::tell(&format!("execution, {call} {nth}: reached, {place}"));
        places.insert(place);
        let judged = match place {
            "before the start" => State::Armed,
            "executed, unanswered" => State::Executed,
            _ => State::Indeterminate,
        };
        room.until(&open, judged);
        if judged == State::Indeterminate {
            let made = room.mark();
            assert_eq!(told(&room.executes(&open).unwrap_err()).0, Reason::ActRefused);
            assert_eq!(told(&room.send_start(act.clone()).unwrap_err()).0, Reason::ActRefused);
            assert_eq!(room.mark(), made, "nothing is made again, nothing is adopted");
            assert!(room.uses(&name).is_err());
            resolves(&room, &open, "destroy");
            assert_eq!(room.keys_of(&open), 0);
            room.until(&open, State::Armed);
            assert_eq!(told(&room.send_start(act.clone()).unwrap_err()).1, "replayed");
        }
        if judged != State::Executed {
            room.executes(&open).unwrap();
        }
        if place == "before the start" {
            // The last attestation and the completion are two records: killed as the second is written.
            room.attests_after("wanda", &open).unwrap();
            let outcome = Some(room.outcome(&open));
            let last = Deed::Attest { decision: Decision::Accept, outcome, statement: open.digest() };
            let last = room.signed("walter", last);
            assert!(
                strike(&mut room, "fdatasync", 2, |room| room.submit(last)),
                "the completion was never reached"
            );
            tests::tell("completed, unanswered: reached");
            room.until(&open, State::Completed);
            // And once more, when everything is over.
            room.world.kill();
            room.world.start();
        } else {
            room.complete(&open);
        }
        assert_eq!(room.state(&open), State::Completed);
        assert_eq!(room.keys_of(&open), 1);
        assert!(room.births() - births <= 2);
        assert_eq!(uses(&room, &name), Ok(()));
    }
    let all = ["before the start", "started, nothing made", "made, not recorded", "executed, unanswered"];
    for place in all {
        assert!(places.contains(place), "never reached: {place}; reached: {places:?}");
    }
    room.ends_well();
}

/// A `resolve` of an interrupted ceremony, approved by two officers; a witness is missing.
pub fn clearing(room: &Room, open: &Open, leftover: &str) -> Open {
    let target =
        format!("ceremony = \"{}\"\nleftover = \"{leftover}\"\nstatement = \"{}\"\n", open.id, open.digest());
    let resolve = room.proposed(&template("resolve", &target));
    for officer in ["ada", "carol"] {
        room.approves(officer, &resolve).unwrap();
    }
    resolve
}

/// The same until it is completed.
#[track_caller]
pub fn resolves(room: &Room, open: &Open, leftover: &str) -> Open {
    let resolve = clearing(room, open, leftover);
    room.attests("wanda", &resolve).unwrap();
    room.until(&resolve, State::Executed);
    room.attests_after("wanda", &resolve).unwrap();
    assert_eq!(room.state(&resolve), State::Completed);
    resolve
}
