//! Suspending people: officers' acts, without a ceremony, until a roster says who decides.
//!
//! One officer suspends the first person; while somebody is suspended, two officers suspend another one. Of the N officers at
//! most N − M are suspended at a time, so that a quorum is always left. From the record that makes it so the person's acts
//! count nowhere: sessions, starts, proposals, stops and further suspensions refuse them.
//!
//! One who suspends must not be able to hold the others down, so a suspension stands only as long as its officers do:
//!
//! - It ends when so many of its officers are suspended, or no officers any more, that fewer are left than it took.
//! - Whoever was suspended by one officer alone still counts against that one, as one of the two whom it then takes. So in a
//!   roster of three, whose N − M is one, the two others suspend a rogue who came first.
//!
//! Otherwise it ends with the next roster whose ceremony was proposed after it: whoever decided that one knew of it. A roster
//! that was proposed before leaves it as it is.
//!
//! Pure: [`Suspensions::after`] takes what an officer says and gives the suspensions after it, or a [`Refusal`]; daemon and
//! verifier fold the same records. Signatures are not judged here, and not whether a head is one of this log.
//!
//! Invariant: a quorum of officers is never suspended, and one officer alone never keeps two people out
//! (`no_order_of_suspensions_takes_the_quorum_or_keeps_two_out_by_one`).

use std::collections::{BTreeMap, BTreeSet};

use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::record::Suspend;
use proto::time::Time;

use crate::act::{Deed, VerifiedAct};
use crate::nonce::Nonce;
use crate::person::{PersonError, PersonId, Role};
use crate::recovery::Suspended;
use crate::session::{Seats, Stamp};

/// What an officer says: that a person's acts shall count no more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Said {
    /// SHA-256 of the act.
    pub act: Hash,
    /// Who says so.
    pub by: PersonId,
    /// From then on it does not count, by its own word.
    pub expires: Time,
    /// The canonical public key that signed.
    pub key: KeyId,
    /// Counts once for its person.
    pub nonce: Nonce,
    /// Whose acts shall count no more.
    pub person: PersonId,
}

impl Said {
    /// What an act whose signature was checked says; none where it suspends nobody.
    pub fn of(verified: &VerifiedAct) -> Option<Self> {
        let act = verified.act();
        let Deed::Suspend { person } = &act.deed else { return None };
        Some(Self {
            act: verified.digest(),
            by: verified.person().clone(),
            expires: act.expires,
            key: verified.key().id(),
            nonce: act.nonce,
            person: person.clone(),
        })
    }

    /// What a record says.
    ///
    /// # Errors
    /// Where it names a person who is none.
    pub fn read(record: &Suspend) -> Result<Self, PersonError> {
        Ok(Self {
            act: record.act,
            by: record.by.parse()?,
            expires: record.expires,
            key: record.key,
            nonce: Nonce::from(*record.nonce.as_bytes()),
            person: record.person.parse()?,
        })
    }

    /// The body of its record.
    pub fn record(&self) -> Suspend {
        Suspend {
            act: self.act,
            by: self.by.to_string(),
            expires: self.expires,
            key: self.key,
            nonce: self.nonce.into(),
            person: self.person.to_string(),
        }
    }
}

/// A suspension in force.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Suspension {
    /// Whose acts it rests on.
    pub by: BTreeSet<PersonId>,
    /// How many officers it took.
    pub needs: usize,
    /// Index of the record that made it so.
    pub since: u64,
}

/// An officer's word that waits for another one's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Asked {
    expires: Time,
    key: KeyId,
}

/// Why an officer's word has no effect.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Nobody of that name.
    #[error("`{0}` is not in the roster: there is nobody to suspend")]
    Nobody(PersonId),
    /// Not by an officer.
    #[error("`{0}` is no officer of the roster with that key: officers suspend people")]
    Role(PersonId),
    /// Said by somebody who is suspended.
    #[error("`{0}` is suspended: his acts do not count")]
    Suspended(PersonId),
    /// An act that counted already.
    #[error("this act, or another one with its nonce, is in the log already: it counts once")]
    Replayed,
    /// An act whose own time is over.
    #[error("the act expired at {at}, by its own word: sign a new one")]
    ActExpired {
        /// Its end.
        at: Time,
    },
    /// Said before.
    #[error("`{by}` has said so already: {}", if *.in_force { "it is in force" } else { "another officer must" })]
    Already {
        /// Who.
        by: PersonId,
        /// Whether the person is suspended.
        in_force: bool,
    },
    /// Too few officers would be left.
    #[error(
        "{most} of {officers} officers can be suspended at a time, so that {approvals} are left to decide: change the roster"
    )]
    TooMany {
        /// M.
        approvals: u16,
        /// N − M.
        most: u16,
        /// N.
        officers: u16,
    },
}

impl Refusal {
    /// The stable name, for programs: never renamed, never re-used.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Nobody(_) => "unknown-person",
            Self::Role(_) => "no-role",
            Self::Suspended(_) => "suspended",
            Self::Replayed => "replayed",
            Self::ActExpired { .. } => "act-expired",
            Self::Already { .. } => "said-already",
            Self::TooMany { .. } => "too-many-suspended",
        }
    }
}

/// Who is suspended, and who has asked for whom.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Suspensions {
    in_force: BTreeMap<PersonId, Suspension>,
    asked: BTreeMap<PersonId, BTreeMap<PersonId, Asked>>,
    acts: BTreeSet<Hash>,
    nonces: BTreeSet<(PersonId, Nonce)>,
}

impl Suspensions {
    /// Those that a log has of the one whose place it takes, from its first record on. Who had asked alone asks anew.
    pub fn carried(suspended: &[Suspended]) -> Self {
        let stands = |own: &Suspended| Suspension {
            by: own.by.iter().cloned().collect(),
            needs: usize::from(own.needs),
            since: 0,
        };
        let in_force = suspended.iter().map(|own| (own.person.clone(), stands(own))).collect();
        Self { in_force, ..Self::default() }
    }

    /// Everybody who is suspended, as another log is to have it.
    pub fn to_carry(&self) -> Vec<Suspended> {
        let said = |(person, own): (&PersonId, &Suspension)| Suspended {
            by: own.by.iter().cloned().collect(),
            needs: u16::try_from(own.needs).unwrap_or(u16::MAX),
            person: person.clone(),
        };
        self.in_force.iter().map(said).collect()
    }

    /// Everybody who is suspended.
    pub fn people(&self) -> BTreeSet<PersonId> {
        self.in_force.keys().cloned().collect()
    }

    /// The suspension of a person, where he is suspended.
    pub fn of(&self, person: &PersonId) -> Option<&Suspension> {
        self.in_force.get(person)
    }

    /// All of them, by person.
    pub fn iter(&self) -> impl Iterator<Item = (&PersonId, &Suspension)> {
        self.in_force.iter()
    }

    /// Who has asked for whom at this time, where one more officer must.
    pub fn waiting(&self, now: Time) -> impl Iterator<Item = (&PersonId, Vec<&PersonId>)> {
        let open = move |asked: &'_ Asked| now < asked.expires;
        self.asked.iter().filter_map(move |(person, asked)| {
            let by: Vec<&PersonId> =
                asked.iter().filter(|(_, asked)| open(asked)).map(|(by, _)| by).collect();
            (!by.is_empty()).then_some((person, by))
        })
    }

    /// Whether this act counted before.
    pub fn has_spent(&self, act: Hash) -> bool {
        self.acts.contains(&act)
    }

    /// The suspensions after what an officer says, in a record with this stamp. `roster` is the one in force.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn after(&self, said: &Said, roster: &Seats, stamp: Stamp) -> Result<Self, Refusal> {
        let Said { by, person, .. } = said;
        if self.acts.contains(&said.act) || self.nonces.contains(&(by.clone(), said.nonce)) {
            return Err(Refusal::Replayed);
        }
        if stamp.time >= said.expires {
            return Err(Refusal::ActExpired { at: said.expires });
        }
        if !roster.holds(by, Role::Officer, said.key) {
            return Err(Refusal::Role(by.clone()));
        }
        if !roster.people.contains_key(person) {
            return Err(Refusal::Nobody(person.clone()));
        }
        // Whoever was suspended by this very person alone still counts against him.
        let alone = |own: &Suspension| own.by.len() == 1 && own.by.contains(person);
        if self.in_force.get(by).is_some_and(|own| !alone(own)) {
            return Err(Refusal::Suspended(by.clone()));
        }
        let mut next = self.clone();
        next.acts.insert(said.act);
        next.nonces.insert((by.clone(), said.nonce));
        if let Some(known) = next.in_force.get_mut(person) {
            let first = known.by.insert(by.clone());
            return if first { Ok(next) } else { Err(Refusal::Already { by: by.clone(), in_force: true }) };
        }
        let needs = if self.in_force.is_empty() { 1 } else { 2 };
        let asked = next.asked.entry(person.clone()).or_default();
        asked.retain(|_, asked| stamp.time < asked.expires);
        if asked.contains_key(by) {
            return Err(Refusal::Already { by: by.clone(), in_force: false });
        }
        asked.insert(by.clone(), Asked { expires: said.expires, key: said.key });
        let counts = |other: &PersonId| self.in_force.get(other).is_none_or(alone);
        let mut keys = BTreeSet::new();
        let officers: BTreeSet<PersonId> = asked
            .iter()
            .filter(|(other, asked)| counts(other) && keys.insert(asked.key))
            .map(|(other, _)| other.clone())
            .collect();
        let made = next.with(person, officers.clone(), needs, stamp.index);
        made.leaves_a_quorum(roster)?;
        Ok(if officers.len() >= needs { made } else { next })
    }

    /// With this person suspended, and without the suspensions that rested on his word.
    fn with(&self, person: &PersonId, by: BTreeSet<PersonId>, needs: usize, since: u64) -> Self {
        let mut next = self.clone();
        next.asked.remove(person);
        // What he has asked for waits no more.
        next.asked.retain(|_, asked| {
            asked.remove(person);
            !asked.is_empty()
        });
        next.rests_on(|_, other| other != person);
        next.in_force.insert(person.clone(), Suspension { by, needs, since });
        next
    }

    /// Takes away the word of officers who do not `stay`, and what rested on it. One's own word against oneself stays.
    fn rests_on(&mut self, stays: impl Fn(&PersonId, &PersonId) -> bool) {
        self.in_force.retain(|person, own| {
            own.by.retain(|other| other == person || stays(person, other));
            own.by.len() >= own.needs
        });
    }

    fn leaves_a_quorum(&self, roster: &Seats) -> Result<(), Refusal> {
        let (officers, approvals) = (roster.officers(), roster.approvals);
        let most = officers.saturating_sub(approvals);
        let suspended = self.in_force.keys().filter(|person| roster.is(person, Role::Officer)).count();
        if suspended <= usize::from(most) {
            return Ok(());
        }
        Err(Refusal::TooMany { approvals, most, officers })
    }

    /// The suspensions under the next roster, whose ceremony was proposed by the record with this index: those stay that are
    /// newer than that, of people who are still in it, by officers who still are.
    #[must_use]
    pub fn succeeded(&self, next: &Seats, proposed: u64) -> Self {
        let mut after = self.clone();
        after.asked.clear();
        after.in_force.retain(|person, own| own.since > proposed && next.people.contains_key(person));
        after.rests_on(|_, other| next.is(other, Role::Officer));
        after
    }
}

#[cfg(test)]
mod tests;
