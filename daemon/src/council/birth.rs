//! The birth of a key, or its adoption: what is looked for before, what is made, and what is kept of it.
//!
//! Label and id follow from the statement, so before and after a crash it is known where to look, and nobody chooses them.
//! What was found there is counted and never used.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ceremonies::birth::BirthNames;
use ceremonies::outputs::{Born, Outputs};
use ceremonies::statement::target::{KeyAdopt, KeyGenerate, Target};
use ceremonies::statement::{Name, Statement};
use proto::key_id::KeyId;
use proto::reason::Reason;
use proto::record::Ceremony;
use proto::record::ceremony::{Failed, Turned};
use proto::refusal::Refusal;

use super::Council;
use crate::backend::{Backend, Deadline, Failure, Found, GenerateSpec, Generated, KeyReference, Locator};
use crate::sign::possession::Holder;

/// How long a backend may take to make a key; RSA takes a while.
const LONGEST: Duration = Duration::from_secs(120);

/// How a birth ended.
enum Birth {
    /// A key pair was made, and has proven that it is there.
    Made(Box<Born>),
    /// Nothing was made.
    Nothing(String),
    /// Nobody knows, or what was made is not believed.
    Unknown(String),
}

impl Council {
    /// What is on the backend under the names of the key that a statement makes.
    ///
    /// # Errors
    /// The backend's failure: whoever cannot look makes nothing.
    pub(super) async fn look(&self, statement: &Statement) -> Result<Vec<Found>, Refusal> {
        let Target::KeyGenerate(target) = statement.target() else { return Ok(Vec::new()) };
        let backend = self.backend(&target.backend)?;
        let failed = |failure: Failure| crate::sign::failed(target.backend.as_str(), &failure);
        let mut all: Vec<Found> = Vec::new();
        for place in backend.birthplaces(&BirthNames::of(statement)) {
            for found in backend.find(&place).await.map_err(failed)? {
                if !all.iter().any(|known| known.locator == found.locator) {
                    all.push(found);
                }
            }
        }
        Ok(all)
    }

    pub(super) fn backend(&self, name: &Name) -> Result<&Arc<dyn Backend>, Refusal> {
        self.keyring
            .backend(name.as_str())
            .ok_or_else(|| Refusal::new(Reason::UnknownBackend, format!("there is no backend `{name}` here")))
    }

    /// Makes or adopts the key of a ceremony whose start is durable, and records how that ended.
    ///
    /// What is safe now: the start is in the log, so a crash from here on leaves an execution without an output, which
    /// the next start of the daemon records as interrupted.
    pub(super) async fn give_birth(&self, statement: &Statement) -> Result<(), Refusal> {
        let ceremony = statement.common().ceremony;
        let birth = match statement.target() {
            Target::KeyGenerate(target) => self.born(statement, target).await,
            Target::KeyAdopt(target) => self.adopted(target).await,
            _ => return Err(Refusal::new(Reason::Internal, "no key is to be made")),
        };
        match birth {
            Birth::Made(born) => self.executed(statement, &Outputs::Key(born)).await,
            Birth::Nothing(cause) => {
                tracing::warn!(%ceremony, cause, "no key was made");
                let step = Ceremony::Failed(Failed { cause: cause.clone(), ceremony, reason: None });
                self.append(step, vec![], vec![]).await?;
                Err(Refusal::new(Reason::BackendRefused, format!("no key was made: {cause}")))
            }
            Birth::Unknown(cause) => {
                tracing::error!(%ceremony, cause, "it is not known what the backend did: propose a `resolve`");
                self.append(Ceremony::Interrupted(Turned { ceremony }), vec![], vec![]).await?;
                Err(Refusal::new(Reason::Interrupted, format!("it is not known what was made: {cause}")))
            }
        }
    }

    async fn born(&self, statement: &Statement, target: &KeyGenerate) -> Birth {
        let backend = match self.backend(&target.backend) {
            Ok(backend) => backend,
            Err(refusal) => return Birth::Nothing(refusal.message),
        };
        let names = BirthNames::of(statement);
        let spec = GenerateSpec { algorithm: target.algorithm, label: names.label, id: names.id.to_vec() };
        let by = Deadline(self.clock.monotonic().after(LONGEST));
        let made = match backend.generate(spec, by).await {
            Ok(made) => made,
            Err(failure) if failure.may_be_done() => return Birth::Unknown(failure.to_string()),
            Err(failure) => {
                // A backend that says that it did nothing is believed if nothing is there.
                return match self.look(statement).await {
                    Ok(found) if found.is_empty() => Birth::Nothing(failure.to_string()),
                    Ok(_) => Birth::Unknown(format!("{failure}; and something is there")),
                    Err(blind) => Birth::Unknown(format!("{failure}; and looking failed: {}", blind.message)),
                };
            }
        };
        let asked = target.serial.as_ref().map(|serial| serial.as_str());
        let found = made.device.get("serial").map(String::as_str);
        if asked.is_some_and(|asked| found != Some(asked)) {
            let found = found.unwrap_or("none");
            return Birth::Unknown(format!(
                "the statement names the device {}, and the key was made on {found}",
                asked.unwrap_or_default()
            ));
        }
        match self.proven(statement.target(), backend, &made).await {
            Ok(born) => Birth::Made(Box::new(born)),
            Err(why) => Birth::Unknown(format!("the new key gave no proof of possession: {why}")),
        }
    }

    /// A key that is there already: exactly the one that the statement names. Nothing is changed on the device, so what
    /// fails here has done nothing.
    async fn adopted(&self, target: &KeyAdopt) -> Birth {
        let nothing = |why: String| Birth::Nothing(why);
        let backend = match self.backend(&target.backend) {
            Ok(backend) => backend,
            Err(refusal) => return nothing(refusal.message),
        };
        let place: Locator = match target.locator.as_str().parse() {
            Ok(place) => place,
            Err(error) => return nothing(format!("target.locator: {error}")),
        };
        let mut found = match backend.find(&place).await {
            Ok(found) => found,
            Err(failure) => return nothing(failure.to_string()),
        };
        let (Some(there), true) = (found.pop(), found.is_empty()) else {
            return nothing(format!("not exactly one key is at {place}"));
        };
        if there.public_key.key_id() != target.key_id {
            return nothing(format!(
                "{place} holds the key {}, not {}",
                there.public_key.key_id(),
                target.key_id
            ));
        }
        if !there.public_key.fits(target.algorithm) {
            let kind = there.public_key.name();
            return nothing(format!("the key is {kind}, which does not sign with {}", target.algorithm));
        }
        let place = there.locator.to_string();
        if self.keyring.snapshot().state().sessions().keeps_out(target.key_id, &place) {
            return nothing(format!(
                "{place} is what a birth left that was not completed: it is never adopted"
            ));
        }
        let serial = match &there.locator {
            Locator::Pkcs11(uri) => uri.serial.clone(),
            Locator::Software(_) | Locator::Labelled(_) => None,
        };
        let asked = target.serial.as_ref().map(|serial| serial.as_str());
        if asked.is_some_and(|asked| serial.as_deref() != Some(asked)) {
            let found = serial.as_deref().unwrap_or("none");
            return nothing(format!(
                "the statement names the device {}, and the key is on {found}",
                asked.unwrap_or_default()
            ));
        }
        let device = serial.map(|serial| ("serial".to_owned(), serial)).into_iter().collect();
        let made =
            Generated { locator: there.locator, public_key: there.public_key, attributes: vec![], device };
        match self.proven(&Target::KeyAdopt(target.clone()), backend, &made).await {
            Ok(born) => Birth::Made(Box::new(born)),
            Err(why) => nothing(format!("the key gave no proof of possession: {why}")),
        }
    }

    async fn proven(
        &self,
        target: &Target,
        backend: &Arc<dyn Backend>,
        made: &Generated,
    ) -> Result<Born, Refusal> {
        let target = target.arrival().ok_or_else(|| Refusal::new(Reason::Internal, "no key arrives"))?;
        let failed = |failure: Failure| crate::sign::failed(target.backend.as_str(), &failure);
        let reference = KeyReference { locator: made.locator.clone(), algorithm: target.algorithm };
        let by = Deadline(self.clock.monotonic().after(LONGEST));
        let key = backend.open(&reference, &made.public_key, by).await.map_err(failed)?;
        let public_key = made.public_key.spki().to_vec();
        let holder = Holder {
            algorithm: target.algorithm,
            backend: target.backend.as_str(),
            key: target.key,
            version: target.version,
        };
        let possession = self.signer.prove_possession(&holder, &public_key, key).await?;
        debug_assert_eq!(made.public_key.key_id(), KeyId::of_spki(&public_key));
        let attributes: BTreeMap<String, String> = made.attributes.iter().cloned().collect();
        let (device, locator) = (made.device.clone(), made.locator.to_string());
        Ok(Born { attributes, device, locator, possession, public_key })
    }
}
