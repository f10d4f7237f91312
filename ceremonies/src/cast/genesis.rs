//! A genesis that these people sign at once.

use proto::canonical::Map;
use proto::hash::Hash;
use proto::origin::Origin;
use proto::record::ceremony::document;
use proto::time::Time;

use super::{Cast, PEOPLE, drawn};
use crate::act::{Act, Decision, Deed, SeenHead};
use crate::genesis::{ACT, Draft, Genesis, GenesisError, SIGNATURE};
use crate::guardrails::Guardrails;
use crate::statement::{Common, Kind, Line, Log, Name, Quorum, Statement, Target, Version, target};

/// What an instance of these people begins with.
#[derive(Clone, Copy, Debug)]
pub struct Beginning<'a> {
    /// Whether production keys may live in the software backend.
    pub allow_software_backend: bool,
    /// Time of record 0, and from when the statement is good.
    pub at: Time,
    /// For instance `rehearsal`.
    pub environment: &'a Name,
    /// Text of the grants file.
    pub grants: &'a str,
    /// Text of the guardrails file.
    pub guardrails: &'a str,
    /// Name of the instance.
    pub instance: &'a Name,
    /// The log's public key, as a signed-note verifier key.
    pub log_key: &'a Line,
    /// Name of the log; begins with `rehearsal.` exactly where the mode is that.
    pub origin: &'a Origin,
}

/// A genesis and what belongs into the detail of record 0.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The genesis.
    pub genesis: Genesis,
    /// Roster, guardrails, grants, and the acts with their signatures.
    pub documents: Map<String>,
}

impl Cast {
    /// The genesis that these people sign: officers approve, witnesses attest.
    ///
    /// # Errors
    /// [`GenesisError`], where guardrails, origin or log key are none.
    pub fn begin(&self, beginning: Beginning<'_>) -> Result<Begun, GenesisError> {
        let Beginning { allow_software_backend, at, environment, grants, guardrails, .. } = beginning;
        let Beginning { instance, log_key, origin, .. } = beginning;
        let rules = Guardrails::parse(guardrails).map_err(GenesisError::Guardrails)?.rules;
        let rule = rules.of(Kind::Genesis);
        let (approvals, officers) = (self.roster().approvals(), self.roster().officers());
        let line = |text: &str| text.parse().expect("a line of this file is one");
        let mut id = [0; 16];
        id.copy_from_slice(&drawn(&self.seed, "ceremony").as_bytes()[..16]);
        let common = Common {
            ceremony: id.into(),
            environment: environment.clone(),
            expires: at.later(rule.expires),
            guardrails: Version { sha256: Hash::of(guardrails.as_bytes()), version: 1 },
            initiator: PEOPLE[0].0.parse().expect("an id of the table is one"),
            instance: instance.clone(),
            justification: "To try things out.".parse().expect("a text of this file is one"),
            log: Log { origin: origin.clone(), root: Hash::of(b""), size: 0 },
            mode: self.mode,
            nonce: (*drawn(&self.seed, "statement").as_bytes()).into(),
            not_before: at,
            purpose: line("an instance to try things out: whoever made it has the keys of all its people"),
            quorum: Quorum {
                approvals: rule.approvals(approvals, officers),
                officers,
                witnesses: rule.witnesses,
            },
            roster: Version { sha256: self.roster().digest(), version: self.roster().version() },
            ticket: line("none"),
        };
        let target = Target::Genesis(target::Genesis {
            allow_software_backend,
            allow_software_officer_keys: true,
            grants: Hash::of(grants.as_bytes()),
            log_key: log_key.clone(),
        });
        let statement = Statement::new(common, target)?;
        let mut documents = Map::default();
        let roster = String::from_utf8(self.roster().encode()).expect("canonical JSON is text");
        for (name, text) in [
            (document::ROSTER, roster.as_str()),
            (document::GUARDRAILS, guardrails),
            (document::GRANTS, grants),
        ] {
            documents.insert(name.to_owned(), text.to_owned());
        }
        let draft = Draft::new(statement, &documents)?;
        self.consent(&draft, &mut documents);
        Ok(Begun { genesis: draft.signed(&documents, at)?, documents })
    }

    /// Adds everybody's act, and its signature, to the documents.
    fn consent(&self, draft: &Draft, documents: &mut Map<String>) {
        let common = draft.statement().common();
        let (decision, statement) = (Decision::Accept, draft.digest());
        for (person, _, _, role) in PEOPLE {
            let deed = match role {
                "officer" => Deed::Approve { decision, statement },
                "witness" => Deed::Attest { decision, outcome: None, statement },
                _ => continue,
            };
            let act = Act {
                deed,
                environment: common.environment.as_str().to_owned(),
                expires: common.expires,
                head: SeenHead { origin: common.log.origin.clone(), root: common.log.root, size: 0 },
                instance: common.instance.as_str().to_owned(),
                nonce: (*drawn(&self.seed, &format!("act {person}")).as_bytes()).into(),
                reason: String::new(),
            };
            let signed = self.sign(person, &act).expect("names of a statement are names of an act");
            let (document, signature) = signed.expect("everybody of the table has a key");
            documents.insert(format!("{ACT}{person}"), document);
            documents.insert(format!("{SIGNATURE}{person}"), signature);
        }
    }
}
