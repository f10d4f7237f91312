//! From control records to snapshots: the only writer.

use std::sync::{Arc, PoisonError};

use super::Keyring;
use super::snapshot::InForce;
use crate::keys::fold::{FoldError, State};
use crate::log::{Control, Controls};
use crate::policy::quota::Quotas;

/// A control record that cannot follow the ones before: signing with the state before it would be wrong.
#[derive(Debug, thiserror::Error)]
#[error("control record {index} cannot be followed: {cause}")]
pub struct Unfoldable {
    /// Its index.
    pub index: u64,
    /// What it breaks.
    pub cause: FoldError,
}

/// Applies control records as they come, for ever. Whoever runs this ends the daemon's signing when it returns: a
/// snapshot that is not followed grows old.
pub async fn follow(keyring: Arc<Keyring>, mut controls: Controls) -> Unfoldable {
    loop {
        let control = controls.next().await;
        if let Err(unfoldable) = apply(&keyring, &control) {
            return unfoldable;
        }
        keyring.open_keys();
    }
}

/// Makes the next snapshot.
fn apply(keyring: &Keyring, control: &Control) -> Result<(), Unfoldable> {
    let mut state = keyring.snapshot().state().clone();
    state
        .apply(control.index, control.hash, &control.record, control.detail.as_deref())
        .map_err(|cause| Unfoldable { index: control.index, cause })?;
    keyring.settle(state);
    Ok(())
}

impl Keyring {
    /// Puts a state in force with the rules that it names, if they were offered. Records that change no rules, stops above
    /// all, keep those in force with everything that was worked out of them.
    pub(super) fn settle(&self, state: State) {
        let _one = self.settling.lock().unwrap_or_else(PoisonError::into_inner);
        self.settled(state);
    }

    /// Puts the newest state in force with what was offered since. A record that comes at the same time is lost by no order
    /// of the two: whoever is second sees what the first did.
    pub(super) fn settle_again(&self) {
        let _one = self.settling.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = self.snapshot().state().clone();
        self.settled(newest);
    }

    fn settled(&self, state: State) {
        let (guardrails, grants) = (state.guardrails(), state.grants());
        let force = self.offered(&guardrails.sha256, &grants.sha256).map(|loaded| {
            let before = self.snapshot().in_force().cloned();
            if let Some(before) = &before
                && Arc::ptr_eq(&before.loaded, &loaded)
                && (before.rules.guardrails(), before.rules.grants()) == (guardrails.index, grants.index)
            {
                return Arc::clone(before);
            }
            let quotas = match before {
                Some(before) if before.loaded.guardrails == loaded.guardrails => Arc::clone(&before.quotas),
                _ => {
                    let clock = Arc::clone(&self.clock);
                    Arc::new(Quotas::new(&loaded.document, move || clock.monotonic().since_start()))
                }
            };
            let rules = loaded.rules(guardrails.index, grants.index);
            Arc::new(InForce { loaded, rules, quotas })
        });
        if force.is_none() {
            tracing::error!(
                guardrails = %guardrails.sha256,
                grants = %grants.sha256,
                "nothing is permitted: the log names policy files that this daemon does not have"
            );
        }
        let state = Arc::new(state);
        self.replace(|current| current.with_state(Arc::clone(&state), force.clone()));
    }
}
