//! `sign`: one operation, one leaf, one outcome per signature.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::algorithm::Algorithm;
use crate::canonical;
use crate::digest::Digests;
use crate::hash::Hash;
use crate::key_id::KeyId;
use crate::name::KeyName;
use crate::operation::OperationId;
use crate::purpose::Kind;
use crate::reason::Reason;
use crate::record::kind::SignTag;
use crate::record::{Draft, RecordError, Times, VERSION};

/// Most subjects in a leaf; further ones are in the detail.
pub const SUBJECTS_IN_LEAF: usize = 16;

/// Most subjects of one operation; more are refused.
pub const SUBJECTS: usize = 1024;

/// The public part of a signing operation.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SignRecord {
    /// SHA-256 of the detail's canonical bytes.
    pub detail: Hash,
    /// The key that was asked to sign.
    pub key: KeyName,
    /// Always `sign`.
    pub kind: SignTag,
    /// Operation number: consecutive over operations with an intent, absent for those without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Names the operation for ever.
    pub operation: OperationId,
    /// One entry per version that was asked, active first.
    pub signatures: Vec<SignatureEntry>,
    /// What was signed.
    pub signed: Signed,
    /// When.
    pub time: Times,
    /// [`VERSION`].
    pub v: u8,
}

/// What was signed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// Of the bytes that the signature is over; one per hash that the versions needed.
    pub digests: Digests,
    /// What the bytes are.
    pub kind: Kind,
    /// Digests of what a structured payload speaks about, `sha256:<hex>`: at most 16 here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
}

/// One signature of an operation, or its absence.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureEntry {
    /// How it was made.
    pub algorithm: Algorithm,
    /// By which key pair.
    pub key_id: KeyId,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, for anything but `released`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// SHA-256 of a signature that came into being and was not released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Hash>,
    /// The released signature: ECDSA always as DER, in standard base64.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "value")]
    pub value: Option<Zeroizing<Vec<u8>>>,
    /// The version's number.
    pub version: u32,
}

/// What became of one signature.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It may have been delivered.
    Released,
    /// It came into being, was wiped, and nobody got it.
    Withheld,
    /// It is proven that nothing was signed.
    NotExecuted,
    /// The backend may have signed.
    Unknown,
}

impl Outcome {
    /// As records write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Withheld => "withheld",
            Self::NotExecuted => "not-executed",
            Self::Unknown => "unknown",
        }
    }
}

impl SignRecord {
    /// The leaf's draft.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn draft(&self) -> Result<Draft, RecordError> {
        debug_assert_eq!(self.v, VERSION);
        // Never moved while it is written: what is freed on the way could not be wiped where it is withheld.
        let signatures =
            self.signatures.iter().map(|entry| entry.value.as_ref().map_or(0, |value| 2 * value.len()) + 512);
        let subjects = self.signed.subjects.iter().map(|subject| subject.len() + 16);
        Draft::plain(canonical::to_vec_of(self, 1024 + signatures.sum::<usize>() + subjects.sum::<usize>())?)
    }

    /// Withholds the entries at these positions: a value becomes its SHA-256, whatever was `released` becomes
    /// `withheld` for the reason. The value is wiped, as is any other copy of the record when it is dropped.
    pub fn withhold(&mut self, positions: &[(usize, Reason)]) {
        for (position, reason) in positions {
            let Some(entry) = self.signatures.get_mut(*position) else { continue };
            if entry.outcome != Outcome::Released {
                continue;
            }
            entry.outcome = Outcome::Withheld;
            entry.reason = Some(*reason);
            if let Some(value) = entry.value.take() {
                entry.sha256 = Some(Hash::of(&value));
            }
        }
    }

    /// Closes the operation without a result: every entry that has none yet gets this outcome and reason.
    pub fn close(&mut self, outcome: Outcome, reason: Reason) {
        for entry in self.signatures.iter_mut().filter(|entry| entry.outcome == Outcome::Unknown) {
            entry.outcome = outcome;
            entry.reason = Some(reason);
        }
    }
}

mod value {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use zeroize::Zeroizing;

    use crate::canonical::base64_bytes;

    pub(super) fn serialize<S: Serializer>(
        value: &Option<Zeroizing<Vec<u8>>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        // The text is as good as the bytes.
        let text = value.as_ref().map(|value| Zeroizing::new(STANDARD.encode(value)));
        text.as_deref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, D::Error> {
        #[derive(Deserialize)]
        struct Bytes(#[serde(with = "base64_bytes")] Vec<u8>);
        Ok(Option::<Bytes>::deserialize(deserializer)?.map(|bytes| bytes.0.into()))
    }
}
