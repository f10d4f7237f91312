//! How control records are written and read.

use serde::de::{DeserializeOwned, Error, IgnoredAny};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::{Actor, Body, ControlRecord, Lift, StopTarget};
use crate::canonical;
use crate::hash::Hash;
use crate::operation::OperationId;
use crate::record::{Ceremony, RecordError, Times, VERSION};
use crate::term::Term;
use crate::time::Time;

/// The form in which control records with such a body are read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<B> {
    actor: Actor,
    body: B,
    #[serde(default)]
    detail: Option<Hash>,
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    #[serde(default)]
    lifts: Vec<Lift>,
    operation: OperationId,
    previous: Hash,
    #[serde(default)]
    stops: Vec<Term>,
    time: Times,
    #[serde(default)]
    touches: Vec<Term>,
    v: u8,
}

/// The form in which they are written: fields sorted, empty lists absent.
#[derive(Serialize)]
struct Written<'a> {
    actor: &'a Actor,
    body: &'a Body,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: &'a Option<Hash>,
    kind: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    lifts: &'a [Lift],
    operation: &'a OperationId,
    previous: &'a Hash,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stops: &'a [Term],
    time: &'a Times,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    touches: &'a [Term],
    v: u8,
}

macro_rules! body {
    ($($name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty),* })*) => {
        $(
            #[derive(Deserialize, Serialize)]
            #[serde(deny_unknown_fields)]
            struct $name { $($(#[$attribute])* $field: $type,)* }
        )*
    };
}

body! {
    EnrolledBody { caller: String, certificate: Hash, key: Hash, not_after: Time, token: Hash }
    InvitedBody { caller: String, expires: Time, token: Hash }
    GenesisBody { statement: Value }
    DigestBody { sha256: Hash }
    StoppedBody { #[serde(default, skip_serializing_if = "Option::is_none")] act: Option<Hash>, target: StopTarget }
    AnchorBody { place: String }
    RedactedBody { indices: Vec<u64> }
}

impl Serialize for ControlRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { actor, body, detail, lifts, operation, previous, stops, time, touches } = self;
        let kind = body.kind();
        Written { actor, body, detail, kind, lifts, operation, previous, stops, time, touches, v: VERSION }
            .serialize(serializer)
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Carried(carried) => carried.serialize(serializer),
            Self::Ceremony(step) => step.serialize(serializer),
            Self::Enrolled { caller, certificate, key, not_after, token } => {
                let (caller, certificate, key) = (caller.clone(), *certificate, *key);
                EnrolledBody { caller, certificate, key, not_after: *not_after, token: *token }
                    .serialize(serializer)
            }
            Self::Invited { caller, expires, token } => {
                InvitedBody { caller: caller.clone(), expires: *expires, token: *token }.serialize(serializer)
            }
            Self::Clock(vouched) => vouched.serialize(serializer),
            Self::Genesis { statement } => GenesisBody { statement: statement.clone() }.serialize(serializer),
            Self::Grant { sha256 } | Self::Policy { sha256 } => {
                DigestBody { sha256: *sha256 }.serialize(serializer)
            }
            Self::Stopped { act, target } => {
                StoppedBody { act: *act, target: target.clone() }.serialize(serializer)
            }
            Self::Anchor { place } => AnchorBody { place: place.clone() }.serialize(serializer),
            Self::Redacted { indices } => RedactedBody { indices: indices.clone() }.serialize(serializer),
            Self::Suspend(said) => said.serialize(serializer),
        }
    }
}

/// Reads a record, whatever its form. What its body is, its kind says, and that comes after it: so the kind is looked for first.
pub(super) fn read(leaf: &[u8]) -> serde_json::Result<ControlRecord> {
    #[derive(Deserialize)]
    struct Head {
        kind: String,
    }
    let Head { kind } = canonical::parse(leaf)?;
    read_as(&kind, leaf)
}

/// The same where the kind is known already; the kind that the leaf says is not looked at.
pub(super) fn read_as(kind: &str, leaf: &[u8]) -> serde_json::Result<ControlRecord> {
    match kind {
        "caller.enrolled" => of(leaf, |EnrolledBody { caller, certificate, key, not_after, token }| {
            Body::Enrolled { caller, certificate, key, not_after, token }
        }),
        "caller.invited" => {
            of(leaf, |InvitedBody { caller, expires, token }| Body::Invited { caller, expires, token })
        }
        "ceremony.act" => step(leaf, Ceremony::Acted),
        "ceremony.completed" => step(leaf, Ceremony::Completed),
        "ceremony.deviation" => step(leaf, Ceremony::Deviated),
        "ceremony.ended" => step(leaf, Ceremony::Ended),
        "ceremony.executed" => step(leaf, Ceremony::Executed),
        "ceremony.failed" => step(leaf, Ceremony::Failed),
        "ceremony.interrupted" => step(leaf, Ceremony::Interrupted),
        "ceremony.proposed" => step(leaf, Ceremony::Proposed),
        "ceremony.started" => step(leaf, Ceremony::Started),
        "clock" => of(leaf, |vouched| Body::Clock(Box::new(vouched))),
        "genesis" => of(leaf, |GenesisBody { statement }| Body::Genesis { statement }),
        "grant" => of(leaf, |DigestBody { sha256 }| Body::Grant { sha256 }),
        "incident.stopped" => of(leaf, |StoppedBody { act, target }| Body::Stopped { act, target }),
        "key.carried" => of(leaf, |carried| Body::Carried(Box::new(carried))),
        "log.anchor" => of(leaf, |AnchorBody { place }| Body::Anchor { place }),
        "log.redacted" => of(leaf, |RedactedBody { indices }| Body::Redacted { indices }),
        "policy" => of(leaf, |DigestBody { sha256 }| Body::Policy { sha256 }),
        "roster.suspend" => of(leaf, |said| Body::Suspend(Box::new(said))),
        _ => Err(serde_json::Error::custom(RecordError::UnknownControl(kind.to_owned()))),
    }
}

fn step<B: DeserializeOwned>(leaf: &[u8], is: fn(B) -> Ceremony) -> serde_json::Result<ControlRecord> {
    of(leaf, |body| Body::Ceremony(is(body)))
}

/// Reads a record with such a body.
fn of<B: DeserializeOwned>(leaf: &[u8], is: impl FnOnce(B) -> Body) -> serde_json::Result<ControlRecord> {
    let Envelope { actor, body, detail, _kind, lifts, operation, previous, stops, time, touches, v } =
        canonical::parse(leaf)?;
    if v != VERSION {
        let cause = format!("record version {v}: this version reads {VERSION}");
        return Err(serde_json::Error::custom(RecordError::Bounds(cause)));
    }
    let body = is(body);
    Ok(ControlRecord { actor, body, detail, lifts, operation, previous, stops, time, touches })
}
