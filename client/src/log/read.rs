//! Reading records by range and by search, in order, and going on where a broken stream ended.
//!
//! Promises: every record of a range is handed on once, in order of the index. The deadline bounds the silence between two messages,
//! not the whole, which may be long. Deliberately proves nothing: what is read here is the daemon's word.

use std::time::Duration;

use proto::proof::leaf::leaf_hash;
use proto::wire::v1;
use tonic::{Request, Streaming};

use crate::clock;
use crate::connection::{CallError, Connection};
use crate::refused::NoAnswer;
use crate::retry::{Patience, pause};
use crate::seen::Seen;

/// The newest checkpoint, held against those seen before.
///
/// # Errors
/// As [`Connection::agree`].
pub async fn head(connection: &mut Connection, patience: Patience) -> Result<Seen, CallError> {
    let client = connection.log();
    let answer = crate::retry::patiently(patience, |patience| {
        let mut client = client.clone();
        let request = patience.request(v1::GetCheckpointRequest {});
        async move { client.get_checkpoint(request).await.map(tonic::Response::into_inner) }
    })
    .await?;
    connection.agree(&answer.checkpoint, patience).await
}

/// Which records, and whether to wait for more.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// First index.
    pub start: u64,
    /// One past the last; none for the newest checkpoint.
    pub end: Option<u64>,
    /// Go on with each new record.
    pub follow: bool,
}

/// The records of a range, one at a time.
pub struct Records<'a> {
    connection: &'a Connection,
    next: u64,
    range: Range,
    stream: Option<Streaming<v1::ListRecordsResponse>>,
    ready: std::vec::IntoIter<v1::Record>,
    failures: u32,
}

impl<'a> Records<'a> {
    /// Asks for nothing yet.
    #[must_use]
    pub fn of(connection: &'a Connection, range: Range) -> Self {
        Self {
            connection,
            next: range.start,
            range,
            stream: None,
            ready: Vec::new().into_iter(),
            failures: 0,
        }
    }

    /// The next record; none after the last.
    ///
    /// # Errors
    /// Where the stream broke and could not be taken up again, or its records are not in order.
    pub async fn next(&mut self) -> Result<Option<v1::Record>, CallError> {
        loop {
            if let Some(record) = self.ready.next() {
                if record.log_index != self.next {
                    return Err(CallError::Answer(format!(
                        "record {} instead of record {}",
                        record.log_index, self.next
                    )));
                }
                self.next += 1;
                return Ok(Some(record));
            }
            if !self.range.follow && self.range.end.is_some_and(|end| self.next >= end) {
                return Ok(None);
            }
            match self.message().await {
                Ok(Some(message)) => {
                    self.failures = 0;
                    self.ready = message.records.into_iter();
                }
                Ok(None) if self.range.follow => self.stream = None,
                Ok(None) => {
                    return match self.range.end {
                        Some(end) if self.next < end => {
                            Err(CallError::Answer(format!("the records ended before index {}", self.next)))
                        }
                        _ => Ok(None),
                    };
                }
                Err(answer) => self.pick_up(answer).await?,
            }
        }
    }

    /// The next message, within the deadline unless records are waited for.
    async fn message(&mut self) -> Result<Option<v1::ListRecordsResponse>, NoAnswer> {
        let deadline = self.connection.settings().deadline;
        if self.stream.is_none() {
            let request = v1::ListRecordsRequest {
                start: self.next,
                end: self.range.end.unwrap_or(0),
                follow: self.range.follow,
            };
            let mut client = self.connection.log();
            let call = client.list_records(Request::new(request));
            self.stream = Some(within(deadline, call).await?.into_inner());
        }
        let Some(stream) = &mut self.stream else { return Ok(None) };
        if self.range.follow {
            stream.message().await.map_err(NoAnswer::from)
        } else {
            within(deadline, stream.message()).await
        }
    }

    /// After a break: waits, where that may help, and lets the next call ask from where this one ended.
    async fn pick_up(&mut self, answer: NoAnswer) -> Result<(), CallError> {
        self.stream = None;
        let Some(pause) = pause(&answer, self.failures) else { return Err(answer.into()) };
        if !self.range.follow && self.failures >= 5 {
            return Err(answer.into());
        }
        self.failures = self.failures.saturating_add(1);
        clock::pause(pause).await;
        Ok(())
    }
}

/// A call that must answer within this time.
async fn within<T>(
    deadline: Duration,
    call: impl Future<Output = Result<T, tonic::Status>>,
) -> Result<T, NoAnswer> {
    match tokio::time::timeout(deadline, call).await {
        Ok(answer) => answer.map_err(NoAnswer::from),
        Err(_elapsed) => Err(NoAnswer::Late { after: deadline, last: None }),
    }
}

/// What a search found, and how far it looked.
#[derive(Debug, Clone)]
pub struct Found {
    /// Matching records.
    pub records: Vec<v1::Record>,
    /// The answer holds for records below this index; none where the daemon did not say.
    pub indexed_to: Option<u64>,
    /// How many records the log had; above `indexed_to`, the newest were not searched.
    pub tree_size: u64,
}

/// Searches.
///
/// # Errors
/// Where the search is refused or breaks.
pub async fn search(connection: &Connection, request: v1::SearchRecordsRequest) -> Result<Found, CallError> {
    let deadline = connection.settings().deadline;
    let mut client = connection.log();
    let mut stream = within(deadline, client.search_records(Request::new(request))).await?.into_inner();
    let mut found = Found { records: Vec::new(), indexed_to: None, tree_size: 0 };
    while let Some(message) = within(deadline, stream.message()).await? {
        (found.indexed_to, found.tree_size) = (Some(message.indexed_to), message.tree_size);
        found.records.extend(message.record);
    }
    Ok(found)
}

/// The leaf hash of a record, as hexadecimal digits.
#[must_use]
pub fn hash_of(record: &v1::Record) -> String {
    leaf_hash(&record.leaf).to_string()
}
