//! The destruction of a key pair that a failed birth left.
//!
//! It is looked for under the names of that birth, and it is the statement's or nothing happens. Its start is durable before
//! the backend is told; from then on the log knows that it was there. Destroying twice is harmless: a crash, or a backend
//! that is away, is continued by looking again, until nothing of it is left or the backend refuses.
//!
//! Invariant: whatever cuts a destruction off, it ends with nothing left or as failed, and nothing else is destroyed
//! (`killed_at_every_step_of_a_destruction_it_is_carried_on_until_nothing_is_left`).

use std::time::Duration;

use ceremonies::outputs::Outputs;
use ceremonies::statement::target::KeyDestroy;
use ceremonies::statement::{CeremonyId, Statement};
use proto::reason::Reason;
use proto::record::Ceremony;
use proto::record::ceremony::Failed;
use proto::refusal::Refusal;

use super::{Council, no};
use crate::backend::{Deadline, Failure, Found, Locator};
use crate::keyring::Snapshot;

/// How long a backend may take.
const LONGEST: Duration = Duration::from_secs(30);

impl Council {
    /// Whether a key pair is one that may be destroyed: what a failed birth left, and nothing else.
    pub(super) fn may_be_destroyed(
        &self,
        snapshot: &Snapshot,
        target: &KeyDestroy,
        ceremony: CeremonyId,
    ) -> Result<(), Refusal> {
        let state = snapshot.state();
        if let Some(version) = state.version(&target.key_id) {
            return no(
                "key-state",
                format!(
                    "{} is {}: a key is destroyed when it is deactivated, removed or compromised, which this version \
                     has not, or when its birth failed",
                    version.name(),
                    version.state()
                ),
            );
        }
        if self.keyring.backend(target.backend.as_str()).is_none() {
            return no("no-backend", format!("there is no backend `{}` here", target.backend));
        }
        let Some(birth) = state.sessions().quarantined(target) else {
            return no(
                "no-failed-birth",
                format!(
                    "no birth of {}@{} on `{}` has failed and left the key {} at {}: name key, locator and key id as its \
                     outputs say",
                    target.key, target.version, target.backend, target.key_id, target.locator
                ),
            );
        };
        if state.sessions().is_at_work_on(target.key_id, ceremony) {
            return no(
                "in-progress",
                format!("another ceremony is destroying or adopting the key {}", target.key_id),
            );
        }
        let birth = birth.session.statement().common().ceremony;
        if self.is_running(birth) {
            return no(
                "still-running",
                format!("ceremony {birth} has ended, and the backend is not done with it"),
            );
        }
        Ok(())
    }

    /// How many key pairs are where the one to be destroyed is said to be: one, or none.
    ///
    /// # Errors
    /// Guard `other-key`, with what is there; the backend's failure.
    pub(super) async fn found_to_destroy(&self, target: &KeyDestroy) -> Result<u64, Refusal> {
        let found = self.under_the_names(target).await?;
        let is = |found: &&Found| {
            found.public_key.key_id() == target.key_id && found.locator.to_string() == target.locator.as_str()
        };
        if let Some(there) = found.iter().find(is) {
            return match (&there.locator, &target.serial) {
                (Locator::Pkcs11(uri), Some(serial)) if uri.serial.as_deref() != Some(serial.as_str()) => no(
                    "other-key",
                    format!(
                        "the key is on the device {}",
                        uri.serial.as_deref().unwrap_or("without a serial")
                    ),
                ),
                _ => Ok(1),
            };
        }
        match found.first() {
            Some(other) => no(
                "other-key",
                format!(
                    "under the names of that birth is the key {} at {}, not {} at {}",
                    other.public_key.key_id(),
                    other.locator,
                    target.key_id,
                    target.locator
                ),
            ),
            None => Ok(0),
        }
    }

    async fn under_the_names(&self, target: &KeyDestroy) -> Result<Vec<Found>, Refusal> {
        let snapshot = self.keyring.snapshot();
        match snapshot.state().sessions().quarantined(target) {
            Some(birth) => self.look(birth.session.statement()).await,
            None => Ok(Vec::new()),
        }
    }

    /// Destroys what the statement of an execution names, and records what came of it. Where the backend is away nothing is
    /// recorded, and the execution goes on at the next tick.
    pub(super) async fn destroy(&self, statement: &Statement, target: &KeyDestroy) -> Result<(), Refusal> {
        let ceremony = statement.common().ceremony;
        let birth = self.keyring.snapshot().state().sessions().quarantined(target).map(|birth| {
            let common = birth.session.statement().common();
            common.ceremony
        });
        let birth =
            birth.ok_or_else(|| Refusal::new(Reason::Internal, "the birth is gone from the state"))?;
        if let Err(refused) = self.gone(target).await? {
            tracing::error!(%ceremony, %refused, "the key was not destroyed");
            let step = Ceremony::Failed(Failed { cause: refused.message.clone(), ceremony, reason: None });
            self.append(step, vec![], vec![]).await?;
            return Err(refused);
        }
        // What is safe now: nothing is left, and a crash before the record finds that again.
        self.executed(statement, &Outputs::Gone(birth)).await?;
        tracing::info!(%ceremony, key = %target.key_id, "a key is destroyed");
        Ok(())
    }

    /// `Ok(Err)` where the backend refuses, `Err` where it is not known or to be tried again.
    async fn gone(&self, target: &KeyDestroy) -> Result<Result<(), Refusal>, Refusal> {
        let name = target.backend.as_str();
        let failed = |failure: &Failure| crate::sign::failed(name, failure);
        let Some(backend) = self.keyring.backend(name) else {
            return no("no-backend", format!("there is no backend `{name}` here"));
        };
        let place: Locator = match target.locator.as_str().parse() {
            Ok(place) => place,
            Err(error) => return Ok(no("other-key", format!("target.locator: {error}"))),
        };
        let by = Deadline(self.clock.monotonic().after(LONGEST));
        match backend.destroy(&place, target.key_id, by).await {
            // Nothing of it is there: it was destroyed before a crash.
            Ok(()) | Err(Failure::NotFound { .. }) => {}
            Err(failure) if is_for_ever(&failure) => return Ok(Err(failed(&failure))),
            Err(failure) => return Err(failed(&failure)),
        }
        let left = backend.find(&place).await.map_err(|failure| failed(&failure))?;
        Ok(match left.iter().any(|left| left.public_key.key_id() == target.key_id) {
            false => Ok(()),
            true => {
                let message = format!("{place} is still there after it was destroyed");
                Err(Refusal::new(Reason::BackendRefused, message))
            }
        })
    }
}

/// Whether trying again changes nothing. Everything else may be done already, or can be later.
const fn is_for_ever(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Refused { .. }
            | Failure::KeyDisabled { .. }
            | Failure::Unsupported { .. }
            | Failure::Mismatch { .. }
    )
}
