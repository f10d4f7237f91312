//! Suspending a person: an officer's act, recorded where it may have an effect, without any ceremony.

use ceremonies::act::VerifiedAct;
use ceremonies::suspension::Said;
use proto::reason::Reason;
use proto::record::Body;
use proto::refusal::Refusal;

use super::Council;
use super::admit::Submitted;
use crate::keyring::Snapshot;

fn no(message: String, guard: &str) -> Refusal {
    Refusal::new(Reason::ActRefused, message).with("guard", guard)
}

impl Council {
    /// Records that an officer suspends somebody. The caller has the turn.
    pub(super) async fn suspend(
        &self,
        snapshot: &Snapshot,
        act: &VerifiedAct,
        said: &Said,
    ) -> Result<Submitted, Refusal> {
        let state = snapshot.state();
        let after = state.suspensions().after(said, state.seats(), self.provisional(None));
        after.map_err(|refusal| no(refusal.to_string(), refusal.name()))?;
        let index = self.beside(act, Body::Suspend(Box::new(said.record()))).await?;
        let snapshot = self.keyring.snapshot();
        let suspensions = snapshot.state().suspensions();
        if !suspensions.has_spent(said.act) {
            let message = format!("the act is record {index}, and has no effect: another record came first");
            return Err(no(message, "too-late").with("log_index", index));
        }
        let waits = suspensions.of(&said.person).is_none();
        tracing::warn!(person = %said.person, by = %said.by, index, waits, "an officer suspends somebody");
        Ok(Submitted { index, ceremony: None, waits })
    }
}
