//! An anchor's data object: one small value under a label, replaced so that no crash leaves none.
//!
//! ```text
//! old ──► C_CreateObject ──► old, new ──► C_DestroyObject ──► new
//! ```
//!
//! An object is never changed: no clause of PKCS#11 says that `C_SetAttributeValue` leaves the old value or the new one
//! where it is cut off. Where a crash has left two, the one whose checkpoint is further on counts, and the next write
//! destroys the other before it makes a new one: there are never more than two.
//!
//! Reading and writing take sessions of their own, and the one that writes is closed afterwards: those that sign stay
//! read-only. Objects of other applications under the same label are left alone.
//!
//! Invariant: from the first write on there is a readable object at every moment; held by
//! `whatever_cuts_a_write_off_leaves_an_object_that_is_read`.

use std::sync::PoisonError;

use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use proto::proof::anchor::{Kept, LONGEST};

use super::super::message::{Answer, Ask, Class, Fault};
use super::super::octets::Octets;
use super::super::uri::Uri;
use super::fault::{Trouble, fault};
use super::live::Live;
use super::work::Host;

/// `CKA_APPLICATION` of what is made here.
const APPLICATION: &[u8] = b"countersign";

/// An object that is there.
struct Version {
    handle: ObjectHandle,
    value: Vec<u8>,
    /// How far the log was; nothing where the value is no anchor's text.
    position: Option<(u64, u64)>,
}

impl Host {
    /// Requests about data objects.
    pub(super) fn object(&self, ask: &Ask) -> Answer {
        let (epoch, found) = match self.try_object(ask) {
            Ok(answer) => return answer,
            Err(failed) => failed,
        };
        let again = match found.class {
            // "None" is also what modules say whose token was taken away under them, and what one says for good that ran
            // out of descriptors once. Of a module that was initialised just now it is believed.
            Class::NotFound => self.reload(epoch, &found).map(drop),
            Class::Unavailable => match self.recover(epoch, &found) {
                stale if stale.class == Class::Stale => Ok(()),
                other => Err(other),
            },
            _ => Err(found),
        };
        match again {
            Ok(()) => self.try_object(ask).unwrap_or_else(|(_, fault)| Answer::Failed(fault)),
            Err(fault) => Answer::Failed(fault),
        }
    }

    /// Once, with the epoch in which it failed.
    fn try_object(&self, ask: &Ask) -> Result<Answer, (u64, Fault)> {
        let live = self.live();
        let Some(live) = live.as_ref() else { return Ok(Answer::Failed(self.down())) };
        let done = match ask {
            Ask::ReadObject { place } => self.read_object(live, place),
            Ask::WriteObject { place, value, first } => self.write_object(live, place, &value.0, *first),
            _ => Err(fault(Class::Unsupported, "this request is not about a data object").into()),
        };
        done.map_err(|trouble| (live.epoch, trouble.fault()))
    }

    fn read_object(&self, live: &Live, place: &Uri) -> Result<Answer, Trouble> {
        own_token(live, place)?;
        let session = self.module().open_ro_session(live.slot)?;
        let newest = versions(&session, place)?.pop().ok_or_else(|| missing(live, place))?;
        let mut value = newest.value;
        value.truncate(LONGEST + 1);
        Ok(Answer::Object(Octets(value)))
    }

    fn write_object(&self, live: &Live, place: &Uri, value: &[u8], first: bool) -> Result<Answer, Trouble> {
        own_token(live, place)?;
        let _one = self.management.lock().unwrap_or_else(PoisonError::into_inner);
        let session = self.module().open_rw_session(live.slot)?;
        let mut earlier = versions(&session, place)?;
        let newest = earlier.pop();
        match &newest {
            Some(_) if first => return refuse(Class::Taken, "there is such a data object already"),
            Some(newest) if newest.position.is_none() => {
                return refuse(Class::Refused, "what is there is no anchor's text, and is not written over");
            }
            None if !first => return Err(missing(live, place)),
            _ => {}
        }
        for left in earlier {
            session.destroy_object(left.handle)?;
        }
        // What is safe now: the newest of before. A crash here leaves it alone or beside the new one.
        session.create_object(&template(live, place, value))?;
        // And now the new one.
        if let Some(before) = newest {
            session.destroy_object(before.handle)?;
        }
        Ok(Answer::Written)
    }
}

fn refuse<T>(class: Class, why: &str) -> Result<T, Trouble> {
    Err(fault(class, why).into())
}

fn missing(live: &Live, place: &Uri) -> Trouble {
    fault(
        Class::NotFound,
        format!("the data object {place} in the token {} (serial {})", live.token.label, live.token.serial),
    )
    .into()
}

/// A place that names another token is never looked for in this one.
fn own_token(live: &Live, place: &Uri) -> Result<(), Trouble> {
    let token = &live.token;
    if place.matches_token(&token.label, &token.manufacturer, &token.model, &token.serial) {
        return Ok(());
    }
    let why = format!(
        "the anchor is to be in {}, but the backend's token is {} (serial {})",
        place.token_only(),
        token.label,
        token.serial
    );
    Err(fault(Class::Mismatch, why).into())
}

/// What all versions have in common.
fn named(place: &Uri) -> Vec<Attribute> {
    let label = place.object.clone().unwrap_or_default().into_bytes();
    vec![
        Attribute::Class(ObjectClass::DATA),
        Attribute::Token(true),
        Attribute::Label(label),
        Attribute::Application(APPLICATION.to_vec()),
    ]
}

/// Private where the token has a log-in: else whoever can open a session could destroy it.
fn template(live: &Live, place: &Uri, value: &[u8]) -> Vec<Attribute> {
    let mut template = named(place);
    template.extend([Attribute::Private(live.login), Attribute::Value(value.to_vec())]);
    template
}

/// What is there, the newest last; what cannot be read as an anchor's text first.
fn versions(session: &Session, place: &Uri) -> Result<Vec<Version>, Trouble> {
    let mut versions = Vec::new();
    for handle in session.find_objects(&named(place))? {
        let attributes = session.get_attributes(handle, &[AttributeType::Value])?;
        let value = attributes.into_iter().find_map(|attribute| match attribute {
            Attribute::Value(value) => Some(value),
            _ => None,
        });
        let value = value.unwrap_or_default();
        let position = std::str::from_utf8(&value).ok().and_then(|text| text.parse::<Kept>().ok());
        versions.push(Version { handle, value, position: position.map(|kept| kept.position()) });
    }
    versions.sort_by_key(|version| version.position);
    Ok(versions)
}
