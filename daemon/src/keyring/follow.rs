//! From control records to snapshots: the only writer.

use std::sync::Arc;

use super::Keyring;
use super::snapshot::InForce;
use crate::keys::fold::{FoldError, State};
use crate::log::{Control, Controls};
use crate::policy::quota::Quotas;

/// Why following ended.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The log is closed: nothing more will come.
    #[error("the log is closed")]
    Closed,
    /// A control record that cannot follow the ones before. Signing with the state before it would be wrong.
    #[error("control record {index}: {cause}")]
    Unfoldable {
        /// Its index.
        index: u64,
        /// What it breaks.
        cause: FoldError,
    },
}

/// Applies control records as they come, until the log closes. Whoever runs this ends the daemon's signing when it
/// returns: a snapshot that is not followed grows old.
pub async fn follow(keyring: Arc<Keyring>, mut controls: Controls) -> Stopped {
    loop {
        let Some(control) = controls.next().await else { return Stopped::Closed };
        if let Err(stopped) = apply(&keyring, &control) {
            return stopped;
        }
        keyring.open_keys();
    }
}

/// Makes the next snapshot.
fn apply(keyring: &Keyring, control: &Control) -> Result<(), Stopped> {
    let mut state = keyring.snapshot().state().clone();
    state
        .apply(control.index, control.hash, &control.record)
        .map_err(|cause| Stopped::Unfoldable { index: control.index, cause })?;
    keyring.settle(state);
    Ok(())
}

impl Keyring {
    /// Puts a state in force with the rules that it names, if they were offered.
    pub(super) fn settle(&self, state: State) {
        let (guardrails, grants) = (state.guardrails(), state.grants());
        let force = self.offered(&guardrails.sha256, &grants.sha256).and_then(|loaded| {
            let before = self.snapshot().in_force().cloned();
            let quotas = match before {
                Some(before) if before.loaded.guardrails == loaded.guardrails => Arc::clone(&before.quotas),
                _ => Arc::new(Quotas::new(&loaded.document, Arc::clone(&self.clock))),
            };
            match loaded.rules(guardrails.index, grants.index) {
                Ok(rules) => Some(Arc::new(InForce { loaded, rules, quotas })),
                Err(problems) => {
                    tracing::error!(?problems, "rules that were good before are not now: nothing is permitted");
                    None
                }
            }
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
