//! Summaries of refusals that were counted instead of recorded one by one.

use proto::record::kind::DeniedSummaryTag;
use proto::record::{CallerDetail, DeniedSummary, Detail, Times, VERSION};

use super::count::{Alike, Count};
use super::{Denials, decided};
use crate::log::{Fresh, LogError, Plain};

/// Bytes that one summary takes with its detail, for the hourly budget.
const SIZE: usize = 1024;

impl Denials {
    /// Records what was counted in minutes that are over. Called once a minute.
    ///
    /// # Errors
    /// The log's, with what is not recorded lost from the count: refusals change nothing, and metrics have them.
    pub async fn summarise(&self) -> Result<usize, LogError> {
        let due = self.counts.take_due(self.clock.wall(), SIZE);
        let recorded = due.len();
        for count in due {
            self.summary(count).await?;
        }
        Ok(recorded)
    }

    async fn summary(&self, count: Count) -> Result<(), LogError> {
        let Count { of: Alike { caller, action, rule, reason }, key, count, since } = count;
        let Fresh { operation, salt, asked } = self.log.fresh()?;
        let caller = CallerDetail { claims: Default::default(), id: caller, kind: "summary".into() };
        let policy = decided(&self.keyring.snapshot(), rule);
        let detail = Detail { policy: Some(policy), ..Detail::of(caller, salt) };
        let (detail, name) = detail.encode()?;
        let record = DeniedSummary {
            action,
            count,
            detail: name,
            key,
            kind: DeniedSummaryTag::Tag,
            operation,
            reason,
            since,
            time: Times::asked(asked),
            v: VERSION,
        };
        self.log.append(Plain { draft: record.draft()?, detail, last: true }).await?;
        Ok(())
    }
}
