//! The instance as it says it is, held against what this machine knows: its genesis, and the head of its log.
//!
//! Promises: an [`Instance`] has the genesis that the settings pin, and a head that was proven to extend the newest one seen here.
//! Which roster, guardrails and grants are in force, and who is suspended, is the daemon's word; every statement names them by digest, and whoever verifies a
//! transcript proves them from genesis on.

use std::collections::BTreeMap;

use ceremonies::act::{SeenHead, Setting};
use ceremonies::amendment;
use ceremonies::person::PersonId;
use ceremonies::roster::{Roster, RosterError, Terms};
use ceremonies::rules::Rules;
use ceremonies::statement::{Common, Kind, Statement, StatementError, Target, Version};
use proto::hash::Hash;
use proto::record::ceremony::document;
use proto::time::Time;
use proto::wire::v1;

use crate::seen::Seen;

/// Why the instance is not the one that is meant.
#[derive(Debug, thiserror::Error)]
pub enum Foreign {
    /// Another genesis.
    #[error(
        "the instance's genesis is {found}, and genesis_sha256 in the settings is {pinned}: it is ANOTHER INSTANCE"
    )]
    Genesis {
        /// What the settings say.
        pinned: Hash,
        /// What the daemon showed.
        found: Hash,
    },
    /// The instance that is meant, in another log since.
    #[error(
        "this instance says that its log was lost and recovered: it goes on as {origin}, with genesis {found}, in place of \
         the one that genesis_sha256 in the settings names"
    )]
    Recovered {
        /// The new log's name.
        origin: String,
        /// What it begins with.
        found: Hash,
    },
    /// The genesis is none.
    #[error("the instance's genesis cannot be read: {0}")]
    Unreadable(#[from] StatementError),
    /// A statement of another kind.
    #[error("the instance begins with a statement of kind {0}, and expected is genesis or log.recover")]
    OtherKind(Kind),
    /// The log key in the settings is another log's.
    #[error("the log key in the settings is of `{key}`, and the log of this genesis is `{genesis}`")]
    Log {
        /// Name of the log key.
        key: String,
        /// The log's name in the genesis.
        genesis: String,
    },
    /// The roster is none.
    #[error("the instance's roster cannot be read: {0}")]
    Roster(#[from] RosterError),
    /// The first roster is another one than genesis names.
    #[error("the instance's roster is of the version that its genesis names and is not that one")]
    FirstRoster,
    /// Guardrails with another digest.
    #[error("the guardrails that the instance shows are not those that it says are in force")]
    Guardrails,
    /// A digest of another length.
    #[error("the instance's {0} is no SHA-256")]
    Digest(&'static str),
}

/// Something that a statement names and the instance has otherwise.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// For the other mode.
    #[error("the statement is for mode {found}, and this instance is a {here}: the two are never mixed")]
    Mode {
        /// The statement's.
        found: &'static str,
        /// The instance's.
        here: &'static str,
    },
    /// For another instance, environment or log.
    #[error(
        "the statement's {field} is `{found}`, and this instance's is `{here}`: it was written for another one"
    )]
    Place {
        /// The field.
        field: &'static str,
        /// The statement's.
        found: String,
        /// The instance's.
        here: String,
    },
    /// Another roster, other guardrails.
    #[error("the statement names {field} {} ({}), and in force is {} ({})", .named.version, short(&.named.sha256), .here.version, short(&.here.sha256))]
    Version {
        /// `roster` or `guardrails`.
        field: &'static str,
        /// What the statement names.
        named: Version,
        /// What is in force.
        here: Version,
    },
    /// It replaces grants that are not in force.
    #[error("the statement replaces the grants {}, and in force are {}", short(.named), short(.here))]
    Grants {
        /// What the statement names.
        named: Hash,
        /// What is in force.
        here: Hash,
    },
    /// Of a longer log.
    #[error("the statement names a log of {named} records, and the log has {here}")]
    Head {
        /// The statement's.
        named: u64,
        /// The log's.
        here: u64,
    },
    /// Its time is over.
    #[error("the statement expired at {0}: it must be proposed anew")]
    Expired(Time),
}

impl Foreign {
    /// Whether an instance begins with the statement that is pinned.
    ///
    /// # Errors
    /// [`Foreign::Genesis`]; [`Foreign::Recovered`] where the statement says that it takes the place of the pinned one. That
    /// it does is shown by whoever decided it, not by its saying so.
    pub fn is_pinned(genesis: &[u8], pinned: Hash) -> Result<(), Self> {
        let found = Hash::of(genesis);
        if found == pinned {
            return Ok(());
        }
        match Statement::parse(genesis).as_ref().map(Statement::target) {
            Ok(Target::LogRecover(recover)) if recover.genesis == pinned => {
                Err(Self::Recovered { origin: recover.origin.to_string(), found })
            }
            _ => Err(Self::Genesis { pinned, found }),
        }
    }
}

fn short(hash: &Hash) -> String {
    hash.to_string().chars().take(12).collect()
}

/// When a statement is looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// Before anything was done: everything must be as the statement says.
    Before,
    /// After the execution: what changed meanwhile does not take away what was seen.
    After,
}

/// An instance whose genesis is the pinned one.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its genesis statement.
    pub genesis: Statement,
    /// The roster in force.
    pub roster: Roster,
    /// The guardrails in force.
    pub guardrails: Version,
    /// Their text, and the files that they name, as a proposal would bring them. Empty where the daemon does not show them.
    pub guardrail_documents: BTreeMap<String, Vec<u8>>,
    /// The grants in force.
    pub grants: Hash,
    /// The newest head, proven to extend those seen before.
    pub head: SeenHead,
    /// What the daemon's clock is worth: its own word.
    pub clock: Option<v1::ClockState>,
    /// Who is suspended, or would be if another officer said so: the daemon's word.
    pub suspensions: Vec<v1::Suspension>,
}

impl Instance {
    /// Since which record a person's acts count no more.
    #[must_use]
    pub fn suspended(&self, person: &PersonId) -> Option<u64> {
        self.suspensions.iter().find(|own| own.person == person.as_str()).and_then(|own| own.log_index)
    }

    /// Reads what the daemon says of itself. `head` is its checkpoint, after it was proven to extend those seen before.
    ///
    /// # Errors
    /// [`Foreign`].
    pub fn read(answer: &v1::GetInstanceResponse, pinned: Hash, head: &Seen) -> Result<Self, Foreign> {
        Foreign::is_pinned(&answer.genesis, pinned)?;
        let genesis = Statement::parse(&answer.genesis)?;
        let begins = genesis.begins().ok_or(Foreign::OtherKind(genesis.kind()))?;
        let common = genesis.common();
        if head.checkpoint.origin != begins.origin.as_str() {
            let genesis = begins.origin.to_string();
            return Err(Foreign::Log { key: head.checkpoint.origin.clone(), genesis });
        }
        let roster = Roster::parse(&answer.roster, begins.terms)?;
        if roster.version() == common.roster.version && roster.digest() != common.roster.sha256 {
            return Err(Foreign::FirstRoster);
        }
        let digest = |field, bytes: &[u8]| Hash::try_from(bytes).map_err(|_length| Foreign::Digest(field));
        let guardrails = Version {
            sha256: digest("guardrails_sha256", &answer.guardrails_sha256)?,
            version: answer.guardrails_version,
        };
        let grants = digest("grants_sha256", &answer.grants_sha256)?;
        let mut guardrail_documents = BTreeMap::new();
        if !answer.guardrails.is_empty() {
            if Hash::of(&answer.guardrails) != guardrails.sha256 {
                return Err(Foreign::Guardrails);
            }
            guardrail_documents.insert(document::GUARDRAILS.to_owned(), answer.guardrails.clone());
            // Each is held against the guardrails when it is used; here it gets the name of what it is.
            let files = answer.guardrail_files.values();
            guardrail_documents.extend(files.map(|bytes| (amendment::name(&Hash::of(bytes)), bytes.clone())));
        }
        let head = SeenHead {
            origin: begins.origin.clone(),
            root: head.checkpoint.root,
            size: head.checkpoint.size,
        };
        let suspensions = answer.suspensions.clone();
        let clock = answer.clock;
        Ok(Self { roster, guardrails, guardrail_documents, grants, head, genesis, suspensions, clock })
    }

    /// Where acts are taken.
    #[must_use]
    pub fn setting(&self) -> Setting<'_> {
        let Common { environment, instance, mode, .. } = self.genesis.common();
        Setting {
            environment: environment.as_str(),
            instance: instance.as_str(),
            mode: *mode,
            origin: &self.head.origin,
        }
    }

    /// The rosters' terms that genesis sets.
    #[must_use]
    pub fn terms(&self) -> Terms {
        let strict = Terms { allow_software_officer_keys: false, mode: self.genesis.common().mode };
        self.genesis.begins().map_or(strict, |begins| begins.terms)
    }

    /// Whether roster and guardrails must be those that the statement names: emergencies go on under another roster, and what was
    /// seen was seen.
    #[must_use]
    pub fn pins(statement: &Statement, stage: Stage) -> bool {
        stage == Stage::Before && !Rules::default().of(statement.kind()).emergency
    }

    /// Everything that a statement names and this instance has otherwise: none where it may be signed.
    #[must_use]
    pub fn unfit(&self, statement: &Statement, stage: Stage, now: Time) -> Vec<Unfit> {
        let (said, here) = (statement.common(), self.genesis.common());
        let mut found = Vec::new();
        if said.mode != here.mode {
            found.push(Unfit::Mode { found: mode_name(said), here: mode_name(here) });
        }
        for (field, named, own) in [
            ("log origin", said.log.origin.as_str(), self.head.origin.as_str()),
            ("instance", said.instance.as_str(), here.instance.as_str()),
            ("environment", said.environment.as_str(), here.environment.as_str()),
        ] {
            if named != own {
                found.push(Unfit::Place { field, found: named.to_owned(), here: own.to_owned() });
            }
        }
        if said.log.size > self.head.size {
            found.push(Unfit::Head { named: said.log.size, here: self.head.size });
        }
        if stage == Stage::Before && said.expires <= now {
            found.push(Unfit::Expired(said.expires));
        }
        if !Self::pins(statement, stage) {
            return found;
        }
        let roster = Version { sha256: self.roster.digest(), version: self.roster.version() };
        for (field, named, here) in
            [("roster", said.roster, roster), ("guardrails", said.guardrails, self.guardrails)]
        {
            if named != here {
                found.push(Unfit::Version { field, named, here });
            }
        }
        if let Target::GrantChange(change) = statement.target()
            && change.replaces != self.grants
        {
            found.push(Unfit::Grants { named: change.replaces, here: self.grants });
        }
        found
    }
}

/// `production` or `rehearsal`.
#[must_use]
pub fn mode_name(common: &Common) -> &'static str {
    match common.mode {
        ceremonies::genesis::Mode::Production => "production",
        ceremonies::genesis::Mode::Rehearsal => "rehearsal",
    }
}

#[cfg(all(test, unix))]
mod tests;
