//! The right edge of a growing tree: what a writer keeps in memory to append, to prove and to fill tiles.
//!
//! A batch is: [`push`](Frontier::push) its leaves, take [`full_tiles`](Frontier::full_tiles) and the
//! [`edge`](Frontier::edge) (root and the path of each leaf of the batch, copied and not hashed again), commit, then
//! [`settle`](Frontier::settle), or [`rewind`](Frontier::rewind) when the commit is known not to have happened.
//! Appending costs one node hash a leaf on average; memory between batches is at most 255 hashes for each eight
//! levels of the tree (32 KiB at four thousand million leaves).
//!
//! It does not write anything, and does not know older leaves: their paths come from tiles.

use crate::hash::Hash;

use super::leaf::{empty_root, node_hash};
use super::tile;

mod restore;

pub use restore::RestoreError;

/// Levels of the tree in one tile.
const TILE_LEVELS: u32 = tile::HEIGHT;
/// Hashes in a full tile.
const TILE_WIDTH: u64 = tile::WIDTH as u64;

/// The compact range of a tree's right edge, with the nodes of the batch in hand.
#[derive(Clone)]
pub struct Frontier {
    size: u64,
    /// The size when the batch in hand began.
    settled: u64,
    /// From the leaves up. Level `l` holds the perfect nodes `first .. size >> l`.
    levels: Vec<Level>,
}

/// A run of neighbouring nodes of one level, up to the newest.
#[derive(Clone, Default)]
struct Level {
    first: u64,
    hashes: Vec<Hash>,
}

impl Level {
    fn run(&self, from: u64, len: usize) -> Option<&[Hash]> {
        let start = usize::try_from(from.checked_sub(self.first)?).ok()?;
        self.hashes.get(start..start.checked_add(len)?)
    }

    fn node(&self, index: u64) -> Option<Hash> {
        Some(self.run(index, 1)?[0])
    }

    fn forget_before(&mut self, first: u64) {
        if let Some(gone) = first.checked_sub(self.first) {
            self.hashes.drain(..usize::try_from(gone).unwrap_or(usize::MAX).min(self.hashes.len()));
            self.first = first;
        }
    }
}

/// Why a frontier cannot be made, or cannot give what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// Too many or too few nodes for the size.
    #[error("the edge of a tree of {size} leaves has {expected} nodes, not {found}")]
    Count {
        /// Leaves in the tree.
        size: u64,
        /// Nodes that such a tree's edge has.
        expected: usize,
        /// Nodes that were given.
        found: usize,
    },
    /// The tile began before this frontier knows: it was made with [`Frontier::from_nodes`].
    #[error(
        "the first hashes of tile {number} of level {level} are not known: restore from stored tiles instead"
    )]
    WithoutTail {
        /// Tile level.
        level: u8,
        /// Number of the tile in its level.
        number: u64,
    },
}

/// A tile that filled up in the batch in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FullTile<'a> {
    /// Tile level: its hashes are of tree level `8 * level`.
    pub level: u8,
    /// Number in its level, from 0.
    pub number: u64,
    /// Exactly 256 hashes.
    pub hashes: &'a [Hash],
}

impl FullTile<'_> {
    /// The tile's bytes: 8,192.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        tile::encode_hashes(self.hashes)
    }
}

impl Default for Frontier {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Frontier {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Frontier")
            .field("size", &self.size)
            .field("settled", &self.settled)
            .finish_non_exhaustive()
    }
}

impl Frontier {
    /// The edge of the empty tree.
    #[must_use]
    pub fn new() -> Frontier {
        Frontier { size: 0, settled: 0, levels: Vec::new() }
    }

    /// The edge of a tree of `size` leaves from its perfect subtrees, largest (leftmost) first.
    ///
    /// Such a frontier appends and proves, but cannot give the tiles that were begun before: see
    /// [`FrontierError::WithoutTail`] and [`Frontier::restore`]. The nodes are taken on trust: compare
    /// [`root`](Frontier::root) with one that is known.
    ///
    /// # Errors
    /// [`FrontierError::Count`].
    pub fn from_nodes(size: u64, nodes: Vec<Hash>) -> Result<Frontier, FrontierError> {
        let expected = size.count_ones() as usize;
        if nodes.len() != expected {
            return Err(FrontierError::Count { size, expected, found: nodes.len() });
        }
        let mut nodes = nodes.into_iter().rev();
        let height = u64::BITS - size.leading_zeros();
        let levels = (0..height)
            .map(|level| {
                let count = size >> level;
                let hashes: Vec<Hash> =
                    if count & 1 == 1 { nodes.next().into_iter().collect() } else { Vec::new() };
                Level { first: count - hashes.len() as u64, hashes }
            })
            .collect();
        Ok(Frontier { size, settled: size, levels })
    }

    /// Appends a leaf and says its index.
    pub fn push(&mut self, leaf: Hash) -> u64 {
        let index = self.size;
        let (mut hash, mut place) = (leaf, index);
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Level { first: place, hashes: Vec::new() });
            }
            let hashes = &mut self.levels[level].hashes;
            hashes.push(hash);
            if place & 1 == 0 {
                break;
            }
            // Invariant: the left sibling of a node on the edge is held until its parent is; the test
            // `paths_of_every_batch_lead_to_the_root` walks irregular batches through it.
            hash = node_hash(&hashes[hashes.len() - 2], &hash);
            place >>= 1;
        }
        self.size += 1;
        index
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The size when the batch in hand began.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.settled
    }

    /// Number of hashes in memory (32 bytes each).
    #[must_use]
    pub fn held(&self) -> usize {
        self.levels.iter().map(|level| level.hashes.len()).sum()
    }

    /// The perfect subtrees of the whole tree, largest (leftmost) first: what [`Frontier::from_nodes`] takes.
    #[must_use]
    pub fn nodes(&self) -> Vec<Hash> {
        let peaks = self.levels.iter().enumerate().rev().filter(|(level, _)| self.size >> level & 1 == 1);
        peaks.filter_map(|(_, level)| level.hashes.last().copied()).collect()
    }

    /// The root of the tree: one node hash for each subtree of the edge but the last.
    #[must_use]
    pub fn root(&self) -> Hash {
        let nodes = self.nodes();
        nodes.iter().copied().rev().reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root)
    }

    /// The edge as it is now: the root, and the paths of the batch in hand.
    #[must_use]
    pub fn edge(&self) -> Edge<'_> {
        let peaks = self.nodes();
        let mut folded = peaks.clone();
        for place in (1..folded.len()).rev() {
            folded[place - 1] = node_hash(&peaks[place - 1], &folded[place]);
        }
        Edge { frontier: self, peaks, folded }
    }

    /// The tiles that filled up in the batch in hand, of all levels, lowest level first.
    ///
    /// # Errors
    /// [`FrontierError::WithoutTail`] when one began before a frontier made from bare nodes.
    pub fn full_tiles(&self) -> Result<Vec<FullTile<'_>>, FrontierError> {
        let mut tiles = Vec::new();
        for (level, tree_level) in (0..u64::BITS).step_by(TILE_LEVELS as usize).enumerate() {
            let shift = tree_level + TILE_LEVELS;
            let full = |size: u64| size.checked_shr(shift).unwrap_or(0);
            if full(self.size) == 0 {
                break;
            }
            let level = u8::try_from(level).expect("there are eight tile levels");
            for number in full(self.settled)..full(self.size) {
                let hashes = self.levels[tree_level as usize].run(number * TILE_WIDTH, tile::WIDTH);
                let hashes = hashes.ok_or(FrontierError::WithoutTail { level, number })?;
                tiles.push(FullTile { level, number, hashes });
            }
        }
        Ok(tiles)
    }

    /// Ends the batch: what only its proofs and tiles needed is forgotten.
    pub fn settle(&mut self) {
        self.settled = self.size;
        for (level, held) in (0u32..).zip(&mut self.levels) {
            let count = self.size >> level;
            let first = if level % TILE_LEVELS == 0 { count & !(TILE_WIDTH - 1) } else { count & !1 };
            held.forget_before(first);
        }
    }

    /// Takes the batch in hand back, as if nothing had been pushed since the last [`settle`](Frontier::settle).
    pub fn rewind(&mut self) {
        self.size = self.settled;
        for (level, held) in (0u32..).zip(&mut self.levels) {
            let keep = (self.size >> level).saturating_sub(held.first);
            held.hashes.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
        }
    }
}

/// A frontier's root and paths at one size; made once for a batch.
#[derive(Debug)]
pub struct Edge<'a> {
    frontier: &'a Frontier,
    /// The perfect subtrees, leftmost first.
    peaks: Vec<Hash>,
    /// `folded[i]` is the root over `peaks[i..]`.
    folded: Vec<Hash>,
}

impl Edge<'_> {
    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.folded.first().copied().unwrap_or_else(empty_root)
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.frontier.size
    }

    /// The path of leaf `index` to [`root`](Edge::root), copied and not hashed.
    ///
    /// `None` for leaves outside the batch in hand: their paths come from tiles.
    #[must_use]
    pub fn path(&self, index: u64) -> Option<Vec<Hash>> {
        let Frontier { size, settled, levels } = self.frontier;
        if !(*settled..*size).contains(&index) {
            return None;
        }
        let mut path = Vec::with_capacity(levels.len() + self.peaks.len());
        let (mut place, mut level) = (index, 0);
        while (place ^ 1) < size >> level {
            path.push(levels[level].node(place ^ 1)?);
            place >>= 1;
            level += 1;
        }
        // Here `place` is one of the peaks: beside it lies all to its right as one, above it each peak to its left.
        let peak = (size >> level >> 1).count_ones() as usize;
        path.extend(self.folded.get(peak + 1));
        path.extend(self.peaks[..peak].iter().rev());
        Some(path)
    }
}
