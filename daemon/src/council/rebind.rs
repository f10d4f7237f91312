//! The same keys on another device: a clone, a replacement, a moved partition.
//!
//! Each key that the statement names is looked for on the device that is there now, under the label and id that it has always
//! had; the public key decides. Then it proves that its private half is there, as a new key does. Nothing on the device
//! changes, so what was cut off is done again, and what fails has done nothing.
//!
//! Invariant: keys are rebound all together or not at all, and only to themselves
//! (`killed_at_every_step_of_a_rebinding_all_keys_move_or_none`).

use ceremonies::outputs::{Bound, Outputs};
use ceremonies::statement::target::BackendRebind;
use ceremonies::statement::{CeremonyId, Statement};
use proto::key_id::KeyId;
use proto::record::Ceremony;
use proto::record::ceremony::Failed;
use proto::refusal::Refusal;

use super::execute::is_away;
use super::{Council, no};
use crate::backend::pkcs11::uri::Uri;
use crate::backend::{Deadline, Failure, Found, KeyReference, Locator};
use crate::keyring::Snapshot;
use crate::keys::fold::is_bound_to;
use crate::keys::state::{KeyVersion, VersionState};
use crate::sign::possession::Holder;

/// How long a backend may take.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(30);

impl Council {
    /// Whether every key that is to be rebound is bound to the device that is replaced.
    pub(super) fn may_be_rebound(
        &self,
        snapshot: &Snapshot,
        target: &BackendRebind,
        ceremony: CeremonyId,
    ) -> Result<(), Refusal> {
        let state = snapshot.state();
        if self.keyring.backend(target.backend.as_str()).is_none() {
            return no("no-backend", format!("there is no backend `{}` here", target.backend));
        }
        if state.sessions().is_being_rebound(target.backend.as_str(), ceremony) {
            let message =
                format!("another ceremony is binding keys of `{}` to another device", target.backend);
            return no("in-progress", message);
        }
        for id in &target.keys {
            let Some(version) = state.version(id) else {
                return no("unknown-key", format!("no key here has the key id {id}"));
            };
            if !is_bound_to(version, target) {
                let (name, backend) = (version.name(), &version.backend);
                let serial = version.serial.as_deref().unwrap_or("none");
                return no(
                    "other-device",
                    format!(
                        "{name} is bound to the device {serial} of `{backend}`, not to {}",
                        target.replaces
                    ),
                );
            }
            if version.state() != VersionState::Active || state.covering(&version.terms()).is_some() {
                let message = format!(
                    "{} is stopped, and a stopped key proves nothing: lift its stop first, or leave it out",
                    version.name()
                );
                return no("key-state", message);
            }
        }
        Ok(())
    }

    /// How many keys are to be rebound: all of them are on the device that is there now, or nothing starts.
    ///
    /// # Errors
    /// Guards `other-device` and `other-key`; the backend's failure.
    pub(super) async fn found_to_rebind(&self, target: &BackendRebind) -> Result<u64, Refusal> {
        let snapshot = self.keyring.snapshot();
        for id in &target.keys {
            self.moved(&snapshot, target, *id).await?;
        }
        Ok(target.keys.len() as u64)
    }

    /// The key with this id, on the device that is there now.
    async fn moved(
        &self,
        snapshot: &Snapshot,
        target: &BackendRebind,
        id: KeyId,
    ) -> Result<(KeyVersion, Found), Refusal> {
        let Some(version) = snapshot.state().version(&id) else {
            return no("unknown-key", format!("no key here has the key id {id}"));
        };
        let Ok(Locator::Pkcs11(old)) = version.locator.parse::<Locator>() else {
            return no("other-device", format!("{} is on no PKCS#11 device", version.name()));
        };
        let serial = Some(target.serial.as_str().to_owned());
        let place =
            Uri { serial, object: old.object.clone(), id: old.id.clone(), private: true, ..Uri::default() };
        let place = Locator::Pkcs11(place);
        let found = match self.backend(&target.backend)?.find(&place).await {
            Ok(found) => found,
            Err(failure @ Failure::Mismatch { .. }) => return no("other-device", failure.to_string()),
            Err(failure) => return Err(crate::sign::failed(target.backend.as_str(), &failure)),
        };
        let mut own = found.iter().filter(|found| found.public_key.key_id() == id);
        match (own.next(), own.next(), found.first()) {
            (Some(one), None, _) => Ok((version.clone(), one.clone())),
            (Some(_), Some(_), _) => no("other-key", format!("{} is on the device twice", version.name())),
            (None, _, Some(other)) => no(
                "other-key",
                format!("{place} is the key {}, not {id} of {}", other.public_key.key_id(), version.name()),
            ),
            (None, _, None) => no(
                "other-key",
                format!("{} is not on the device {}: nothing is at {place}", version.name(), target.serial),
            ),
        }
    }

    /// Finds every key on its new device, has each prove that it is there, and records what came of it. Where the backend
    /// is away nothing is recorded, and the execution goes on at the next tick.
    pub(super) async fn rebind(&self, statement: &Statement, target: &BackendRebind) -> Result<(), Refusal> {
        let ceremony = statement.common().ceremony;
        let bound = match self.bound(target).await {
            Ok(bound) => bound,
            Err(refusal) if is_away(refusal.reason) => return Err(refusal),
            Err(refusal) => {
                tracing::warn!(%ceremony, %refusal, "no key is rebound");
                let step =
                    Ceremony::Failed(Failed { cause: refusal.message.clone(), ceremony, reason: None });
                self.append(step, vec![], vec![]).await?;
                return Err(refusal);
            }
        };
        self.executed(statement, &Outputs::Rebound(bound)).await
    }

    async fn bound(&self, target: &BackendRebind) -> Result<Vec<Bound>, Refusal> {
        let snapshot = self.keyring.snapshot();
        let backend = self.backend(&target.backend)?;
        let mut bound = Vec::new();
        for id in &target.keys {
            let (version, found) = self.moved(&snapshot, target, *id).await?;
            let reference = KeyReference { locator: found.locator.clone(), algorithm: version.algorithm };
            let by = Deadline(self.clock.monotonic().after(LONGEST));
            let key = backend
                .open(&reference, &found.public_key, by)
                .await
                .map_err(|failure| crate::sign::failed(target.backend.as_str(), &failure))?;
            let holder = Holder {
                algorithm: version.algorithm,
                backend: target.backend.as_str(),
                key: &version.key,
                version: version.version,
            };
            let possession = self.signer.prove_possession(&holder, &version.public_key, key).await?;
            bound.push(Bound { key_id: *id, locator: found.locator.to_string(), possession });
        }
        Ok(bound)
    }
}
