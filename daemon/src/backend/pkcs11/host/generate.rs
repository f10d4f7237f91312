//! Making and destroying key pairs.
//!
//! Demanded of a new private key: in the token, private, sensitive, not extractable, signs and does nothing else. Read back and
//! demanded again, and that it always was sensitive, never extractable, and made here; and by trying, that its value cannot
//! be read. What fails is destroyed and refused: attributes are claims, but a token that does not even claim them will not do.
//! Of what a key may do beside signing it is enough that the token does not claim it: some do not know all of these uses.
//!
//! One at a time: two concurrent generations deadlock one module and fail in others.

use std::collections::BTreeMap;

use ceremonies::birth;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeInfo, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use proto::algorithm::{Algorithm, KeyShape};
use proto::hash::Hash;
use proto::proof::encoding::Curve;

use super::super::message::{Answer, Class, Made, Seen};
use super::super::octets::Octets;
use super::super::uri::Uri;
use super::fault::{Remedy, Trouble, fault};
use super::find;
use super::live::Live;
use super::point::Named;
use super::work::Host;

impl Host {
    pub(super) fn generate(
        &self,
        live: &Live,
        algorithm: Algorithm,
        label: &str,
        id: &[u8],
    ) -> Result<Answer, Trouble> {
        let _one = self.management.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Before anything is made: what cannot be said of the device is no reason to throw a key away.
        let device = self.device(live)?;
        let session = self.module().open_rw_session(live.slot)?;
        // Some tokens index keys by id alone: a second pair with the id would replace the first, silently.
        let taken = session
            .find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Id(id.to_vec())])?;
        if !taken.is_empty() {
            return refuse(
                Class::Refused,
                format!("the token holds a private key with the id {} already", hex::encode(id)),
            );
        }
        let (public, private) = make(&session, algorithm, label, id)?;
        let checked = check(&session, private).and_then(|attributes| {
            let place = Uri { id: Some(id.to_vec()), object: Some(label.to_owned()), ..Uri::default() };
            let found = find::candidates(&session, &place)?;
            Ok((attributes, found))
        });
        match checked {
            Ok((attributes, mut found)) if found.len() == 1 => {
                let candidate = found.remove(0);
                let place = Uri {
                    token: Some(live.token.label.clone()).filter(|label| !label.is_empty()),
                    serial: Some(live.token.serial.clone()).filter(|serial| !serial.is_empty()),
                    object: Some(label.to_owned()),
                    id: Some(id.to_vec()),
                    private: true,
                    ..Uri::default()
                };
                match candidate.public_key {
                    Ok(key) => {
                        let key =
                            Seen { place, public_key: Octets::from(key.spki()), remarks: candidate.remarks };
                        Ok(Answer::Generated(Box::new(Made { key, attributes, device })))
                    }
                    Err(why) => undo(&session, [public, private], fault(Class::Refused, why).into()),
                }
            }
            Ok((_, found)) => {
                let why = format!("the new key is found {} times", found.len());
                undo(&session, [public, private], fault(Class::Refused, why).into())
            }
            Err(trouble) => undo(&session, [public, private], trouble),
        }
    }

    /// What the module says of the device, and which module says it.
    fn device(&self, live: &Live) -> Result<BTreeMap<String, String>, Trouble> {
        let info = self.module().get_token_info(live.slot)?;
        let firmware = info.firmware_version();
        let module = std::fs::read(&self.open.module)
            .map_err(|e| fault(Class::Refused, format!("the module's file cannot be read: {e}")))?;
        let token = &live.token;
        let pairs = [
            ("firmware", format!("{}.{}", firmware.major(), firmware.minor())),
            ("label", token.label.clone()),
            ("manufacturer", token.manufacturer.clone()),
            ("model", token.model.clone()),
            ("module_sha256", Hash::of(&module).to_string()),
            ("serial", token.serial.clone()),
            ("slot", live.slot.id().to_string()),
        ];
        Ok(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Destroys both halves of a key pair, and looks again. A crash in between leaves a public key object, which signs
    /// nothing and is found by the next attempt.
    pub(super) fn destroy(&self, live: &Live, place: &Uri, key: &[u8]) -> Result<Answer, Trouble> {
        let _one = self.management.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let session = self.module().open_rw_session(live.slot)?;
        let left = find::pair(&session, live, place, key)?;
        if left.is_empty() {
            return refuse(Class::NotFound, format!("nothing of the key pair is at {place}"));
        }
        for object in left {
            session.destroy_object(object)?;
        }
        match find::pair(&session, live, place, key)?.len() {
            0 => Ok(Answer::Destroyed),
            left => refuse(
                Class::Refused,
                format!(
                    "{left} objects of the key pair are still at {place}, and the token says that they were destroyed"
                ),
            ),
        }
    }
}

fn refuse<T>(class: Class, why: String) -> Result<T, Trouble> {
    Err(Trouble::Fault(fault(class, why)))
}

fn undo<T>(session: &Session, pair: [ObjectHandle; 2], trouble: Trouble) -> Result<T, Trouble> {
    for object in pair {
        if let Err(error) = session.destroy_object(object) {
            let why = trouble.fault();
            let left = format!("{}; the new key could not be destroyed again: {error}", why.cause);
            return refuse(Class::Unknown, left);
        }
    }
    Err(trouble)
}

fn make(
    session: &Session,
    algorithm: Algorithm,
    label: &str,
    id: &[u8],
) -> Result<(ObjectHandle, ObjectHandle), Trouble> {
    let label = label.as_bytes().to_vec();
    let mut public = vec![
        Attribute::Token(true),
        Attribute::Verify(true),
        Attribute::Label(label.clone()),
        Attribute::Id(id.to_vec()),
    ];
    let mechanism = match algorithm.shape() {
        KeyShape::Rsa(bits) => {
            public.push(Attribute::ModulusBits(u64::from(bits).into()));
            public.push(Attribute::PublicExponent(vec![1, 0, 1]));
            Mechanism::RsaPkcsKeyPairGen
        }
        KeyShape::Ed25519 => {
            public.push(Attribute::EcParams(Named::Ed25519.parameters()));
            Mechanism::EccEdwardsKeyPairGen
        }
        ecdsa @ (KeyShape::P256 | KeyShape::P384 | KeyShape::P521) => {
            let curve = Curve::of(ecdsa).ok_or_else(|| fault(Class::Unsupported, "no such curve"))?;
            public.push(Attribute::EcParams(Named::Ecdsa(curve).parameters()));
            Mechanism::EccKeyPairGen
        }
    };
    let demanded = vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Label(label),
        Attribute::Id(id.to_vec()),
    ];
    let asked = [
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
        Attribute::SignRecover(false),
    ];
    let all = [demanded.as_slice(), &asked].concat();
    match session.generate_key_pair(&mechanism, &public, &all).map_err(Trouble::from) {
        Err(trouble) if matches!(trouble.remedy(), Some(Remedy::Refuse | Remedy::Reload)) => {
            // Some tokens refuse to be told what a key shall not do. What is demanded stays.
            Ok(session.generate_key_pair(&mechanism, &public, &demanded)?)
        }
        made => made,
    }
}

/// Reads back what was demanded.
fn check(session: &Session, private: ObjectHandle) -> Result<BTreeMap<String, String>, Trouble> {
    const WANTED: [AttributeType; 12] = [
        AttributeType::Token,
        AttributeType::Private,
        AttributeType::Sensitive,
        AttributeType::AlwaysSensitive,
        AttributeType::Extractable,
        AttributeType::NeverExtractable,
        AttributeType::Local,
        AttributeType::Sign,
        AttributeType::Decrypt,
        AttributeType::Derive,
        AttributeType::SignRecover,
        AttributeType::Unwrap,
    ];
    let mut read = BTreeMap::new();
    for attribute in session.get_attributes(private, &WANTED)? {
        let (name, value) = match attribute {
            Attribute::Token(value) => ("token", value),
            Attribute::Private(value) => ("private", value),
            Attribute::Sensitive(value) => ("sensitive", value),
            Attribute::AlwaysSensitive(value) => ("always-sensitive", value),
            Attribute::Extractable(value) => ("extractable", value),
            Attribute::NeverExtractable(value) => ("never-extractable", value),
            Attribute::Local(value) => ("local", value),
            Attribute::Sign(value) => ("sign", value),
            Attribute::Decrypt(value) => ("decrypt", value),
            Attribute::Derive(value) => ("derive", value),
            Attribute::SignRecover(value) => ("sign-recover", value),
            Attribute::Unwrap(value) => ("unwrap", value),
            _ => continue,
        };
        read.insert(name.to_owned(), value.to_string());
    }
    if let Err(unlike) = birth::check_attributes(&read) {
        return refuse(Class::Refused, unlike.to_string());
    }
    for secret in [AttributeType::Value, AttributeType::PrivateExponent] {
        let shown = session.get_attribute_info(private, &[secret])?;
        if matches!(shown.first(), Some(AttributeInfo::Available(length)) if *length > 0) {
            return refuse(Class::Refused, "the token shows the value of the new private key".to_owned());
        }
    }
    Ok(read)
}
