//! One who does everything that he can, alone: no key comes into force by him, no stop is lifted, and the others can still
//! veto and hold a ceremony without him.

use ceremonies::act::{Decision, Deed, Outcome};
use proto::hash::Hash;
use proto::reason::Reason;
use proto::term::Term;
use proto::wire::v1::incident_service_client::IncidentServiceClient;
use proto::wire::v1::stop_target::Target;
use proto::wire::v1::{CeremonyState, ListCeremoniesRequest, StopRequest, StopTarget};
use tests::ask;

use crate::room::{Open, Room, new_key, now, template};

const KEY: &str = "release/linux";
const OTHER: &str = "release/windows";

/// The others, without the one: who proposes, two officers, a witness.
struct Others {
    initiator: &'static str,
    officers: [&'static str; 2],
    witness: &'static str,
}

impl Others {
    fn without(rogue: &str) -> Self {
        let initiator = if rogue == "oskar" { "bob" } else { "oskar" };
        let all = ["ada", "bob", "carol"];
        let free: Vec<_> = all.into_iter().filter(|one| *one != rogue && *one != initiator).collect();
        let witness = if rogue == "walter" { "wanda" } else { "walter" };
        Self { initiator, officers: [free[0], free[1]], witness }
    }
}

/// Everything that somebody can say about a ceremony, and about the instance. What ends a ceremony comes only where asked.
fn deeds(open: &Open, rogue: &str, spent: &[Hash], ends: bool) -> Vec<Deed> {
    let statement = open.digest();
    let outcome = Outcome { deviations: Hash::ZERO, outputs: Hash::ZERO };
    let mut deeds = vec![
        Deed::Propose { statement },
        Deed::Approve { decision: Decision::Accept, statement },
        Deed::Attest { decision: Decision::Accept, outcome: None, statement },
        Deed::Attest { decision: Decision::Accept, outcome: Some(outcome), statement },
        Deed::Execute { statement },
        Deed::Deviation { statement },
        Deed::Abort { statement },
        Deed::Approve { decision: Decision::Refuse, statement },
        Deed::Attest { decision: Decision::Refuse, outcome: None, statement },
        Deed::Approve { decision: Decision::Accept, statement },
        Deed::Attest { decision: Decision::Accept, outcome: None, statement },
        Deed::Execute { statement },
        Deed::AcceptClock { clock: now() },
    ];
    let withdraws = spent.iter().map(|act| Deed::Withdraw { act: *act, statement });
    deeds.extend(withdraws);
    let others = ["ada", "bob", "carol", "oskar", "walter", "wanda"].into_iter().filter(|one| *one != rogue);
    deeds.extend(others.map(|one| Deed::Suspend { person: one.parse().unwrap() }));
    if ends {
        deeds.push(Deed::Veto { statement });
    }
    deeds
}

/// A stop by somebody's act.
fn stops(room: &Room, person: &str, target: Target, term: Term) -> Result<(), tonic::Status> {
    let act = room.signed(person, Deed::Stop { stops: vec![term] });
    let target = Some(StopTarget { target: Some(target) });
    let request = StopRequest { target, reason: String::new(), act: Some(act) };
    let mut client = IncidentServiceClient::new(room.channel());
    room.wait(client.stop(request)).map(drop)
}

/// What one does with a ceremony, in an order of his own, through every call.
fn rages(room: &Room, rogue: &str, open: &Open, round: usize, ends: bool) {
    let mut spent = Vec::new();
    for pass in 0..2 {
        let mut deeds = deeds(open, rogue, &spent, ends && pass == 1);
        let length = deeds.len();
        deeds.rotate_left((round * 5 + pass * 3) % length);
        if round % 2 == 1 {
            deeds.reverse();
        }
        for deed in deeds {
            let act = room.signed(rogue, deed);
            spent.push(Hash::of(&act.document));
            // Refused or taken: what counts is what comes of all of it. Each is tried in every call.
            let answers = [
                room.submit(act.clone()).map(drop),
                room.send_start(act.clone()).map(drop),
                room.send_proposal(open.statement.encode(), act.clone()).map(drop),
            ];
            assert!(answers.iter().filter(|answer| answer.is_ok()).count() <= 1, "an act counts once");
            for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
                ask::explained(refused);
                assert_ne!(ask::reason(refused), Reason::Internal, "{refused}");
            }
        }
    }
}

fn alone(rogue: &'static str) {
    let room = Room::software();
    let others = Others::without(rogue);
    // A key that is in force, and stopped.
    let first = room.proposed(&new_key(KEY, "software"));
    room.arm(&first);
    room.executes(&first).unwrap();
    room.complete(&first);
    room.uses(KEY).unwrap();
    let stop = ask::stop(&room.world, Target::Key(KEY.to_owned())).unwrap().log_index.unwrap();
    let before = room.head().size;

    // Somebody else's proposals, and his own where he may propose: for a key, for the stop.
    let resume = |finding: &str| {
        template("key.resume", &format!("finding = \"{finding}\"\nkey = \"{KEY}\"\nstop = {stop}\n"))
    };
    let mut opened = Vec::new();
    for (round, initiator) in [others.initiator, rogue].into_iter().enumerate() {
        for template in
            [new_key(OTHER, "software"), resume("it was nothing"), new_key("release/darwin", "software")]
        {
            let Ok(statement) = room.draft(initiator, &template) else { continue };
            if let Ok(open) = room.propose(&statement) {
                opened.push((open, round));
            }
        }
    }
    assert!(opened.len() >= 3);
    for (at, (open, round)) in opened.iter().enumerate() {
        rages(&room, rogue, open, at + round, at % 3 == 2);
    }
    // Stopping is what one alone may do, if his role says so. It is no way to anything else.
    let more = stops(&room, rogue, Target::Key(KEY.to_owned()), Term::Key(KEY.parse().unwrap()));
    assert_eq!(more.is_ok(), rogue != "oskar", "{more:?}");

    let kinds = room.kinds(before);
    for effect in ["ceremony.started", "ceremony.executed", "ceremony.completed", "ceremony.interrupted"] {
        assert!(!kinds.iter().any(|kind| kind == effect), "{effect}: {kinds:?}");
    }
    for (key, reason) in
        [(KEY, Reason::KeySuspended), (OTHER, Reason::UnknownKey), ("release/darwin", Reason::UnknownKey)]
    {
        assert_eq!(ask::reason(&room.uses(key).unwrap_err()), reason, "{key}");
    }
    // Whatever he has open, somebody else can veto: the key's ceremonies by one, what lifts a stop by two.
    for (open, _) in &opened {
        let is_over = |open: &Open| room.state(open) == CeremonyState::Vetoed;
        for one in [others.witness, others.officers[0]] {
            if !is_over(open) {
                room.vetoes(one, open).unwrap();
            }
        }
        assert!(is_over(open), "{:?} {:?}", open.statement.kind(), room.state(open));
    }
    let mut client = room.client();
    let list = room.wait(client.list_ceremonies(ListCeremoniesRequest::default())).unwrap().into_inner();
    assert!(list.ceremonies.is_empty(), "{:?}", list.ceremonies);

    // Without him the stop is lifted, although he vetoes that: one after the other, for he may have stopped it again.
    let lifted: Vec<u64> = {
        let records = room.world.ledger().records;
        let stopped =
            records.iter().enumerate().filter(|(_, record)| record.body["kind"] == "incident.stopped");
        stopped.map(|(index, _)| index as u64).collect()
    };
    assert!(lifted.contains(&stop), "{lifted:?}");
    for stop in lifted {
        let target = format!("finding = \"a drill\"\nkey = \"{KEY}\"\nstop = {stop}\n");
        let statement = room.draft(others.initiator, &template("key.resume", &target)).unwrap();
        let open = room.propose(&statement).unwrap();
        let _vetoed_or_may_not = room.vetoes(rogue, &open);
        let _refused_or_may_not =
            room.does(rogue, Deed::Approve { decision: Decision::Refuse, statement: open.digest() });
        for officer in others.officers {
            room.approves(officer, &open).unwrap();
        }
        room.attests(others.witness, &open).unwrap();
        room.until(&open, CeremonyState::Executed);
        room.attests_after(others.witness, &open).unwrap();
        assert_eq!(room.state(&open), CeremonyState::Completed);
    }
    room.uses(KEY).unwrap();
    room.ends_well();
}

#[test]
fn an_officer_alone_comes_to_nothing() {
    alone("ada");
}

#[test]
fn a_witness_alone_comes_to_nothing() {
    alone("wanda");
}

/// The operator is the one who proposes most, too.
#[test]
fn an_operator_alone_comes_to_nothing() {
    alone("oskar");
}

#[test]
fn a_responder_alone_comes_to_nothing() {
    alone("rita");
}

/// An officer who proposes himself.
#[test]
fn an_initiator_alone_comes_to_nothing() {
    alone("carol");
}
