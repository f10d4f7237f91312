//! Clearing up after an execution that was interrupted: what it may have left is destroyed, or abandoned where it is.
//!
//! Only the birth of a key leaves something. An adoption changes nothing on a device: one that stands as interrupted, by a daemon
//! of before, is abandoned, and then its key pair and its name are free again.
//!
//! Of several the first one counts: it lets the birth start once more, and then what is under those names is a key. One that comes
//! later touches nothing (`of_two_that_clear_up_the_second_touches_nothing`), and no birth starts while one is at the device.
//!
//! Invariant: whatever was interrupted, people get out of it (`an_adoption_that_stands_as_interrupted_is_abandoned`).

use std::time::Duration;

use ceremonies::outputs::Outputs;
use ceremonies::session::Step;
use ceremonies::statement::target::{Leftover, Resolve, Target};
use ceremonies::statement::{CeremonyId, Kind, Statement};
use proto::reason::Reason;
use proto::refusal::Refusal;

use super::{Council, no};
use crate::backend::{Deadline, Failure};
use crate::keyring::Snapshot;
use crate::keys::sessions::Held;

/// How long a backend may take to destroy one key pair.
const LONGEST: Duration = Duration::from_secs(120);

impl Council {
    /// Whether a ceremony is interrupted, and what is to be done about it fits its kind.
    ///
    /// # Errors
    /// Guards `not-interrupted` and `nothing-left`.
    pub(super) fn may_be_resolved(&self, snapshot: &Snapshot, resolve: &Resolve) -> Result<(), Refusal> {
        let held: Option<&Held> = snapshot.state().sessions().find(resolve.ceremony).map(AsRef::as_ref);
        let Some(held) = held.filter(|held| is_interrupted(held, resolve)) else {
            let message =
                format!("ceremony {} is not interrupted, or has another statement", resolve.ceremony);
            return no("not-interrupted", message);
        };
        let kind = held.session.statement().kind();
        if resolve.leftover == Leftover::Destroy && kind != Kind::KeyGenerate {
            let message = format!(
                "a `{kind}` leaves nothing on the device that could be destroyed: say `leftover = \"abandon\"`, and propose it \
                 anew"
            );
            return no("nothing-left", message);
        }
        Ok(())
    }

    /// Does what a `resolve` says; nothing where another one came first, because what is under those names may be in use then.
    pub(super) async fn resolved(&self, resolve: &Resolve) -> Result<Option<Outputs>, Refusal> {
        let interrupted = self.held(&self.keyring.snapshot(), resolve.ceremony)?;
        if !is_interrupted(&interrupted, resolve) {
            return Ok(None);
        }
        Ok(Some(Outputs::Destroyed(match resolve.leftover {
            Leftover::Destroy => self.destroy_leftovers(interrupted.session.statement()).await?,
            Leftover::Abandon => Vec::new(),
        })))
    }

    /// The `resolve` that is at work on what a birth left, also one that was aborted meanwhile: until it is done nothing starts
    /// that makes a key under the same names.
    pub(super) fn is_cleared_up_by(&self, snapshot: &Snapshot, birth: CeremonyId) -> Option<CeremonyId> {
        let is_of = |held: &Held| matches!(held.session.statement().target(), Target::Resolve(resolve) if resolve.ceremony == birth);
        let mut all = snapshot.state().sessions().iter();
        all.find(|(id, held)| is_of(held) && self.is_running(*id)).map(|(id, _)| id)
    }

    /// Destroys what an interrupted birth left, and says where it was.
    async fn destroy_leftovers(&self, statement: &Statement) -> Result<Vec<String>, Refusal> {
        let Target::KeyGenerate(target) = statement.target() else { return Ok(Vec::new()) };
        let backend = self.backend(&target.backend)?;
        let failed = |failure: Failure| crate::sign::failed(target.backend.as_str(), &failure);
        let all = self.look(statement).await?;
        if all.len() > 1 {
            // One start makes one key pair.
            let (ceremony, found) = (statement.common().ceremony, all.len());
            crate::measure::object_planted();
            tracing::error!(%ceremony, found, "more than one key pair is under the names of one birth: somebody put them there");
        }
        let mut destroyed = Vec::new();
        for found in all {
            let place = found.locator.to_string();
            let by = Deadline(self.clock.monotonic().after(LONGEST));
            backend.destroy(&found.locator, found.public_key.key_id(), by).await.map_err(failed)?;
            destroyed.push(place);
        }
        let left = self.look(statement).await?;
        if let Some(first) = left.first() {
            let message = format!("{} is still there after it was destroyed", first.locator);
            return Err(Refusal::new(Reason::BackendRefused, message));
        }
        destroyed.sort();
        Ok(destroyed)
    }
}

fn is_interrupted(held: &Held, resolve: &Resolve) -> bool {
    held.session.digest() == resolve.statement && held.session.state().step() == Step::Indeterminate
}
