//! The moves of the scheduler, one by one.

use std::time::Duration;

use ceremonies::person::Role;
use ceremonies::rules::Officers;
use ceremonies::session::{Decision, Event, Seat, Seats, Step};
use ceremonies::statement::target::Leftover;
use ceremonies::statement::{CeremonyId, Target};
use proto::hash::Hash;

use super::{
    AFTER, APPROVE, ATTEST, FEWER_DEVIATIONS, GOOD, OLD_HEAD, OTHER_OUTPUTS, REFUSE, SHORT, Stage, VETO,
    WITHDRAW,
};
use crate::casts::{Cast, NAMES, name};
use crate::moves::{Between, Move, Wrong};
use crate::room::{PEOPLE, key, person};
use crate::samples;

// People by their place in the room.
const ADA: usize = 0;
const BEN: usize = 1;
const EDGAR: usize = 4;
const ZOE: usize = 8;
const RITA: usize = 9;
const OSCAR: usize = 10;
const OLGA: usize = 11;
const IVY: usize = 12;

// What is otherwise in another roster.
const SAME: u8 = 0;
const LESS_KEY: u8 = 1;
const OPERATOR: u8 = 2;
const ALL_ROLES: u8 = 3;
const OTHER_UNIT: u8 = 4;
const JOINS: u8 = 5;
const GONE: u8 = 6;
const TOLD_AGAIN: u8 = 7;
const NO_WITNESS: u8 = 8;

impl Stage {
    /// Who has a role, by the roster that the statement names or by the one that it makes.
    fn with(&self, role: Role) -> Vec<usize> {
        let model = &self.oracle.model;
        let is = |who: &usize| {
            let rosters = [Some(&model.present), model.next.as_ref()];
            let seat = |roster: &Seats| {
                let seat = roster.people.get(&person(name(*who)));
                seat.is_some_and(|seat| seat.roles.contains(&role))
            };
            rosters.into_iter().flatten().any(|roster| seat(roster))
        };
        (0..NAMES).filter(is).collect()
    }

    fn honest(&mut self, without: usize) {
        // As many as it takes, and one more: who has two roles takes the other part.
        let (quorum, of_next) = self.oracle.model.quorums();
        let mut officers = self.with(Role::Officer);
        let enough = if of_next.is_some() { officers.len() } else { quorum + 1 };
        officers.truncate(enough);
        if let Target::SignBreakGlass(_) = self.room.session.statement().target() {
            officers = vec![BEN];
        }
        if self.oracle.model.rule.officers == Officers::OneAndAnother {
            officers = vec![ADA, RITA];
        }
        officers.truncate(officers.len().saturating_sub(without));
        officers.iter().for_each(|who| self.good(*who, APPROVE));
        let witnesses =
            self.with(Role::Witness).into_iter().filter(|who| !officers.contains(who) && *who != OLGA);
        witnesses.collect::<Vec<_>>().into_iter().for_each(|who| self.good(who, ATTEST));
    }

    /// What is found where all is as it should be.
    fn there(&self) -> u64 {
        u64::from(matches!(self.room.session.statement().target(), Target::KeyDestroy(_)))
    }

    /// Whether another roster lets it go on.
    fn goes_on(&self) -> bool {
        self.oracle.model.rule.emergency || !matches!(self.room.step(), Step::Proposed | Step::Armed)
    }

    /// Everybody does his part until it is being done, where it is not yet.
    fn begin(&mut self) {
        if matches!(self.room.step(), Step::Proposed | Step::Armed) {
            self.honest(0);
            self.tries();
            let found = self.there();
            self.append(Event::Start { operator: None, found });
        }
    }

    /// Starts that are refused, whoever agreed: for what is found, and for who runs the tool.
    fn tries(&mut self) {
        let there = self.there();
        if matches!(self.room.session.statement().target(), Target::KeyGenerate(_) | Target::KeyDestroy(_)) {
            self.append(Event::Start { operator: None, found: 1 - there });
        }
        let suspended = self.oracle.model.present.suspended.first().cloned();
        if suspended.is_some() {
            self.append(Event::Start { operator: suspended, found: there });
        }
    }

    /// The same until it was done.
    fn finish(&mut self) {
        self.begin();
        if self.room.step() == Step::Executing {
            self.play(&Move::Output);
        }
    }

    fn nearly(&mut self, wrong: Wrong) {
        match wrong {
            Wrong::Ended => {
                (0..5).for_each(|who| self.act(who, APPROVE, SHORT));
                self.all(0b1_1110_0000, ATTEST);
                self.room.wait_minutes(30);
            }
            Wrong::Head => {
                self.all(0b1_1111, APPROVE);
                (5..9).for_each(|who| self.act(who, ATTEST, OLD_HEAD));
            }
            _ => self.honest(0),
        }
        let there = self.there();
        let found = if wrong == Wrong::Found { 1 - there } else { there };
        self.append(Event::Start { operator: None, found });
        self.play(&Move::Deviate(OSCAR));
        self.play(&Move::Output);
        let twist = match wrong {
            Wrong::Outputs => OTHER_OUTPUTS,
            Wrong::Deviations => FEWER_DEVIATIONS,
            _ => GOOD,
        };
        (5..9).for_each(|who| self.act(who, AFTER, twist));
    }

    /// What happens in between to whoever has said something, or is about to.
    fn between(&mut self, who: usize, what: Between) {
        match what {
            Between::Nothing => {}
            Between::Deviation => self.play(&Move::Deviate(OSCAR)),
            Between::Suspended => {
                self.suspend(who);
                self.play(&Move::Deviate(who));
            }
            Between::Role => self.roster(who, OPERATOR, true),
            Between::Leaves => self.roster(who, GONE, true),
            Between::Key => self.roster(who, LESS_KEY, true),
            Between::OtherOutputs => self.act(who, AFTER, OTHER_OUTPUTS),
            Between::FewerDeviations => {
                self.play(&Move::Deviate(OSCAR));
                self.act(who, AFTER, FEWER_DEVIATIONS);
            }
            Between::Vetoes => self.good(who, VETO),
            Between::Objected => [ADA, ZOE].into_iter().for_each(|other| self.good(other, VETO)),
            Between::Rules => self.play(&Move::Guardrails(false)),
            Between::End => {
                let end = self.room.session.statement().common().expires;
                self.room.now = self.room.now.max(end);
            }
            Between::TakesBack => self.good(who, WITHDRAW),
        }
    }

    fn suspend(&mut self, who: usize) {
        // Who is suspended is so no more.
        let mut suspended = self.oracle.model.present.suspended.clone();
        if !suspended.remove(&person(name(who))) {
            suspended.insert(person(name(who)));
        }
        self.append(Event::Suspended(suspended));
    }

    /// Another roster, in which somebody has less or more; everybody else has what he had in the first one.
    fn roster(&mut self, who: usize, how: u8, keeps: bool) {
        self.rosters += 1;
        let id = person(name(who));
        let mut next = self.setting.cast.roster(self.rosters, |people| {
            if how == JOINS {
                let ivy = person("ivy");
                let keys = [0, 1].map(|number| key(&ivy, number)).into();
                let roles = [Role::Officer, Role::Witness, Role::Operator].into();
                people.insert(ivy, Seat { keys, roles, unit: "legal".parse().unwrap() });
            }
            if how == NO_WITNESS {
                people.retain(|_, seat| !seat.roles.contains(&Role::Witness));
            }
            let Some(seat) = people.get_mut(&id) else { return };
            match how {
                // The same people once more.
                SAME | JOINS | NO_WITNESS => {}
                LESS_KEY => drop(seat.keys.remove(&key(&id, 0))),
                OPERATOR => seat.roles = [Role::Operator].into(),
                ALL_ROLES => seat.roles = [Role::Officer, Role::Witness, Role::Operator].into(),
                OTHER_UNIT => seat.unit = "release".parse().unwrap(),
                _ => drop(people.remove(&id)),
            }
        });
        if keeps {
            next.suspended.clone_from(&self.oracle.model.present.suspended);
        }
        self.append(Event::Roster(next));
    }

    pub fn play(&mut self, turn: &Move) {
        match turn {
            Move::Act { who, decision, twist } => self.act(*who, *decision, *twist),
            Move::Many { approve, attest } => {
                self.all(*approve, APPROVE);
                self.all(*attest, ATTEST);
            }
            Move::Honest(without) => self.honest(*without),
            Move::Straight => {
                self.honest(0);
                let found =
                    u64::from(matches!(self.room.session.statement().target(), Target::KeyDestroy(_)));
                self.append(Event::Start { operator: None, found });
                self.play(&Move::Output);
                self.all(u32::MAX, AFTER);
            }
            Move::Replay(index) => {
                if !self.acts.is_empty() {
                    let act = index.get(&self.acts).clone();
                    self.send(act);
                }
            }
            Move::Again(index) => {
                if !self.room.records.is_empty() {
                    let (event, stamp) = index.get(&self.room.records).clone();
                    self.append_at(stamp.index, event);
                }
            }
            Move::Keep { who, decision } => {
                let decision = self.decision(*who, *decision, GOOD);
                let act = self.room.act(name(*who), decision);
                self.acts.push(act);
            }
            Move::Late { who, decision, suspended } => {
                let decision = self.decision(*who, *decision, GOOD);
                let act = self.room.act(name(*who), decision);
                if *suspended {
                    self.suspend(*who);
                    self.suspend(*who);
                } else {
                    let withdraw = self.room.act(name(*who), Decision::Withdraw { act: Hash::ZERO });
                    self.send(withdraw);
                }
                self.send(act);
            }
            Move::Wait(minutes) => drop(self.room.wait_minutes(u64::from(*minutes))),
            Move::Until(side) => {
                if let Some(due) = self.room.session.due() {
                    let little = Duration::from_micros(1);
                    self.room.now = match side {
                        -1 => due.earlier(little),
                        0 => due,
                        _ => due.later(little),
                    };
                }
            }
            Move::Back(minutes) => {
                self.room.now = self.room.now.earlier(Duration::from_secs(60 * u64::from(*minutes)))
            }
            Move::Clock(trusted) => self.room.trusted = *trusted,
            Move::Tick => self.append(Event::Tick),
            Move::Start { operator, found } => {
                // What is to be destroyed is there, as a rule; what is to be made is not.
                let destroys = matches!(self.room.session.statement().target(), Target::KeyDestroy(_));
                let found = if destroys { u64::from(*found == 0) } else { *found };
                self.append(Event::Start { operator: operator.map(|who| person(name(who))), found });
            }
            Move::Output => self.append(Event::Output { outputs: Hash::of(b"outputs") }),
            Move::After { who, between, then } => {
                self.finish();
                self.between(*who, *between);
                self.good(*who, AFTER);
                self.all(*then, AFTER);
            }
            Move::SeenBy { who, between, then } => {
                self.finish();
                self.good(*who, AFTER);
                self.between(*who, *between);
                self.all(*then, AFTER);
            }
            Move::Object { first, between, then } => {
                self.good(*first, VETO);
                self.between(*first, *between);
                self.good(*then, VETO);
            }
            Move::Clear { who, between } => {
                if *between == Between::End {
                    // So late that those who agreed count still.
                    let end = self.room.session.statement().common().expires;
                    self.room.now = self.room.now.max(end.earlier(Duration::from_secs(60)));
                }
                self.begin();
                self.append(Event::Interrupted);
                self.between(*who, *between);
                self.play(&Move::Resolve(true));
            }
            Move::Forgotten { who, decision } => {
                self.good(*who, *decision);
                self.room.now = self.room.now.later(self.oracle.model.rule.approval_age);
                self.room.wait_minutes(1);
                self.honest(0);
                let found = self.there();
                self.append(Event::Start { operator: Some(person(name(*who))), found });
            }
            Move::Twice { operator } => {
                let found = self.there();
                for _ in 0..3 {
                    self.append(Event::Start { operator: Some(person(name(*operator))), found });
                    self.append(Event::Interrupted);
                    self.play(&Move::Resolve(true));
                    self.good(*operator, APPROVE);
                    self.good(*operator, ATTEST);
                }
            }
            Move::Cancel { who, joins } => {
                if matches!(self.room.session.statement().target(), Target::PolicyChange(_)) {
                    self.play(&Move::Straight);
                    if *joins {
                        self.roster(ADA, JOINS, true);
                    }
                    self.good(if *joins { IVY } else { *who }, VETO);
                }
            }
            // Other rosters end what has not begun, but for emergencies: that is seen often enough.
            Move::Joins(_) | Move::Flicker if !self.goes_on() => {}
            Move::Joins(who) => {
                self.roster(*who, if *who < PEOPLE.len() { ALL_ROLES } else { JOINS }, true);
                (0..4).for_each(|decision| self.good(*who, decision));
            }
            Move::Leaver => {
                if matches!(self.room.session.statement().target(), Target::RosterChange(_)) {
                    self.good(EDGAR, VETO);
                }
            }
            Move::Refuser(who) => [REFUSE, VETO].into_iter().for_each(|decision| self.good(*who, decision)),
            Move::OneKey => {
                if matches!(self.setting.cast, Cast::OneKey) {
                    [ADA, BEN].into_iter().for_each(|who| self.good(who, VETO));
                }
            }
            Move::UnsoundOutput => {
                self.begin();
                let trusted = std::mem::replace(&mut self.room.trusted, false);
                self.play(&Move::Output);
                self.room.trusted = trusted;
            }
            Move::Nearly(wrong) => self.nearly(*wrong),
            Move::Nonce(index) => {
                if !self.acts.is_empty() {
                    let known = index.get(&self.acts).clone();
                    let mut other = self.room.act(known.person.as_str(), known.decision);
                    other.nonce = known.nonce;
                    self.send(other);
                }
            }
            Move::Parts { nth, how } => {
                self.begin();
                let model = &self.oracle.model;
                let agreed = model.began.others.keys().chain(model.began.approvers.keys());
                let agreed: Vec<_> = agreed.chain(model.began.witnesses.keys()).collect();
                let Some(who) = agreed.get(nth % agreed.len().max(1)) else { return };
                let who = (0..NAMES).find(|own| name(*own) == who.as_str()).unwrap();
                self.roster(who, *how, true);
            }
            Move::Broken(how) => self.append(if *how == 0 { Event::NothingDone } else { Event::Interrupted }),
            Move::Deviate(who) => {
                let deviation = Hash::of(&self.room.index.to_be_bytes());
                self.append(Event::Deviation { deviation, person: person(name(*who)) });
            }
            Move::Resolve(destroy) => {
                let leftover = if *destroy { Leftover::Destroy } else { Leftover::Abandon };
                self.append(Event::Resolved { by: CeremonyId::from([9; 16]), leftover });
            }
            Move::Roster { who, how, keeps } => {
                if *how == TOLD_AGAIN {
                    // The one in force, told again.
                    let present = (*self.oracle.model.present).clone();
                    self.append(Event::Roster(present));
                } else {
                    self.roster(*who, *how, *keeps);
                }
            }
            Move::Flicker => {
                self.honest(0);
                self.roster(ADA, NO_WITNESS, true);
                let trusted = std::mem::replace(&mut self.room.trusted, false);
                self.roster(ADA, SAME, true);
                self.room.trusted = trusted;
            }
            Move::Guardrails(same) => {
                self.append(Event::Guardrails(samples::version(if *same { 3 } else { 4 }, "guardrails")));
            }
            Move::Suspend(who) => self.suspend(*who),
        }
    }
}
