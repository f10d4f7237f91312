//! What a bare message is, decided by its bytes alone.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ceremonies::outputs::Possession;
use proto::purpose::Kind;
use proto::refusal::Refusal;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use x509_parser::certificate::TbsCertificate;
use x509_parser::certification_request::X509CertificationRequestInfo;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::TbsCertList;

use super::{Body, Reading, dsse, invalid, notation, oci};

/// Reads a message as whatever it is.
pub(super) fn read(message: &Bytes) -> Result<Reading, Refusal> {
    if message.starts_with(dsse::BEGIN) {
        let (payload_type, payload) = dsse::decode(message).ok_or_else(|| {
            invalid("the message begins like a DSSE pre-authentication encoding, but is none")
        })?;
        return dsse::read(payload_type, payload, message.clone());
    }
    if let Some(reading) = notation::read(message)? {
        return Ok(reading);
    }
    let keys = top_keys(message);
    let has = |name: &str| keys.iter().any(|key| key == name);
    if has("critical") {
        return oci::read(message.clone());
    }
    let kind = if message.starts_with(Possession::PREFIX.as_bytes()) {
        Kind::Possession
    } else if has("targetartifact") {
        Kind::Notation
    } else if has("_type") && has("spec_version") {
        Kind::Tuf
    } else if is_checkpoint(message) {
        Kind::Note
    } else if is_x509(message) {
        Kind::X509
    } else {
        Kind::Blob
    };
    let body = Body::Message(message.clone());
    Ok(Reading { kind, body, repository: None, predicate_type: None, subjects: vec![], built: Bytes::new() })
}

/// The keys of a JSON object, folded, read as leniently as any verifier might: invalid UTF-8 replaced, lone surrogates
/// taken, any depth below. What is found here is then held to its one reading.
fn top_keys(message: &[u8]) -> Vec<String> {
    struct Folded(String);
    impl<'de> Deserialize<'de> for Folded {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Bytes;
            impl Visitor<'_> for Bytes {
                type Value = Folded;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a key")
                }
                fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Folded, E> {
                    let text = String::from_utf8_lossy(bytes).to_lowercase();
                    Ok(Folded(text.replace('\u{17f}', "s")))
                }
            }
            deserializer.deserialize_bytes(Bytes)
        }
    }
    struct Keys(Vec<String>);
    impl<'de> Deserialize<'de> for Keys {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Object;
            impl<'de> Visitor<'de> for Object {
                type Value = Keys;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Keys, A::Error> {
                    let mut keys = vec![];
                    while let Some((Folded(key), IgnoredAny)) = pairs.next_entry()? {
                        keys.push(key);
                    }
                    Ok(Keys(keys))
                }
            }
            deserializer.deserialize_map(Object)
        }
    }
    let text = String::from_utf8_lossy(message);
    serde_json::from_str(&text).map_or_else(|_no_object| vec![], |Keys(keys)| keys)
}

fn is_x509(message: &[u8]) -> bool {
    fn whole<'a, T: FromDer<'a, x509_parser::error::X509Error>>(bytes: &'a [u8]) -> bool {
        T::from_der(bytes).is_ok_and(|(rest, _)| rest.is_empty())
    }
    message.first() == Some(&0x30)
        && (whole::<TbsCertificate<'_>>(message)
            || whole::<X509CertificationRequestInfo<'_>>(message)
            || whole::<TbsCertList<'_>>(message))
}

/// The text of a signed note that is a checkpoint (C2SP tlog-checkpoint), or a cosignature over one.
fn is_checkpoint(message: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(message) else { return false };
    if text.starts_with("cosignature/v1\n") {
        return true;
    }
    let mut lines = text.split('\n');
    let (origin, size, root) = (lines.next(), lines.next(), lines.next());
    text.ends_with('\n')
        && origin.is_some_and(|line| !line.is_empty())
        && size.is_some_and(|line| !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit()))
        && root.is_some_and(|line| STANDARD.decode(line).is_ok_and(|bytes| bytes.len() == 32))
}
