//! What can be searched: terms of a record.
//!
//! A term is 16 bytes: a byte for its kind, then 15 of the value's own (hashes, digests and operation ids are spread
//! evenly as they are) or of its SHA-256. `sign`, the kind of nearly every record, has no term: the others have one
//! together.

use std::borrow::Cow;
use std::collections::HashMap;

use proto::hash::Hash;
use proto::purpose::Kind;
use proto::record::SignRecord;
use serde::Deserialize;
use serde_json::Value;

use crate::store::{Stored, Term};

/// Which terms a record has, as a number: raise it with every change, and an index of another number is built again.
pub(in crate::log) const FORMAT: i32 = 4;

/// Names whose terms are kept.
const NAMES: usize = 1024;

/// One thing to search for. Several are all required.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sought {
    /// The bytes of a digest: of what was signed, or of a subject.
    Digest(Vec<u8>),
    /// The digest of a subject, as its statement has it: `<hash>:<hex>`, `<hash>:<text>`, or hexadecimal digits alone.
    Subject(String),
    /// The repository of an image.
    Repository(String),
    /// The predicate type of an in-toto statement, or the payload type of any other DSSE payload.
    PredicateType(String),
    /// Every version of a key.
    Key(String),
    /// One version of a key, by number.
    Version(String, u32),
    /// A caller, by stable id.
    Caller(String),
    /// A request id of a caller.
    Request {
        /// The caller's stable id.
        caller: String,
        /// Its request id.
        id: String,
    },
    /// An operation.
    Operation(proto::operation::OperationId),
    /// A leaf, by its RFC 6962 hash. The term holds 15 bytes of it: compare the whole hash of what is found.
    Leaf(Hash),
}

/// The term of every record that is no `sign` record.
pub(in crate::log) fn not_sign() -> Term {
    plain(9, &[0; 16])
}

/// The term of a kind other than `sign`.
pub(in crate::log) fn kind(kind: &str) -> Term {
    hashed(8, &[kind.as_bytes()])
}

impl Sought {
    pub(in crate::log) fn term(&self) -> Term {
        let mut terms = Terms::default();
        match self {
            Self::Digest(digest) => of_digest(digest),
            Self::Subject(subject) => of_subject(subject),
            Self::Repository(repository) => terms.of_repository(repository),
            Self::PredicateType(predicate) => terms.of_predicate(predicate),
            Self::Key(key) => terms.of_key(key),
            Self::Version(key, number) => terms.of_version(key, *number),
            Self::Caller(caller) => terms.of_caller(caller),
            Self::Request { caller, id } => of_request(caller, id),
            Self::Operation(operation) => of_operation(operation.as_bytes()),
            Self::Leaf(hash) => of_leaf_hash(hash),
        }
    }
}

fn plain(kind: u8, value: &[u8]) -> Term {
    let mut term = [0; 16];
    term[0] = kind;
    term[1..].copy_from_slice(&value[value.len() - 15..]);
    Term(term)
}

fn hashed(kind: u8, parts: &[&[u8]]) -> Term {
    let mut whole = Vec::new();
    spell(&mut whole, kind, parts);
    plain(kind, Hash::of(&whole).as_bytes())
}

fn spell(whole: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    whole.clear();
    whole.push(kind);
    for part in parts {
        whole.extend_from_slice(part);
        whole.push(0);
    }
}

fn of_digest(digest: &[u8]) -> Term {
    if digest.len() < 16 { hashed(1, &[digest]) } else { plain(1, digest) }
}

pub(in crate::log) fn of_leaf_hash(hash: &Hash) -> Term {
    plain(4, hash.as_bytes())
}

fn of_request(caller: &str, id: &str) -> Term {
    hashed(6, &[caller.as_bytes(), id.as_bytes()])
}

fn of_operation(operation: &[u8; 16]) -> Term {
    plain(7, operation)
}

/// A subject is written `<hash>:<hex>`, for which its bytes stand whatever the hash; anything else is searched by its text.
fn of_subject(subject: &str) -> Term {
    let digits = subject.split_once(':').map_or(subject, |(_, digits)| digits);
    match hex::decode(digits) {
        Ok(digest) => of_digest(&digest),
        Err(_other_text) => hashed(10, &[subject.as_bytes()]),
    }
}

/// What a kind says after `dsse:`.
fn predicate_of(kind: &str) -> Option<&str> {
    kind.strip_prefix("dsse:")
}

/// What is read of a leaf; everything else, and every unknown kind, is let be.
#[derive(Deserialize)]
struct Leaf {
    kind: Option<String>,
    key: Option<String>,
    operation: Option<proto::operation::OperationId>,
    #[serde(default)]
    digests: serde_json::Map<String, Value>,
    #[serde(default)]
    signatures: Vec<Entry>,
    signed: Option<Signed>,
    #[serde(default)]
    body: Value,
    /// Of control records: whom they stop, and whose stops end.
    #[serde(default)]
    stops: Vec<Value>,
    #[serde(default)]
    lifts: Vec<Value>,
}

impl Leaf {
    /// The keys that the record is about, each with its version where it names one.
    fn keys(&self) -> Vec<(String, Option<u32>)> {
        let of = |place: &Value| {
            let key = place.get("key")?.as_str()?.to_owned();
            let version = place.get("version").and_then(Value::as_u64);
            Some((key, version.and_then(|version| u32::try_from(version).ok())))
        };
        let (target, effect) = (&self.body["target"], &self.body["effect"]);
        let places = [&self.body, target, &target["version"], &effect["key"], &effect["destroyed"]];
        let named = places.into_iter().chain(self.terms()).filter_map(of);
        let mut all: Vec<_> = named.collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// What stops begin or end for.
    fn terms(&self) -> impl Iterator<Item = &Value> {
        let lifted = self.lifts.iter().filter_map(|lift| lift["terms"].as_array()).flatten();
        self.stops.iter().chain(lifted)
    }

    /// The callers for whom stops begin or end.
    fn callers(&self) -> Vec<String> {
        let mut all: Vec<String> =
            self.terms().filter_map(|term| term["caller"].as_str().map(str::to_owned)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

#[derive(Deserialize)]
struct Entry {
    version: Option<u32>,
}

#[derive(Deserialize)]
struct Signed {
    kind: Option<String>,
    #[serde(default)]
    digests: serde_json::Map<String, Value>,
    #[serde(default)]
    subjects: Vec<String>,
}

/// What is read of a detail, where it lies; what is not there is empty.
#[derive(Deserialize)]
struct Detail<'a> {
    #[serde(borrow, default)]
    caller: Caller<'a>,
    #[serde(borrow, default)]
    repository: Cow<'a, str>,
    #[serde(borrow, default)]
    request: Cow<'a, str>,
    #[serde(default)]
    subjects: Vec<String>,
}

#[derive(Default, Deserialize)]
struct Caller<'a> {
    #[serde(borrow, default)]
    id: Cow<'a, str>,
}

/// Request id and caller that a detail names.
pub(in crate::log) fn request_of(detail: &[u8]) -> Option<(String, String)> {
    let Detail { caller, request, .. } = serde_json::from_slice(detail).ok()?;
    let named = !caller.id.is_empty() && !request.is_empty();
    named.then(|| (request.into_owned(), caller.id.into_owned()))
}

/// Terms that are in one place as long as they are few: nearly every operation has seven, and what one thread allocates and
/// another frees costs both.
#[derive(Clone, Debug, Default)]
pub(in crate::log) struct Found {
    count: usize,
    first: [Term; Self::FEW],
    more: Vec<Term>,
}

impl Found {
    /// As many as there is room for, and about as many as an operation has.
    pub(in crate::log) const FEW: usize = 8;

    fn push(&mut self, term: Term) {
        match self.first.get_mut(self.count) {
            Some(place) => *place = term,
            None => self.more.push(term),
        }
        self.count += 1;
    }

    pub(in crate::log) fn iter(&self) -> impl Iterator<Item = Term> {
        self.first.iter().take(self.count).chain(&self.more).copied()
    }
}

impl Extend<Term> for Found {
    fn extend<T: IntoIterator<Item = Term>>(&mut self, terms: T) {
        terms.into_iter().for_each(|term| self.push(term));
    }
}

/// Makes terms. Keys, versions and callers come again and again: their names are hashed once.
#[derive(Debug, Default)]
pub(in crate::log) struct Terms {
    known: HashMap<Vec<u8>, Term>,
    spelled: Vec<u8>,
}

impl Terms {
    fn of_name(&mut self, kind: u8, parts: &[&[u8]]) -> Term {
        spell(&mut self.spelled, kind, parts);
        if let Some(known) = self.known.get(&self.spelled) {
            return *known;
        }
        let term = plain(kind, Hash::of(&self.spelled).as_bytes());
        if self.known.len() >= NAMES {
            self.known.clear();
        }
        self.known.insert(self.spelled.clone(), term);
        term
    }

    fn of_key(&mut self, key: &str) -> Term {
        self.of_name(2, &[key.as_bytes()])
    }

    fn of_version(&mut self, key: &str, number: u32) -> Term {
        self.of_name(3, &[key.as_bytes(), &number.to_be_bytes()])
    }

    fn of_caller(&mut self, caller: &str) -> Term {
        self.of_name(5, &[caller.as_bytes()])
    }

    fn of_repository(&mut self, repository: &str) -> Term {
        self.of_name(11, &[repository.as_bytes()])
    }

    fn of_predicate(&mut self, predicate: &str) -> Term {
        self.of_name(12, &[predicate.as_bytes()])
    }

    /// The terms of a stored record whose leaf has this hash: of its leaf, and of its detail.
    pub(in crate::log) fn of(&mut self, record: &Stored, hash: &Hash) -> (Vec<Term>, Vec<Term>) {
        let (mut public, mut private) = (vec![of_leaf_hash(hash)], Vec::new());
        match serde_json::from_slice::<Leaf>(&record.leaf) {
            Ok(leaf) => self.of_leaf(leaf, &mut public),
            // Of another shape than any that we write: found by time and hash alone.
            Err(_unreadable) => public.push(not_sign()),
        }
        if let Some(detail) = &record.detail {
            self.of_detail(detail, &mut private);
        }
        (public, private)
    }

    /// The terms of an operation in its task: those of its leaf and detail but for its leaf's hash, which nobody knows yet.
    pub(in crate::log) fn of_operation(&mut self, record: &SignRecord, detail: &[u8]) -> Found {
        let mut found = Found::default();
        found.push(of_operation(record.operation.as_bytes()));
        found.extend(record.signed.digests.iter().map(|digest| of_digest(digest.value())));
        found.extend(record.signed.subjects.iter().map(|subject| of_subject(subject)));
        if let Kind::Dsse(predicate) = &record.signed.kind {
            found.push(self.of_predicate(predicate));
        }
        let key = record.key.as_str();
        found.push(self.of_key(key));
        found.extend(record.signatures.iter().map(|entry| self.of_version(key, entry.version)));
        self.of_detail(detail, &mut found);
        found
    }

    fn of_leaf(&mut self, leaf: Leaf, found: &mut Vec<Term>) {
        let (about, callers) = (leaf.keys(), leaf.callers());
        if let Some(name) = leaf.kind.filter(|kind| kind != "sign") {
            found.extend([not_sign(), kind(&name)]);
        }
        found.extend(leaf.operation.map(|operation| of_operation(operation.as_bytes())));
        let (signed, subjects, of) =
            leaf.signed.map(|signed| (signed.digests, signed.subjects, signed.kind)).unwrap_or_default();
        found.extend(of.as_deref().and_then(predicate_of).map(|predicate| self.of_predicate(predicate)));
        for (_, value) in leaf.digests.into_iter().chain(signed) {
            found.extend(
                value.as_str().and_then(|digits| hex::decode(digits).ok()).map(|digest| of_digest(&digest)),
            );
        }
        found.extend(subjects.iter().map(|subject| of_subject(subject)));
        if let Some(key) = leaf.key {
            found.push(self.of_key(&key));
            let versions = leaf.signatures.iter().filter_map(|entry| entry.version);
            found.extend(versions.map(|version| self.of_version(&key, version)));
        }
        for (key, version) in about {
            found.push(self.of_key(&key));
            found.extend(version.map(|version| self.of_version(&key, version)));
        }
        found.extend(callers.iter().map(|caller| self.of_caller(caller)));
    }

    fn of_detail(&mut self, detail: &[u8], found: &mut impl Extend<Term>) {
        let Ok(detail) = serde_json::from_slice::<Detail<'_>>(detail) else { return };
        found.extend(detail.subjects.iter().map(|subject| of_subject(subject)));
        let (caller, request, repository) = (detail.caller.id, detail.request, detail.repository);
        found.extend((!repository.is_empty()).then(|| self.of_repository(&repository)));
        found.extend((!caller.is_empty() && !request.is_empty()).then(|| of_request(&caller, &request)));
        found.extend((!caller.is_empty()).then(|| self.of_caller(&caller)));
    }
}
