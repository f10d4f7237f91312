//! Documents that people signed, before anybody believes them.

use ceremonies::act::VerifiedAct;
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
    /// The act, if somebody of the roster signed it for this instance.
    ///
    /// # Errors
    /// [`Reason::ActInvalid`].
    pub fn verified(&self, state: &State) -> Result<VerifiedAct, Refusal> {
        VerifiedAct::verify(&self.document, &self.signature, state.setting(), state.roster())
            .map_err(|error| Refusal::new(Reason::ActInvalid, error.to_string()))
    }
}

/// Act and signature as they came, for the detail of a record.
pub fn documents(act: &VerifiedAct) -> Vec<(&'static str, String)> {
    // An act is canonical JSON, so it is text.
    let text = String::from_utf8_lossy(act.document()).into_owned();
    vec![(document::ACT, text), (document::SIGNATURE, act.armor().to_owned())]
}
