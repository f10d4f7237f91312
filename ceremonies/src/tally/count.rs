//! The count at one moment.

use std::collections::BTreeSet;
use std::time::Duration;

use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::time::Time;

use super::{Held, Need, Tally};
use crate::act::{ActKind, Decision, Deed};
use crate::person::{PersonId, Role};
use crate::roster::{Person, Roster};

/// What is judged against.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The time that the log would give a record now.
    pub now: Time,
    /// The roster in force: who counts is in it, in the same role, with the same key.
    pub roster: &'a Roster,
    /// Whose acts do not count now.
    pub suspended: &'a BTreeSet<PersonId>,
}

/// Why an act that was taken does not count now.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Aside {
    /// The ceremony's time is over.
    #[error("the ceremony ended at {0}")]
    Over(Time),
    /// Taken back.
    #[error("it was withdrawn")]
    Withdrawn,
    /// It says no.
    #[error("it refuses")]
    Refuses,
    /// The same person has refused.
    #[error("the same person has refused: withdraw the refusal first")]
    RefusedElsewhere,
    /// Past its own end.
    #[error("it expired at {0}")]
    Expired(Time),
    /// Too old, by the time that the log gave it.
    #[error("it was logged at {at}, more than {} s ago: make a new one", most.as_secs())]
    TooOld {
        /// When it was logged.
        at: Time,
        /// How old it may be.
        most: Duration,
    },
    /// Of a person who is suspended.
    #[error("the person is suspended")]
    Suspended,
    /// Of a person whom the roster in force does not know.
    #[error("the person is no longer in the roster")]
    Gone,
    /// Of a person whose role is another now.
    #[error("the person is no longer {0} in the roster")]
    RoleGone(Role),
    /// With a key that is not the person's any more, or not in this form.
    #[error("the key is no longer this person's in the roster")]
    KeyGone,
    /// Of a person who is counted by a newer act.
    #[error("the person is counted already, by a newer act")]
    PersonCounted,
    /// A withdrawal of what somebody else has done.
    #[error("the act that it would withdraw is that of `{0}`: people withdraw their own")]
    NotOnesOwn(PersonId),
    /// With a key that is counted for somebody else.
    #[error("the key is counted already, for another person")]
    KeyCounted,
}

/// Who counts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Count {
    /// Who consents: officers, and where another person may, that one.
    pub approvals: BTreeSet<PersonId>,
    /// Whether among them is an officer for each approval needed, and whoever else is.
    pub approved: bool,
    /// Witnesses who attest the statement.
    pub before: BTreeSet<PersonId>,
    /// Those of them who are of another unit than each officer of a quorum that there is.
    pub independent: BTreeSet<PersonId>,
    /// Whether the quorum of approvals and the attestations are there: the ceremony is armed.
    pub armed: bool,
    /// Witnesses who attest the outcome.
    pub after: BTreeSet<PersonId>,
    /// Whether every witness that is needed attests the outcome.
    pub attested: bool,
    /// Witnesses who refuse the outcome. One is enough to fail it.
    pub refused: BTreeSet<PersonId>,
    /// Who vetoes.
    pub vetoes: BTreeSet<PersonId>,
    /// Whether so many do that it ends.
    pub vetoed: bool,
    /// Who wants an execution to end.
    pub aborts: BTreeSet<PersonId>,
    /// Acts that do not count, by the SHA-256 of their document, with their person and why. In the order in which they
    /// came.
    pub aside: Vec<(Hash, PersonId, Aside)>,
}

/// For what somebody is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Column {
    Approvals,
    Before,
    After,
    Refused,
    Vetoes,
    Aborts,
}

/// Who and what is counted in one column.
#[derive(Default)]
pub(super) struct Seen {
    people: BTreeSet<PersonId>,
    keys: BTreeSet<KeyId>,
}

impl Tally {
    /// Judges every act at this moment.
    pub fn count(&self, need: Need, moment: Moment<'_>) -> Count {
        let mut count = Count::default();
        let columns = [
            Column::Approvals,
            Column::Before,
            Column::After,
            Column::Refused,
            Column::Vetoes,
            Column::Aborts,
        ];
        let mut aside = Vec::new();
        for column in columns {
            let mut seen = Seen::default();
            // The newest act of a person is the one that counts.
            for (place, held) in self.held.iter().enumerate().rev() {
                if column_of(held) != Some(column) {
                    continue;
                }
                match self.holds(held, column, need, moment).and_then(|()| seen.add(held)) {
                    Ok(()) => {}
                    Err(why) => aside.push((place, held.act.digest(), held.act.person().clone(), why)),
                }
            }
            *match column {
                Column::Approvals => &mut count.approvals,
                Column::Before => &mut count.before,
                Column::After => &mut count.after,
                Column::Refused => &mut count.refused,
                Column::Vetoes => &mut count.vetoes,
                Column::Aborts => &mut count.aborts,
            } = seen.people;
        }
        for (place, held) in self.held.iter().enumerate() {
            if let Some(owner) = self.withdraws_of(held) {
                aside.push((
                    place,
                    held.act.digest(),
                    held.act.person().clone(),
                    Aside::NotOnesOwn(owner.clone()),
                ));
            }
        }
        aside.sort_by_key(|(place, ..)| *place);
        count.aside = aside.into_iter().map(|(_, digest, person, why)| (digest, person, why)).collect();
        self.sum_up(&mut count, need, moment.roster);
        count
    }

    fn sum_up(&self, count: &mut Count, need: Need, roster: &Roster) {
        let people = |ids: &BTreeSet<PersonId>| {
            ids.iter().filter_map(|id| roster.person(id)).collect::<Vec<&Person>>()
        };
        let (approvers, watchers) = (people(&count.approvals), people(&count.before));
        let officers: Vec<&Person> = approvers.iter().copied().filter(|p| p.is(Role::Officer)).collect();
        let approvals = usize::from(need.approvals.max(1));
        count.approved =
            officers.len() >= approvals && approvers.len() >= approvals + usize::from(self.ballot.another);
        // Independent of a quorum that there is, not of everybody who agrees: nobody blocks a ceremony by joining it.
        let independent =
            |witness: &&Person| officers.iter().filter(|o| o.unit != witness.unit).count() >= approvals;
        count.independent =
            watchers.iter().copied().filter(independent).map(|witness| witness.id.clone()).collect();
        let watched = watchers.len() >= usize::from(need.witnesses)
            && (!need.other_unit || !count.independent.is_empty());
        count.armed = count.approved && watched;
        count.vetoed = count.vetoes.len() >= usize::from(need.vetoes.max(1));
        count.attested = self.executed.as_ref().is_some_and(|executed| {
            count.refused.is_empty()
                && count.after.len() >= usize::from(need.witnesses)
                && (!need.other_unit || !count.after.is_disjoint(&executed.independent))
        });
    }

    /// Whose act it is that somebody else would withdraw, if it is not his own as well: two people may sign one document.
    fn withdraws_of(&self, withdrawal: &Held) -> Option<&PersonId> {
        let Deed::Withdraw { act, .. } = withdrawal.act.act().deed else { return None };
        let person = withdrawal.act.person();
        let mut owners =
            self.held.iter().filter(|held| held.act.digest() == act).map(|held| held.act.person());
        let first = owners.next()?;
        (first != person && owners.all(|owner| owner != person)).then_some(first)
    }

    fn holds(&self, held: &Held, column: Column, need: Need, moment: Moment<'_>) -> Result<(), Aside> {
        let (act, person) = (&held.act, held.act.person());
        let enables = matches!(column, Column::Approvals | Column::Before | Column::After);
        if self.withdrawn.contains(&(person.clone(), act.digest())) {
            return Err(Aside::Withdrawn);
        }
        let deed = &act.act().deed;
        if enables && deed.decision() == Decision::Refuse {
            return Err(Aside::Refuses);
        }
        if enables && self.has_refused(person, act.kind()) {
            return Err(Aside::RefusedElsewhere);
        }
        if moment.suspended.contains(person) {
            return Err(Aside::Suspended);
        }
        let now = moment.roster.person(person).ok_or(Aside::Gone)?;
        let role = match deed {
            Deed::Attest { .. } => Some(Role::Witness),
            Deed::Approve { .. } => self.roles.get(person).copied(),
            _ => None,
        };
        if let Some(role) = role.filter(|role| !now.is(*role)) {
            return Err(Aside::RoleGone(role));
        }
        if role.is_none() && !act.kind().roles().iter().any(|role| now.is(*role)) {
            return Err(Aside::RoleGone(act.kind().roles()[0]));
        }
        let owner = moment.roster.owner(act.key().id());
        if owner.is_none_or(|(owner, enrolled)| owner.id != *person || enrolled != act.key()) {
            return Err(Aside::KeyGone);
        }
        // What stops something stays said; what enables something must be fresh.
        if enables {
            self.fresh(held, column, need, moment.now)?;
        }
        Ok(())
    }

    fn fresh(&self, held: &Held, column: Column, need: Need, now: Time) -> Result<(), Aside> {
        // An outcome is attested after the ceremony's time, if its execution took that long.
        if column != Column::After && now >= self.ballot.expires {
            return Err(Aside::Over(self.ballot.expires));
        }
        if now >= held.act.act().expires {
            return Err(Aside::Expired(held.act.act().expires));
        }
        if now.since(held.at) > need.age {
            return Err(Aside::TooOld { at: held.at, most: need.age });
        }
        Ok(())
    }

    /// Whether this person has said no by such an act and not withdrawn it; in whatever order yes and no arrived.
    fn has_refused(&self, person: &PersonId, kind: ActKind) -> bool {
        self.held.iter().any(|held| {
            held.act.person() == person
                && held.act.kind() == kind
                && held.act.act().deed.decision() == Decision::Refuse
                && !self.withdrawn.contains(&(person.clone(), held.act.digest()))
        })
    }
}

impl Seen {
    pub(super) fn add(&mut self, held: &Held) -> Result<(), Aside> {
        if self.people.contains(held.act.person()) {
            return Err(Aside::PersonCounted);
        }
        if !self.keys.insert(held.act.key().id()) {
            return Err(Aside::KeyCounted);
        }
        self.people.insert(held.act.person().clone());
        Ok(())
    }
}

fn column_of(held: &Held) -> Option<Column> {
    match held.act.act().deed {
        Deed::Approve { .. } => Some(Column::Approvals),
        Deed::Attest { outcome: None, .. } => Some(Column::Before),
        Deed::Attest { outcome: Some(_), decision: Decision::Accept, .. } => Some(Column::After),
        Deed::Attest { outcome: Some(_), decision: Decision::Refuse, .. } => Some(Column::Refused),
        Deed::Veto { .. } => Some(Column::Vetoes),
        Deed::Abort { .. } => Some(Column::Aborts),
        _ => None,
    }
}
