//! Suspending a person: an officer's act, recorded where it may have an effect, without any ceremony.

use ceremonies::act::VerifiedAct;
use ceremonies::suspension::Said;
use proto::reason::Reason;
use proto::record::{Body, ControlDetail};
use proto::refusal::Refusal;
use proto::term::Term;

use super::admit::{Submitted, person};
use super::{Council, unlogged};
use crate::keyring::Snapshot;
use crate::keys::signed::documents;
use crate::log::ControlDraft;

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
        let after = state.suspensions().after(said, &state.seats(), self.provisional(None));
        after.map_err(|refusal| no(refusal.to_string(), refusal.name()))?;
        let fresh = self.log.fresh().map_err(|error| unlogged(&error))?;
        let detail = ControlDetail {
            reason: Some(act.act().reason.clone()),
            ..ControlDetail::with(documents(act), fresh.salt.clone())
        };
        let (detail, _name) =
            detail.encode().map_err(|error| Refusal::new(Reason::MalformedRequest, error.to_string()))?;
        let body = Body::Suspend(Box::new(said.record()));
        let draft = ControlDraft {
            touches: vec![Term::All],
            detail: Some(detail),
            ..ControlDraft::new(fresh, person(act), body)
        };
        let index = self.write(draft).await?;
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
