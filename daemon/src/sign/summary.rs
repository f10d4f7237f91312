//! Summaries of refusals that were counted instead of recorded one by one.

use proto::reason::Reason;
use proto::record::kind::DeniedSummaryTag;
use proto::record::{CallerDetail, DeniedSummary, Detail, PolicyDetail, Times, VERSION};
use proto::refusal::Refusal;

use super::denials::Count;
use super::{Signer, refuse};
use crate::log::{Fresh, Plain};

/// Bytes that one summary takes with its detail, for the hourly budget.
const SIZE: usize = 1024;

impl Signer {
    /// Records what was counted in minutes that are over. Called once a minute.
    ///
    /// # Errors
    /// The log's, with what is not recorded lost from the count: refusals change nothing, and metrics have them.
    pub async fn summarise(&self) -> Result<usize, Refusal> {
        let now = self.clock.wall();
        let due = self.denials.take_due(now, SIZE);
        let recorded = due.len();
        for count in due {
            self.summary(count).await?;
        }
        Ok(recorded)
    }

    /// Measures how old the versions are that sign.
    pub fn measure_ages(&self) {
        let now = self.clock.wall();
        for version in self.keyring.snapshot().signing() {
            if let Some(from) = version.valid_from {
                crate::measure::key_age(version.key.as_str(), now.since(from));
            }
        }
    }

    async fn summary(&self, count: Count) -> Result<(), Refusal> {
        let snapshot = self.keyring.snapshot();
        let state = snapshot.state();
        let Fresh { operation, salt, asked } = self.log.fresh().map_err(|e| refuse::unlogged(&e))?;
        let caller = CallerDetail { claims: Default::default(), id: count.caller, kind: "summary".into() };
        let policy = PolicyDetail {
            grants: state.grants().index,
            guardrails: state.guardrails().index,
            rule: count.rule,
        };
        let detail = Detail { policy: Some(policy), ..Detail::of(caller, salt) };
        let internal = |e: proto::record::RecordError| Refusal::new(Reason::Internal, e.to_string());
        let (detail, name) = detail.encode().map_err(internal)?;
        let record = DeniedSummary {
            count: count.count,
            detail: name,
            kind: DeniedSummaryTag::Tag,
            operation,
            reason: count.reason,
            since: count.since,
            time: Times::asked(asked),
            v: VERSION,
        };
        let draft = record.draft().map_err(internal)?;
        self.log.append(Plain { draft, detail, last: true }).await.map_err(|e| refuse::unlogged(&e))?;
        Ok(())
    }
}
