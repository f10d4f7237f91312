//! Those by whose consent an execution was started, and who count no more before it is over.

use proto::key_id::KeyId;

use crate::person::{PersonId, Role};
use crate::session::Session;

/// Why somebody counts no more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Parting {
    /// The roster in force has the person no more, or not in that role with that key.
    Left,
    /// The person was suspended.
    Suspended,
}

/// Somebody who agreed to an execution and counts no more since it started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Parted {
    /// Index of the record since which it is so.
    pub record: u64,
    /// Why.
    pub how: Parting,
}

impl Session {
    /// Notes who of those whom the start counted counts no more since the record with this index. Whoever comes back stays noted.
    pub(super) fn note_who_parted(&mut self, record: u64) {
        let mut parted = Vec::new();
        let mut judge = |person: &PersonId, stays: bool| {
            if self.present.suspended.contains(person) {
                parted.push((person.clone(), Parting::Suspended));
            } else if !stays {
                parted.push((person.clone(), Parting::Left));
            }
        };
        let holds = |person: &PersonId, role, key: &KeyId| self.present.holds(person, role, *key);
        for (person, key) in &self.counted.approvers {
            judge(person, holds(person, Role::Officer, key));
        }
        for (person, key) in &self.counted.witnesses {
            judge(person, holds(person, Role::Witness, key));
        }
        for (person, key) in &self.counted.next_approvers {
            // Who counts by a roster that is not in force yet is not asked for by the one that is.
            judge(person, self.next.is_some() || self.present.owns(person, *key));
        }
        for (person, how) in parted {
            self.parted.entry(person).or_insert(Parted { record, how });
        }
    }
}
