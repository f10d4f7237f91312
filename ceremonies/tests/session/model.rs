//! What follows from the records of one ceremony, kept by other code than the machine's: who said what, what of it stands, who may
//! say it, and where the ceremony is then. It asks the product for nothing but the rules' numbers. Whatever it refuses, it refuses
//! by the invariant that would be broken.

mod hear;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use ceremonies::nonce::Nonce;
use ceremonies::person::{PersonId, Role};
use ceremonies::rules::{Officers, Rule, Rules};
use ceremonies::session::{Decision, Event, Parted, Parting, Seats, Stamp, Step};
use ceremonies::statement::target::Leftover;
use ceremonies::statement::{Statement, Target};
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::time::Time;

use crate::casts::Proposal;

const HOUR: Duration = Duration::from_secs(3600);
const QUARTER: Duration = Duration::from_secs(15 * 60);

/// Something that a person said for it.
#[derive(Clone, Copy)]
struct Said {
    key: KeyId,
    expires: Time,
    /// By the time that the log gave, never by one of the act's own.
    logged: Time,
}

/// What stands of all that one person said.
#[derive(Clone, Default)]
struct Words {
    approval: Option<Said>,
    attestation: Option<Said>,
    refusal: Option<Hash>,
    veto: Option<(Hash, KeyId)>,
    /// The record since which what was signed before it counts no more.
    ended: Option<u64>,
}

/// Who counts, each with the key that signed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Count {
    pub approvers: BTreeMap<PersonId, KeyId>,
    /// By the next roster; or everybody who agreed to what takes one officer and another person.
    pub others: BTreeMap<PersonId, KeyId>,
    pub witnesses: BTreeMap<PersonId, KeyId>,
    pub independent: BTreeSet<PersonId>,
}

impl Count {
    pub fn everybody(&self) -> BTreeSet<PersonId> {
        self.approvers.keys().chain(self.others.keys()).cloned().collect()
    }
}

/// One ceremony, as its records say.
#[derive(Clone)]
pub struct Model {
    pub statement: Rc<Statement>,
    pub rule: Rule,
    pub pinned: Rc<Seats>,
    pub present: Rc<Seats>,
    pub next: Option<Rc<Seats>>,
    pub proposed: Stamp,
    index: u64,
    /// The latest time that counts.
    pub now: Time,
    pub sound: bool,
    pub step: Step,
    words: BTreeMap<PersonId, Words>,
    used: BTreeSet<(PersonId, Nonce)>,
    /// Who ran the tool.
    pub ran: BTreeSet<PersonId>,
    starts: u32,
    superseded: bool,
    /// Who counted when it started.
    pub began: Count,
    /// Those of them who count no more: since which record, and why.
    pub parted: BTreeMap<PersonId, Parted>,
    output: Option<(Hash, Time)>,
    deviations: Vec<Hash>,
    seen: BTreeSet<PersonId>,
    waits: Option<Time>,
}

pub fn has(roster: &Seats, person: &PersonId, role: Role, key: KeyId) -> bool {
    owns(roster, person, key) && roster.people[person].roles.contains(&role)
}

pub fn owns(roster: &Seats, person: &PersonId, key: KeyId) -> bool {
    roster.people.get(person).is_some_and(|seat| seat.keys.contains(&key))
}

/// Of two who sign with one key the first counts.
fn by_key<'a>(said: impl Iterator<Item = (&'a PersonId, Said)>) -> BTreeMap<PersonId, KeyId> {
    let mut counted: BTreeMap<PersonId, KeyId> = BTreeMap::new();
    for (person, said) in said {
        if !counted.values().any(|key| *key == said.key) {
            counted.insert(person.clone(), said.key);
        }
    }
    counted
}

impl Model {
    pub fn new(proposal: &Proposal) -> Self {
        let statement = proposal.statement.clone();
        let rule = Rules::default().rule(statement.target());
        let roster = Rc::new(Seats::clone(&proposal.in_force.roster));
        Self {
            statement: Rc::new(statement),
            rule,
            pinned: Rc::clone(&roster),
            present: roster,
            next: proposal.next.clone().map(Rc::new),
            proposed: proposal.stamp,
            index: proposal.stamp.index,
            now: proposal.stamp.time,
            sound: true,
            step: Step::Proposed,
            words: BTreeMap::new(),
            used: BTreeSet::new(),
            ran: BTreeSet::new(),
            starts: 0,
            superseded: false,
            began: Count::default(),
            parted: BTreeMap::new(),
            output: None,
            deviations: Vec::new(),
            seen: BTreeSet::new(),
            waits: None,
        }
    }

    pub fn in_both(&self, person: &PersonId, role: Role, key: KeyId) -> bool {
        has(&self.pinned, person, role, key) && has(&self.present, person, role, key)
    }

    fn is_suspended(&self, person: &PersonId) -> bool {
        self.present.suspended.contains(person)
    }

    fn fresh(&self, said: Option<Said>) -> Option<Said> {
        said.filter(|said| self.now.since(said.logged) <= self.rule.approval_age && self.now < said.expires)
    }

    /// Who counts at this moment.
    pub fn count(&self) -> Count {
        let said = |of: fn(&Words) -> Option<Said>| {
            let all = self.words.iter();
            all.filter_map(move |(person, words)| Some((person, self.fresh(of(words))?)))
        };
        let approvals = || said(|words| words.approval);
        let officers = approvals().filter(|(person, said)| self.in_both(person, Role::Officer, said.key));
        let mut count = Count { approvers: by_key(officers), ..Count::default() };
        let both =
            |person: &PersonId, key| owns(&self.pinned, person, key) && owns(&self.present, person, key);
        if self.rule.officers == Officers::OneAndAnother {
            count.others = by_key(approvals().filter(|(person, said)| both(person, said.key)));
        }
        if let Some(next) = &self.next {
            count.others =
                by_key(approvals().filter(|(person, said)| has(next, person, Role::Officer, said.key)));
        }
        let agreed = |person: &PersonId, key: KeyId| {
            let mut all = count.approvers.iter().chain(&count.others);
            all.any(|(own, signed)| own == person || *signed == key)
        };
        let witnesses = said(|words| words.attestation).filter(|(person, said)| {
            self.in_both(person, Role::Witness, said.key)
                && !agreed(person, said.key)
                && **person != self.statement.common().initiator
        });
        count.witnesses = by_key(witnesses);
        let units = |person: &PersonId| {
            let next = self.next.as_ref().and_then(|next| next.people.get(person));
            self.present.people.get(person).or(next).map(|seat| seat.unit.clone())
        };
        let others = |people: &BTreeMap<PersonId, KeyId>, own: &PersonId| {
            people.keys().filter(|person| units(person) != units(own)).count()
        };
        let (quorum, of_next) = self.quorums();
        let independent = count.witnesses.keys().filter(|own| {
            others(&count.approvers, own) >= quorum && others(&count.others, own) >= of_next.unwrap_or(0)
        });
        count.independent = independent.cloned().collect();
        count
    }

    /// How many officers of the roster that the statement names, and how many of the next one.
    pub fn quorums(&self) -> (usize, Option<usize>) {
        let of_next = match self.statement.target() {
            Target::RosterChange(change) => Some(usize::from(change.quorum.approvals)),
            _ => None,
        };
        (usize::from(self.statement.common().quorum.approvals), of_next)
    }

    /// Whether these are all whom it takes.
    pub fn suffices(&self, count: &Count) -> bool {
        let (quorum, of_next) = self.quorums();
        let another = if self.rule.officers == Officers::OneAndAnother { 2 } else { 0 };
        count.approvers.len() >= quorum
            && count.others.len() >= of_next.unwrap_or(another)
            && count.witnesses.len() >= usize::from(self.rule.witnesses)
            && (!self.rule.other_unit || !count.independent.is_empty())
    }

    /// Who wants it stopped, and may, each with the key of his act.
    pub fn vetoers(&self) -> BTreeMap<PersonId, KeyId> {
        let vetoes = self.words.iter().filter_map(|(person, words)| Some((person.clone(), words.veto?.1)));
        vetoes.collect()
    }

    fn is_vetoed(&self) -> bool {
        let keys: BTreeSet<KeyId> = self.vetoers().into_values().collect();
        keys.len() >= usize::from(self.rule.vetoes)
    }

    /// Whether a person may veto or abort: officers and witnesses, but not who alone would be removed.
    pub fn may_object(&self, person: &PersonId, key: KeyId) -> bool {
        if self.is_suspended(person) {
            return false;
        }
        let roles = [Role::Officer, Role::Witness];
        if self.step == Step::Waiting {
            return roles.iter().any(|role| has(&self.present, person, *role, key));
        }
        let only_removes = match self.statement.target() {
            Target::RosterChange(change) => {
                let touched = change.added.len() + change.changed.len() + change.removed.len();
                let approvals = change.quorum.approvals == self.statement.common().quorum.approvals;
                touched == 1 && approvals && change.removed.contains(person)
            }
            _ => false,
        };
        !only_removes && roles.iter().any(|role| self.in_both(person, *role, key))
    }

    /// The ceremony after a record; or the invariant that would be broken if it had an effect.
    pub fn after(&self, event: &Event, stamp: Stamp) -> Result<Self, &'static str> {
        if self.step.is_end() {
            return Err("C5: it went on after its end");
        }
        if stamp.index <= self.index {
            return Err("C2: a record counted again, or out of its order");
        }
        let mut next = self.clone();
        next.index = stamp.index;
        next.sound = self.rule.any_clock || stamp.trusted && stamp.time >= self.now;
        if next.sound {
            next.now = self.now.max(stamp.time);
        }
        let enables = match event {
            Event::Act(act) => enables(&act.decision),
            Event::Tick | Event::Start { .. } => true,
            _ => false,
        };
        if enables && !next.sound {
            return Err("C10: an unsound clock brought it nearer to an effect");
        }
        let others =
            matches!(event, Event::Guardrails(version) if *version != self.statement.common().guardrails);
        if others && matches!(self.statement.target(), Target::PolicyChange(_)) {
            next.step = Step::Superseded;
            return Ok(next);
        }
        next.pass();
        let is_fact =
            matches!(event, Event::Roster(_) | Event::Guardrails(_) | Event::Suspended(_) | Event::Tick);
        if next.step.is_end() {
            return if is_fact { Ok(next) } else { Err("C2: time had ended it before") };
        }
        match event {
            Event::Act(act) => next.hear(act)?,
            Event::Start { operator, found } => next.start(operator.as_ref(), *found)?,
            Event::Deviation { person, deviation } => {
                if next.is_suspended(person) {
                    return Err("C2: what a suspended person said was recorded");
                }
                if !matches!(next.step, Step::Executing | Step::Executed) {
                    return Err("C5: a deviation from nothing");
                }
                next.deviations.push(*deviation);
                next.seen.clear();
            }
            Event::Output { .. } | Event::NothingDone | Event::Interrupted
                if next.step != Step::Executing =>
            {
                return Err("C3: something came of an execution that was not under way");
            }
            Event::Output { outputs } => {
                (next.step, next.output) = (Step::Executed, Some((*outputs, next.now)));
            }
            Event::NothingDone => next.step = Step::Failed,
            Event::Interrupted => next.step = Step::Indeterminate,
            Event::Resolved { leftover, .. } => next.resolve(*leftover)?,
            Event::Roster(roster) if *roster == *next.present => {}
            Event::Roster(roster) => {
                next.present = Rc::new(roster.clone());
                next.forget();
                next.change(next.next.is_some() && roster.version != next.pinned.version);
            }
            Event::Guardrails(_) if others => next.change(false),
            Event::Suspended(people) => {
                let mut present = (*next.present).clone();
                for person in people.difference(&present.suspended) {
                    next.words.entry(person.clone()).or_default().end(stamp.index);
                }
                present.suspended.clone_from(people);
                next.present = Rc::new(present);
                next.forget();
            }
            Event::Guardrails(_) | Event::Tick => {}
        }
        next.pass();
        next.part();
        Ok(next)
    }

    /// Who agreed to what is being done or was done, and counts no more, is noted for good.
    fn part(&mut self) {
        let of_next = self.next.is_some();
        let present = Rc::clone(&self.present);
        let officers =
            self.began.approvers.iter().map(|(own, key)| (own, has(&present, own, Role::Officer, *key)));
        let witnesses =
            self.began.witnesses.iter().map(|(own, key)| (own, has(&present, own, Role::Witness, *key)));
        let others = self.began.others.iter().map(|(own, key)| (own, of_next || owns(&present, own, *key)));
        for (person, stays) in officers.chain(witnesses).chain(others) {
            let suspended = present.suspended.contains(person);
            if suspended || !stays {
                let how = if suspended { Parting::Suspended } else { Parting::Left };
                self.parted.entry(person.clone()).or_insert(Parted { record: self.index, how });
            }
        }
    }

    /// What time alone does.
    fn pass(&mut self) {
        let begun = self.output.map(|(_, at)| at);
        self.step = match self.step {
            Step::Proposed | Step::Armed if self.now >= self.statement.common().expires => Step::Expired,
            Step::Proposed | Step::Armed => {
                let may = self.sound || self.step == Step::Armed;
                if may && self.suffices(&self.count()) { Step::Armed } else { Step::Proposed }
            }
            Step::Executed if self.sound && self.is_seen() => {
                let loosens =
                    matches!(self.statement.target(), Target::PolicyChange(change) if change.loosens);
                self.waits = loosens.then(|| self.now.later(24 * HOUR));
                if loosens { Step::Waiting } else { Step::Completed }
            }
            Step::Executed if begun.is_some_and(|at| self.now >= at.later(4 * HOUR)) => Step::Failed,
            Step::Waiting if self.sound && self.waits.is_some_and(|until| self.now >= until) => {
                Step::Completed
            }
            step => step,
        };
    }

    /// Whether enough of those who attested before have attested what came of it.
    fn is_seen(&self) -> bool {
        let independent =
            !self.rule.other_unit || self.seen.iter().any(|own| self.began.independent.contains(own));
        self.seen.len() >= usize::from(self.rule.witnesses) && independent
    }

    /// Other rules: what they came upon ends, or at least is never started again; emergencies go on.
    fn change(&mut self, follows_nothing: bool) {
        let open = matches!(self.step, Step::Proposed | Step::Armed);
        if follows_nothing || open && !self.rule.emergency {
            self.step = Step::Superseded;
        }
        self.superseded |= !self.rule.emergency;
    }

    /// Objections and second attestations of those who may not say them any more are gone for good.
    fn forget(&mut self) {
        let (pinned, present) = (Rc::clone(&self.pinned), Rc::clone(&self.present));
        let may = |person: &PersonId, role, key| {
            has(&pinned, person, role, key)
                && has(&present, person, role, key)
                && !present.suspended.contains(person)
        };
        for (person, words) in &mut self.words {
            let stays = |key| may(person, Role::Officer, key) || may(person, Role::Witness, key);
            words.veto = words.veto.filter(|(_, key)| stays(*key));
        }
        let began = &self.began;
        self.seen.retain(|person| may(person, Role::Witness, began.witnesses[person]));
    }

    fn start(&mut self, operator: Option<&PersonId>, found: u64) -> Result<(), &'static str> {
        if self.step != Step::Armed {
            return Err("C1: it started and was not armed");
        }
        if self.starts > 1 {
            return Err("C3: it started a third time");
        }
        if self.now < self.statement.common().not_before {
            return Err("C1: it started before its time");
        }
        match self.statement.target() {
            Target::KeyGenerate(_) if found > 0 => {
                return Err("C3: an object that was planted stood for the key");
            }
            Target::KeyDestroy(_) if found == 0 => return Err("C3: nothing was there to be destroyed"),
            _ => {}
        }
        if let Some(operator) = operator {
            let seat = self.present.people.get(operator);
            if self.is_suspended(operator) || !seat.is_some_and(|seat| seat.roles.contains(&Role::Operator)) {
                return Err("C1: who ran the tool may not");
            }
            let words = self.words.get(operator).cloned().unwrap_or_default();
            if words.approval.is_some() || words.attestation.is_some() {
                return Err("C1: an operator is officer or witness, too");
            }
        }
        self.starts += 1;
        self.ran.extend(operator.cloned());
        (self.step, self.began) = (Step::Executing, self.count());
        (self.output, self.deviations, self.seen) = (None, Vec::new(), BTreeSet::new());
        Ok(())
    }

    fn resolve(&mut self, leftover: Leftover) -> Result<(), &'static str> {
        if self.step != Step::Indeterminate {
            return Err("C3: what was not interrupted was resolved");
        }
        let again = self.starts < 2
            && !self.superseded
            && !self.is_vetoed()
            && self.now < self.statement.common().expires
            && self.suffices(&self.count());
        if leftover == Leftover::Destroy && again {
            // What is armed once more was started by nobody.
            (self.began, self.parted) = (Count::default(), BTreeMap::new());
        }
        self.step = match leftover {
            Leftover::Abandon => Step::Failed,
            Leftover::Destroy if again => Step::Armed,
            Leftover::Destroy => Step::Aborted,
        };
        Ok(())
    }
}

fn enables(decision: &Decision) -> bool {
    matches!(decision, Decision::Approve | Decision::Attest | Decision::AttestAfter { .. })
}

impl Words {
    fn clear(&mut self) {
        (self.approval, self.attestation) = (None, None);
    }

    fn end(&mut self, record: u64) {
        self.clear();
        self.ended = Some(record);
    }
}
