//! A room of people in which ceremonies are held, and a log that gives every record the next index.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::BTreeMap;
use std::time::Duration;

use ceremonies::genesis::Mode;
use ceremonies::person::{PersonId, Role};
use ceremonies::rules::Rules;
use ceremonies::session::{
    Decision, Event, InForce, Refusal, Seat, Seats, Session, SignedAct, Stamp, Step, deviations_digest,
};
use ceremonies::statement::{Common, Head, Kind, Quorum, Statement, Target, Version};
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::time::Time;

use crate::samples;

pub fn person(id: &str) -> PersonId {
    id.parse().unwrap()
}

/// The key that a person signs with, and further ones.
pub fn key(person: &PersonId, number: u8) -> KeyId {
    KeyId::of_spki(format!("{person} {number}").as_bytes())
}

/// Who is in the room: name, roles, unit. Five officers, three of whom are the quorum.
pub const PEOPLE: [(&str, &[Role], &str); 12] = [
    ("ada", &[Role::Officer], "platform"),
    ("ben", &[Role::Officer], "platform"),
    ("cleo", &[Role::Officer], "security"),
    ("dan", &[Role::Officer], "security"),
    ("edgar", &[Role::Officer], "release"),
    ("wanda", &[Role::Witness], "audit"),
    ("xaver", &[Role::Witness], "platform"),
    ("yara", &[Role::Witness], "legal"),
    ("zoe", &[Role::Witness], "security"),
    ("rita", &[Role::Responder], "desk"),
    ("oscar", &[Role::Operator], "desk"),
    ("olga", &[Role::Operator, Role::Witness], "desk"),
];

/// The roster of a version; `change` may break it.
pub fn roster(version: u64, change: impl FnOnce(&mut BTreeMap<PersonId, Seat>)) -> Seats {
    let seat = |(id, roles, unit): &(&str, &[Role], &str)| {
        let id = person(id);
        let keys = [0, 1].map(|number| key(&id, number)).into();
        (id, Seat { roles: roles.iter().copied().collect(), unit: unit.parse().unwrap(), keys })
    };
    let mut people = PEOPLE.iter().map(seat).collect();
    change(&mut people);
    let sha256 = Hash::of(format!("{version} {people:?}").as_bytes());
    Seats { version: Version { sha256, version }, approvals: 3, people, suspended: [].into() }
}

/// The roster that the sample of `roster.change` makes: edgar leaves, ivy joins.
pub fn next_roster() -> Seats {
    roster(3, |people| {
        let edgar = people.remove(&person("edgar")).unwrap();
        let keys = [0, 1].map(|number| key(&person("ivy"), number)).into();
        people.insert(person("ivy"), Seat { keys, ..edgar });
    })
}

/// The roster in force without edgar: four officers.
pub fn without_edgar() -> Seats {
    roster(3, |people| drop(people.remove(&person("edgar"))))
}

/// Exactly these are suspended.
pub fn suspended(people: &[&str]) -> Event {
    Event::Suspended(people.iter().map(|name| person(name)).collect())
}

pub fn in_force(roster: Seats) -> InForce {
    let common = samples::common(Kind::KeyGenerate);
    InForce {
        instance: common.instance,
        environment: common.environment,
        mode: Mode::Rehearsal,
        origin: common.log.origin,
        roster: roster.into(),
        guardrails: common.guardrails,
        rules: Rules::default().into(),
    }
}

/// A good statement of a kind for the room.
pub fn statement(kind: Kind, change: impl FnOnce(&mut Common, &mut Target)) -> Statement {
    let (mut common, mut target) = (samples::common(kind), samples::target(kind));
    common.roster = roster(2, |_| {}).version;
    if let Target::RosterChange(roster) = &mut target {
        (roster.roster, roster.quorum) =
            (next_roster().version, Quorum { approvals: 3, officers: 5, witnesses: 2 });
    }
    if let Target::StopLift(lift) = &mut target
        && kind == Kind::StopLift
    {
        lift.stop = 7;
    }
    change(&mut common, &mut target);
    Statement::new(common, target).unwrap()
}

/// One ceremony, and the log that it is held in.
#[derive(Clone)]
pub struct Room {
    pub opened: Session,
    pub session: Session,
    pub index: u64,
    pub now: Time,
    pub trusted: bool,
    pub records: Vec<(Event, Stamp)>,
    /// Who signs with another one's key, and which.
    pub signs: BTreeMap<PersonId, KeyId>,
    nonces: u64,
}

impl Room {
    pub fn new(kind: Kind) -> Self {
        Self::with(statement(kind, |_, _| {}))
    }

    pub fn with(statement: Statement) -> Self {
        let next = match statement.target() {
            Target::RosterChange(change) if change.added.is_empty() => Some(without_edgar()),
            Target::RosterChange(_) => Some(next_roster()),
            _ => None,
        };
        Self::under(roster(2, |_| {}), statement, next)
    }

    /// Under another roster than the room's, with the one that the statement makes.
    pub fn under(present: Seats, statement: Statement, next: Option<Seats>) -> Self {
        let now = statement.common().not_before;
        let stamp = Stamp { index: 50, time: now, trusted: true };
        Self::of(Session::open(statement, &in_force(present), next, stamp).unwrap(), stamp)
    }

    /// A ceremony that was just opened by a record with this stamp.
    pub fn of(opened: Session, stamp: Stamp) -> Self {
        Self {
            session: opened.clone(),
            opened,
            index: stamp.index,
            now: stamp.time,
            trusted: true,
            records: Vec::new(),
            signs: BTreeMap::new(),
            nonces: 0,
        }
    }

    /// The key that a person signs with.
    pub fn key_of(&self, person: &PersonId) -> KeyId {
        self.signs.get(person).copied().unwrap_or_else(|| key(person, 0))
    }

    pub fn wait(&mut self, hours: u64) -> &mut Self {
        self.now = self.now.later(Duration::from_secs(hours * 3600));
        self
    }

    pub fn wait_minutes(&mut self, minutes: u64) -> &mut Self {
        self.now = self.now.later(Duration::from_secs(minutes * 60));
        self
    }

    pub fn step(&self) -> Step {
        self.session.state().step()
    }

    /// A good act of a person.
    pub fn act(&mut self, who: &str, decision: Decision) -> SignedAct {
        self.nonces += 1;
        let mut nonce = [0; 32];
        nonce[..8].copy_from_slice(&self.nonces.to_be_bytes());
        let person = person(who);
        SignedAct {
            act: Hash::of(&nonce),
            decision,
            expires: self.now.later(Duration::from_secs(30 * 24 * 3600)),
            head: Head { root: Hash::of(b"now"), size: self.index + 1 },
            key: self.key_of(&person),
            nonce: nonce.into(),
            overtaken: None,
            person,
            target: self.session.digest(),
        }
    }

    /// Appends a record, whatever comes of it.
    pub fn append(&mut self, event: Event) -> Result<(), Refusal> {
        self.index += 1;
        self.append_at(self.index, event)
    }

    /// The same at another place in the log.
    pub fn append_at(&mut self, index: u64, event: Event) -> Result<(), Refusal> {
        let stamp = Stamp { index, time: self.now, trusted: self.trusted };
        self.records.push((event.clone(), stamp));
        self.session = self.session.after(&event, stamp)?;
        Ok(())
    }

    pub fn does(&mut self, who: &str, decision: Decision) -> Result<(), Refusal> {
        let act = self.act(who, decision);
        self.append(Event::Act(act.into()))
    }

    /// Takes back what was said before.
    pub fn withdraw(&mut self, who: &str) -> Result<(), Refusal> {
        self.does(who, Decision::Withdraw { act: Hash::ZERO })
    }

    pub fn deviate(&mut self, deviation: &[u8]) -> Result<(), Refusal> {
        self.append(Event::Deviation { deviation: Hash::of(deviation), person: person("oscar") })
    }

    pub fn approve(&mut self, who: &[&str]) -> &mut Self {
        for who in who {
            self.does(who, Decision::Approve).unwrap();
        }
        self
    }

    pub fn attest(&mut self, who: &[&str]) -> &mut Self {
        for who in who {
            self.does(who, Decision::Attest).unwrap();
        }
        self
    }

    pub fn start(&mut self, operator: Option<&str>) -> Result<(), Refusal> {
        self.append(Event::Start { operator: operator.map(person), found: 0 })
    }

    pub fn output(&mut self) -> &mut Self {
        self.append(Event::Output { outputs: Hash::of(b"outputs") }).unwrap();
        self
    }

    /// What a witness says afterwards who saw everything.
    pub fn saw(&mut self, deviations: &[Hash]) -> Decision {
        Decision::AttestAfter { outputs: Hash::of(b"outputs"), deviations: deviations_digest(deviations) }
    }

    /// A room where a key is armed to be made: ada, ben and cleo approve, wanda and yara attest.
    pub fn armed() -> Self {
        let mut room = Self::new(Kind::KeyGenerate);
        room.approve(&["ada", "ben", "cleo"]).attest(&["wanda", "yara"]);
        assert_eq!(room.step(), Step::Armed);
        room
    }

    pub fn executing() -> Self {
        let mut room = Self::armed();
        room.start(Some("oscar")).unwrap();
        room
    }

    pub fn executed() -> Self {
        let mut room = Self::executing();
        room.output();
        room
    }
}
