//! Guardrails and grants: files that are used only if the log holds their digests.
//!
//! A rehearsal instance logs the digest of a changed file itself, before it uses it; production refuses the file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ceremonies::access::Policies;
use ceremonies::genesis::Mode;
use ceremonies::guardrails::{Differs, Guardrails};
use proto::hash::Hash;
use proto::record::{Actor, ActorKind, Body};
use proto::term::Term;

use super::Keyring;
use crate::keys::fold::State;
use crate::log::{ControlDraft, Log, LogError};
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
    /// The `forbid` rules that the guardrails name; empty where they name none.
    forbid: String,
    /// Certificates that vouch for callers, as PEM, one text per file that the guardrails name.
    pub client_cas: Vec<Vec<u8>>,
    policies: Policies,
}

impl Loaded {
    /// The same guardrails with other grants.
    ///
    /// # Errors
    /// [`RulesError::Wrong`], with everything that is wrong with them.
    pub fn with_grants(&self, text: &str) -> Result<Self, RulesError> {
        let policies = Policies::load(&self.forbid, text).map_err(|problems| RulesError::Wrong {
            path: PathBuf::from("grants"),
            problems: problems.iter().map(ToString::to_string).collect(),
        })?;
        Ok(Self {
            guardrails: self.guardrails,
            grants: Hash::of(text.as_bytes()),
            document: self.document.clone(),
            text: self.text.clone(),
            forbid: self.forbid.clone(),
            client_cas: self.client_cas.clone(),
            policies,
        })
    }

    /// The grants that the log names, where a ceremony put them in force and the configured file is another one: the copy
    /// that was kept of them.
    ///
    /// # Errors
    /// [`RulesError`], where the copy cannot be read or is wrong.
    pub fn as_approved(self, state: &State, approved: &Approved) -> Result<Self, RulesError> {
        let wanted = state.grants().sha256;
        if self.grants == wanted {
            return Ok(self);
        }
        match approved.read(wanted)? {
            Some(text) => self.with_grants(&text),
            None => Ok(self),
        }
    }

    /// The rules of both, put in force by the records with these indices.
    pub(super) fn rules(&self, guardrails: u64, grants: u64) -> Rules {
        Rules::of(self.policies.clone(), guardrails, grants)
    }
}

/// Copies of the grants files that ceremonies put in force, by their SHA-256: `<state>/grants/<sha256>.cedar`.
#[derive(Clone, Debug)]
pub struct Approved(PathBuf);

impl Approved {
    /// Under this state directory.
    pub fn under(state_directory: &Path) -> Self {
        Self(state_directory.join("grants"))
    }

    fn path(&self, sha256: Hash) -> PathBuf {
        self.0.join(format!("{sha256}.cedar"))
    }

    /// Keeps a copy, durable before this returns.
    ///
    /// # Errors
    /// The file system's.
    pub fn keep(&self, text: &str) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.0)?;
        let path = self.path(Hash::of(text.as_bytes()));
        let part = path.with_extension("part");
        let mut file = std::fs::File::create(&part)?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&part, &path)?;
        std::fs::File::open(&self.0)?.sync_all()
    }

    /// The copy of this digest; none where there is none, or where it was changed.
    fn read(&self, sha256: Hash) -> Result<Option<String>, RulesError> {
        let path = self.path(sha256);
        match std::fs::read_to_string(&path) {
            Ok(text) if Hash::of(text.as_bytes()) == sha256 => Ok(Some(text)),
            Ok(_) => {
                tracing::error!(path = %path.display(), "the copy of the approved grants was changed, and is not used");
                Ok(None)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(RulesError::Read { path, source }),
        }
    }
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
    #[error("{path}:\n  {}", problems.join("\n  "))]
    Wrong {
        /// Which.
        path: PathBuf,
        /// What.
        problems: Vec<String>,
    },
    /// A file that the guardrails name is another one.
    #[error(transparent)]
    Differs(#[from] Differs),
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

/// Reads the files and everything that they name.
///
/// # Errors
/// [`RulesError`], before anything is touched.
pub fn load(guardrails: &Path, grants: &Path) -> Result<Loaded, RulesError> {
    let text = |path: &Path| {
        std::fs::read_to_string(path).map_err(|source| RulesError::Read { path: path.to_owned(), source })
    };
    let (guardrails_text, grants_text) = (text(guardrails)?, text(grants)?);
    let document = Guardrails::parse(&guardrails_text).map_err(|problems| RulesError::Wrong {
        path: guardrails.to_owned(),
        problems: problems.iter().map(ToString::to_string).collect(),
    })?;
    let beside = guardrails.parent().unwrap_or(Path::new("."));
    let named = |named: &ceremonies::guardrails::Named| {
        let path = beside.join(&named.file);
        let bytes = std::fs::read(&path).map_err(|source| RulesError::Read { path, source })?;
        named.check(&bytes)?;
        Ok::<_, RulesError>(bytes)
    };
    let forbid = document.forbid.as_ref().map(named).transpose()?.unwrap_or_default();
    let forbid = String::from_utf8_lossy(&forbid).into_owned();
    let client_cas = document.client_cas.iter().map(named).collect::<Result<_, _>>()?;
    let policies = Policies::load(&forbid, &grants_text).map_err(|problems| RulesError::Wrong {
        path: grants.to_owned(),
        problems: problems.iter().map(ToString::to_string).collect(),
    })?;
    Ok(Loaded {
        guardrails: Hash::of(guardrails_text.as_bytes()),
        grants: Hash::of(grants_text.as_bytes()),
        document,
        text: guardrails_text,
        forbid,
        client_cas,
        policies,
    })
}

impl Keyring {
    /// Makes other grants known before a record puts them in force.
    ///
    /// # Errors
    /// [`RulesError::Wrong`].
    pub fn offer_grants(&self, text: &str) -> Result<(), RulesError> {
        let snapshot = self.snapshot();
        let Some(force) = snapshot.in_force() else {
            return Err(RulesError::Wrong {
                path: PathBuf::from("grants"),
                problems: vec!["no guardrails are in force that they could stand under".to_owned()],
            });
        };
        self.offer(Arc::new(force.loaded.with_grants(text)?));
        Ok(())
    }

    /// Puts rules in force: those that the log names at once, changed ones after a record of a rehearsal instance.
    ///
    /// What is safe now: nothing is permitted by the new rules before their records are durable. A crash between the two
    /// records leaves the old files refused at the next start of a production instance, and logged again by a rehearsal.
    ///
    /// # Errors
    /// [`RulesError::Unapproved`] and [`RulesError::Unlogged`]; the rules in force stay in force.
    pub async fn adopt(self: &Arc<Self>, log: &Log, loaded: Loaded) -> Result<bool, RulesError> {
        let snapshot = self.snapshot();
        let state = snapshot.state();
        let changes = [
            (
                "the guardrails file",
                loaded.guardrails,
                state.guardrails().sha256,
                Body::Policy { sha256: loaded.guardrails },
            ),
            ("the grants file", loaded.grants, state.grants().sha256, Body::Grant { sha256: loaded.grants }),
        ];
        let changed: Vec<_> =
            changes.into_iter().filter(|(_, found, approved, _)| found != approved).collect();
        if let Some((file, found, approved, _)) = changed.first()
            && state.instance().mode() == Mode::Production
        {
            return Err(RulesError::Unapproved { file, found: *found, approved: *approved });
        }
        self.offer(Arc::new(loaded));
        let any = !changed.is_empty();
        for (_, _, _, body) in changed {
            let actor = Actor { id: state.instance().instance().to_string(), kind: ActorKind::Daemon };
            let draft =
                ControlDraft { touches: vec![Term::All], ..ControlDraft::new(log.fresh()?, actor, body) };
            let appended = log.control(draft).await?;
            self.at_least(appended.index).await;
        }
        if !any {
            self.settle(state.clone());
        }
        Ok(any)
    }
}
