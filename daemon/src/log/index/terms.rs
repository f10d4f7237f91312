//! What can be searched: terms of a record, each hashed with its kind.

use proto::hash::Hash;
use serde::Deserialize;

use crate::store::{Stored, Term};

/// One thing to search for. Several are all required.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sought {
    /// A digest or subject, as `<hash>:<hex>`, for instance `sha256:e3b0…`.
    Digest(String),
    /// Every version of a key.
    Key(String),
    /// One version of a key, by number.
    Version(String, u32),
    /// One version, by key id in hex.
    KeyId(String),
    /// A caller, by stable id.
    Caller(String),
    /// A request id of a caller.
    Request {
        /// The caller's stable id.
        caller: String,
        /// Its request id.
        id: String,
    },
    /// An operation id in hex.
    Operation(String),
    /// A record kind.
    Kind(String),
}

impl Sought {
    pub(in crate::log) fn term(&self) -> Term {
        let version;
        let (kind, parts): (u8, [&str; 2]) = match self {
            Self::Digest(digest) => (1, [digest, ""]),
            Self::Key(key) => (2, [key, ""]),
            Self::Version(key, number) => {
                version = number.to_string();
                (3, [key, &version])
            }
            Self::KeyId(id) => (4, [id, ""]),
            Self::Caller(caller) => (5, [caller, ""]),
            Self::Request { caller, id } => (6, [caller, id]),
            Self::Operation(operation) => (7, [operation, ""]),
            Self::Kind(kind) => (8, [kind, ""]),
        };
        let hash = Hash::of_parts(&[&[kind], parts[0].as_bytes(), &[0], parts[1].as_bytes()]);
        let mut term = [0; 16];
        term.copy_from_slice(&hash.as_bytes()[..16]);
        Term(term)
    }
}

/// What is read of a leaf; everything else, and every unknown kind, is let be.
#[derive(Deserialize)]
struct Leaf {
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    operation: Option<String>,
    #[serde(default)]
    digests: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    signatures: Vec<Entry>,
    #[serde(default)]
    signed: Option<Signed>,
    #[serde(default)]
    body: Option<Body>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    key_id: Option<String>,
    #[serde(default)]
    version: Option<u32>,
}

#[derive(Deserialize)]
struct Signed {
    #[serde(default)]
    digests: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    subjects: Vec<String>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    key_id: Option<String>,
    #[serde(default)]
    version: Option<u32>,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(default)]
    caller: Option<Caller>,
    #[serde(default)]
    request: Option<String>,
    #[serde(default)]
    subjects: Vec<String>,
}

#[derive(Deserialize)]
struct Caller {
    #[serde(default)]
    id: Option<String>,
}

/// The terms of a record, and among them those that come from its detail.
pub(in crate::log) fn of(record: &Stored) -> (Vec<Term>, Vec<Term>) {
    let mut public = Vec::new();
    if let Ok(leaf) = serde_json::from_slice::<Leaf>(&record.leaf) {
        of_leaf(leaf, &mut public);
    }
    let mut private = Vec::new();
    if let Some(detail) = record.detail.as_deref().and_then(|detail| serde_json::from_slice::<Detail>(detail).ok()) {
        of_detail(detail, &mut private);
    }
    (public.iter().map(Sought::term).collect(), private.iter().map(Sought::term).collect())
}

fn of_leaf(leaf: Leaf, found: &mut Vec<Sought>) {
    found.extend(leaf.kind.map(Sought::Kind));
    found.extend(leaf.operation.map(Sought::Operation));
    let digests = leaf.digests.into_iter().chain(leaf.signed.as_ref().map(|signed| signed.digests.clone()));
    for (hash, value) in digests.flatten() {
        found.extend(value.as_str().map(|hex| Sought::Digest(format!("{hash}:{hex}"))));
    }
    found.extend(leaf.signed.into_iter().flat_map(|signed| signed.subjects).map(Sought::Digest));
    let mut version = |key: Option<&String>, entry: Entry| {
        found.extend(entry.key_id.map(Sought::KeyId));
        if let (Some(key), Some(version)) = (key, entry.version) {
            found.push(Sought::Version(key.clone(), version));
        }
    };
    for entry in leaf.signatures {
        version(leaf.key.as_ref(), entry);
    }
    if let Some(body) = leaf.body {
        version(body.key.as_ref(), Entry { key_id: body.key_id, version: body.version });
        found.extend(body.key.map(Sought::Key));
    }
    found.extend(leaf.key.map(Sought::Key));
}

fn of_detail(detail: Detail, found: &mut Vec<Sought>) {
    found.extend(detail.subjects.into_iter().map(Sought::Digest));
    if let Some(caller) = detail.caller.and_then(|caller| caller.id) {
        if let Some(id) = detail.request {
            found.push(Sought::Request { caller: caller.clone(), id });
        }
        found.push(Sought::Caller(caller));
    }
}
