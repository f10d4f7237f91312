//! What is to be signed, and how orders are put together into batches that the daemon takes.

use std::collections::BTreeMap;

use proto::digest::Digests;
use proto::name::KeyName;
use proto::proof::encoding::SignatureEncoding;
use proto::wire::{digest, v1};

use crate::dsse;
use crate::image::Image;

/// The most bytes of messages in one request: 4 MiB.
pub const LARGEST_MESSAGE: usize = 4 * 1024 * 1024;
/// The most orders in one request.
pub const LARGEST_BATCH: usize = 1_000;

/// What is to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The bytes themselves; the daemon sees and hashes them.
    Message(Vec<u8>),
    /// Digests of bytes that the daemon does not see.
    Digests(Digests),
    /// An image, for which the daemon builds the document.
    Image {
        /// Which.
        image: Image,
        /// `optional` of the document.
        annotations: BTreeMap<String, String>,
    },
    /// A payload, signed as DSSE.
    Dsse {
        /// For instance `application/vnd.in-toto+json`.
        payload_type: String,
        /// The payload.
        payload: Vec<u8>,
    },
}

impl Input {
    /// Bytes that go over the wire and count against [`LARGEST_MESSAGE`].
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Message(bytes) | Self::Dsse { payload: bytes, .. } => bytes.len(),
            Self::Digests(_) | Self::Image { .. } => 0,
        }
    }
}

/// One request for a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The key that is to sign.
    pub key: KeyName,
    /// What.
    pub input: Input,
    /// The caller's own word for the log's detail.
    pub annotations: BTreeMap<String, String>,
    /// How ECDSA signatures are wanted.
    pub encoding: SignatureEncoding,
    /// The same id and input give the same result.
    pub request_id: String,
}

impl Order {
    /// The message that is sent.
    #[must_use]
    pub fn to_wire(&self, receipt: v1::ReceiptDetail) -> v1::SignRequest {
        use v1::sign_request::Input as Wire;
        let input = match &self.input {
            Input::Message(bytes) => Wire::Message(bytes.clone().into()),
            Input::Digests(digests) => {
                Wire::Digest(v1::DigestInput { digests: digests.iter().map(digest::to_wire).collect() })
            }
            Input::Image { image, annotations } => Wire::Oci(v1::OciInput {
                reference: image.repository.clone(),
                digest: Some(digest::to_wire(&image.digest)),
                annotations: annotations.clone(),
            }),
            Input::Dsse { payload_type, payload } => Wire::Dsse(v1::DsseInput {
                payload_type: payload_type.clone(),
                payload: payload.clone().into(),
            }),
        };
        v1::SignRequest {
            key: self.key.to_string(),
            input: Some(input),
            request_id: self.request_id.clone(),
            annotations: self.annotations.clone(),
            encoding: encoding_to_wire(self.encoding) as i32,
            receipt: receipt as i32,
            versions: v1::VersionChoice::Unspecified as i32,
            validate_only: false,
        }
    }

    /// The bytes that the signature must be over, where the client knows them without the daemon.
    #[must_use]
    pub fn signed_bytes(&self) -> Option<Vec<u8>> {
        match &self.input {
            Input::Message(bytes) => Some(bytes.clone()),
            Input::Dsse { payload_type, payload } => Some(dsse::pae(payload_type, payload)),
            Input::Digests(_) | Input::Image { .. } => None,
        }
    }
}

/// The wire's name of an encoding.
#[must_use]
pub fn encoding_to_wire(encoding: SignatureEncoding) -> v1::SignatureEncoding {
    match encoding {
        SignatureEncoding::Der => v1::SignatureEncoding::Der,
        SignatureEncoding::Fixed => v1::SignatureEncoding::Fixed,
    }
}

/// How many of the next inputs, by their weights, fit into one request: at least one.
#[must_use]
pub fn fitting(weights: impl IntoIterator<Item = u64>) -> usize {
    let mut sum = 0_u64;
    let fits = weights
        .into_iter()
        .take(LARGEST_BATCH)
        .take_while(|weight| {
            sum = sum.saturating_add(*weight);
            sum <= LARGEST_MESSAGE as u64
        })
        .count();
    fits.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_a_thousand_orders_or_four_mebibytes() {
        assert_eq!(fitting([1, 2, 3]), 3);
        assert_eq!(fitting(std::iter::repeat_n(1, 5_000)), 1_000);
        assert_eq!(fitting([4 << 20, 1]), 1);
        assert_eq!(fitting([2 << 20, 2 << 20, 0, 1]), 3);
        assert_eq!(
            fitting([u64::MAX, 1]),
            1,
            "one that is too large is refused by itself, and does not hold up the rest"
        );
    }
}
