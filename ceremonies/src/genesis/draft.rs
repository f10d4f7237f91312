//! A beginning before anybody has signed it: everything but the acts.

use std::collections::BTreeSet;

use proto::canonical::Map;
use proto::hash::Hash;
use proto::proof::note::Verifier;
use proto::record::ceremony::document;
use proto::time::Time;

use super::{Genesis, GenesisError, count};
use crate::act::Setting;
use crate::guardrails::Guardrails;
use crate::person::{PersonId, Role};
use crate::recovery::Carried;
use crate::roster::Roster;
use crate::rules::{Rule, Rules};
use crate::statement::{Begins, Statement, Target};

/// A statement of kind `genesis`, or `log.recover`, with the documents that it names, held against each other.
///
/// Invariant: a log begins with it once the people of its roster have signed (held by `what_begins_no_instance`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Draft {
    statement: Statement,
    digest: Hash,
    carried: Option<Carried>,
    roster: Roster,
    rules: Rules,
    rule: Rule,
}

impl Draft {
    /// The draft of this statement and the documents `roster`, `guardrails`, `grants`, and of a recovery `carried`.
    ///
    /// # Errors
    /// [`GenesisError`], all but those of acts.
    pub fn new(statement: Statement, documents: &Map<String>) -> Result<Self, GenesisError> {
        let begins = statement.begins().ok_or(GenesisError::Kind(statement.kind()))?;
        let common = statement.common();
        let _checked: Verifier = begins.log_key.as_str().parse()?;
        named(documents, document::GRANTS, begins.grants)?;
        let guardrails = named(documents, document::GUARDRAILS, common.guardrails.sha256)?;
        let rules = Guardrails::parse(guardrails).map_err(GenesisError::Guardrails)?.rules;
        let text = named(documents, document::ROSTER, common.roster.sha256)?;
        let roster = Roster::parse(text.as_bytes(), begins.terms)?;
        if roster.version() != common.roster.version {
            return Err(GenesisError::RosterVersion {
                found: roster.version(),
                expected: common.roster.version,
            });
        }
        let carried = match statement.target() {
            Target::LogRecover(recover) => {
                let _checked: Verifier = recover.replaces.as_str().parse()?;
                let text = named(documents, document::CARRIED, recover.carried)?;
                Some(Carried::parse(text.as_bytes())?)
            }
            _ => None,
        };
        let rule = rules.judge(&statement, roster.approvals(), roster.officers())?;
        let initiates = |role| roster.person(&common.initiator).is_some_and(|person| person.is(role));
        if !initiates(Role::Officer) && !initiates(Role::Operator) {
            return Err(GenesisError::Initiator(common.initiator.clone()));
        }
        let approvals = rule.approvals(roster.approvals(), roster.officers());
        if !roster.can_seat(approvals, rule.witnesses, rule.other_unit) {
            return Err(GenesisError::Seats { witnesses: rule.witnesses });
        }
        let draft = Self { digest: statement.digest(), carried, roster, rules, rule, statement };
        if draft.suspended().contains(&draft.statement.common().initiator) {
            return Err(GenesisError::Initiator(draft.statement.common().initiator.clone()));
        }
        Ok(draft)
    }

    /// The instance that it begins, with these acts (`act.<person>` and `signature.<person>`), in a log whose record 0 has
    /// the time `at`.
    ///
    /// # Errors
    /// [`GenesisError::Time`], [`GenesisError::Earlier`], [`GenesisError::Stranger`], and [`GenesisError::Acts`] with
    /// everything that is wrong or missing.
    pub fn signed(self, documents: &Map<String>, at: Time) -> Result<Genesis, GenesisError> {
        let common = self.statement.common();
        if at < common.not_before || at >= common.expires {
            let (not_before, expires) = (common.not_before, common.expires);
            return Err(GenesisError::Time { at, not_before, expires });
        }
        if let Some(carried) = &self.carried
            && at < carried.sealed
        {
            return Err(GenesisError::Earlier { at, sealed: carried.sealed });
        }
        let acts = count::acts(&self, documents, at)?;
        Ok(Genesis { draft: self, acts })
    }

    /// Where acts of it are made for: of a recovery, the old log.
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

    /// What the log begins with.
    pub fn begins(&self) -> Begins<'_> {
        self.statement.begins().expect("no draft is of a statement of another kind")
    }

    /// What comes over from a lost log; none where there was no log before.
    pub const fn carried(&self) -> Option<&Carried> {
        self.carried.as_ref()
    }

    /// Whose acts do not count.
    pub fn suspended(&self) -> BTreeSet<PersonId> {
        self.carried.iter().flat_map(|carried| &carried.suspended).map(|own| own.person.clone()).collect()
    }

    /// The first roster of the log.
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The rules of its first guardrails.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// How it is held, by those rules.
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
