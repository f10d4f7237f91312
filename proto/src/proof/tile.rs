//! Tiles: how the tree is stored and served (C2SP tlog-tiles).
//!
//! A full tile holds 256 neighbouring hashes of every eighth level of the tree; a partial tile is the left part of
//! one that is not full yet. Entry bundles hold the leaves themselves, cut at the same places.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::hash::Hash;

use super::leaf::node_hash;
use super::span::Nodes;

pub mod bundle;
mod path;

pub use path::{PathError, Resource};

/// Levels of the tree in one tile.
pub const HEIGHT: u32 = 8;
/// Hashes in a full tile.
pub const WIDTH: usize = 1 << HEIGHT;

const HASH: usize = 32;

/// The bytes of a tile: its hashes, one after the other.
#[must_use]
pub fn encode_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(Hash::as_bytes).copied().collect()
}

/// Why bytes are not the tile that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tile of {expected} hashes has {} bytes, not {found}", expected * HASH)]
pub struct TileError {
    /// Hashes that were expected.
    pub expected: usize,
    /// Bytes that were found.
    pub found: usize,
}

/// The hashes of a tile of `width` hashes.
///
/// # Errors
/// [`TileError`] when the length is any other.
pub fn decode_hashes(bytes: &[u8], width: usize) -> Result<Vec<Hash>, TileError> {
    let (hashes, rest) = bytes.as_chunks::<HASH>();
    if hashes.len() != width || !rest.is_empty() {
        return Err(TileError { expected: width, found: bytes.len() });
    }
    Ok(hashes.iter().copied().map(Hash::from).collect())
}

/// How many hashes tile `number` of `level` has in a tree of `size` leaves: 256 when full, 0 when there is none.
#[must_use]
pub fn width(size: u64, level: u8, number: u64) -> u16 {
    let nodes = size.checked_shr(HEIGHT * u32::from(level)).unwrap_or(0);
    let first = number.saturating_mul(WIDTH as u64);
    u16::try_from(nodes.saturating_sub(first).min(WIDTH as u64)).unwrap_or(0)
}

/// The root over neighbouring hashes, whose number is a power of two.
///
/// Other numbers of hashes have no single root; the last odd one of each level is then carried up as it is.
#[must_use]
pub fn subtree_root(hashes: &[Hash]) -> Hash {
    let pair = |pair: &[Hash]| match pair {
        [left, right] => node_hash(left, right),
        rest => rest.first().copied().unwrap_or_else(super::leaf::empty_root),
    };
    let mut level: Vec<Hash> = hashes.chunks(2).map(pair).collect();
    while level.len() > 1 {
        level = level.chunks(2).map(pair).collect();
    }
    pair(&level)
}

/// Where a node of the tree lies in the tiles: it is the root over `len` hashes of a tile, from `start` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Tile level.
    pub level: u8,
    /// Number of the tile in its level.
    pub number: u64,
    /// First hash, 0 to 255.
    pub start: usize,
    /// Number of hashes, a power of two from 1 to 128.
    pub len: usize,
}

impl Place {
    /// The place of the node at tree level `level` (0 to 63) and `index`; `None` where no tree of 2^64 leaves has one.
    #[must_use]
    pub fn of(level: u32, index: u64) -> Option<Place> {
        let above = level % HEIGHT;
        if level >= u64::BITS || index > u64::MAX >> level {
            return None;
        }
        let first = index << above;
        Some(Place {
            level: u8::try_from(level / HEIGHT).ok()?,
            number: first >> HEIGHT,
            start: usize::try_from(first % WIDTH as u64).ok()?,
            len: 1 << above,
        })
    }
}

/// Nodes of a tree of `size` leaves out of its tiles, full and partial; each tile is read once.
///
/// The tiles are taken on trust: a proof built from them must be verified against a signed root.
pub struct Tiled<F> {
    size: u64,
    read: F,
    held: RefCell<BTreeMap<(u8, u64), Vec<Hash>>>,
}

/// Why a node could not be had from tiles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TiledError<E> {
    /// The node is not complete in a tree of this size.
    #[error("a tree of {size} leaves has no complete node {index} on level {level}")]
    NoSuchNode {
        /// Leaves in the tree.
        size: u64,
        /// Level of the node.
        level: u32,
        /// Index of the node in its level.
        index: u64,
    },
    /// A tile was too short.
    #[error("tile {number} of level {level} has {found} hashes where {expected} were expected")]
    Short {
        /// Tile level.
        level: u8,
        /// Number of the tile in its level.
        number: u64,
        /// Hashes that a tile of a tree of this size has.
        expected: u16,
        /// Hashes found.
        found: usize,
    },
    /// The tile could not be read.
    #[error("tile {number} of level {level} could not be read")]
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

impl<F, E> Tiled<F>
where
    F: Fn(u8, u64, u16) -> Result<Vec<Hash>, E>,
{
    /// A tree of `size` leaves whose tiles `read(level, number, width)` gives; more hashes than `width` are let be.
    pub fn new(size: u64, read: F) -> Tiled<F> {
        Tiled { size, read, held: RefCell::default() }
    }

    fn tile_read(&self, level: u8, number: u64) -> Result<Vec<Hash>, TiledError<E>> {
        let expected = width(self.size, level, number);
        let hashes = (self.read)(level, number, expected).map_err(|cause| TiledError::Source {
            level,
            number,
            cause,
        })?;
        if hashes.len() < usize::from(expected) {
            return Err(TiledError::Short { level, number, expected, found: hashes.len() });
        }
        Ok(hashes)
    }
}

impl<F, E> Nodes for Tiled<F>
where
    F: Fn(u8, u64, u16) -> Result<Vec<Hash>, E>,
{
    type Error = TiledError<E>;

    fn node(&self, level: u32, index: u64) -> Result<Hash, TiledError<E>> {
        let missing = || TiledError::NoSuchNode { size: self.size, level, index };
        let place = Place::of(level, index).ok_or_else(missing)?;
        if place.start + place.len > usize::from(width(self.size, place.level, place.number)) {
            return Err(missing());
        }
        let key = (place.level, place.number);
        if !self.held.borrow().contains_key(&key) {
            let hashes = self.tile_read(place.level, place.number)?;
            self.held.borrow_mut().insert(key, hashes);
        }
        let held = self.held.borrow();
        let hashes = held.get(&key).and_then(|hashes| hashes.get(place.start..place.start + place.len));
        Ok(subtree_root(hashes.ok_or_else(missing)?))
    }
}
