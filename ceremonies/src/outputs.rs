//! What an execution came to, as one canonical document: what witnesses attest, and what the effect is taken from.
//!
//! [`effect`] is the one place that says what a ceremony puts in force: whoever completes it writes that, and whoever folds
//! or checks the record demands it. An effect says nothing that statement and outputs do not say.

use std::collections::BTreeMap;

use proto::canonical::{self, CanonicalError, base64_bytes};
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::name::KeyName;
use proto::operation::OperationId;
use proto::proof::checkpoint::Checkpoint;
use proto::proof::note;
use proto::record::Arrived;
use proto::record::ceremony::{Effect, Rebound};
use serde::{Deserialize, Serialize};

use crate::statement::target::{Activation, Leftover, LogRekey};
use crate::statement::{CeremonyId, Head, Kind, Statement, Target};

/// The one schema of outputs that this version knows.
pub const SCHEMA: &str = "countersign.outputs.v0";

/// Where a proof of possession is in the log, and what it is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Possession {
    /// Index of its `sign` record.
    pub index: u64,
    /// Random, chosen by the daemon.
    pub nonce: Hash,
    /// The operation.
    pub operation: OperationId,
    /// Over [`Possession::message`], ECDSA as DER.
    #[serde(with = "base64_bytes")]
    pub signature: Vec<u8>,
}

impl Possession {
    /// How every such message begins. No caller gets a signature over bytes that begin so.
    pub const PREFIX: &str = "countersign-pop-v1\n";

    /// What a new key signs, and nothing else before it is active: prefix, instance, base64 of the SubjectPublicKeyInfo
    /// and nonce, a line each.
    pub fn message(instance: &str, public_key: &[u8], nonce: Hash) -> Vec<u8> {
        use base64::Engine as _;
        let key = base64::engine::general_purpose::STANDARD.encode(public_key);
        format!("{}{instance}\n{key}\n{nonce}\n", Self::PREFIX).into_bytes()
    }
}

/// A key pair that was made, or found where an adoption says it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Born {
    /// What the device says of the private key, read back. Of an adopted key nothing is read: nobody here saw its birth.
    pub attributes: BTreeMap<String, String>,
    /// Which device it is, as far as it says.
    pub device: BTreeMap<String, String>,
    /// Where in the backend: a URI without secrets.
    pub locator: String,
    /// That the private key is there.
    pub possession: Possession,
    /// DER SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
}

/// A key that was found on another device.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key_id: KeyId,
    /// Where in the backend: a URI without secrets.
    pub locator: String,
    /// That the private key is there.
    #[serde(rename = "proof_of_possession")]
    pub possession: Possession,
}

/// What an execution came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outputs {
    /// Of a `key.generate` or a `key.adopt`.
    Key(Box<Born>),
    /// Of a `resolve`: what was destroyed, by its place.
    Destroyed(Vec<String>),
    /// Of a `key.destroy`: the ceremony whose failed birth left the key pair. It is gone from the place that the statement
    /// names, both halves.
    Gone(CeremonyId),
    /// Of a `backend.rebind`: where each key is now, in the order of the statement.
    Rebound(Vec<Bound>),
    /// Of a `log.rekey`: a checkpoint of the log at that moment, which the key until now and the next one have signed: so
    /// the next key is there, and is the statement's.
    Rekeyed(String),
    /// Of every other kind: what follows is in the statement.
    Done,
}

/// Why bytes are not what came of this statement.
#[derive(Debug, thiserror::Error)]
pub enum OutputsError {
    /// Not canonical JSON of the shape.
    #[error("the outputs: {0}")]
    Canonical(#[from] CanonicalError),
    /// Another ceremony's, or fields that do not belong to its kind.
    #[error("the outputs: `{field}` is not what the statement asked for")]
    Field {
        /// The field.
        field: &'static str,
    },
}

/// The form in which outputs are written: fields sorted.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attributes: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    birth: Option<CeremonyId>,
    ceremony: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checkpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    destroyed: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<KeyName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_id: Option<KeyId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locator: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof_of_possession: Option<Possession>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<Bytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rebound: Option<Vec<Bound>>,
    schema: String,
    statement: Hash,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
}

#[derive(Deserialize, Serialize)]
struct Bytes(#[serde(with = "base64_bytes")] Vec<u8>);

impl Document {
    /// What the outputs of every kind say.
    fn of(statement: &Statement) -> Self {
        Self {
            attributes: None,
            birth: None,
            ceremony: statement.common().ceremony.to_string(),
            checkpoint: None,
            destroyed: None,
            device: None,
            key: None,
            key_id: None,
            locator: None,
            proof_of_possession: None,
            public_key: None,
            rebound: None,
            schema: SCHEMA.to_owned(),
            statement: statement.digest(),
            version: None,
        }
    }
}

impl Outputs {
    /// Their canonical bytes.
    ///
    /// # Errors
    /// [`OutputsError::Field`] where they are not of this statement's kind.
    pub fn encode(&self, statement: &Statement) -> Result<Vec<u8>, OutputsError> {
        let common = Document::of(statement);
        let target = statement.target();
        let document = match (self, target, target.arrival()) {
            (Self::Key(born), _, Some(asked)) => Document {
                attributes: Some(born.attributes.clone()),
                device: Some(born.device.clone()),
                key: Some(asked.key.clone()),
                key_id: Some(KeyId::of_spki(&born.public_key)),
                locator: Some(born.locator.clone()),
                proof_of_possession: Some(born.possession.clone()),
                public_key: Some(Bytes(born.public_key.clone())),
                version: Some(asked.version),
                ..common
            },
            (Self::Destroyed(places), Target::Resolve(_), _) => {
                Document { destroyed: Some(places.clone()), ..common }
            }
            (Self::Gone(birth), Target::KeyDestroy(destroy), _) => Document {
                birth: Some(*birth),
                destroyed: Some(vec![destroy.locator.as_str().to_owned()]),
                key: Some(destroy.key.clone()),
                key_id: Some(destroy.key_id),
                version: Some(destroy.version),
                ..common
            },
            (Self::Rebound(bound), Target::BackendRebind(rebind), _) => {
                if !bound.iter().map(|bound| bound.key_id).eq(rebind.keys.iter().copied()) {
                    return Err(OutputsError::Field { field: "rebound" });
                }
                Document { rebound: Some(bound.clone()), ..common }
            }
            (Self::Rekeyed(checkpoint), Target::LogRekey(rekey), _) => {
                signed_by_both(checkpoint, rekey).ok_or(OutputsError::Field { field: "checkpoint" })?;
                Document { checkpoint: Some(checkpoint.clone()), ..common }
            }
            (
                Self::Done,
                Target::Resolve(_) | Target::KeyDestroy(_) | Target::BackendRebind(_) | Target::LogRekey(_),
                _,
            ) => {
                return Err(OutputsError::Field { field: "kind" });
            }
            (Self::Done, _, None) => common,
            _ => return Err(OutputsError::Field { field: "kind" }),
        };
        Ok(canonical::to_vec(&document)?)
    }

    /// Reads what came of this statement from its canonical bytes.
    ///
    /// # Errors
    /// [`OutputsError`].
    pub fn parse(bytes: &[u8], statement: &Statement) -> Result<Self, OutputsError> {
        let wrong = |field| Err(OutputsError::Field { field });
        let document: Document = canonical::from_slice(bytes)?;
        if document.schema != SCHEMA {
            return wrong("schema");
        }
        let read = match statement.target() {
            Target::KeyGenerate(_) | Target::KeyAdopt(_) => {
                let Document { attributes, device, locator, proof_of_possession, public_key, .. } = document;
                let born = attributes.zip(device).zip(locator.zip(proof_of_possession)).zip(public_key).map(
                    |(((attributes, device), (locator, possession)), Bytes(public_key))| Born {
                        attributes,
                        device,
                        locator,
                        possession,
                        public_key,
                    },
                );
                match born {
                    Some(born) => Self::Key(Box::new(born)),
                    None => return wrong("public_key"),
                }
            }
            Target::Resolve(_) => match document.destroyed {
                Some(destroyed) => Self::Destroyed(destroyed),
                None => return wrong("destroyed"),
            },
            Target::KeyDestroy(_) => match document.birth {
                Some(birth) => Self::Gone(birth),
                None => return wrong("birth"),
            },
            Target::BackendRebind(_) => match document.rebound {
                Some(bound) => Self::Rebound(bound),
                None => return wrong("rebound"),
            },
            Target::LogRekey(_) => match document.checkpoint {
                Some(checkpoint) => Self::Rekeyed(checkpoint),
                None => return wrong("checkpoint"),
            },
            _ => Self::Done,
        };
        // What names ceremony, statement, key and version has one value here: that of the statement.
        if read.encode(statement)? == bytes { Ok(read) } else { wrong("ceremony, statement, key or version") }
    }

    /// The proofs of possession, in their order.
    pub fn possessions(&self) -> Vec<&Possession> {
        match self {
            Self::Key(born) => vec![&born.possession],
            Self::Rebound(bound) => bound.iter().map(|bound| &bound.possession).collect(),
            Self::Destroyed(_) | Self::Gone(_) | Self::Rekeyed(_) | Self::Done => Vec::new(),
        }
    }

    /// The head of the log that they name; none of kinds that name none.
    pub fn head(&self) -> Option<Head> {
        let Self::Rekeyed(text) = self else { return None };
        let said = Checkpoint::parse(note::parse(text).ok()?.text()).ok()?;
        Some(Head { root: said.root, size: said.size })
    }

    /// SHA-256 of their canonical bytes: what witnesses attest.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn digest(&self, statement: &Statement) -> Result<Hash, OutputsError> {
        Ok(Hash::of(&self.encode(statement)?))
    }
}

/// The checkpoint that the key until now and the next one have signed, in this order, and nobody else.
fn signed_by_both(text: &str, rekey: &LogRekey) -> Option<Checkpoint> {
    let (next, replaces) = rekey.keys()?;
    let note = note::parse(text).ok()?;
    let bare = note.has_lines_of([&replaces, &next]);
    let said = Checkpoint::verify(text, &replaces).ok().filter(|said| said.body() == note.text())?;
    Checkpoint::verify(text, &next).ok().filter(|_| bare && note.to_string() == text && said.size > 0)
}

/// Why a ceremony has no effect.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoEffect {
    /// A log begins with it, so no daemon can hold it.
    #[error(
        "a `{0}` is held over files, by `countersignd init` or `countersignd recover`; nothing was opened"
    )]
    Files(Kind),
    /// This version cannot do what its kind asks for.
    #[error("this version holds no ceremonies of kind `{0}` yet; nothing was opened")]
    Kind(Kind),
    /// Parameters that wait for the life of a key.
    #[error(
        "`{field}` must be {expected} in this version: it publishes no keys before they sign, and rotates none"
    )]
    Parameter {
        /// The field.
        field: &'static str,
        /// What it can be.
        expected: &'static str,
    },
    /// Outputs of another kind.
    #[error("the outputs are not those of a `{0}`")]
    Outputs(Kind),
}

/// Whether this version can put in force what a statement asks for: judged before it is opened.
///
/// # Errors
/// [`NoEffect`].
pub fn can_be_held(statement: &Statement) -> Result<(), NoEffect> {
    let parameter = |field, expected| Err(NoEffect::Parameter { field, expected });
    match (statement.target(), statement.target().arrival()) {
        (_, Some(key)) if key.activation != Activation::AtCompletion => {
            parameter("target.activation", "`at-completion`")
        }
        (_, Some(key)) if key.version != 1 => parameter("target.version", "1"),
        (_, Some(_))
        | (
            Target::BackendRebind(_)
            | Target::GrantChange(_)
            | Target::KeyDestroy(_)
            | Target::KeyResume(_)
            | Target::LogRekey(_)
            | Target::PolicyChange(_)
            | Target::StopLift(_)
            | Target::Resolve(_)
            | Target::RosterChange(_),
            None,
        ) => Ok(()),
        _ if statement.begins().is_some() => Err(NoEffect::Files(statement.kind())),
        _ => Err(NoEffect::Kind(statement.kind())),
    }
}

/// What a completed ceremony puts in force.
///
/// # Errors
/// [`NoEffect`].
pub fn effect(statement: &Statement, outputs: &Outputs) -> Result<Effect, NoEffect> {
    can_be_held(statement)?;
    let target = statement.target();
    match (target, target.arrival(), outputs) {
        (_, Some(asked), Outputs::Key(born)) => Ok(Effect::Key(Box::new(Arrived {
            algorithm: asked.algorithm,
            backend: asked.backend.as_str().to_owned(),
            key: asked.key.clone(),
            key_id: KeyId::of_spki(&born.public_key),
            locator: born.locator.clone(),
            owner: asked.owner.as_str().to_owned(),
            public_key: born.public_key.clone(),
            purpose: asked.purpose.clone(),
            // Where the statement names none, it is the device's own word.
            serial: match asked.serial {
                Some(serial) => Some(serial.as_str().to_owned()),
                None => born.device.get("serial").cloned(),
            },
            version: asked.version,
        }))),
        (Target::GrantChange(change), _, Outputs::Done) => Ok(Effect::Grants { sha256: change.grants }),
        (Target::KeyDestroy(destroy), _, Outputs::Gone(_)) => Ok(Effect::Destroyed {
            key: destroy.key.clone(),
            key_id: destroy.key_id,
            version: destroy.version,
        }),
        (Target::BackendRebind(rebind), _, Outputs::Rebound(bound)) => Ok(Effect::Rebound {
            backend: rebind.backend.as_str().to_owned(),
            keys: bound
                .iter()
                .map(|bound| Rebound { key_id: bound.key_id, locator: bound.locator.clone() })
                .collect(),
            serial: rebind.serial.as_str().to_owned(),
        }),
        (Target::KeyResume(_) | Target::StopLift(_), _, Outputs::Done) => Ok(Effect::Lifts),
        (Target::LogRekey(rekey), _, Outputs::Rekeyed(_)) => {
            let (key, replaces) = rekey.keys().ok_or(NoEffect::Outputs(Kind::LogRekey))?;
            Ok(Effect::LogKey { key, replaces })
        }
        (Target::RosterChange(change), _, Outputs::Done) => {
            Ok(Effect::Roster { sha256: change.roster.sha256, version: change.roster.version })
        }
        (Target::PolicyChange(change), _, Outputs::Done) => {
            Ok(Effect::Guardrails { sha256: change.guardrails.sha256, version: change.guardrails.version })
        }
        (Target::Resolve(resolve), _, Outputs::Destroyed(_)) => Ok(Effect::Resolved {
            ceremony: resolve.ceremony,
            destroyed: resolve.leftover == Leftover::Destroy,
        }),
        _ => Err(NoEffect::Outputs(statement.kind())),
    }
}
