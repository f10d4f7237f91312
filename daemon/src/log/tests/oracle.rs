//! The tiles that are stored, cut and hashed by other people's code (`tlog_tiles`).

use super::support::*;
use crate::log::*;

struct Oracle(Vec<tlog_tiles::Hash>);

impl tlog_tiles::HashReader for Oracle {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

#[tokio::test]
async fn stored_tiles_proofs_and_bundles_are_those_of_another_implementation() {
    let site = Site::new();
    let log = site.open().log;
    // Irregular batches, across the edge of a second-level tile.
    for batch in (1..=66).cycle().take(40) {
        let seals = (0..batch).map(|_| site.software("a", None, 0)).collect();
        for sealed in log.seal(seals).await {
            let Sealed::Released(released) = sealed.unwrap() else { panic!() };
            check(&site, &released);
        }
    }
    let size = log.head().size;
    let mut oracle = Oracle(Vec::new());
    let mut leaves: Vec<Vec<u8>> = Vec::new();
    while (leaves.len() as u64) < size {
        for record in log.records(leaves.len() as u64, size).await.unwrap() {
            let made = tlog_tiles::stored_hashes(record.index, &record.leaf, &oracle).unwrap();
            oracle.0.extend(made);
            leaves.push(record.leaf);
        }
    }
    assert_eq!(tlog_tiles::tree_hash(size, &oracle).unwrap().0, *log.head().root.as_bytes());
    for tile in tlog_tiles::Tile::new_tiles(8, 0, size) {
        let width = u16::try_from(tile.width()).unwrap();
        let ours = log.tile(tile.level(), tile.level_index(), width).await.unwrap();
        assert_eq!(ours, tile.read_data(&oracle).unwrap(), "{}", tile.path());
    }
    for index in [0, 1, 255, 256, size / 2, size - 1] {
        let ours: Vec<_> =
            log.receipt(index, None).await.unwrap().path.iter().map(|hash| *hash.as_bytes()).collect();
        let theirs = tlog_tiles::prove_record(size, index, &oracle).unwrap();
        assert_eq!(ours, theirs.iter().map(|hash| hash.0).collect::<Vec<_>>());
    }
    for old in [1, 255, 256, 700] {
        let ours = log.consistency(old, None).await.unwrap();
        let theirs = tlog_tiles::prove_tree(size, old, &oracle).unwrap();
        assert_eq!(
            ours.path.iter().map(|h| *h.as_bytes()).collect::<Vec<_>>(),
            theirs.iter().map(|h| h.0).collect::<Vec<_>>()
        );
    }
    let bundle = log.bundle(1, 256).await.unwrap();
    let entries = proto::proof::tile::bundle::decode(&bundle, 256).unwrap();
    assert!(entries.iter().zip(&leaves[256..512]).all(|(entry, leaf)| entry == leaf));
    assert!(log.tile(0, size / 256, 256).await.is_err(), "no tile beyond the tree");
    assert!(log.receipt(size, None).await.is_err());
}
