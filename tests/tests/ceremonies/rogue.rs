//! One who does everything that he can, alone, in each role: no key comes into force by him, no stop is lifted, nobody joins
//! him; and the others suspend him, put somebody else in his place, and hold the next ceremony without him.

use std::collections::BTreeMap;

use ceremonies::act::{Decision, Deed, Outcome};
use proto::hash::Hash;
use proto::reason::Reason;
use proto::term::Term;
use proto::wire::v1::incident_service_client::IncidentServiceClient;
use proto::wire::v1::stop_target::Target;
use proto::wire::v1::{CeremonyState as State, ListCeremoniesRequest, SignedAct, StopRequest, StopTarget};
use tests::ask;

use crate::room::{Open, Room, new_key, now, template, told};
use crate::suspend::{suspended, suspends};

const KEY: &str = "release/linux";
const OTHER: &str = "release/windows";
const NEW: &str = "release/darwin";
/// Who signs with the keys.
const CALLER: &str = "spiffe://countersign.example.org/client/first";

/// The others, without the one: who proposes, two officers, two witnesses.
pub struct Others {
    initiator: &'static str,
    officers: [&'static str; 2],
    witnesses: [&'static str; 2],
}

impl Others {
    pub fn without(rogue: &str) -> Self {
        let initiator = if rogue == "oskar" { "bob" } else { "oskar" };
        let two = |all: [&'static str; 3]| {
            let mut free = all.into_iter().filter(|one| *one != rogue && *one != initiator);
            [free.next().unwrap(), free.next().unwrap()]
        };
        Self {
            initiator,
            officers: two(["ada", "bob", "carol"]),
            witnesses: two(["wanda", "walter", "wendy"]),
        }
    }
}

const EVERYBODY: [&str; 8] = ["ada", "bob", "carol", "oskar", "rita", "walter", "wanda", "wendy"];

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
    let others = EVERYBODY.into_iter().filter(|one| *one != rogue);
    deeds.extend(others.map(|one| Deed::Suspend { person: one.parse().unwrap() }));
    if ends {
        deeds.push(Deed::Veto { statement });
    }
    deeds
}

/// A stop by an act, through the call that takes such.
pub fn stops(room: &Room, act: SignedAct, target: Target) -> Result<(), tonic::Status> {
    let target = Some(StopTarget { target: Some(target) });
    let request = StopRequest { target, reason: String::new(), act: Some(act) };
    let mut client = IncidentServiceClient::new(room.channel());
    room.wait(client.stop(request)).map(drop)
}

fn stops_key(room: &Room, person: &str) -> Result<(), tonic::Status> {
    let act = room.signed(person, Deed::Stop { stops: vec![Term::Key(KEY.parse().unwrap())] });
    stops(room, act, Target::Key(KEY.to_owned()))
}

fn stops_everything(room: &Room, person: &str) -> Result<(), tonic::Status> {
    stops(room, room.signed(person, Deed::Stop { stops: vec![Term::All] }), Target::All(true))
}

/// Whatever can be stopped by one act: a key, who signs with it, where it is, and everything.
fn stops_whatever_there_is(room: &Room, person: &str) -> Vec<Result<(), tonic::Status>> {
    let (caller, backend) = (CALLER.to_owned(), "software".to_owned());
    let act = |term| room.signed(person, Deed::Stop { stops: vec![term] });
    vec![
        stops_key(room, person),
        stops(room, act(Term::Caller(caller.clone())), Target::Caller(caller)),
        stops(room, act(Term::Backend(backend.clone())), Target::Backend(backend)),
        stops_everything(room, person),
    ]
}

/// Every stop of the log, with what it stops.
fn stopped(room: &Room) -> Vec<(u64, Term)> {
    let records = room.world.ledger().records;
    let stopped = records.iter().enumerate().filter(|(_, record)| record.body["kind"] == "incident.stopped");
    let term = |record: &tests::ledger::Record| {
        let terms: Vec<Term> = serde_json::from_value(record.body["stops"].clone()).unwrap();
        let [term] = &terms[..] else { panic!("{terms:?}") };
        term.clone()
    };
    stopped.map(|(index, record)| (index as u64, term(record))).collect()
}

/// The proposal to end a stop: of a key by its resumption, of anything else by a `stop.lift`.
fn proposes_lift(room: &Room, initiator: &str, (stop, term): &(u64, Term)) -> Open {
    let (kind, what) = match term {
        Term::Key(key) => ("key.resume", format!("key = \"{key}\"\n")),
        Term::All => ("stop.lift", "terms = [\"all\"]\n".to_owned()),
        Term::Backend(name) => ("stop.lift", format!("terms = [{{ backend = \"{name}\" }}]\n")),
        Term::Caller(id) => ("stop.lift", format!("terms = [{{ caller = \"{id}\" }}]\n")),
        other => panic!("{other}"),
    };
    let target = format!("finding = \"a drill\"\nstop = {stop}\n{what}");
    room.propose(&room.draft(initiator, &template(kind, &target)).unwrap()).unwrap()
}

/// Sends an act through every call: it counts in one of them at most, and whatever refuses it says why.
pub fn sends_everywhere(room: &Room, statement: Vec<u8>, act: SignedAct) {
    let answers = [
        room.submit(act.clone()).map(drop),
        room.send_start(act.clone()).map(drop),
        room.send_proposal(statement, act.clone()).map(drop),
        stops(room, act, Target::All(true)),
    ];
    assert!(answers.iter().filter(|answer| answer.is_ok()).count() <= 1, "an act counts once");
    for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        ask::explained(refused);
        assert_ne!(ask::reason(refused), Reason::Internal, "{refused}");
    }
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
            sends_everywhere(room, open.statement.encode(), act);
        }
    }
}

/// Whatever this person may propose: every kind that this version holds, and those that it refuses.
fn proposals(room: &Room, initiator: &str, stop: u64) -> Vec<Open> {
    let stopped = |finding: &str| format!("finding = \"{finding}\"\nkey = \"{KEY}\"\nstop = {stop}\n");
    let digest = Hash::of(b"something").to_string();
    let other = |kind: &str, target: String| template(kind, &target);
    let templates = [
        new_key(OTHER, "software"),
        other("key.resume", stopped("it was nothing")),
        new_key(NEW, "software"),
        other("key.adopt", "key = \"release/x\"\n".to_owned()),
        other("stop.lift", format!("finding = \"nothing\"\nstop = {stop}\nterms = [\"key:{KEY}\"]\n")),
        other("grant.change", format!("grants = \"{digest}\"\nreplaces = \"{digest}\"\n")),
        other(
            "policy.change",
            format!("guardrails = {{ version = 2, sha256 = \"{digest}\" }}\nloosens = true\n"),
        ),
        other(
            "key.destroy",
            format!(
                "backend = \"software\"\ncopies = []\nkey = \"{KEY}\"\nkey_id = \"{digest}\"\nlocator = \"software:x\"\nversion = 1\n"
            ),
        ),
        other(
            "backend.rebind",
            format!("backend = \"software\"\nkeys = [\"{digest}\"]\nreplaces = \"1\"\nserial = \"2\"\n"),
        ),
        other("clock.reset", "time = \"2026-11-21T05:00:00.000000Z\"\n".to_owned()),
        other("log.rekey", String::new()),
    ];
    let mut opened = Vec::new();
    for template in templates {
        let Ok(statement) = room.draft(initiator, &template) else { continue };
        opened.extend(room.propose(&statement));
    }
    // A roster in which a friend of his decides too; the friend approves by the roster that is to come.
    let mine = room.next(|document| {
        let mut friend = document.people.iter().find(|person| person.person == "carol").unwrap().clone();
        (friend.person, friend.name) = ("fred".into(), "fred".into());
        friend.keys = vec![room.key("fred").public().to_string()];
        document.people.push(friend);
    });
    if let Ok(open) = room.proposes_roster(initiator, &mine) {
        let _counts_for_the_next_one = room.approves("fred", &open);
        opened.push(open);
    }
    opened
}

/// He takes his part in a ceremony, and lets it down when it hurts most.
fn lets_down(room: &Room, rogue: &str, others: &Others) {
    let open =
        room.propose(&room.draft(others.initiator, &new_key("release/worst", "software")).unwrap()).unwrap();
    let said = room.approves(rogue, &open).or_else(|_| room.attests(rogue, &open));
    let [one, another] = others.officers;
    let missing = if EVERYBODY[..3].contains(&rogue) { vec![one] } else { vec![one, another] };
    for officer in &missing {
        room.approves(officer, &open).unwrap();
    }
    for witness in others.witnesses {
        room.attests(witness, &open).unwrap();
    }
    assert_eq!(room.state(&open), State::Armed);
    let (decision, statement) = (Decision::Accept, open.digest());
    match rogue {
        // Withdrawn when it is armed: somebody else approves in his place.
        "ada" | "carol" => {
            said.unwrap();
            room.does(rogue, Deed::Withdraw { act: Hash::ZERO, statement }).unwrap();
            assert_eq!(room.state(&open), State::Proposed);
            room.approves(another, &open).unwrap();
            room.send_start(room.signed("oskar", Deed::Execute { statement })).unwrap();
        }
        // Executed before anybody expects it, and never told: it is done once, and the witnesses see it.
        "oskar" => {
            room.send_start(room.signed(rogue, Deed::Execute { statement })).unwrap();
            assert_eq!(
                told(&room.send_start(room.signed(rogue, Deed::Execute { statement })).unwrap_err()).1,
                "started-already"
            );
        }
        _ => drop(room.send_start(room.signed("oskar", Deed::Execute { statement })).unwrap()),
    }
    // He speaks of something whenever the others have attested, or says that it is not what he saw.
    for _time in 0..2 {
        room.attests_after(others.witnesses[0], &open).unwrap();
        let _may_not = room.does(rogue, Deed::Deviation { statement });
    }
    let outcome = Some(room.outcome(&open));
    let _may_not = room.does(rogue, Deed::Attest { decision: Decision::Refuse, outcome, statement });
    if room.state(&open) == State::Executed {
        let _who_watches_may_not = room.does(rogue, Deed::Attest { decision, outcome, statement });
    }
    // Whatever he did: it is not in force as long as not both of those who watched agree.
    assert!(matches!(room.state(&open), State::Executed | State::Failed), "{:?}", room.state(&open));
    assert_eq!(ask::reason(&room.uses("release/worst").unwrap_err()), Reason::UnknownKey);
}

/// The others: one word is enough against the first, and two are where he was the first to suspend somebody.
pub fn is_suspended(room: &Room, rogue: &str, others: &Others) {
    let words: Vec<_> = others.officers.iter().map(|officer| suspends(room, officer, rogue)).collect();
    assert!(words.iter().any(Result::is_ok), "{words:?}");
    assert_eq!(suspended(room).0, [rogue]);
    let size = room.head().size;
    let statement = Hash::of(b"whatever");
    for deed in [
        Deed::Approve { decision: Decision::Accept, statement },
        Deed::Veto { statement },
        Deed::Suspend { person: "bob".parse().unwrap() },
        Deed::Deviation { statement },
    ] {
        let refused = room.does(rogue, deed).unwrap_err();
        let (reason, guard) = told(&refused);
        assert!(guard == "suspended" || reason == Reason::ActInvalid, "{refused}");
    }
    let (_, guard) = told(&stops_key(room, rogue).unwrap_err());
    assert!(guard == "suspended" || rogue == "oskar", "{guard}");
    assert_eq!(room.head().size, size);
}

/// Somebody else comes in his place: he does what he can against it, which is nothing.
pub fn is_replaced(room: &Room, rogue: &str, others: &Others) {
    let next = room.replaces(rogue, "nina");
    let initiator = if rogue == others.initiator { "bob" } else { others.initiator };
    let open = room.proposes_roster(initiator, &next).unwrap();
    let statement = open.digest();
    let hinders = || {
        let deeds = [
            Deed::Veto { statement },
            Deed::Abort { statement },
            Deed::Deviation { statement },
            Deed::Attest { decision: Decision::Refuse, outcome: None, statement },
        ];
        for deed in deeds {
            room.does(rogue, deed).unwrap_err();
        }
    };
    hinders();
    for officer in others.officers {
        room.approves(officer, &open).unwrap();
    }
    if EVERYBODY[..3].contains(&rogue) {
        room.approves("nina", &open).unwrap();
    }
    for witness in others.witnesses {
        hinders();
        room.attests(witness, &open).unwrap();
    }
    room.until(&open, State::Executed);
    for witness in others.witnesses {
        hinders();
        room.attests_after(witness, &open).unwrap();
    }
    assert_eq!(room.state(&open), State::Completed);
    assert_eq!(room.roster(), next.roster);
    assert_eq!(suspended(room).0, [""; 0]);
    // From now on he is nobody.
    let refused = room.does(rogue, Deed::Veto { statement }).unwrap_err();
    assert_eq!(ask::reason(&refused), Reason::ActInvalid);
}

/// A key that is in force and stopped, and a witness in reserve: two are what a ceremony takes.
pub fn begun() -> (Room, u64) {
    let mut room = Room::software();
    for comes in ["wendy", "nina", "fred"] {
        room.enters(comes);
    }
    let reserve = room.like("walter", "wendy");
    let next = room.next(|document| document.people.push(reserve));
    let open = room.proposes_roster("oskar", &next).unwrap();
    room.holds(&open, &["ada", "bob"], &["wanda", "walter"]);
    let first = room.proposed(&new_key(KEY, "software"));
    room.arm(&first);
    room.executes(&first).unwrap();
    room.complete(&first);
    room.uses(KEY).unwrap();
    let stop = ask::stop(&room.world, Target::Key(KEY.to_owned())).unwrap().log_index.unwrap();
    (room, stop)
}

fn alone(rogue: &'static str) {
    let (room, stop) = begun();
    let others = Others::without(rogue);
    lets_down(&room, rogue, &others);
    let before = room.head().size;

    // Somebody else's proposals, and whatever he may propose himself.
    let mut opened: BTreeMap<String, (Open, usize)> = BTreeMap::new();
    for (round, initiator) in [others.initiator, rogue].into_iter().enumerate() {
        let found = proposals(&room, initiator, stop);
        assert!(found.len() >= 4 || initiator == rogue, "{}", found.len());
        opened.extend(found.into_iter().map(|open| (open.id.clone(), (open, round))));
    }
    for (at, (open, round)) in opened.values().enumerate() {
        rages(&room, rogue, open, at + round, at % 3 == 2);
    }
    // Stopping is what one alone may do, if his role says so. It is no way to anything else.
    for more in stops_whatever_there_is(&room, rogue) {
        assert_eq!(more.is_ok(), rogue != "oskar", "{more:?}");
    }

    let kinds = room.kinds(before);
    for effect in ["ceremony.started", "ceremony.executed", "ceremony.completed", "ceremony.interrupted"] {
        assert!(!kinds.iter().any(|kind| kind == effect), "{effect}: {kinds:?}");
    }
    for (key, reason) in [(KEY, Reason::KeySuspended), (OTHER, Reason::UnknownKey), (NEW, Reason::UnknownKey)]
    {
        assert_eq!(ask::reason(&room.uses(key).unwrap_err()), reason, "{key}");
    }
    assert_eq!(room.roster().version(), 2);

    is_suspended(&room, rogue, &others);
    is_replaced(&room, rogue, &others);
    // With the roster everything is over that he had a hand in.
    let mut client = room.client();
    let list = room.wait(client.list_ceremonies(ListCeremoniesRequest::default())).unwrap().into_inner();
    let open = |ceremony: &&proto::wire::v1::Ceremony| ceremony.state() != State::Executed;
    assert!(!list.ceremonies.iter().any(|ceremony| open(&ceremony)), "{:?}", list.ceremonies);

    // The stops are lifted, one after the other, and a key is born, all without him.
    let stopped = stopped(&room);
    assert!(stopped.iter().any(|(index, _)| *index == stop), "{stopped:?}");
    assert_eq!(stopped.len(), if rogue == "oskar" { 1 } else { 5 }, "{stopped:?}");
    for standing in &stopped {
        let initiator = if rogue == "oskar" { "nina" } else { others.initiator };
        let open = proposes_lift(&room, initiator, standing);
        room.holds(&open, &others.officers, &others.witnesses[..1]);
    }
    room.uses(KEY).unwrap();
    let operator = if rogue == "oskar" { "nina" } else { "oskar" };
    let open = room.propose(&room.draft(operator, &new_key(NEW, "software")).unwrap()).unwrap();
    for officer in others.officers {
        room.approves(officer, &open).unwrap();
    }
    for witness in others.witnesses {
        room.attests(witness, &open).unwrap();
    }
    room.send_start(room.signed(operator, Deed::Execute { statement: open.digest() })).unwrap();
    for witness in others.witnesses {
        room.attests_after(witness, &open).unwrap();
    }
    room.uses(NEW).unwrap();
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

/// The freeze: he is the first to suspend somebody, and vetoes whatever is proposed, as soon as it is.
#[test]
fn an_officer_who_vetoes_everything_is_suspended_and_leaves_the_roster() {
    let (room, stop) = begun();
    let others = Others::without("ada");
    suspends(&room, "ada", "bob").unwrap();
    for open in proposals(&room, others.initiator, stop) {
        room.vetoes("ada", &open).unwrap();
        let (state, two) = (room.state(&open), open.statement.kind().name() != "key.resume");
        assert_eq!(state == State::Vetoed, two && open.statement.kind().name() != "stop.lift", "{state:?}");
    }
    // Without him the roster cannot shrink to two officers, and whoever comes in his place is vetoed by him.
    let open = room.proposes_roster("oskar", &room.replaces("ada", "nina")).unwrap();
    room.vetoes("ada", &open).unwrap();
    assert_eq!(room.state(&open), State::Vetoed);
    // One word more waits for another's; the one whom he suspended counts against him.
    suspends(&room, "carol", "ada").unwrap();
    assert_eq!(suspended(&room), (vec!["bob".into()], vec!["ada".into()]));
    room.vetoes("ada", &room.proposed(&new_key(NEW, "software"))).unwrap();
    suspends(&room, "bob", "ada").unwrap();
    assert_eq!(suspended(&room), (vec!["ada".into()], vec![]));
    is_replaced(&room, "ada", &others);
    room.ends_well();
}

/// The other freeze: everything is stopped as soon as it goes on. One veto does not keep a stop in force, and who is suspended
/// stops nothing more.
#[test]
fn a_witness_who_stops_everything_again_and_again_is_suspended_and_it_goes_on() {
    let (room, stop) = begun();
    let others = Others::without("wanda");
    let lifted = |standing: &(u64, Term)| {
        let open = proposes_lift(&room, others.initiator, standing);
        room.vetoes("wanda", &open).unwrap();
        assert_eq!(room.state(&open), State::Proposed, "one veto of two");
        room.holds(&open, &others.officers, &others.witnesses[..1]);
    };
    lifted(&stopped(&room)[0]);
    room.uses(KEY).unwrap();
    // What comes back first makes no difference.
    for everything_first in [true, false] {
        for stop in stops_whatever_there_is(&room, "wanda") {
            stop.unwrap();
        }
        assert!(room.uses(KEY).is_err());
        let mut standing = stopped(&room);
        let mut standing = standing.split_off(standing.len() - 4);
        if everything_first {
            standing.reverse();
        }
        for standing in &standing {
            assert!(standing.0 > stop);
            lifted(standing);
        }
        room.uses(KEY).unwrap();
    }
    stops_everything(&room, "wanda").unwrap();
    let standing = stopped(&room).pop().unwrap();
    is_suspended(&room, "wanda", &others);
    for stop in stops_whatever_there_is(&room, "wanda") {
        assert_eq!(told(&stop.unwrap_err()).1, "suspended");
    }
    let open = proposes_lift(&room, others.initiator, &standing);
    room.holds(&open, &others.officers, &others.witnesses[..1]);
    room.uses(KEY).unwrap();
    is_replaced(&room, "wanda", &others);
    room.ends_well();
}
