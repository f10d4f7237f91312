//! Finding private keys, and the public keys that belong to them.
//!
//! A private key is named by label and id, which are not unique in every token; the public key decides. It is read from
//! the private key's own attributes where the module shows them there, else from the public key object with the same id
//! (or, without an id, the same label). That the two belong together is the module's claim; each signature proves it.

use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use proto::proof::public_key::PublicKey;

use super::super::message::{Answer, Ask, Class, Seen};
use super::super::octets::Octets;
use super::super::uri::Uri;
use super::fault::{Trouble, fault};
use super::live::{Known, Live};
use super::point;
use super::seat::Seat;
use super::work::Host;

/// A private key in the token.
pub(super) struct Candidate {
    pub(super) handle: ObjectHandle,
    pub(super) label: Vec<u8>,
    pub(super) id: Vec<u8>,
    /// Its public key, or why there is none.
    pub(super) public_key: Result<PublicKey, String>,
    pub(super) remarks: Vec<String>,
}

impl Host {
    /// Requests that look for keys.
    pub(super) fn look(&self, seat: &mut Seat, live: &Live, ask: &Ask) -> Result<Answer, Trouble> {
        let session = seat.session(self, live)?;
        match ask {
            Ask::FindKey { place, expected } => {
                exactly(session, live, place, &expected.0)?;
                let known = Known { place: place.clone(), public_key: expected.0.clone() };
                Ok(Answer::Key(live.number(known)))
            }
            Ask::List { place } => {
                own_token(live, place)?;
                let found = candidates(session, place)?;
                Ok(Answer::Listed(found.into_iter().map(|candidate| candidate.seen(live)).collect()))
            }
            _ => Err(Trouble::Fault(fault(Class::Unsupported, "this request does not look for keys"))),
        }
    }
}

impl Candidate {
    fn seen(self, live: &Live) -> Seen {
        let place = Uri {
            token: Some(live.token.label.clone()).filter(|label| !label.is_empty()),
            serial: Some(live.token.serial.clone()).filter(|serial| !serial.is_empty()),
            object: String::from_utf8(self.label).ok().filter(|label| !label.is_empty()),
            id: Some(self.id).filter(|id| !id.is_empty()),
            private: true,
            ..Uri::default()
        };
        let mut remarks = self.remarks;
        let public_key = match self.public_key {
            Ok(key) => Octets::from(key.spki()),
            Err(why) => {
                remarks.push(why);
                Octets::default()
            }
        };
        Seen { place, public_key, remarks }
    }
}

/// A place that names another token is never looked for in this one.
pub(super) fn own_token(live: &Live, place: &Uri) -> Result<(), Trouble> {
    let token = &live.token;
    if place.matches_token(&token.label, &token.manufacturer, &token.model, &token.serial) {
        return Ok(());
    }
    Err(Trouble::Fault(fault(
        Class::Mismatch,
        format!(
            "the key is recorded in {}, but the backend's token is {} (serial {})",
            place.token_only(),
            token.label,
            token.serial
        ),
    )))
}

/// The one private key at this place whose public key is the expected one.
pub(super) fn exactly(
    session: &Session,
    live: &Live,
    place: &Uri,
    expected: &[u8],
) -> Result<ObjectHandle, Trouble> {
    own_token(live, place)?;
    let found = candidates(session, place)?;
    let mut same = found.iter().filter(|c| c.public_key.as_ref().is_ok_and(|key| key.spki() == expected));
    if let Some(first) = same.next() {
        return match same.next() {
            None => Ok(first.handle),
            Some(_) => Err(Trouble::Fault(fault(
                Class::Refused,
                format!(
                    "{place} names the same key pair more than once: destroy the copies, or name it by its id"
                ),
            ))),
        };
    }
    let others: Vec<String> = found
        .iter()
        .map(|candidate| match &candidate.public_key {
            Ok(key) => format!("the key {}", key.key_id()),
            Err(why) => format!("a key that cannot be compared ({why})"),
        })
        .collect();
    Err(Trouble::Fault(if others.is_empty() {
        fault(
            Class::NotFound,
            format!("{place} in the token {} (serial {})", live.token.label, live.token.serial),
        )
    } else {
        fault(Class::Mismatch, format!("{place} now names {}, not the recorded one", others.join(" and ")))
    }))
}

/// The objects at this place of the key pair whose SubjectPublicKeyInfo has this SHA-256, the private half first.
pub(super) fn pair(
    session: &Session,
    live: &Live,
    place: &Uri,
    key: &[u8],
) -> Result<Vec<ObjectHandle>, Trouble> {
    own_token(live, place)?;
    let is = |public: &PublicKey| public.key_id().as_bytes().as_slice() == key;
    let found = candidates(session, place)?;
    let mut own = found.iter().filter(|candidate| candidate.public_key.as_ref().is_ok_and(is));
    let (first, more) = (own.next(), own.next());
    let refuse = |why: String| Err(Trouble::Fault(fault(Class::Refused, why)));
    if more.is_some() {
        return refuse(format!("{place} names the same key pair more than once: name it by its id"));
    }
    let unread = found.iter().find_map(|candidate| candidate.public_key.as_ref().err());
    if let (None, Some(why)) = (first, unread) {
        return refuse(format!("a key at {place} cannot be compared: {why}"));
    }
    let given = |own: Option<&Vec<u8>>, named: Option<Vec<u8>>| named.or_else(|| own.cloned());
    let label =
        given(first.map(|own| &own.label), place.object.as_ref().map(|label| label.as_bytes().to_vec()));
    let id = given(first.map(|own| &own.id), place.id.clone());
    let mut objects: Vec<ObjectHandle> = first.iter().map(|own| own.handle).collect();
    if label.is_none() && id.is_none() {
        return Ok(objects);
    }
    let mut template = vec![Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Token(true)];
    template.extend(label.map(Attribute::Label));
    template.extend(id.map(Attribute::Id));
    for handle in session.find_objects(&template)? {
        if Read::from(session, handle)?.public_key().is_some_and(|public| public.as_ref().is_ok_and(is)) {
            objects.push(handle);
        }
    }
    Ok(objects)
}

/// The private keys at this place.
pub(super) fn candidates(session: &Session, place: &Uri) -> Result<Vec<Candidate>, Trouble> {
    let mut template = vec![Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Token(true)];
    template.extend(place.object.as_ref().map(|label| Attribute::Label(label.as_bytes().to_vec())));
    template.extend(place.id.as_ref().map(|id| Attribute::Id(id.clone())));
    let handles = session.find_objects(&template)?;
    handles.into_iter().map(|handle| candidate(session, handle)).collect()
}

fn candidate(session: &Session, handle: ObjectHandle) -> Result<Candidate, Trouble> {
    let own = Read::from(session, handle)?;
    let mut remarks = Vec::new();
    if own.extractable == Some(true) {
        remarks.push("the token says that this private key can be extracted".to_owned());
    }
    if own.local == Some(false) {
        remarks.push("the token says that this private key was not generated in it".to_owned());
    }
    if own.sign == Some(false) {
        remarks.push("the token says that this private key does not sign".to_owned());
    }
    if own.always_authenticate == Some(true) {
        remarks.push(
            "the token asks for the PIN with every signature of this key, which is not supported".to_owned(),
        );
    }
    let public_key = match own.public_key() {
        Some(key) => key,
        None => from_public_object(session, &own)?,
    };
    Ok(Candidate { handle, label: own.label, id: own.id, public_key, remarks })
}

fn from_public_object(session: &Session, own: &Read) -> Result<Result<PublicKey, String>, Trouble> {
    let mut template = vec![Attribute::Class(ObjectClass::PUBLIC_KEY)];
    template.push(match own.id.is_empty() {
        true => Attribute::Label(own.label.clone()),
        false => Attribute::Id(own.id.clone()),
    });
    let mut keys: Vec<PublicKey> = Vec::new();
    let mut why = "the token holds no public key object for this private key".to_owned();
    for handle in session.find_objects(&template)? {
        let public = Read::from(session, handle)?;
        // Ids can be shared: the label, where both have one, and the key type decide.
        let other_label = !own.label.is_empty() && !public.label.is_empty() && own.label != public.label;
        if public.key_type != own.key_type || other_label {
            continue;
        }
        match public.public_key() {
            Some(Ok(key)) if !keys.contains(&key) => keys.push(key),
            Some(Err(wrong)) => why = wrong,
            _ => {}
        }
    }
    Ok(match (keys.pop(), keys.is_empty()) {
        (Some(key), true) => Ok(key),
        (Some(_), false) => Err("several public keys have this private key's label and id".to_owned()),
        (None, _) => Err(why),
    })
}

/// The attributes that say which key this is.
#[derive(Default)]
struct Read {
    key_type: Option<KeyType>,
    label: Vec<u8>,
    id: Vec<u8>,
    parameters: Vec<u8>,
    point: Vec<u8>,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    extractable: Option<bool>,
    local: Option<bool>,
    sign: Option<bool>,
    always_authenticate: Option<bool>,
}

impl Read {
    fn from(session: &Session, handle: ObjectHandle) -> Result<Self, Trouble> {
        const WANTED: [AttributeType; 11] = [
            AttributeType::KeyType,
            AttributeType::Label,
            AttributeType::Id,
            AttributeType::EcParams,
            AttributeType::EcPoint,
            AttributeType::Modulus,
            AttributeType::PublicExponent,
            AttributeType::Extractable,
            AttributeType::Local,
            AttributeType::Sign,
            AttributeType::AlwaysAuthenticate,
        ];
        let mut read = Self::default();
        for attribute in session.get_attributes(handle, &WANTED)? {
            match attribute {
                Attribute::KeyType(kind) => read.key_type = Some(kind),
                Attribute::Label(label) => read.label = label,
                Attribute::Id(id) => read.id = id,
                Attribute::EcParams(parameters) => read.parameters = parameters,
                Attribute::EcPoint(point) => read.point = point,
                Attribute::Modulus(modulus) => read.modulus = modulus,
                Attribute::PublicExponent(exponent) => read.exponent = exponent,
                Attribute::Extractable(flag) => read.extractable = Some(flag),
                Attribute::Local(flag) => read.local = Some(flag),
                Attribute::Sign(flag) => read.sign = Some(flag),
                Attribute::AlwaysAuthenticate(flag) => read.always_authenticate = Some(flag),
                _ => {}
            }
        }
        Ok(read)
    }

    /// The public key, if these attributes hold it; an error where they do and it is none that is supported.
    fn public_key(&self) -> Option<Result<PublicKey, String>> {
        if !self.modulus.is_empty() && !self.exponent.is_empty() {
            return Some(point::from_rsa(&self.modulus, &self.exponent));
        }
        if self.parameters.is_empty() {
            return None;
        }
        match point::curve(&self.parameters) {
            Err(why) => Some(Err(why)),
            Ok(_) if self.point.is_empty() => None,
            Ok(curve) => Some(point::from_point(curve, &self.point)),
        }
    }
}
