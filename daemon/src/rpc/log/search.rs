//! Searches, a page of indices at a time.
//!
//! Promises: an answer covers the records that were there when the search came, or says up to which it goes; also where
//! nothing was found.

use std::collections::VecDeque;

use futures_util::{Stream, stream};
use proto::algorithm::HashAlgorithm;
use proto::name::KeyName;
use proto::refusal::Refusal;
use proto::wire::{time, v1, value};
use tonic::Status;

use super::{message, proof, unread};
use crate::log::{Log, LogError, Query, Sought};
use crate::rpc::signing::ask;
use crate::sign::ReceiptDetail;

/// Most kinds of one search.
const KINDS: usize = 32;

/// Longest text of a term in bytes: that of a SPIFFE ID.
const LONGEST_TERM: usize = 2048;

/// What is left of a search.
pub struct Search {
    log: Log,
    query: Query,
    receipt: ReceiptDetail,
    left: Option<u64>,
    /// Fixed by the first page: what comes into the index later is for the next search.
    reach: Option<Reach>,
    /// Whether a message has said how far the search went.
    said: bool,
    found: VecDeque<u64>,
    more: bool,
}

/// How far a search goes.
#[derive(Clone, Copy)]
struct Reach {
    indexed_to: u64,
    tree_size: u64,
}

impl Search {
    /// Reads what is searched for.
    ///
    /// # Errors
    /// `MALFORMED_REQUEST`, with the field and what was expected.
    pub fn of(log: &Log, wire: v1::SearchRecordsRequest) -> Result<Self, Refusal> {
        let receipt = ask::receipt("receipt", wire.receipt)?;
        let left = (wire.limit != 0).then_some(u64::from(wire.limit));
        let query = query(wire)?;
        Ok(Self {
            log: log.clone(),
            query,
            receipt,
            left,
            reach: None,
            said: false,
            found: VecDeque::new(),
            more: true,
        })
    }

    /// The matches.
    pub fn stream(self) -> impl Stream<Item = Result<v1::SearchRecordsResponse, Status>> + Send {
        stream::unfold(Some(self), async |search| {
            let mut search = search?;
            match search.next().await {
                Ok(Some(found)) => Some((Ok(found), Some(search))),
                Ok(None) => None,
                Err(error) => Some((Err(unread(&error)), None)),
            }
        })
    }

    async fn next(&mut self) -> Result<Option<v1::SearchRecordsResponse>, LogError> {
        if self.left == Some(0) {
            return Ok(None);
        }
        let reach = self.reach().await;
        while self.found.is_empty() && self.more {
            self.page(reach).await?;
        }
        let answer = match self.found.pop_front() {
            Some(index) => self.matched(index).await?,
            None if self.said => return Ok(None),
            None => v1::SearchRecordsResponse::default(),
        };
        self.said = true;
        let Reach { indexed_to, tree_size } = reach;
        Ok(Some(v1::SearchRecordsResponse { indexed_to, tree_size, ..answer }))
    }

    async fn matched(&mut self, index: u64) -> Result<v1::SearchRecordsResponse, LogError> {
        self.left = self.left.map(|left| left - 1);
        let record = self.log.record(index).await?;
        let receipt = match self.receipt {
            ReceiptDetail::None => None,
            ReceiptDetail::Index => {
                let hash = proto::proof::leaf::leaf_hash(&record.leaf);
                Some(proto::wire::receipt::index_only(index, &hash))
            }
            ReceiptDetail::Full => Some(proof::receipt(self.log.receipt(index, None).await?)),
        };
        Ok(v1::SearchRecordsResponse { record: Some(message(record)), receipt, ..Default::default() })
    }

    /// Waits for the index the first time. What it has not read by then is not searched, and the answer says so.
    async fn reach(&mut self) -> Reach {
        match self.reach {
            Some(reach) => reach,
            None => {
                let tree_size = self.log.head().size;
                let indexed_to = self.log.indexed_soon(tree_size).await;
                *self.reach.insert(Reach { indexed_to, tree_size })
            }
        }
    }

    async fn page(&mut self, reach: Reach) -> Result<(), LogError> {
        let matches = self.log.search(self.query.clone()).await?;
        if matches.indexed_to < reach.indexed_to {
            // The index is built again meanwhile: what was promised would be missing.
            return Err(LogError::Behind { indexed_to: matches.indexed_to, needed: reach.indexed_to });
        }
        self.more = matches.more;
        if let Some(last) = matches.indices.last() {
            self.query.after = Some(*last);
            // Oldest first, a later page may reach records that were indexed meanwhile.
            self.more &= *last < reach.indexed_to;
        }
        self.found.extend(matches.indices.into_iter().filter(|index| *index < reach.indexed_to));
        Ok(())
    }
}

fn query(wire: v1::SearchRecordsRequest) -> Result<Query, Refusal> {
    let mut terms = Vec::new();
    if !wire.digest.is_empty() {
        terms.push(Sought::Digest(digest(wire.digest)?));
    }
    if !wire.subject.is_empty() {
        terms.push(Sought::Subject(subject(wire.subject)?));
    }
    for (field, text, term) in [
        ("repository", wire.repository, Sought::Repository as fn(String) -> Sought),
        ("predicate_type", wire.predicate_type, Sought::PredicateType),
    ] {
        if !text.is_empty() {
            terms.push(term(short(field, text)?));
        }
    }
    match (wire.key.as_str(), wire.version) {
        ("", 0) => {}
        ("", _) => return Err(value::malformed("version", "expected a key beside it")),
        (key, 0) => terms.push(Sought::Key(name(key)?.to_string())),
        (key, version) => terms.push(Sought::Version(name(key)?.to_string(), version)),
    }
    let caller = short("caller", wire.caller)?;
    let request = short("request_id", wire.request_id)?;
    match (caller.is_empty(), request.is_empty()) {
        (true, true) => {}
        (true, false) => {
            return Err(value::malformed("request_id", "expected the caller who gave it beside it"));
        }
        (false, true) => terms.push(Sought::Caller(caller)),
        (false, false) => terms.push(Sought::Request { caller, id: request }),
    }
    let since = wire.since.as_ref().map(|stamp| time::of_wire("since", stamp)).transpose()?;
    let until = wire.until.as_ref().map(|stamp| time::of_wire("until", stamp)).transpose()?;
    if terms.is_empty() && since.is_none() && until.is_none() {
        return Err(value::malformed(
            "terms",
            "expected at least one of digest, subject, repository, predicate_type, key, caller, since, until",
        ));
    }
    if wire.kinds.len() > KINDS || wire.kinds.iter().any(|kind| kind.is_empty() || kind.len() > LONGEST_TERM)
    {
        return Err(value::malformed(
            "kinds",
            "expected at most 32 kinds, for instance `sign` or `incident.stopped`",
        ));
    }
    let (kinds, oldest_first) = (wire.kinds, wire.oldest_first);
    Ok(Query { terms, kinds, since, until, oldest_first, after: None, limit: 0 })
}

fn name(key: &str) -> Result<KeyName, Refusal> {
    value::key("key", key)
}

fn short(field: &str, text: String) -> Result<String, Refusal> {
    if text.len() > LONGEST_TERM {
        return Err(value::malformed(field, format!("expected at most {LONGEST_TERM} bytes")));
    }
    Ok(text)
}

/// A subject's digest, as people and statements write it.
fn subject(text: String) -> Result<String, Refusal> {
    let is_digest = match text.split_once(':') {
        Some((algorithm, value)) => !algorithm.is_empty() && !value.is_empty(),
        None => text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
    };
    if is_digest {
        return short("subject", text);
    }
    Err(value::malformed(
        "subject",
        "expected the digest of a subject: pairs of hexadecimal digits, or ALGORITHM:VALUE as the statement has it",
    ))
}

/// A digest as the index has it; its hash is told by its length.
fn digest(bytes: Vec<u8>) -> Result<Vec<u8>, Refusal> {
    match HashAlgorithm::ALL.iter().any(|algorithm| algorithm.length() == bytes.len()) {
        true => Ok(bytes),
        false => Err(value::malformed("digest", format!("expected 32, 48 or 64 bytes, got {}", bytes.len()))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    fn wire() -> v1::SearchRecordsRequest {
        v1::SearchRecordsRequest::default()
    }

    #[test]
    fn terms_are_read() {
        let read = query(v1::SearchRecordsRequest {
            digest: vec![0xab; 32],
            key: "release/linux".into(),
            version: 3,
            caller: "unix:0".into(),
            request_id: "build-1".into(),
            subject: "gitCommit:09AB".into(),
            repository: "registry.example.org/app".into(),
            predicate_type: "https://slsa.dev/provenance/v1".into(),
            ..wire()
        })
        .unwrap();
        assert_eq!(
            read.terms,
            [
                Sought::Digest(vec![0xab; 32]),
                Sought::Subject("gitCommit:09AB".into()),
                Sought::Repository("registry.example.org/app".into()),
                Sought::PredicateType("https://slsa.dev/provenance/v1".into()),
                Sought::Version("release/linux".into(), 3),
                Sought::Request { caller: "unix:0".into(), id: "build-1".into() },
            ]
        );
    }

    #[test]
    fn what_cannot_be_found_is_refused_with_what_was_expected() {
        for (bad, begin) in [
            (wire(), "terms: "),
            (
                v1::SearchRecordsRequest { digest: vec![1; 20], ..wire() },
                "digest: expected 32, 48 or 64 bytes, got 20",
            ),
            (
                v1::SearchRecordsRequest { subject: "app.tar".into(), ..wire() },
                "subject: expected the digest",
            ),
            (v1::SearchRecordsRequest { subject: "abc".into(), ..wire() }, "subject: expected the digest"),
            (v1::SearchRecordsRequest { subject: "sha1:".into(), ..wire() }, "subject: expected the digest"),
            (v1::SearchRecordsRequest { repository: "x".repeat(3000), ..wire() }, "repository: "),
            (v1::SearchRecordsRequest { predicate_type: "x".repeat(3000), ..wire() }, "predicate_type: "),
            (v1::SearchRecordsRequest { version: 3, ..wire() }, "version: "),
            (v1::SearchRecordsRequest { request_id: "a".into(), ..wire() }, "request_id: "),
            (v1::SearchRecordsRequest { key: "No Key".into(), ..wire() }, "key: "),
            (v1::SearchRecordsRequest { caller: "x".repeat(3000), ..wire() }, "caller: "),
            (v1::SearchRecordsRequest { key: "a".into(), kinds: vec![String::new()], ..wire() }, "kinds: "),
        ] {
            let refusal = query(bad).unwrap_err();
            assert!(refusal.message.starts_with(begin), "{refusal}");
        }
    }
}
