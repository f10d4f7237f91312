//! How control records are written and read.

use std::fmt;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{Actor, Body, ControlRecord, Lift, StopTarget};
use crate::hash::Hash;
use crate::operation::OperationId;
use crate::record::{Ceremony, RecordError, Times, VERSION};
use crate::term::Term;
use crate::time::Time;

/// The form in which control records are read. What the body is, its kind says, and that comes after it: it is read once more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    actor: Actor,
    #[serde(rename = "body")]
    _body: IgnoredAny,
    #[serde(default)]
    detail: Option<Hash>,
    kind: String,
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

impl Body {
    /// Reads the body of a record of this kind; `None` where there is no such kind.
    fn read<'de, D: Deserializer<'de>>(kind: &str, body: D) -> Option<Result<Self, D::Error>> {
        fn of<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
            body: D,
            is: impl FnOnce(T) -> Body,
        ) -> Result<Body, D::Error> {
            T::deserialize(body).map(is)
        }
        Some(match kind {
            "caller.enrolled" => of(body, |EnrolledBody { caller, certificate, key, not_after, token }| {
                Self::Enrolled { caller, certificate, key, not_after, token }
            }),
            "caller.invited" => {
                of(body, |InvitedBody { caller, expires, token }| Self::Invited { caller, expires, token })
            }
            "clock" => of(body, |vouched| Self::Clock(Box::new(vouched))),
            "genesis" => of(body, |GenesisBody { statement }| Self::Genesis { statement }),
            "grant" => of(body, |DigestBody { sha256 }| Self::Grant { sha256 }),
            "incident.stopped" => of(body, |StoppedBody { act, target }| Self::Stopped { act, target }),
            "key.carried" => of(body, |carried| Self::Carried(Box::new(carried))),
            "log.anchor" => of(body, |AnchorBody { place }| Self::Anchor { place }),
            "log.redacted" => of(body, |RedactedBody { indices }| Self::Redacted { indices }),
            "policy" => of(body, |DigestBody { sha256 }| Self::Policy { sha256 }),
            "roster.suspend" => of(body, |said| Self::Suspend(Box::new(said))),
            _ => Ceremony::read(kind, body)?.map(Self::Ceremony),
        })
    }
}

/// What a record's body is looked for by.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Body,
    #[serde(other)]
    Other,
}

/// Reads the body out of a record of this kind.
struct BodyOf<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for BodyOf<'_> {
    type Value = Body;

    fn deserialize<D: Deserializer<'de>>(self, record: D) -> Result<Body, D::Error> {
        record.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for BodyOf<'_> {
    type Value = Body;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a control record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Body, A::Error> {
        let mut body = None;
        while let Some(field) = fields.next_key()? {
            match field {
                Field::Body => body = Some(fields.next_value_seed(BodyIn(self.0))?),
                Field::Other => _ = fields.next_value::<IgnoredAny>()?,
            }
        }
        body.ok_or_else(|| A::Error::missing_field("body"))
    }
}

/// Reads the body of a record of this kind.
struct BodyIn<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for BodyIn<'_> {
    type Value = Body;

    fn deserialize<D: Deserializer<'de>>(self, body: D) -> Result<Body, D::Error> {
        match Body::read(self.0, body) {
            Some(Ok(body)) => Ok(body),
            Some(Err(error)) => {
                let (kind, cause) = (self.0.to_owned(), error.to_string());
                Err(D::Error::custom(RecordError::Body { kind, cause }))
            }
            None => Err(D::Error::custom(RecordError::UnknownControl(self.0.to_owned()))),
        }
    }
}

/// Reads a record, whatever its form.
pub(super) fn read(leaf: &[u8]) -> serde_json::Result<ControlRecord> {
    let Envelope { actor, _body, detail, kind, lifts, operation, previous, stops, time, touches, v } =
        serde_json::from_slice(leaf)?;
    if v != VERSION {
        let cause = format!("record version {v}: this version reads {VERSION}");
        return Err(serde_json::Error::custom(RecordError::Bounds(cause)));
    }
    let body = BodyOf(&kind).deserialize(&mut serde_json::Deserializer::from_slice(leaf))?;
    Ok(ControlRecord { actor, body, detail, lifts, operation, previous, stops, time, touches })
}
