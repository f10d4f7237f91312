//! Proofs of possession: somebody who comes into a roster with a key signs with it for exactly that roster.
//!
//! ```json
//! {"environment":"production","instance":"signing.example.org","key":"ssh-ed25519 AAAA…","mode":"production",
//!  "origin":"log.example.org","person":"ada","roster":"9f3c…","schema":"countersign.possession.v0"}
//! ```
//!
//! (Line breaks for reading only: the form is canonical JSON.) What is kept and named by SHA-256 is the SSHSIG over it: the
//! document follows from the instance, the next roster and the key, so there is nothing in it to choose. The namespace is
//! none of those of acts, so that no proof is an act; and as it names the next roster, it is good for no other one.

use proto::canonical;
use proto::hash::Hash;
use proto::key_id::KeyId;
use serde::Serialize;

use crate::act::Setting;
use crate::genesis::Mode;
use crate::person::PersonId;
use crate::roster::{Person, Roster};
use crate::ssh::key::SshKey;
use crate::ssh::signature::{SshSignature, SshSignatureError};

/// The one schema of proofs that this version knows.
pub const SCHEMA: &str = "countersign.possession.v0";

/// How the names of the documents begin that are proofs.
pub const PREFIX: &str = "proof.";

/// The SSHSIG namespace of proofs in this mode.
pub const fn namespace(mode: Mode) -> &'static str {
    match mode {
        Mode::Production => "countersign.possession.production.v1",
        Mode::Rehearsal => "countersign.possession.rehearsal.v1",
    }
}

/// The name of a proof among the documents of a proposal: `proof.` and half of its SHA-256 in hexadecimal.
pub fn name(armor: &str) -> String {
    let digest = Hash::of(armor.as_bytes()).to_string();
    format!("{PREFIX}{}", digest.get(..32).unwrap_or(&digest))
}

/// What is signed.
#[derive(Serialize)]
struct Document<'a> {
    environment: &'a str,
    instance: &'a str,
    key: String,
    mode: Mode,
    origin: &'a str,
    person: &'a str,
    roster: Hash,
    schema: &'static str,
}

/// What a person signs with a new key of his, so that it comes into this roster (by SHA-256) of this instance: canonical
/// JSON.
pub fn message(setting: Setting<'_>, roster: Hash, person: &PersonId, key: &SshKey) -> Vec<u8> {
    let document = Document {
        environment: setting.environment,
        instance: setting.instance,
        key: key.to_string(),
        mode: setting.mode,
        origin: setting.origin.as_str(),
        person: person.as_str(),
        roster,
        schema: SCHEMA,
    };
    canonical::to_vec(&document).expect("a document of strings can be written")
}

/// Why a signature is no proof.
#[derive(Debug, thiserror::Error)]
pub enum NoProof {
    /// No signature, or not over what a proof says.
    #[error(transparent)]
    Signature(#[from] SshSignatureError),
    /// By a key of nobody.
    #[error("it is by the key {0}, which nobody has in the next roster")]
    Stranger(KeyId),
    /// By the same key in another form.
    #[error("it is by a key of `{0}` in another form than the next roster has it")]
    OtherForm(PersonId),
}

/// By whom and by which key of this roster a proof is.
///
/// # Errors
/// [`NoProof`].
pub fn verify<'r>(
    armor: &str,
    setting: Setting<'_>,
    next: &'r Roster,
) -> Result<(&'r Person, &'r SshKey), NoProof> {
    let signature = SshSignature::parse(armor)?;
    let id = signature.key().id();
    let (person, enrolled) = next.owner(id).ok_or(NoProof::Stranger(id))?;
    if enrolled != signature.key() {
        return Err(NoProof::OtherForm(person.id.clone()));
    }
    let message = message(setting, next.digest(), &person.id, enrolled);
    signature.verify(namespace(setting.mode), &message)?;
    Ok((person, enrolled))
}
