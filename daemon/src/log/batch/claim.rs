//! Request ids inside a batch: what a row that is already there means.

use proto::operation::OperationId;
use proto::record::Outcome;

use super::{BatchError, Writing};
use crate::log::intent::Earlier;
use crate::log::replay;
use crate::store::{ClaimedRequest, RequestRow, StoreError};

impl Writing<'_> {
    /// Claims a request id for this operation. What it led to before stands in its way, unless that came to nothing or
    /// is too old.
    pub(super) fn claim(&self, row: &RequestRow<'_>) -> Result<Option<Earlier>, BatchError> {
        let ClaimedRequest::Earlier(earlier) = self.append.claim_request(row)? else { return Ok(None) };
        let same_input = earlier.input == row.input;
        let open = earlier.index.is_none() && self.append.is_open(&earlier.operation)?;
        let oldest = self.sealed.earlier(self.shared.settings.limits.remembered).microseconds();
        let outcome = match earlier.index {
            Some(index) => self.outcome(index)?,
            None => None,
        };
        let stands = open || (outcome.is_some() && earlier.at >= oldest);
        if stands || (!same_input && earlier.at >= oldest) {
            let operation = OperationId::from(earlier.operation);
            return Ok(Some(Earlier { operation, index: earlier.index, same_input, outcome }));
        }
        self.append.move_request(row)?;
        Ok(None)
    }

    /// How an operation ended, as far as it hinders a second try.
    fn outcome(&self, index: u64) -> Result<Option<Outcome>, BatchError> {
        let stored;
        let leaf: &[u8] = match index.checked_sub(self.batch.first) {
            Some(new) => {
                let row = usize::try_from(new).ok().and_then(|new| self.batch.rows.get(new));
                &row.ok_or(StoreError::Shape("a request id names a record beyond the log"))?.leaf
            }
            None => {
                stored = self
                    .append
                    .leaf(index)?
                    .ok_or(StoreError::Shape("a request id names a missing record"))?;
                &stored
            }
        };
        Ok(replay::outcome(leaf)?)
    }
}
