//! Guardrails and grants: texts that are used only if the log holds their digests.
//!
//! A rehearsal instance logs the digest of a changed file itself, before it uses it; production refuses the file. What a
//! ceremony put in force is in the log, and is taken from there ([`super::approved`]).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ceremonies::access::Policies;
use ceremonies::amendment;
use ceremonies::genesis::Mode;
use ceremonies::guardrails::{Differs, Guardrails, Named};
use proto::hash::Hash;
use proto::record::config::Setting;
use proto::record::{Actor, ActorKind, Body};
use proto::term::Term;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::Keyring;
use super::account::{Account, Comes};
use crate::keys::fold::State;
use crate::log::{ControlDraft, Log, LogError, Owed};
use crate::policy::rules::Rules;

/// Guardrails and grants as they were read, with what the log must name.
pub struct Loaded {
    /// SHA-256 of the guardrails file.
    pub guardrails: Hash,
    /// SHA-256 of the grants file.
    pub grants: Hash,
    /// The guardrails.
    pub document: Guardrails,
    /// The guardrails file, as it is.
    pub text: String,
    /// Certificates that vouch for callers, as PEM, one text per file that the guardrails name.
    pub client_cas: Vec<Vec<u8>>,
    /// The grants file, as it is.
    pub(super) grants_text: String,
    /// The `forbid` rules that the guardrails name; empty where they name none.
    forbid: String,
    policies: Policies,
}

impl Loaded {
    /// What these texts make. `file` gives the bytes of a file that the guardrails name; they are held against its digest.
    ///
    /// # Errors
    /// [`RulesError`], with everything that is wrong with the first text that cannot be used.
    pub(super) fn of(
        text: String,
        grants_text: String,
        mut file: impl FnMut(&Named) -> Result<Vec<u8>, RulesError>,
    ) -> Result<Self, RulesError> {
        let document = Guardrails::parse(&text).map_err(|problems| RulesError::Wrong {
            what: "the guardrails",
            problems: problems.iter().map(ToString::to_string).collect(),
        })?;
        let mut named = |named: &Named| {
            let bytes = file(named)?;
            named.check(&bytes)?;
            Ok::<_, RulesError>(bytes)
        };
        let forbid = document.forbid.as_ref().map(&mut named).transpose()?.unwrap_or_default();
        let forbid = String::from_utf8_lossy(&forbid).into_owned();
        let client_cas: Vec<Vec<u8>> = document.client_cas.iter().map(named).collect::<Result<_, _>>()?;
        for (authority, bytes) in document.client_cas.iter().zip(&client_cas) {
            vouches(bytes).map_err(|cause| RulesError::Authority { file: authority.file.clone(), cause })?;
        }
        let policies = policies(&forbid, &grants_text)?;
        Ok(Self {
            guardrails: Hash::of(text.as_bytes()),
            grants: Hash::of(grants_text.as_bytes()),
            document,
            text,
            client_cas,
            grants_text,
            forbid,
            policies,
        })
    }

    /// The same guardrails with other grants.
    ///
    /// # Errors
    /// [`RulesError::Wrong`], with everything that is wrong with them.
    pub fn with_grants(&self, text: &str) -> Result<Self, RulesError> {
        let policies = policies(&self.forbid, text)?;
        Ok(Self {
            guardrails: self.guardrails,
            grants: Hash::of(text.as_bytes()),
            document: self.document.clone(),
            text: self.text.clone(),
            client_cas: self.client_cas.clone(),
            grants_text: text.to_owned(),
            forbid: self.forbid.clone(),
            policies,
        })
    }

    /// The same grants under other guardrails, whose files are among the documents that a `policy.change` brings.
    ///
    /// # Errors
    /// [`RulesError`].
    pub fn with_guardrails(
        &self,
        text: &str,
        documents: &BTreeMap<String, String>,
    ) -> Result<Self, RulesError> {
        Self::of(text.to_owned(), self.grants_text.clone(), |named| brought(named, documents))
    }

    /// The rules that the guardrails forbid by, as a document of a proposal; none where they name none.
    pub fn forbidding(&self) -> Option<(String, String)> {
        let named = self.document.forbid.as_ref()?;
        Some((amendment::name(&named.sha256), self.forbid.clone()))
    }

    /// The files that the guardrails name, by their digests.
    pub fn files(&self) -> impl Iterator<Item = (Hash, &[u8])> {
        let forbid = self.document.forbid.iter().map(|named| (named.sha256, self.forbid.as_bytes()));
        let authorities = self.document.client_cas.iter().zip(&self.client_cas);
        forbid.chain(authorities.map(|(named, bytes)| (named.sha256, bytes.as_slice())))
    }

    /// The grants file, as it is.
    pub fn grants_text(&self) -> &str {
        &self.grants_text
    }

    /// The rules of both, put in force by the records with these indices.
    pub(super) fn rules(&self, guardrails: u64, grants: u64) -> Rules {
        Rules::of(self.policies.clone(), guardrails, grants)
    }
}

/// A file that guardrails name, among the documents that came with them.
pub(super) fn brought(named: &Named, documents: &BTreeMap<String, String>) -> Result<Vec<u8>, RulesError> {
    let text = documents.get(&amendment::name(&named.sha256));
    text.map(|text| text.clone().into_bytes())
        .ok_or_else(|| RulesError::NotBrought { file: named.file.clone() })
}

fn policies(forbid: &str, grants: &str) -> Result<Policies, RulesError> {
    Policies::load(forbid, grants).map_err(|problems| RulesError::Wrong {
        what: "guardrails and grants",
        problems: problems.iter().map(ToString::to_string).collect(),
    })
}

/// Whether these are certificates that can vouch for others.
fn vouches(pem: &[u8]) -> Result<(), String> {
    let (mut roots, mut any) = (RootCertStore::empty(), false);
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|why| why.to_string())?;
        roots.add(certificate).map_err(|why| why.to_string())?;
        any = true;
    }
    if any { Ok(()) } else { Err("there is no certificate in PEM".to_owned()) }
}

/// Why the files are not used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// The error.
        source: std::io::Error,
    },
    /// Something is wrong with a file: every problem on a line of its own.
    #[error("{what}:\n  {}", problems.join("\n  "))]
    Wrong {
        /// Which.
        what: &'static str,
        /// What.
        problems: Vec<String>,
    },
    /// A file that the guardrails name is another one.
    #[error(transparent)]
    Differs(#[from] Differs),
    /// An authority of callers that cannot be one.
    #[error("{file}, which the guardrails name as a client authority, cannot be used: {cause}")]
    Authority {
        /// The file.
        file: String,
        /// Why.
        cause: String,
    },
    /// A file that did not come with the guardrails that name it.
    #[error("{file}, which the guardrails name, did not come with them")]
    NotBrought {
        /// The file.
        file: String,
    },
    /// The log does not give what it says is in force.
    #[error("{what} in force are in the detail of record {index}, and are not found there: {cause}")]
    Lost {
        /// What.
        what: &'static str,
        /// The record.
        index: u64,
        /// Why.
        cause: String,
    },
    /// Production uses only what a ceremony approved.
    #[error(
        "{file} has SHA-256 {found}, and the log approved {approved}: put the approved file back; only a ceremony \
         changes it"
    )]
    Unapproved {
        /// Which.
        file: &'static str,
        /// What it has.
        found: Hash,
        /// What the log holds.
        approved: Hash,
    },
    /// The change could not be logged, so it is not used.
    #[error("the change of policy could not be recorded: {0}")]
    Unlogged(#[from] LogError),
}

/// Reads the configured files and everything that they name.
///
/// # Errors
/// [`RulesError`], before anything is touched.
pub fn load(guardrails: &Path, grants: &Path) -> Result<Loaded, RulesError> {
    let beside = guardrails.parent().unwrap_or(Path::new("."));
    Loaded::of(text_of(guardrails)?, text_of(grants)?, |named| {
        let path = beside.join(&named.file);
        std::fs::read(&path).map_err(|source| RulesError::Read { path, source })
    })
}

/// A file that is text.
pub(super) fn text_of(path: &Path) -> Result<String, RulesError> {
    std::fs::read_to_string(path).map_err(|source| RulesError::Read { path: path.to_owned(), source })
}

impl Keyring {
    /// Makes other grants known before a record puts them in force.
    ///
    /// # Errors
    /// [`RulesError::Wrong`].
    pub fn offer_grants(&self, text: &str) -> Result<(), RulesError> {
        self.offer(Arc::new(self.loaded()?.with_grants(text)?));
        Ok(())
    }

    /// Makes other guardrails known, with the files among these documents, before a record puts them in force.
    ///
    /// # Errors
    /// [`RulesError`].
    pub fn offer_guardrails(
        &self,
        text: &str,
        documents: &BTreeMap<String, String>,
    ) -> Result<(), RulesError> {
        self.offer(Arc::new(self.loaded()?.with_guardrails(text, documents)?));
        Ok(())
    }

    pub(super) fn loaded(&self) -> Result<Arc<Loaded>, RulesError> {
        let force = self.snapshot().in_force().cloned();
        force.map(|force| Arc::clone(&force.loaded)).ok_or_else(|| RulesError::Wrong {
            what: "what is in force",
            problems: vec!["there are no rules that others could take the place of".to_owned()],
        })
    }

    /// Puts rules in force: those that the log names at once, changed ones after a record of a rehearsal instance. `account` is
    /// what is recorded of it: in the commit of the last change, or before anything that is asked for from here on.
    ///
    /// What is safe now: nothing is permitted by the new rules before their records are durable. A crash between the two
    /// records leaves the old files refused at the next start of a production instance, and logged again by a rehearsal.
    ///
    /// # Errors
    /// [`RulesError::Unapproved`] and [`RulesError::Unlogged`]; the rules in force stay in force, and nothing says that others
    /// came.
    pub async fn adopt(
        self: &Arc<Self>,
        log: &Log,
        loaded: Loaded,
        account: Option<Account>,
    ) -> Result<Adopted, RulesError> {
        let snapshot = self.snapshot();
        let state = snapshot.state();
        let guardrails =
            Comes { setting: Setting::Guardrails, found: loaded.guardrails, now: state.guardrails() };
        let grants = Comes { setting: Setting::Grants, found: loaded.grants, now: state.grants() };
        let changes: Vec<Comes> = [guardrails, grants].into_iter().filter(Comes::is_other).collect();
        if let Some(Comes { setting, found, now }) = changes.first()
            && state.instance().mode() == Mode::Production
        {
            let file = match setting {
                Setting::Guardrails => "the guardrails file",
                Setting::Grants => "the grants file",
            };
            return Err(RulesError::Unapproved { file, found: *found, approved: now.sha256 });
        }
        let record =
            account.map(|account| account.record(log, state, &loaded, guardrails, grants)).transpose()?;
        self.offer(Arc::new(loaded));
        let Some((last, before)) = changes.split_last() else {
            // First: what the rules permit is signed after it.
            let owed = record.map(|(operation, plain)| log.owe(operation, plain)).transpose()?;
            self.settle_again();
            return Ok(Adopted { changed: false, owed });
        };
        for change in before {
            let appended = log.control(puts_in_force(log, state, change)?).await?;
            self.at_least(appended.index).await;
        }
        let draft = puts_in_force(log, state, last)?;
        let appended = match record {
            Some((_, plain)) => log.control_beside(draft, plain).await?,
            None => log.control(draft).await?,
        };
        self.at_least(appended.index).await;
        Ok(Adopted { changed: true, owed: None })
    }
}

/// What came of putting rules in force.
#[derive(Debug)]
pub struct Adopted {
    /// Whether other files came into force.
    pub changed: bool,
    /// The record of it, where no other record brought it into the log already.
    pub owed: Option<Owed>,
}

/// The record of a rehearsal that puts a changed file in force.
fn puts_in_force(log: &Log, state: &State, change: &Comes) -> Result<ControlDraft, LogError> {
    let sha256 = change.found;
    let body = match change.setting {
        Setting::Guardrails => Body::Policy { sha256 },
        Setting::Grants => Body::Grant { sha256 },
    };
    let actor = Actor { id: state.instance().instance().to_string(), kind: ActorKind::Daemon };
    Ok(ControlDraft { touches: vec![Term::All], ..ControlDraft::new(log.fresh()?, actor, body) })
}
