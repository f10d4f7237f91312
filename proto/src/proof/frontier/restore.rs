//! Restoring a frontier from what a store keeps: full tiles and the leaves after the last of them.
//!
//! Work is bounded by the tree's height, not its size: 255 tiles are read for each tile level above the leaves.

use crate::hash::Hash;

use super::{Frontier, Level, TILE_LEVELS, TILE_WIDTH};
use crate::proof::tile;

/// Why a frontier could not be restored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError<E> {
    /// The leaves given are not those after the last full tile.
    #[error("a tree of {size} leaves has {expected} of them after its last full tile, {found} were given")]
    Tail {
        /// Leaves in the tree.
        size: u64,
        /// Leaves that should have been given.
        expected: u64,
        /// Leaves that were.
        found: usize,
    },
    /// A full tile does not have 256 hashes.
    #[error(
        "full tile {number} of level {level} has {found} hashes where 256 were expected: the store is damaged"
    )]
    Tile {
        /// Tile level.
        level: u8,
        /// Number of the tile in its level.
        number: u64,
        /// Hashes found.
        found: usize,
    },
    /// The tile could not be read.
    #[error("full tile {number} of level {level} could not be read")]
    Source {
        /// Tile level.
        level: u8,
        /// Number of the tile in its level.
        number: u64,
        /// What the source said.
        #[source]
        cause: E,
    },
}

impl Frontier {
    /// The edge of a tree of `size` leaves from the hashes of its last `size % 256` leaves and its full tiles.
    ///
    /// `tile(level, number)` gives the 256 hashes of a full tile. The hashes are taken on trust: compare
    /// [`root`](Frontier::root) with a signed checkpoint. The result has settled at `size`.
    ///
    /// # Errors
    /// [`RestoreError`]; nothing is repaired or guessed.
    pub fn restore<E>(
        size: u64,
        tail: Vec<Hash>,
        mut tile: impl FnMut(u8, u64) -> Result<Vec<Hash>, E>,
    ) -> Result<Frontier, RestoreError<E>> {
        let expected = size % TILE_WIDTH;
        if tail.len() as u64 != expected {
            return Err(RestoreError::Tail { size, expected, found: tail.len() });
        }
        let height = u64::BITS - size.leading_zeros();
        let mut levels: Vec<Level> = Vec::with_capacity(height as usize);
        let mut tail = Some(tail);
        for (level, tree_level) in (0u8..).zip((0..height).step_by(TILE_LEVELS as usize)) {
            let count = size >> tree_level;
            let first = count & !(TILE_WIDTH - 1);
            let hashes = match tail.take() {
                Some(leaves) => leaves,
                None => (first..count)
                    .map(|number| Self::tile_root(level - 1, number, &mut tile))
                    .collect::<Result<Vec<_>, _>>()?,
            };
            let at = levels.len();
            levels.push(Level { first, hashes });
            for above in 1..TILE_LEVELS.min(height - tree_level) {
                // The odd node out of this level lies over hashes of the unfinished tile below it.
                let nodes = count >> above;
                let peak = (nodes & 1 == 1).then(|| {
                    let start = (((nodes - 1) << above) - first) as usize;
                    tile::subtree_root(&levels[at].hashes[start..start + (1 << above)])
                });
                levels.push(Level { first: nodes & !1, hashes: peak.into_iter().collect() });
            }
        }
        Ok(Frontier { size, settled: size, levels })
    }

    fn tile_root<E>(
        level: u8,
        number: u64,
        tile: &mut impl FnMut(u8, u64) -> Result<Vec<Hash>, E>,
    ) -> Result<Hash, RestoreError<E>> {
        let hashes = tile(level, number).map_err(|cause| RestoreError::Source { level, number, cause })?;
        if hashes.len() != tile::WIDTH {
            return Err(RestoreError::Tile { level, number, found: hashes.len() });
        }
        Ok(tile::subtree_root(&hashes))
    }
}
