//! Receipts on the wire.

use prost::bytes::Bytes;

use super::v1;
use super::value;
use crate::hash::Hash;
use crate::refusal::Refusal;

/// The longest path of a tree with 64-bit indices.
const LONGEST_PATH: usize = 64;

/// What a receipt is made of: the leaf, its place, the path and the checkpoint that it leads to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parts {
    /// Index of the leaf.
    pub index: u64,
    /// RFC 6962 leaf hash.
    pub leaf_hash: Hash,
    /// Exact stored bytes of the record.
    pub leaf: Bytes,
    /// Deepest sibling first.
    pub path: Vec<Hash>,
    /// The text of a signed note.
    pub checkpoint: String,
}

/// A receipt with nothing but index and leaf hash.
pub fn index_only(index: u64, leaf_hash: &Hash) -> v1::Receipt {
    v1::Receipt {
        log_index: index,
        leaf_hash: Bytes::copy_from_slice(leaf_hash.as_bytes()),
        ..v1::Receipt::default()
    }
}

/// A receipt with everything that offline verification needs. The hashes share one allocation.
pub fn full(index: u64, leaf_hash: &Hash, leaf: Bytes, path: &[Hash], checkpoint: &str) -> v1::Receipt {
    let mut bytes = Vec::with_capacity(32 * (path.len() + 1));
    bytes.extend_from_slice(leaf_hash.as_bytes());
    for hash in path {
        bytes.extend_from_slice(hash.as_bytes());
    }
    let bytes = Bytes::from(bytes);
    v1::Receipt {
        log_index: index,
        leaf_hash: bytes.slice(..32),
        record: leaf,
        inclusion_path: (1..=path.len()).map(|n| bytes.slice(32 * n..32 * (n + 1))).collect(),
        checkpoint: checkpoint.to_owned(),
    }
}

/// The hashes of a path as they go over the wire.
pub fn path(path: &[Hash]) -> Vec<Vec<u8>> {
    path.iter().map(|hash| hash.as_bytes().to_vec()).collect()
}

/// The hashes of a path that came over the wire.
///
/// # Errors
/// `MALFORMED_REQUEST` for a hash that has not 32 bytes or a path longer than any tree is deep.
pub fn path_of<B: AsRef<[u8]>>(field: &str, wire: &[B]) -> Result<Vec<Hash>, Refusal> {
    // A consistency path is at most twice as long as an inclusion path.
    if wire.len() > 2 * LONGEST_PATH {
        return Err(value::malformed(field, format!("a path of {} hashes is longer than any", wire.len())));
    }
    wire.iter().map(|hash| value::hash(field, hash.as_ref())).collect()
}

/// The parts of a full receipt.
///
/// # Errors
/// `MALFORMED_REQUEST` that names the field, also for a receipt that was asked for without its parts.
pub fn parts(wire: v1::Receipt) -> Result<Parts, Refusal> {
    if wire.record.is_empty() || wire.checkpoint.is_empty() {
        return Err(value::malformed("receipt", "expected a full receipt, with record and checkpoint"));
    }
    Ok(Parts {
        index: wire.log_index,
        leaf_hash: value::hash("receipt.leaf_hash", &wire.leaf_hash)?,
        path: path_of("receipt.inclusion_path", &wire.inclusion_path)?,
        leaf: wire.record,
        checkpoint: wire.checkpoint,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn a_full_receipt_reads_back_and_a_bare_one_is_refused() {
        let path: Vec<Hash> = (0..5).map(|n| Hash::of(&[n])).collect();
        let leaf = Bytes::from_static(b"{}");
        let wire = full(7, &Hash::of(b"leaf"), leaf.clone(), &path, "note");
        let read = parts(wire).unwrap();
        let expected =
            Parts { index: 7, leaf_hash: Hash::of(b"leaf"), leaf, path, checkpoint: "note".to_owned() };
        assert_eq!(read, expected);
        assert!(parts(index_only(7, &Hash::of(b"leaf"))).unwrap_err().message.contains("full receipt"));
    }

    #[test]
    fn a_path_of_wrong_hashes_or_endless_length_is_refused() {
        assert!(path_of("path", &[vec![0u8; 31]]).is_err());
        assert!(path_of("path", &vec![vec![0u8; 32]; 129]).is_err());
        assert_eq!(path_of("path", &vec![vec![0u8; 32]; 128]).unwrap().len(), 128);
    }
}
