//! Documents that people signed, before anybody believes them.

use std::sync::Arc;

use ceremonies::act::{Act, ActKind, Unverified, VerifiedAct};
use ceremonies::roster::Roster;
use proto::reason::Reason;
use proto::record::ceremony::document;
use proto::refusal::Refusal;

use crate::keys::fold::State;

/// A document that somebody signed, as it came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signed {
    /// Canonical JSON.
    pub document: Vec<u8>,
    /// Armored SSHSIG.
    pub signature: String,
}

impl Signed {
    /// The act, if somebody of the roster signed it for this instance whose acts count. Those whom an open `roster.change`
    /// brings in sign about that ceremony by the roster that it makes. Whether somebody may suspend another one is left to
    /// [`Suspensions`](ceremonies::suspension::Suspensions).
    ///
    /// # Errors
    /// [`Reason::ActInvalid`]; [`Reason::ActRefused`] where its person is suspended.
    pub fn verified(&self, state: &State) -> Result<VerifiedAct, Refusal> {
        let by =
            |roster: &Roster| VerifiedAct::verify(&self.document, &self.signature, state.setting(), roster);
        let verified = match by(state.roster()) {
            Err(Unverified::UnknownKey(key)) => match self.next(state) {
                Some(next) => by(&next),
                None => Err(Unverified::UnknownKey(key)),
            },
            verified => verified,
        };
        let verified = verified.map_err(|error| Refusal::new(Reason::ActInvalid, error.to_string()))?;
        let person = verified.person();
        if verified.kind() != ActKind::Suspend && state.suspensions().of(person).is_some() {
            let suspended = ceremonies::session::Refusal::Suspended(person.clone());
            let refusal = Refusal::new(Reason::ActRefused, suspended.to_string());
            return Err(refusal.with("guard", suspended.name()));
        }
        Ok(verified)
    }

    /// The roster that the open ceremony makes which this is about.
    fn next(&self, state: &State) -> Option<Arc<Roster>> {
        let statement = Act::parse(&self.document).ok()?.deed.statement()?;
        let held = state.sessions().over(statement)?;
        held.next.clone().filter(|_next| !held.session.state().step().is_end())
    }
}

/// Act and signature as they came, for the detail of a record.
pub fn documents(act: &VerifiedAct) -> Vec<(&'static str, String)> {
    // An act is canonical JSON, so it is text.
    let text = String::from_utf8_lossy(act.document()).into_owned();
    vec![(document::ACT, text), (document::SIGNATURE, act.armor().to_owned())]
}
