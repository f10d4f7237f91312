//! Refusals by policy are in the log too: each as a record, or, where there are many, as a count.
//!
//! Promises: a call that policy refuses is one `denied` record, which holds nothing that the caller wrote but the key's
//! name and a digest. For each caller, action, rule and reason ten of a minute are recorded one by one; the rest are
//! counted and summed up after the minute ([`count`]), so that nobody fills the log by being refused. A refusal is given
//! whether or not the log can take its record.
//!
//! Does not: decide, or record whom no grant admits, because anyone can come by a name: that is a metric alone. What a list
//! leaves out because policy hides it was not refused.

pub mod count;
mod summary;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use proto::action::ActionName;
use proto::digest::Digests;
use proto::operation::OperationId;
use proto::reason::Reason;
use proto::record::kind::DeniedTag;
use proto::record::{CallerDetail, DeniedRecord, Detail, PolicyDetail, Times, VERSION};
use proto::refusal::Refusal;

use crate::clock::Clock;
use crate::keyring::{Keyring, Refused, Snapshot};
use crate::log::{Fresh, Log, LogError, Plain};
use crate::measure;
use crate::policy::caller::Caller;
use crate::policy::facts::{Action, Resource};
use crate::policy::{Denied, Permit};
use count::{Alike, Counts, Noted};

/// How long a refused stop waits for its record: who may not stop something must know at once, to call somebody who may.
const STOP: Duration = Duration::from_millis(250);

/// Records refusals. Shared by everything that asks policy.
pub struct Denials {
    log: Log,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    counts: Counts,
}

impl Denials {
    /// Records refusals in this log.
    pub fn new(log: Log, keyring: Arc<Keyring>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { log, keyring, clock, counts: Counts::default() })
    }

    /// Asks policy about a call that signs nothing.
    ///
    /// # Errors
    /// What policy says; that is recorded.
    pub async fn permit(
        &self,
        snapshot: &Snapshot,
        caller: &Arc<Caller>,
        action: &Action,
        resource: Option<&Resource>,
    ) -> Result<Permit, Refusal> {
        match snapshot.decide(caller, action, resource, None) {
            Ok(permit) => Ok(permit),
            Err(Refused::Denied(denied)) => Err(self.refuse(snapshot, caller, denied, || None).await),
            Err(refused @ Refused::NoRules) => Err(refused.refusal()),
        }
    }

    /// Records a refusal by policy, or counts it, and gives what the caller is told. `digests`, of what was to be signed, are
    /// asked for only where they are recorded.
    pub async fn refuse(
        &self,
        snapshot: &Snapshot,
        caller: &Caller,
        denied: Denied,
        digests: impl FnOnce() -> Option<Digests>,
    ) -> Refusal {
        let refusal = denied.refusal();
        if refusal.reason == Reason::Unauthenticated {
            measure::unauthenticated();
            return refusal;
        }
        let action = denied.action;
        let alike = Alike {
            caller: caller.id.clone(),
            action,
            rule: denied.rule.clone().unwrap_or_default(),
            reason: refusal.reason,
        };
        if self.counts.note(&alike, denied.key.as_ref(), self.clock.wall()) == Noted::Counted {
            return refusal;
        }
        let recording = async {
            let Alike { rule, reason, .. } = alike;
            let Fresh { operation, salt, asked } = self.log.fresh()?;
            let named = CallerDetail { claims: Default::default(), ..snapshot.named(caller) };
            let detail = Detail { policy: Some(decided(snapshot, rule)), ..Detail::of(named, salt) };
            let (detail, name) = detail.encode()?;
            let record = DeniedRecord {
                action,
                detail: name,
                digests: digests(),
                key: denied.key,
                kind: DeniedTag::Tag,
                operation,
                reason,
                time: Times::asked(asked),
                v: VERSION,
            };
            self.log.append(Plain { draft: record.draft()?, detail, last: false }).await?;
            Ok::<OperationId, LogError>(operation)
        };
        // Once it is in the log's queue the record is written, whoever waits.
        let recorded = match action {
            ActionName::Stop => tokio::time::timeout(STOP, recording).await,
            _ => Ok(recording.await),
        };
        match recorded {
            Ok(Ok(operation)) => return refusal.recorded(operation),
            Ok(Err(unrecorded)) => {
                tracing::warn!(%unrecorded, caller = caller.id, %action, "a refusal could not be recorded");
            }
            Err(_elapsed) => {
                tracing::warn!(caller = caller.id, %action, "a refusal is recorded when the log takes it");
            }
        }
        refusal
    }
}

/// What decided: the rule, and the records that put the policy of this moment in force.
fn decided(snapshot: &Snapshot, rule: String) -> PolicyDetail {
    let state = snapshot.state();
    PolicyDetail { grants: state.grants().index, guardrails: state.guardrails().index, rule }
}
