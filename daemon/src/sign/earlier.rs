//! What was signed before under a request id, for whoever cannot have it signed now: quota and backend are asked before anything is
//! recorded, and what they refuse may have been signed already.
#![expect(clippy::vec_box, reason = "operations are long, and move from list to list")]

use std::sync::Arc;

use proto::refusal::Refusal;

use super::operation::Operation;
use super::pipeline::Answer;
use super::{Signer, refuse};
use crate::clock::Monotonic;
use crate::log::{Earlier, RequestKey};
use crate::measure;
use crate::policy::caller::Caller;
use crate::policy::quota::Exhausted;

impl Signer {
    /// What may be had although the total is used up: the result of an earlier request with the same id, which used it.
    pub(super) async fn without_quota(
        &self,
        caller: &Caller,
        request: Option<RequestKey>,
        exhausted: &Exhausted,
    ) -> Result<Earlier, Refusal> {
        let refusal = || exhausted.refusal();
        let (true, Some(request)) = (exhausted.is_total, request) else { return Err(refusal()) };
        let earlier = self.log.earlier(&caller.id.as_str().into(), &request).await;
        earlier.map_err(|error| refuse::unlogged(&error))?.ok_or_else(refusal)
    }

    /// The operations that a backend would try now. The others are refused before anything is recorded, and cost no total;
    /// what was signed before under their request id they get all the same.
    pub(super) async fn tried(
        self: &Arc<Self>,
        operations: Vec<Box<Operation>>,
        by: Option<Monotonic>,
    ) -> (Vec<Box<Operation>>, Vec<(usize, Answer)>) {
        let (mut tried, mut refused) = (Vec::with_capacity(operations.len()), vec![]);
        for mut operation in operations {
            let Err((backend, failure)) = operation.admitted(by) else {
                tried.push(operation);
                continue;
            };
            measure::backend_failed(backend, failure.name());
            let refusal = refuse::failed(backend, &failure);
            let earlier = match operation.request_key() {
                Some(request) => self.log.earlier(&operation.caller_id, &request).await,
                None => Ok(None),
            };
            let answer = match earlier {
                Ok(Some(earlier)) => operation.replay(self, earlier).await,
                // That the log cannot be read is not what keeps this from being signed.
                Ok(None) | Err(_) => {
                    std::mem::take(&mut operation.spent).give_back();
                    Err(refusal)
                }
            };
            refused.push((operation.position, answer));
        }
        (tried, refused)
    }
}
