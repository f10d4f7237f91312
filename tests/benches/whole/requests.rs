//! What the load asks for: a fresh digest each time, with a request id and a full receipt.

use proto::wire::v1;

/// An endless row of requests; every loop has its own.
#[derive(Debug)]
pub struct Requests {
    key: String,
    state: u64,
}

impl Requests {
    /// For this key. Two rows with another `seed` do not meet.
    pub fn of(key: &str, seed: u64) -> Self {
        Self { key: key.to_owned(), state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) }
    }

    /// The next request: 32 bytes that were not asked for before.
    pub fn one(&mut self) -> v1::SignRequest {
        let mut value = Vec::with_capacity(32);
        for _ in 0..4 {
            value.extend_from_slice(&self.random().to_le_bytes());
        }
        v1::SignRequest {
            key: self.key.clone(),
            request_id: client::request_id::fresh().unwrap(),
            encoding: v1::SignatureEncoding::Der.into(),
            receipt: v1::ReceiptDetail::Full.into(),
            input: Some(v1::sign_request::Input::Digest(v1::DigestInput {
                digests: vec![v1::Digest { algorithm: v1::HashAlgorithm::Sha256.into(), value }],
            })),
            ..v1::SignRequest::default()
        }
    }

    /// The next so many.
    pub fn many(&mut self, items: usize) -> v1::SignBatchRequest {
        v1::SignBatchRequest { requests: (0..items).map(|_| self.one()).collect() }
    }

    /// SplitMix64: not secret, only different.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
