//! A genesis before anybody has signed it: everything but the acts.

use proto::canonical::Map;
use proto::hash::Hash;
use proto::proof::note::Verifier;
use proto::record::ceremony::document;
use proto::time::Time;

use super::{Genesis, GenesisError, count};
use crate::act::Setting;
use crate::guardrails::Guardrails;
use crate::person::Role;
use crate::roster::{Roster, Terms};
use crate::rules::{Rule, Rules};
use crate::statement::{Statement, Target, target};

/// A statement of kind `genesis` with the documents that it names, held against each other.
///
/// Invariant: an instance begins with it once the people of its roster have signed (held by `what_begins_no_instance`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Draft {
    statement: Statement,
    digest: Hash,
    target: target::Genesis,
    roster: Roster,
    rules: Rules,
    rule: Rule,
}

impl Draft {
    /// The draft of this statement and the documents `roster`, `guardrails` and `grants`.
    ///
    /// # Errors
    /// [`GenesisError`], all but those of acts.
    pub fn new(statement: Statement, documents: &Map<String>) -> Result<Self, GenesisError> {
        let Target::Genesis(target) = statement.target() else {
            return Err(GenesisError::Kind(statement.kind()));
        };
        let target = target.clone();
        let common = statement.common();
        let _checked: Verifier = target.log_key.as_str().parse()?;
        named(documents, document::GRANTS, target.grants)?;
        let guardrails = named(documents, document::GUARDRAILS, common.guardrails.sha256)?;
        let rules = Guardrails::parse(guardrails).map_err(GenesisError::Guardrails)?.rules;
        let text = named(documents, document::ROSTER, common.roster.sha256)?;
        let terms =
            Terms { allow_software_officer_keys: target.allow_software_officer_keys, mode: common.mode };
        let roster = Roster::parse(text.as_bytes(), terms)?;
        if roster.version() != common.roster.version {
            return Err(GenesisError::RosterVersion(roster.version()));
        }
        let rule = rules.judge(&statement, roster.approvals(), roster.officers())?;
        let initiates = |role| roster.person(&common.initiator).is_some_and(|person| person.is(role));
        if !initiates(Role::Officer) && !initiates(Role::Operator) {
            return Err(GenesisError::Initiator(common.initiator.clone()));
        }
        let approvals = rule.approvals(roster.approvals(), roster.officers());
        if !roster.can_seat(approvals, rule.witnesses, rule.other_unit) {
            return Err(GenesisError::Seats { witnesses: rule.witnesses });
        }
        Ok(Self { digest: statement.digest(), target, roster, rules, rule, statement })
    }

    /// The instance that it begins, with these acts (`act.<person>` and `signature.<person>`), in a log whose record 0 has
    /// the time `at`.
    ///
    /// # Errors
    /// [`GenesisError::Time`], [`GenesisError::Stranger`], and [`GenesisError::Acts`] with everything that is wrong or
    /// missing.
    pub fn signed(self, documents: &Map<String>, at: Time) -> Result<Genesis, GenesisError> {
        let common = self.statement.common();
        if at < common.not_before || at >= common.expires {
            let (not_before, expires) = (common.not_before, common.expires);
            return Err(GenesisError::Time { at, not_before, expires });
        }
        let acts = count::acts(&self, documents, at)?;
        Ok(Genesis { draft: self, acts })
    }

    /// Where acts of it are made for.
    pub fn setting(&self) -> Setting<'_> {
        let common = self.statement.common();
        Setting {
            environment: common.environment.as_str(),
            instance: common.instance.as_str(),
            mode: common.mode,
            origin: &common.log.origin,
        }
    }

    /// The statement.
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// SHA-256 of the statement's canonical bytes.
    pub const fn digest(&self) -> Hash {
        self.digest
    }

    /// What is of genesis alone.
    pub const fn target(&self) -> &target::Genesis {
        &self.target
    }

    /// The first roster.
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The rules of the first guardrails.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// How genesis is held, by those rules.
    pub const fn rule(&self) -> Rule {
        self.rule
    }
}

/// Whether two documents are one, by digest.
fn named<'d>(
    documents: &'d Map<String>,
    name: &'static str,
    expected: Hash,
) -> Result<&'d str, GenesisError> {
    let text = documents.find(name).ok_or(GenesisError::Missing(name))?;
    let found = Hash::of(text.as_bytes());
    if found == expected { Ok(text) } else { Err(GenesisError::Differs { name, expected, found }) }
}
