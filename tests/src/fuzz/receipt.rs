//! Receipts, as text and as message: one text, one reading; nothing that was changed is believed.

use std::sync::LazyLock;

use prost::Message as _;
use proto::proof::keys::{LogKeys, MOST, read_ends, write_ends};
use proto::proof::note::Verifier;
use proto::proof::receipt::Receipt;
use proto::wire::{receipt, v1};

/// Words of receipts.
pub const WORDS: &[&str] =
    &["\n\n", "extra ", "index ", "index 0", "index 00", "c2sp.org/tlog-proof@v1", "=", "\r", "\u{2014} "];

/// The golden receipts, as text and as message.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = super::golden("proto/tests/golden/proof", "receipt");
    let messages: Vec<Vec<u8>> = seeds.iter().map(|text| message(text).encode_to_vec()).collect();
    seeds.extend(messages);
    seeds
}

fn message(text: &[u8]) -> v1::Receipt {
    let Receipt { leaf, index, path, checkpoint } = std::str::from_utf8(text).unwrap().parse().unwrap();
    let hash = proto::proof::leaf::leaf_hash(&leaf);
    receipt::full(index, &hash, leaf.into(), &path, &checkpoint)
}

/// The log key of the golden files, and the leaves that it vouches for.
#[expect(clippy::type_complexity, reason = "a pair that is read in one place")]
static TRUE: LazyLock<(Verifier, Vec<(u64, Vec<u8>)>)> = LazyLock::new(|| {
    let key = super::golden("proto/tests/golden/proof", "log-key").remove(0);
    let key = std::str::from_utf8(&key).unwrap().trim_end().parse().unwrap();
    let golden = super::golden("proto/tests/golden/proof", "receipt");
    let leaves = golden.iter().map(|text| {
        let receipt: Receipt = std::str::from_utf8(text).unwrap().parse().unwrap();
        (receipt.index, receipt.leaf)
    });
    (key, leaves.collect())
});

/// See the module.
pub fn fuzz_one(bytes: &[u8]) -> bool {
    let mut read = false;
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(receipt) = text.parse::<Receipt>()
    {
        assert_eq!(receipt.to_string(), text, "a receipt written again");
        believed(&receipt);
        read = true;
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(ends) = read_ends(text)
        && ends.len() <= MOST
    {
        assert_eq!(write_ends(&ends), text, "a file of ends written again");
        assert!(ends.is_empty() || LogKeys::of_ends(&TRUE.0, &ends).is_err(), "an end that nobody signed");
    }
    if let Ok(wire) = v1::Receipt::decode(bytes)
        && let Ok(parts) = receipt::parts(wire)
    {
        let leaf = parts.leaf.to_vec();
        believed(&Receipt { leaf, index: parts.index, path: parts.path, checkpoint: parts.checkpoint });
        read = true;
    }
    read
}

/// The golden key signed golden checkpoints only, so whatever it makes one believe is a golden leaf at its index.
fn believed(receipt: &Receipt) {
    let (key, leaves) = &*TRUE;
    if let Ok(verified) = receipt.verify(key) {
        let known = |(index, leaf): &(u64, Vec<u8>)| *index == verified.index() && leaf == verified.leaf();
        assert!(leaves.iter().any(known), "a record that nobody signed for: {receipt:?}");
    }
}
