//! A whole tree in memory, by the code of others: `tlog_tiles` (a port of Go's sumdb/tlog) makes its hashes.

use proto::hash::Hash;
use proto::proof::leaf::leaf_hash;
use tlog_tiles::HashReader;

pub(crate) struct Oracle {
    /// In the order of `tlog_tiles::stored_hash_index`.
    hashes: Vec<tlog_tiles::Hash>,
    pub(crate) leaves: Vec<Hash>,
}

impl HashReader for Oracle {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.hashes[usize::try_from(*index).unwrap()]).collect())
    }
}

pub(crate) fn record(index: u64) -> Vec<u8> {
    format!("record {index}").into_bytes()
}

pub(crate) fn ours(hash: tlog_tiles::Hash) -> Hash {
    Hash::from(hash.0)
}

pub(crate) fn theirs(hash: &Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(*hash.as_bytes())
}

impl Oracle {
    pub(crate) fn of(size: u64) -> Oracle {
        let mut oracle = Oracle { hashes: Vec::new(), leaves: Vec::new() };
        for index in 0..size {
            let record = record(index);
            let made = tlog_tiles::stored_hashes(index, &record, &oracle).unwrap();
            oracle.hashes.extend(made);
            oracle.leaves.push(leaf_hash(&record));
        }
        oracle
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        ours(tlog_tiles::tree_hash(size, self).unwrap())
    }

    /// Our reading of their hashes.
    pub(crate) fn node(&self, level: u32, index: u64) -> Result<Hash, std::convert::Infallible> {
        let place = tlog_tiles::stored_hash_index(u8::try_from(level).unwrap(), index);
        Ok(ours(self.hashes[usize::try_from(place).unwrap()]))
    }

    pub(crate) fn path(&self, index: u64, size: u64) -> Vec<Hash> {
        tlog_tiles::prove_record(size, index, self).unwrap().into_iter().map(ours).collect()
    }

    pub(crate) fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
        tlog_tiles::prove_tree(new, old, self).unwrap().into_iter().map(ours).collect()
    }

    /// The full or partial tile as they cut it.
    pub(crate) fn tile(&self, level: u8, number: u64, width: u16) -> Vec<Hash> {
        let tile = tlog_tiles::Tile::new(8, level, number, u32::from(width), false);
        let bytes = tile.read_data(self).unwrap();
        proto::proof::tile::decode_hashes(&bytes, usize::from(width)).unwrap()
    }
}
