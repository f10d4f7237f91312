//! What a start or a reload says of itself in the log: a `config` record.
//!
//! Promises: it names what is in force once it is written, and is in the log before anything is signed by it. Where the rules
//! themselves change with it, it is in the commit of the record that puts them in force; where they do not, it is owed.

use proto::canonical::Map;
use proto::hash::Hash;
use proto::operation::OperationId;
use proto::record::config::{BackendDetail, Cause, InForce, Setting};
use proto::record::kind::ConfigTag;
use proto::record::{ConfigDetail, ConfigRecord, Times, VERSION};

use super::Keyring;
use super::rules::{Loaded, RulesError};
use crate::keys::fold::{self, State};
use crate::log::{Fresh, Log, LogError, Owed, Plain};

/// With what this process runs, as far as its rules do not say it.
#[derive(Clone, Debug)]
pub struct Account {
    /// Why there is a record.
    pub cause: Cause,
    /// SHA-256 of the configuration file, as it was read.
    pub file: Hash,
    /// The configured backends.
    pub backends: Map<BackendDetail>,
}

/// A document that is in force, or comes into force with the record.
#[derive(Clone, Copy)]
pub(super) struct Comes {
    pub(super) setting: Setting,
    pub(super) found: Hash,
    pub(super) now: fold::InForce,
}

impl Comes {
    pub(super) fn is_other(&self) -> bool {
        self.found != self.now.sha256
    }

    fn after(&self) -> InForce {
        InForce { sha256: self.found, version: self.now.version + u64::from(self.is_other()) }
    }
}

impl Keyring {
    /// Owes the log the record of a process whose rules are in force already, and which signs from here on.
    ///
    /// # Errors
    /// [`RulesError::Unlogged`], and where no rules are in force.
    pub fn account(&self, log: &Log, account: Account) -> Result<Owed, RulesError> {
        let (snapshot, loaded) = (self.snapshot(), self.loaded()?);
        let state = snapshot.state();
        let as_it_is = |setting, now: fold::InForce| Comes { setting, found: now.sha256, now };
        let guardrails = as_it_is(Setting::Guardrails, state.guardrails());
        let grants = as_it_is(Setting::Grants, state.grants());
        let (operation, plain) = account.record(log, state, &loaded, guardrails, grants)?;
        Ok(log.owe(operation, plain)?)
    }
}

impl Account {
    /// The record, and the name of its operation.
    pub(super) fn record(
        self,
        log: &Log,
        state: &State,
        loaded: &Loaded,
        guardrails: Comes,
        grants: Comes,
    ) -> Result<(OperationId, Plain), LogError> {
        let Fresh { operation, salt, asked } = log.fresh()?;
        let (detail, name) = ConfigDetail { backends: self.backends, salt }.encode()?;
        let mut changed: Vec<Setting> =
            [guardrails, grants].iter().filter(|comes| comes.is_other()).map(|comes| comes.setting).collect();
        changed.sort_unstable();
        let mut client_ca: Vec<Hash> = loaded.document.client_cas.iter().map(|named| named.sha256).collect();
        client_ca.sort_unstable();
        client_ca.dedup();
        let roster = state.roster_version();
        let record = ConfigRecord {
            cause: self.cause,
            changed,
            client_ca,
            detail: name,
            file: self.file,
            grants: grants.after(),
            guardrails: guardrails.after(),
            kind: ConfigTag::Tag,
            operation,
            roster: InForce { sha256: roster.sha256, version: roster.version },
            software: env!("CARGO_PKG_VERSION").to_owned(),
            time: Times::asked(asked),
            v: VERSION,
        };
        Ok((operation, Plain { draft: record.draft()?, detail, last: false }))
    }
}
