//! Rings: all versions of a key.
//!
//! ```text
//! birth ─► Steady{active} ─ stop ─► Halted{suspended} ─ key.resume ─► Steady{active}
//! ```
//!
//! `Staged`, `Rolling` and `Overlap` join with the life of a key. A ring can never hold two active versions: there is one
//! place for one.

use proto::key_id::KeyId;
use proto::name::KeyName;
use proto::purpose::Purpose;
use proto::term::Term;

use crate::keys::state::{Active, KeyVersion, Suspended};

/// What a ring does now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Phase {
    /// Its active version signs.
    Steady {
        /// The version that signs.
        active: Active,
    },
    /// Nothing signs until a ceremony.
    Halted {
        /// The version that signed last.
        suspended: Suspended,
    },
}

impl Phase {
    /// Its stable name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Steady { .. } => "steady",
            Self::Halted { .. } => "halted",
        }
    }
}

/// All versions of a key: one, in this version, because none follows another yet.
///
/// Invariant: it is active exactly where no stop names it or its ring (`what_a_stop_covers_does_not_sign`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ring {
    name: KeyName,
    purpose: Purpose,
    owner: String,
    phase: Phase,
}

impl Ring {
    /// The ring of a first version.
    pub(super) fn begin(purpose: Purpose, owner: String, first: Active) -> Self {
        let name = first.version().key.clone();
        Self { name, purpose, owner, phase: Phase::Steady { active: first } }
    }

    /// The ring after a stop by the record at this index: its active version is suspended if the stop names it, or the
    /// ring.
    pub(super) fn stopped(self, stops: &[Term], index: u64) -> Self {
        let named = |version: &KeyVersion| {
            stops.iter().any(|term| match term {
                Term::Key(name) => *name == version.key,
                Term::KeyId(id) => *id == version.key_id,
                _ => false,
            })
        };
        match self.phase {
            Phase::Steady { active } if named(active.version()) => {
                Self { phase: Phase::Halted { suspended: active.suspend(index) }, ..self }
            }
            phase => Self { phase, ..self },
        }
    }

    /// The ring after the stops of its newest version were lifted by the record at this index: it signs again.
    pub(super) fn resumed(self, index: u64) -> Self {
        match self.phase {
            Phase::Halted { suspended } => {
                Self { phase: Phase::Steady { active: suspended.resume(index) }, ..self }
            }
            phase => Self { phase, ..self },
        }
    }

    /// The ring after its version with this key id was found on another device. Nothing else of it changes.
    pub(super) fn rebound(mut self, key: KeyId, locator: &str, serial: &str) -> Self {
        if self.newest().key_id == key {
            let (locator, serial) = (locator.to_owned(), serial.to_owned());
            match &mut self.phase {
                Phase::Steady { active } => active.rebind(locator, serial),
                Phase::Halted { suspended } => suspended.rebind(locator, serial),
            }
        }
        self
    }

    /// Its name.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// What it is for, the same for all its versions.
    pub const fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// Who answers for it.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// What it does now.
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The version that signs.
    pub const fn active(&self) -> Option<&KeyVersion> {
        match &self.phase {
            Phase::Steady { active } => Some(active.version()),
            Phase::Halted { .. } => None,
        }
    }

    /// The newest version, whatever it does.
    pub const fn newest(&self) -> &KeyVersion {
        match &self.phase {
            Phase::Steady { active } => active.version(),
            Phase::Halted { suspended } => suspended.version(),
        }
    }

    /// All versions, oldest first.
    pub fn versions(&self) -> impl Iterator<Item = &KeyVersion> {
        std::iter::once(self.newest())
    }

    /// The version of this number.
    pub fn version(&self, number: u32) -> Option<&KeyVersion> {
        self.versions().find(|version| version.version == number)
    }
}
