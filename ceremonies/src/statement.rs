//! Statements: what a ceremony asks for, as one document that people sign by its digest.
//!
//! A statement is canonical JSON (RFC 8785, as [`proto::canonical`] restricts it) in which every parameter is explicit;
//! what is hashed is exactly these bytes. A [`Statement`] can only be made by [`Statement::new`] and [`Statement::parse`],
//! so one that breaks a rule of its kind does not exist in memory. What the guardrails in force ask of it beyond the hard
//! limits is for [`crate::rules::Rules::judge`], because they change and statements do not.
//!
//! What this promises: no bytes have two readings, every refusal is an error of its own that names the field and says what
//! was expected, and no bytes make the parser panic. What it does not do: it does not know whether the log, the roster or
//! the guardrails that a statement names are those in force.

mod begins;
pub mod differs;
mod error;

mod kind;
mod read;
pub mod target;
pub mod template;
mod text;

pub use begins::Begins;
pub use error::StatementError;
pub use kind::{Kind, UnknownKind};
use proto::canonical;
pub use proto::ceremony_id::{CeremonyId, NotACeremonyId};
use proto::hash::Hash;
use proto::origin::Origin;
use proto::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;
pub use target::Target;
pub use text::{Line, Name, Prose, TextError};

use crate::genesis::Mode;
use crate::nonce::Nonce;
use crate::person::PersonId;
use crate::rules;

/// The one schema of statements that this version knows.
pub const SCHEMA: &str = "countersign.statement.v0";

/// Most bytes of a statement: 192 KiB, so that it fits a record's detail together with the act that proposes it.
pub const LARGEST: usize = 192 * 1024;

/// A document that changes by versions without gaps: the roster, the guardrails.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// SHA-256 of the document.
    pub sha256: Hash,
    /// From 1 without gaps.
    pub version: u64,
}

/// A head of the log.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Root of the tree (RFC 6962, 2.1).
    pub root: Hash,
    /// How many records it has.
    pub size: u64,
}

/// A log, and its head when the statement was written.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Its name.
    pub origin: Origin,
    /// Root of the tree.
    pub root: Hash,
    /// How many records it had.
    pub size: u64,
}

impl Log {
    /// The head alone.
    pub const fn head(&self) -> Head {
        Head { root: self.root, size: self.size }
    }
}

/// How many people must agree.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Quorum {
    /// How many distinct persons must approve: M. For `key.compromise` this counts the officer alone.
    pub approvals: u16,
    /// How many officers the roster has: N.
    pub officers: u16,
    /// How many witnesses must attest, before and after.
    pub witnesses: u16,
}

/// What every statement says, whatever its kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Common {
    /// Names the ceremony for ever.
    pub ceremony: CeremonyId,
    /// For instance `production`, `staging`, `dev`.
    pub environment: Name,
    /// From here on nothing of it can start.
    pub expires: Time,
    /// The guardrails under which it is held.
    pub guardrails: Version,
    /// Who proposes it.
    pub initiator: PersonId,
    /// Name of the instance.
    pub instance: Name,
    /// Why, for whoever reads it in years.
    pub justification: Prose,
    /// The log that it is held in, as it was when the statement was written.
    pub log: Log,
    /// Whether it counts.
    pub mode: Mode,
    /// Random.
    pub nonce: Nonce,
    /// Before this nothing of it can start.
    pub not_before: Time,
    /// What for, in one line: what people read first. What a *key* may sign is in the target.
    pub purpose: Line,
    /// How many people must agree.
    pub quorum: Quorum,
    /// The roster under which it is held.
    pub roster: Version,
    /// Where it was asked for, for instance `OPS-4711`.
    pub ticket: Line,
}

/// What a ceremony asks for.
///
/// Invariant: its bytes read back as the same statement, and no statement exists that breaks a rule of its kind (held by
/// `every_kind_is_written_as_its_golden_file` and the tests of `ceremonies/tests/statements.rs`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Statement {
    common: Common,
    target: Target,
    digest: Hash,
}

/// The form in which a statement is written: fields sorted.
#[derive(Serialize)]
struct Written<'a> {
    ceremony: CeremonyId,
    environment: &'a Name,
    expires: Time,
    guardrails: Version,
    initiator: &'a PersonId,
    instance: &'a Name,
    justification: &'a Prose,
    kind: Kind,
    log: &'a Log,
    mode: Mode,
    nonce: Nonce,
    not_before: Time,
    purpose: &'a Line,
    quorum: Quorum,
    roster: Version,
    schema: &'static str,
    target: &'a Target,
    ticket: &'a Line,
}

impl Statement {
    /// The statement of these parts.
    ///
    /// # Errors
    /// The first rule that they break.
    pub fn new(common: Common, target: Target) -> Result<Self, StatementError> {
        let statement = Self::unnamed(common, target)?;
        let digest = Hash::of(&statement.encode());
        Ok(Self { digest, ..statement })
    }

    /// The statement of these parts, before anybody has worked out its digest.
    fn unnamed(common: Common, target: Target) -> Result<Self, StatementError> {
        if common.log.origin.is_rehearsal() != (common.mode == Mode::Rehearsal) {
            return Err(StatementError::Mode { mode: common.mode, origin: common.log.origin });
        }
        if common.not_before >= common.expires {
            return Err(StatementError::NeverOpen { not_before: common.not_before, expires: common.expires });
        }
        let lives = common.expires.since(common.not_before);
        if lives > rules::LONGEST {
            return Err(StatementError::TooLong { lives });
        }
        rules::hard_limits(target.kind(), common.quorum)
            .map_err(|broken| StatementError::Quorum { kind: target.kind(), broken })?;
        target.check(&common)?;
        Ok(Self { common, target, digest: Hash::ZERO })
    }

    /// Reads a statement from its canonical bytes.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        read::statement(bytes)
    }

    /// What every statement says.
    pub const fn common(&self) -> &Common {
        &self.common
    }

    /// The parameters of its kind.
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Its kind.
    pub const fn kind(&self) -> Kind {
        self.target.kind()
    }

    /// How long it lives: from `not_before` to `expires`.
    pub fn lives(&self) -> std::time::Duration {
        self.common.expires.since(self.common.not_before)
    }

    fn written(&self) -> Written<'_> {
        let Common {
            ceremony,
            environment,
            expires,
            guardrails,
            initiator,
            instance,
            justification,
            log,
            mode,
            nonce,
            not_before,
            purpose,
            quorum,
            roster,
            ticket,
        } = &self.common;
        Written {
            ceremony: *ceremony,
            environment,
            expires: *expires,
            guardrails: *guardrails,
            initiator,
            instance,
            justification,
            kind: self.kind(),
            log,
            mode: *mode,
            nonce: *nonce,
            not_before: *not_before,
            purpose,
            quorum: *quorum,
            roster: *roster,
            schema: SCHEMA,
            target: &self.target,
            ticket,
        }
    }

    /// Its canonical bytes: what is hashed, stored and carried on a stick.
    pub fn encode(&self) -> Vec<u8> {
        canonical::to_vec(&self.written()).expect("a statement has string keys alone")
    }

    /// SHA-256 of its canonical bytes: what approvals name, and what is read aloud as [`crate::words::Words`].
    pub const fn digest(&self) -> Hash {
        self.digest
    }

    /// The statement as a value, for comparing and showing.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self.written()).expect("a statement has string keys alone")
    }
}
