//! Leaf and node hashes of the log's tree (RFC 6962, section 2.1).
//!
//! The two prefixes keep a leaf from passing for a node. There is one hash function, SHA-256, and no option.

use crate::hash::Hash;

const LEAF: u8 = 0x00;
const NODE: u8 = 0x01;

/// The hash of a leaf: `SHA-256(0x00 ‖ record)`.
#[must_use]
pub fn leaf_hash(record: &[u8]) -> Hash {
    Hash::of_parts(&[&[LEAF], record])
}

/// The hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)`.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    // One piece, because this is most of what appending costs.
    let mut bytes = [NODE; 65];
    bytes[1..33].copy_from_slice(left.as_bytes());
    bytes[33..].copy_from_slice(right.as_bytes());
    Hash::of(&bytes)
}

/// The root of the empty tree: `SHA-256("")`.
#[must_use]
pub fn empty_root() -> Hash {
    Hash::of(b"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_published_values() {
        assert_eq!(
            leaf_hash(b"").to_string(),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        let [a, b, c] = [b"a", b"b", b"c"].map(|record| leaf_hash(record));
        assert_eq!(
            node_hash(&node_hash(&a, &b), &c).to_string(),
            "36642e73c2540ab121e3a6bf9545b0a24982cd830eb13d3cd19de3ce6c021ec1"
        );
        assert_eq!(
            empty_root().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
