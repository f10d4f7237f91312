//! Who is in the room of a history, what is proposed to them, and proposals that must not be opened: judged by other code than the
//! machine's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ceremonies::genesis::Mode;
use ceremonies::person::{PersonId, Role};
use ceremonies::rules::{Rule, Rules};
use ceremonies::session::{InForce, Seat, Seats, Stamp};
use ceremonies::statement::target::RosterChange;
use ceremonies::statement::{Kind, Quorum, Statement, Target};
use proptest::prelude::*;
use proto::hash::Hash;
use proto::key_id::KeyId;

use crate::room::{self, PEOPLE, key, person};

/// Whoever may join.
const JOIN: [&str; 3] = ["ivy", "jon", "kim"];

/// Everybody whom a history knows: the people in the room, those who may join them, and one whom nobody knows.
pub const NAMES: usize = PEOPLE.len() + JOIN.len() + 1;

pub fn name(who: usize) -> &'static str {
    let known = PEOPLE.get(who).map(|(name, ..)| *name);
    known.or_else(|| JOIN.get(who - PEOPLE.len()).copied()).unwrap_or("mallory")
}

/// What is otherwise with the people in the room.
#[derive(Clone, Copy, Debug)]
pub enum Cast {
    Usual,
    /// Officers are witnesses, too.
    OfficersAttest,
    /// Witnesses are officers, too.
    WitnessesApprove,
    /// Operators are officers, too.
    OperatorsApprove,
    /// Everybody is officer, witness and operator.
    EverybodyAll,
    /// Ben signs with ada's key, dan with cleo's, xaver with wanda's.
    OneKey,
    /// Wanda signs with ada's key.
    OneKeyTwoRoles,
    /// Nobody but zoe is of another unit than the officers, who are all of one.
    OneUnit,
}

/// What the next roster is, where one is made.
#[derive(Clone, Copy, Debug)]
pub enum Next {
    /// Ivy in place of edgar.
    One,
    /// Ivy, jon and kim in place of cleo, dan and edgar.
    Most,
    /// Edgar leaves.
    Leaves,
    /// Edgar leaves, and zoe.
    TwoLeave,
    /// Edgar leaves, and ben is of another unit.
    LeavesAndChanges,
    /// Edgar leaves, and two approvals are enough.
    LeavesAndLowers,
    /// Ivy in place of edgar, and four approvals are needed.
    Raises,
}

/// What is wrong with a proposal.
#[derive(Clone, Copy, Debug)]
pub enum Spoilt {
    Mode,
    Origin,
    Instance,
    Environment,
    RosterVersion,
    RosterDigest,
    Guardrails,
    Quorum,
    Lives,
    NextVersion,
    NextDigest,
    NextQuorum,
    NextAdds,
    NextLeaves,
    NextChanges,
    NextMissing,
    NextOfNothing,
    Initiator,
    InitiatorSuspended,
    Head,
    Expired,
    Clock,
}

/// What a history begins with.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub kind: Kind,
    pub cast: Cast,
    pub next: Next,
    pub spoilt: Spoilt,
    pub initiator: &'static str,
    pub loosens: bool,
    /// Proposed half an hour before it may start.
    pub early: bool,
}

/// What is proposed, and where.
#[derive(Clone)]
pub struct Proposal {
    pub statement: Statement,
    pub in_force: InForce,
    pub next: Option<Seats>,
    pub stamp: Stamp,
}

/// Each kind as often as it has ways to go wrong.
pub const KINDS: [(u32, Kind); 18] = [
    (4, Kind::PolicyChange),
    (4, Kind::KeyGenerate),
    (4, Kind::KeyRotateEmergency),
    (3, Kind::KeyCompromise),
    (6, Kind::RosterChange),
    (3, Kind::KeyDestroy),
    (2, Kind::SignBreakGlass),
    (3, Kind::StopLift),
    (3, Kind::GrantChange),
    (2, Kind::ClockReset),
    (1, Kind::KeyAdopt),
    (1, Kind::KeyRotate),
    (2, Kind::KeyResume),
    (1, Kind::KeyRemove),
    (1, Kind::BackendRebind),
    (1, Kind::LogRekey),
    (1, Kind::LogRecover),
    (1, Kind::Resolve),
];

pub fn settings() -> impl Strategy<Value = Setting> {
    use Spoilt::{
        Clock, Environment, Expired, Guardrails, Head, Initiator, InitiatorSuspended, Instance, Lives, Mode,
        NextAdds, NextChanges, NextDigest, NextLeaves, NextMissing, NextOfNothing, NextQuorum, NextVersion,
        Origin, Quorum, RosterDigest, RosterVersion,
    };
    let kind = prop::strategy::Union::new_weighted(KINDS.map(|(weight, kind)| (weight, Just(kind))).to_vec());
    let cast = prop_oneof![
        6 => Just(Cast::Usual),
        2 => Just(Cast::OfficersAttest),
        2 => Just(Cast::WitnessesApprove),
        2 => Just(Cast::OperatorsApprove),
        1 => Just(Cast::EverybodyAll),
        3 => Just(Cast::OneKey),
        1 => Just(Cast::OneKeyTwoRoles),
        2 => Just(Cast::OneUnit),
    ];
    let next = prop::sample::select(vec![
        Next::One,
        Next::One,
        Next::Most,
        Next::Most,
        Next::Leaves,
        Next::Leaves,
        Next::TwoLeave,
        Next::LeavesAndChanges,
        Next::LeavesAndLowers,
        Next::Raises,
    ]);
    let common = vec![
        Mode,
        Origin,
        Instance,
        Environment,
        RosterVersion,
        RosterDigest,
        Guardrails,
        Quorum,
        Lives,
        NextOfNothing,
        Initiator,
        InitiatorSuspended,
        Head,
        Expired,
        Clock,
    ];
    let of_next = vec![NextVersion, NextDigest, NextQuorum, NextAdds, NextLeaves, NextChanges, NextMissing];
    let spoilt = (prop::sample::select(common), prop::sample::select(of_next), any::<bool>());
    let initiator = prop_oneof![3 => Just("ada"), 1 => Just("edgar"), 2 => Just("wanda"), 1 => Just("olga")];
    let loosens = prop_oneof![3 => Just(true), 1 => Just(false)];
    let early = prop_oneof![5 => Just(false), 1 => Just(true)];
    (kind, cast, next, spoilt, initiator, loosens, early).prop_map(
        |(kind, cast, next, (common, of_next, whole), initiator, loosens, early)| {
            let spoilt = if kind == Kind::RosterChange && !whole { of_next } else { common };
            Setting { kind, cast, next, spoilt, initiator, loosens, early }
        },
    )
}

impl Cast {
    /// Who signs with whose key.
    pub fn signs(self) -> BTreeMap<PersonId, KeyId> {
        let pairs: &[(&str, &str)] = match self {
            Self::OneKey => &[("ben", "ada"), ("dan", "cleo"), ("xaver", "wanda")],
            Self::OneKeyTwoRoles => &[("wanda", "ada")],
            _ => &[],
        };
        pairs.iter().map(|(who, whose)| (person(who), key(&person(whose), 0))).collect()
    }

    fn is_in(self, people: &mut BTreeMap<PersonId, Seat>) {
        for (who, key) in self.signs() {
            people.get_mut(&who).unwrap().keys.insert(key);
        }
        for (who, seat) in people {
            let operator = seat.roles.contains(&Role::Operator);
            let (officer, witness) =
                (seat.roles.contains(&Role::Officer), seat.roles.contains(&Role::Witness));
            match self {
                Self::OfficersAttest if officer => drop(seat.roles.insert(Role::Witness)),
                Self::WitnessesApprove if witness => drop(seat.roles.insert(Role::Officer)),
                Self::OperatorsApprove if operator => drop(seat.roles.insert(Role::Officer)),
                Self::EverybodyAll => seat.roles = [Role::Officer, Role::Witness, Role::Operator].into(),
                Self::OneUnit => {
                    let unit = if who.as_str() == "zoe" { "security" } else { "platform" };
                    seat.unit = unit.parse().unwrap();
                }
                _ => {}
            }
        }
    }

    /// The roster of this version; `change` may break it further.
    pub fn roster(self, version: u64, change: impl FnOnce(&mut BTreeMap<PersonId, Seat>)) -> Seats {
        room::roster(version, |people| {
            self.is_in(people);
            change(people);
        })
    }
}

impl Next {
    fn roster(self, cast: Cast) -> Seats {
        let mut next = cast.roster(3, |people| {
            let edgar = people.remove(&person("edgar")).unwrap();
            let mut joins = |who: &str| {
                let keys = [0, 1].map(|number| key(&person(who), number)).into();
                people.insert(person(who), Seat { keys, ..edgar.clone() });
            };
            match self {
                Self::One | Self::Raises => joins("ivy"),
                Self::Most => {
                    JOIN.iter().copied().for_each(joins);
                    people.retain(|who, _| !["cleo", "dan"].contains(&who.as_str()));
                }
                Self::TwoLeave => drop(people.remove(&person("zoe"))),
                Self::LeavesAndChanges => {
                    people.get_mut(&person("ben")).unwrap().unit = "release".parse().unwrap();
                }
                Self::Leaves | Self::LeavesAndLowers => {}
            }
        });
        next.approvals = match self {
            Self::LeavesAndLowers => 2,
            Self::Raises => 4,
            _ => 3,
        };
        next
    }
}

fn officers(roster: &Seats) -> u16 {
    let officers = roster.people.values().filter(|seat| seat.roles.contains(&Role::Officer));
    officers.count().try_into().unwrap()
}

fn quorum(rule: Rule, roster: &Seats) -> Quorum {
    let officers = officers(roster);
    Quorum { approvals: rule.approvals(roster.approvals, officers), officers, witnesses: rule.witnesses }
}

impl Setting {
    /// The proposal that is opened.
    pub fn proposal(&self) -> Proposal {
        self.proposal_by(self.initiator)
    }

    fn proposal_by(&self, initiator: &str) -> Proposal {
        let present = self.cast.roster(2, |_| {});
        let next = (self.kind == Kind::RosterChange).then(|| self.next.roster(self.cast));
        let statement = room::statement(self.kind, |common, target| {
            common.roster = present.version;
            common.initiator = person(initiator);
            match (&mut *target, &next) {
                (Target::PolicyChange(change), _) => change.loosens = self.loosens,
                (Target::RosterChange(change), Some(next)) => {
                    let of_both = Rules::default().of(Kind::RosterChange);
                    let who = |roster: &Seats, other: &Seats| -> Vec<PersonId> {
                        roster.people.keys().filter(|own| !other.people.contains_key(own)).cloned().collect()
                    };
                    (change.added, change.removed) = (who(next, &present), who(&present, next));
                    change.changed = match self.next {
                        Next::LeavesAndChanges => vec![person("ben")],
                        _ => vec![],
                    };
                    (change.roster, change.quorum) = (next.version, quorum(of_both, next));
                }
                _ => {}
            }
            common.quorum = quorum(Rules::default().rule(target), &present);
        });
        let begins = statement.common().not_before;
        let before = std::time::Duration::from_secs(if self.early { 1800 } else { 0 });
        let stamp = Stamp { index: 50, time: begins.earlier(before), trusted: true };
        Proposal { statement, in_force: room::in_force(present), next, stamp }
    }

    /// The same, with what is wrong.
    pub fn spoilt(&self) -> Proposal {
        let who = if matches!(self.spoilt, Spoilt::Initiator) { "mallory" } else { self.initiator };
        let mut spoilt = self.proposal_by(who);
        let Proposal { statement, in_force, next, stamp } = &mut spoilt;
        let other = Hash::of(b"another document");
        match (self.spoilt, next) {
            (Spoilt::Mode, _) => in_force.mode = Mode::Production,
            (Spoilt::Origin, _) => in_force.origin = "rehearsal.other.example.org".parse().unwrap(),
            (Spoilt::Instance, _) => in_force.instance = "other.example.org".parse().unwrap(),
            (Spoilt::Environment, _) => in_force.environment = "staging".parse().unwrap(),
            (Spoilt::RosterVersion, _) => Arc::make_mut(&mut in_force.roster).version.version = 3,
            (Spoilt::RosterDigest, _) => Arc::make_mut(&mut in_force.roster).version.sha256 = other,
            (Spoilt::Guardrails, _) => in_force.guardrails.version += 1,
            (Spoilt::Quorum, _) => Arc::make_mut(&mut in_force.roster).approvals += 1,
            (Spoilt::Lives, _) => {
                let rule = in_force.rules.of(self.kind);
                let expires = rule.expires - std::time::Duration::from_secs(1);
                let shorter = Rule { expires, approval_age: rule.approval_age.min(expires), ..rule };
                in_force.rules = Rules::with([shorter]).unwrap().into();
            }
            (Spoilt::NextVersion, Some(next)) => next.version.version = 4,
            (Spoilt::NextDigest, Some(next)) => next.version.sha256 = other,
            (Spoilt::NextQuorum, Some(next)) => next.approvals = if next.approvals == 2 { 3 } else { 2 },
            (Spoilt::NextAdds, Some(next)) => {
                let seat = next.people[&person("rita")].clone();
                next.people.insert(person("lea"), seat);
            }
            (Spoilt::NextLeaves, Some(next)) => drop(next.people.remove(&person("oscar"))),
            (Spoilt::NextChanges, Some(next)) => {
                next.people.get_mut(&person("ada")).unwrap().unit = "audit".parse().unwrap();
            }
            (Spoilt::NextMissing, next) => *next = None,
            (Spoilt::NextOfNothing, next) => *next = Some(Next::One.roster(self.cast)),
            (Spoilt::InitiatorSuspended, _) => {
                Arc::make_mut(&mut in_force.roster).suspended.insert(statement.common().initiator.clone());
            }
            (Spoilt::Head, _) => stamp.index = statement.common().log.size - 1,
            (Spoilt::Expired, _) => stamp.time = statement.common().expires,
            (Spoilt::Clock, _) => stamp.trusted = false,
            _ => {}
        }
        spoilt
    }
}

/// Whether a proposal may be opened; or the invariant that would be broken.
pub fn may_open(proposal: &Proposal) -> Result<(), &'static str> {
    let Proposal { statement, in_force, next, stamp } = proposal;
    let (common, roster) = (statement.common(), &in_force.roster);
    let rule = in_force.rules.rule(statement.target());
    if common.mode != in_force.mode {
        return Err("C7: a statement of the other mode was opened");
    }
    if common.log.origin != in_force.origin || common.instance != in_force.instance {
        return Err("C7: a statement of another instance was opened");
    }
    if common.environment != in_force.environment {
        return Err("C7: a statement of another environment was opened");
    }
    if common.roster != roster.version || common.guardrails != in_force.guardrails {
        return Err("C6: a statement was opened that names others than those in force");
    }
    if common.quorum != quorum(rule, roster) {
        return Err("C1: a statement of another quorum was opened");
    }
    if common.expires.since(common.not_before) > rule.expires {
        return Err("C1: a statement that lives too long was opened");
    }
    match (statement.target(), next) {
        (Target::RosterChange(change), Some(next)) => follows(change, roster, next)?,
        (Target::RosterChange(_), None) | (_, Some(_)) => return Err("C6: a next roster is there or is not"),
        _ => {}
    }
    if !roster.people.contains_key(&common.initiator) || roster.suspended.contains(&common.initiator) {
        return Err("C1: a statement of nobody was opened");
    }
    if stamp.index < common.log.size {
        return Err("C2: a statement was opened that saw more of the log than there is");
    }
    if stamp.time >= common.expires {
        return Err("C2: a statement that had expired was opened");
    }
    if !stamp.trusted && !rule.any_clock {
        return Err("C10: a statement was opened by an untrusted clock");
    }
    Ok(())
}

/// Whether the next roster is to the last seat what its statement makes of the present one.
fn follows(change: &RosterChange, present: &Seats, next: &Seats) -> Result<(), &'static str> {
    let names: BTreeSet<&PersonId> = present.people.keys().chain(next.people.keys()).collect();
    for who in names {
        let named = match (present.people.get(who), next.people.get(who)) {
            (None, _) => change.added.contains(who),
            (_, None) => change.removed.contains(who),
            (before, after) => before == after || change.changed.contains(who),
        };
        if !named {
            return Err("C6: somebody joins, leaves or changes who is not named");
        }
    }
    let joined =
        change.added.iter().all(|who| next.people.contains_key(who) && !present.people.contains_key(who));
    let left =
        change.removed.iter().all(|who| present.people.contains_key(who) && !next.people.contains_key(who));
    if !joined || !left {
        return Err("C6: somebody is named who neither joins nor leaves");
    }
    let both = Rules::default().of(Kind::RosterChange);
    if next.version != change.roster || change.quorum != quorum(both, next) {
        return Err("C6: the next roster is another one");
    }
    Ok(())
}
