//! The keys of one log, one after the other, and which of them signs a checkpoint of which size.
//!
//! A `log.rekey` ends a key. Its completion is a record by itself in its commit: with index `i`, the tree of `i + 1` records
//! is signed by both keys, every smaller one by the old key alone and every larger one by the new key alone. So which keys
//! are in force at a size follows from the control records, and from nothing else.
//!
//! ```text
//! size      1 … i        i + 1        i + 2 …
//! signed    old          old, new     new
//! ```
//!
//! An *end* is what proves such a change to whoever knows one of the two keys: the receipt of the completion in the tree of
//! `i + 1` records, whose checkpoint both have signed. A file of ends, oldest first, leads from any key of a log to every
//! other one.
//!
//! Promises: no checkpoint is believed by a key that is not in force at its size; a key that has ended signs nothing beyond
//! its end, and no key comes twice.
//!
//! Invariant: at each size one key is in force, or two at the end of one (`at_each_size_one_key_is_in_force_or_two_at_an_end`).

use std::str::FromStr;

use crate::record::ceremony::Effect;
use crate::record::{Body, Ceremony, ControlRecord, RecordError};

use super::checkpoint::{Checkpoint, CheckpointError};
use super::note::{self, NoteError, SignedNote, Verifier};
use super::receipt::{HEADER, Receipt, ReceiptError, VerifiedReceipt};

/// Most keys of one log that are followed.
pub const MOST: usize = 1000;

/// A key and the sizes of the trees that it signs.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Reign {
    key: Verifier,
    /// The smallest size.
    from: u64,
    /// The largest size; none for the newest key.
    until: Option<u64>,
}

impl Reign {
    fn covers(&self, size: u64) -> bool {
        self.from <= size && self.until.is_none_or(|until| size <= until)
    }
}

/// The keys of one log, oldest first. There is always one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogKeys {
    first: Reign,
    later: Vec<Reign>,
}

/// Why no key can follow.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoSuccession {
    /// The key that ends is not the newest.
    #[error("it ends the log key {named}, and in force is {in_force}")]
    Other {
        /// The key that it ends.
        named: Box<Verifier>,
        /// The newest key.
        in_force: Box<Verifier>,
    },
    /// Of another log.
    #[error("the next log key is of `{found}`, and the log is `{expected}`: its name never changes")]
    Origin {
        /// The log's name.
        expected: String,
        /// The key's.
        found: String,
    },
    /// A key, or the short id of one, that this log has had.
    #[error("{0} is a key of this log already, or has the short id of one: make another key")]
    Spent(Box<Verifier>),
    /// Before the key that ends has begun.
    #[error("record {0} is before the key that it ends was in force")]
    Early(u64),
    /// More than are followed.
    #[error("a log has at most {MOST} keys")]
    TooMany,
}

/// Why a file of ends leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum NotFollowed {
    /// Something in it is no receipt.
    #[error("end {number} of the log's keys: {cause}")]
    Receipt {
        /// Which, from 1.
        number: usize,
        /// What is wrong.
        #[source]
        cause: ReceiptError,
    },
    /// A receipt of something else.
    #[error("end {number} of the log's keys: its record ends no log key")]
    NoEnd {
        /// Which, from 1.
        number: usize,
    },
    /// Its record cannot be read.
    #[error("end {number} of the log's keys: {cause}")]
    Record {
        /// Which, from 1.
        number: usize,
        /// What is wrong.
        #[source]
        cause: RecordError,
    },
    /// Not the first tree that holds the record.
    #[error("end {number} of the log's keys is proven in a tree of {found} records, expected was {expected}")]
    Size {
        /// Which, from 1.
        number: usize,
        /// The record's index and one.
        expected: u64,
        /// The size of the checkpoint's tree.
        found: u64,
    },
    /// It does not follow the one before.
    #[error("end {number} of the log's keys: {cause}")]
    Succession {
        /// Which, from 1.
        number: usize,
        /// Why not.
        #[source]
        cause: NoSuccession,
    },
    /// None of the keys is the one that is trusted.
    #[error("none of these keys is the trusted one, {0}: they are another log's, or begin after it")]
    Untrusted(Box<Verifier>),
}

impl LogKeys {
    /// The keys of a log that has had this one alone.
    #[must_use]
    pub fn new(first: Verifier) -> Self {
        Self { first: Reign { key: first, from: 0, until: None }, later: Vec::new() }
    }

    fn reigns(&self) -> impl DoubleEndedIterator<Item = &Reign> {
        std::iter::once(&self.first).chain(&self.later)
    }

    fn last(&self) -> &Reign {
        self.later.last().unwrap_or(&self.first)
    }

    /// Every key, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Verifier> {
        self.reigns().map(|reign| &reign.key)
    }

    /// How many there are, at least one.
    #[must_use]
    pub fn count(&self) -> usize {
        1 + self.later.len()
    }

    /// The first key.
    #[must_use]
    pub fn first(&self) -> &Verifier {
        &self.first.key
    }

    /// The key in force from now on.
    #[must_use]
    pub fn newest(&self) -> &Verifier {
        &self.last().key
    }

    /// The log's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.first.key.name()
    }

    /// The keys that sign a tree of this size: one, or where one ends two, the one that ends first.
    pub fn at(&self, size: u64) -> impl Iterator<Item = &Verifier> {
        self.reigns().filter(move |reign| reign.covers(size)).map(|reign| &reign.key)
    }

    /// The largest tree that a key signs; none for the newest key, and for one that is none of the log's.
    #[must_use]
    pub fn end_of(&self, key: &Verifier) -> Option<u64> {
        self.reigns().find(|reign| reign.key == *key)?.until
    }

    /// Where each key but the newest ended, oldest first.
    pub fn ends(&self) -> impl Iterator<Item = End<'_>> {
        self.reigns().zip(&self.later).map(|(old, new)| End {
            index: new.from - 1,
            replaces: &old.key,
            next: &new.key,
        })
    }

    /// Whether another key can follow the newest one.
    ///
    /// # Errors
    /// [`NoSuccession`].
    pub fn may_follow(&self, replaces: &Verifier, next: &Verifier) -> Result<(), NoSuccession> {
        if replaces != self.newest() {
            let in_force = Box::new(self.newest().clone());
            return Err(NoSuccession::Other { named: Box::new(replaces.clone()), in_force });
        }
        if next.name() != self.origin() {
            let (expected, found) = (self.origin().to_owned(), next.name().to_owned());
            return Err(NoSuccession::Origin { expected, found });
        }
        // Two keys with one short id could not be told apart in a note.
        if self.iter().any(|known| known.key_id() == next.key_id()) {
            return Err(NoSuccession::Spent(Box::new(next.clone())));
        }
        if self.count() >= MOST { Err(NoSuccession::TooMany) } else { Ok(()) }
    }

    /// The record with this index ends a key and begins the next one.
    ///
    /// # Errors
    /// [`NoSuccession`]; then nothing has changed.
    pub fn follow(&mut self, index: u64, replaces: &Verifier, next: Verifier) -> Result<(), NoSuccession> {
        self.may_follow(replaces, &next)?;
        let end = index.saturating_add(1);
        let last = self.later.last_mut().unwrap_or(&mut self.first);
        if end <= last.from {
            return Err(NoSuccession::Early(index));
        }
        last.until = Some(end);
        self.later.push(Reign { key: next, from: end, until: None });
        Ok(())
    }

    /// Takes a record that ends the newest key, and says whether it was one. A record that would end another key, or bring
    /// one that was there, has no effect.
    pub fn take(&mut self, index: u64, record: &ControlRecord) -> bool {
        let Some((replaces, next)) = ended(record) else { return false };
        self.follow(index, replaces, next.clone()).is_ok()
    }

    /// Reads a signed checkpoint and checks it by the keys in force at its size: one of them has signed, and no signature of
    /// them is wrong.
    ///
    /// # Errors
    /// [`CheckpointError::OutOfReign`] where a key of this log has signed a tree that it does not sign; another
    /// [`CheckpointError`] where none has. Nothing in the text is to be believed then.
    pub fn verify(&self, text: &str) -> Result<Checkpoint, CheckpointError> {
        let note = note::parse(text)?;
        // Unproven, and so is its size: it only says by which key it must be signed.
        let said = Checkpoint::parse(note.text())?;
        let here: Vec<&Verifier> = self.at(said.size).collect();
        match note.verify(&here) {
            Ok(_) => said.of(self.origin()),
            Err(NoteError::Unsigned { .. }) => Err(self.out_of_reign(&note, &said)),
            Err(wrong) => Err(wrong.into()),
        }
    }

    /// Why a checkpoint that no key in force at its size has signed is not believed.
    fn out_of_reign(&self, note: &SignedNote, said: &Checkpoint) -> CheckpointError {
        match self.reigns().find(|reign| !reign.covers(said.size) && note.verify(&[&reign.key]).is_ok()) {
            Some(reign) if said.origin == self.origin() => CheckpointError::OutOfReign {
                key: reign.key.label(),
                size: said.size,
                from: reign.from,
                until: reign.until,
            },
            _ => NoteError::unsigned(&self.at(said.size).collect::<Vec<_>>()).into(),
        }
    }

    /// Whether a checkpoint has exactly the signatures of the keys in force at its size, oldest first, and no other line.
    #[must_use]
    pub fn are_the_lines_of(&self, note: &SignedNote, size: u64) -> bool {
        note.has_lines_of(self.at(size))
    }

    /// The keys that these ends lead to, of which one is the trusted one. Ends before it are checked backwards, by the
    /// signature of the later key, in the same way.
    ///
    /// # Errors
    /// [`NotFollowed`].
    pub fn of_ends(trusted: &Verifier, ends: &[Receipt]) -> Result<Self, NotFollowed> {
        let mut keys: Option<Self> = None;
        for (number, end) in (1..).zip(ends) {
            let (replaces, next) = end_of(number, end)?;
            let keys = keys.get_or_insert_with(|| Self::new(replaces.clone()));
            keys.follow(end.index, &replaces, next)
                .map_err(|cause| NotFollowed::Succession { number, cause })?;
        }
        let keys = keys.unwrap_or_else(|| Self::new(trusted.clone()));
        if keys.iter().any(|key| key == trusted) {
            return Ok(keys);
        }
        Err(NotFollowed::Untrusted(Box::new(trusted.clone())))
    }

    /// These keys, and those that ends lead to beyond them. Ends of keys that are known already say what is known, or are
    /// another log's.
    ///
    /// # Errors
    /// [`NotFollowed`].
    pub fn led_on(&self, ends: &[Receipt]) -> Result<Self, NotFollowed> {
        let mut keys = self.clone();
        for (number, end) in (1..).zip(ends) {
            let (replaces, next) = end_of(number, end)?;
            let same =
                |own: End<'_>| own.index == end.index && *own.replaces == replaces && *own.next == next;
            if !keys.ends().any(same) {
                keys.follow(end.index, &replaces, next)
                    .map_err(|cause| NotFollowed::Succession { number, cause })?;
            }
        }
        Ok(keys)
    }
}

/// Where a key ended and the next one began.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct End<'k> {
    /// Index of the record that did it.
    pub index: u64,
    /// The key until then.
    pub replaces: &'k Verifier,
    /// The key from then on.
    pub next: &'k Verifier,
}

impl From<Verifier> for LogKeys {
    fn from(key: Verifier) -> Self {
        Self::new(key)
    }
}

/// The key that a record ends, and the one that follows it.
#[must_use]
pub fn ended(record: &ControlRecord) -> Option<(&Verifier, &Verifier)> {
    match &record.body {
        Body::Ceremony(Ceremony::Completed(completed)) => match &completed.effect {
            Effect::LogKey { key, replaces } => Some((replaces, key)),
            _ => None,
        },
        _ => None,
    }
}

/// The keys of an end, which both have signed.
fn end_of(number: usize, end: &Receipt) -> Result<(Verifier, Verifier), NotFollowed> {
    let record = ControlRecord::parse(&end.leaf).map_err(|cause| NotFollowed::Record { number, cause })?;
    let (replaces, next) = ended(&record).ok_or(NotFollowed::NoEnd { number })?;
    let by = |key: &Verifier| end.verify(key).map_err(|cause| NotFollowed::Receipt { number, cause });
    let proven: VerifiedReceipt = by(replaces)?;
    by(next)?;
    let (expected, found) = (end.index.saturating_add(1), proven.checkpoint().size);
    if expected != found {
        return Err(NotFollowed::Size { number, expected, found });
    }
    Ok((replaces.clone(), next.clone()))
}

/// The text of a file of ends: the receipts, one behind the other.
#[must_use]
pub fn write_ends(ends: &[Receipt]) -> String {
    ends.iter().map(Receipt::to_string).collect()
}

/// Reads a file of ends. It proves nothing: see [`LogKeys::of_ends`].
///
/// # Errors
/// [`NotFollowed::Receipt`].
pub fn read_ends(text: &str) -> Result<Vec<Receipt>, NotFollowed> {
    let mut starts: Vec<usize> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_end_matches('\n') == HEADER {
            starts.push(at);
        }
        at += line.len();
    }
    if starts.first().is_some_and(|first| *first > 0) || starts.is_empty() && !text.is_empty() {
        starts.insert(0, 0);
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let parts = starts.iter().zip(ends).map(|(start, end)| &text[*start..end]);
    let read = |(number, part): (usize, &str)| {
        Receipt::from_str(part).map_err(|cause| NotFollowed::Receipt { number, cause })
    };
    (1..).zip(parts).take(MOST + 1).map(read).collect()
}

#[cfg(test)]
mod tests;
