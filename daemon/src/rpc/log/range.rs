//! Ranges of records, a page at a time.

use std::sync::Arc;

use futures_util::{Stream, stream};
use proto::reason::Reason;
use proto::refusal::Refusal;
use proto::wire::{v1, value};
use tokio::sync::watch;
use tonic::Status;

use super::{message, unread};
use crate::log::{Head, Log};

/// What is left of a range.
pub struct Range {
    log: Log,
    next: u64,
    end: u64,
    follow: Option<watch::Receiver<Arc<Head>>>,
    failed: bool,
}

impl Range {
    /// Reads which range is asked for.
    ///
    /// # Errors
    /// `MALFORMED_REQUEST` where the end lies before the start, `OUT_OF_RANGE` where the start lies beyond the log.
    pub fn of(log: &Log, wire: &v1::ListRecordsRequest) -> Result<Self, Refusal> {
        let head = log.watch_head();
        let size = head.borrow().size;
        let end = if wire.end == 0 { size } else { wire.end };
        if wire.end != 0 && wire.end < wire.start {
            return Err(value::malformed(
                "end",
                "expected an index that is not below start, or 0 for the newest",
            ));
        }
        if wire.follow && wire.end != 0 {
            return Err(value::malformed("end", "expected 0 with follow: it has no end"));
        }
        if wire.start > size {
            let message = format!("start: the log has {size} records, {} is beyond them", wire.start);
            return Err(Refusal::new(Reason::OutOfRange, message).with("size", size));
        }
        let follow = wire.follow.then_some(head);
        Ok(Self { log: log.clone(), next: wire.start, end: end.min(size), follow, failed: false })
    }

    /// The pages, and with `follow` those to come.
    pub fn stream(self) -> impl Stream<Item = Result<v1::ListRecordsResponse, Status>> + Send {
        stream::unfold(self, Self::page)
    }

    async fn page(mut self) -> Option<(Result<v1::ListRecordsResponse, Status>, Self)> {
        if self.failed {
            return None;
        }
        while self.next >= self.end {
            let next = self.next;
            // Without follow, or when the log is closed, this is the end.
            let head = self.follow.as_mut()?.wait_for(|head| head.size > next).await.ok()?.size;
            self.end = head;
        }
        let page = match self.log.records(self.next, self.end).await {
            Ok(page) if page.is_empty() => return None,
            Ok(page) => page,
            Err(error) => {
                self.failed = true;
                return Some((Err(unread(&error)), self));
            }
        };
        self.next += page.len() as u64;
        let records = page.into_iter().map(message).collect();
        Some((Ok(v1::ListRecordsResponse { records }), self))
    }
}
