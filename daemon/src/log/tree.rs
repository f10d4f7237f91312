//! Nodes of the tree out of the store: full tiles as they are stored, partial ones from what is below them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use proto::hash::Hash;
use proto::proof::leaf::leaf_hash;
use proto::proof::tile::{self, Tiled};
use proto::proof::{consistency, inclusion, span};

use super::error::LogError;
use crate::store::{StoreError, View};

/// Bytes of leaves that are read at once: a page of up to 256 records.
const PAGE: usize = 4 << 20;

/// The newest tile of each level, as far as it is known. Hashes of a tile never change, so a longer one replaces it.
#[derive(Debug, Default)]
pub(super) struct EdgeTiles(Mutex<HashMap<u8, (u64, Vec<Hash>)>>);

impl EdgeTiles {
    fn known(&self, level: u8, number: u64) -> Vec<Hash> {
        let tiles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tiles
            .get(&level)
            .filter(|(known, _)| *known == number)
            .map(|(_, hashes)| hashes.clone())
            .unwrap_or_default()
    }

    fn keep(&self, level: u8, number: u64, hashes: &[Hash]) {
        let mut tiles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, kept) = tiles.entry(level).or_default();
        if (*known, kept.len()) < (number, hashes.len()) || kept.is_empty() {
            (*known, *kept) = (number, hashes.to_vec());
        }
    }
}

/// The tree of the first `size` leaves, read from the store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tree<'a> {
    view: View<'a>,
    size: u64,
    edge: &'a EdgeTiles,
}

impl<'a> Tree<'a> {
    pub(super) fn of(view: View<'a>, size: u64, edge: &'a EdgeTiles) -> Self {
        Self { view, size, edge }
    }

    /// The first `width` hashes of a tile.
    pub(super) fn hashes(&self, level: u8, number: u64, width: u16) -> Result<Vec<Hash>, StoreError> {
        let full = self.size.checked_shr(u32::from(level + 1) * tile::HEIGHT).unwrap_or(0);
        if number < full {
            let bytes = self.view.tile(level, number)?.ok_or(StoreError::Shape("a full tile is missing"))?;
            return tile::decode_hashes(&bytes, tile::WIDTH)
                .map_err(|_short| StoreError::Shape("a full tile does not have 256 hashes"));
        }
        let mut hashes = self.edge.known(level, number);
        let first = number * tile::WIDTH as u64;
        let end = first + u64::from(width);
        if level == 0 {
            while first + (hashes.len() as u64) < end {
                let records = self.view.records(first + hashes.len() as u64, end, PAGE)?;
                if records.is_empty() {
                    return Err(StoreError::Shape("a record is missing"));
                }
                hashes.extend(records.iter().map(|record| leaf_hash(&record.leaf)));
            }
        } else {
            for below in first + hashes.len() as u64..end {
                hashes.push(tile::subtree_root(&self.hashes(level - 1, below, tile::WIDTH as u16)?));
            }
        }
        self.edge.keep(level, number, &hashes);
        hashes.truncate(usize::from(width));
        Ok(hashes)
    }

    pub(super) fn nodes(&self) -> Tiled<impl Fn(u8, u64, u16) -> Result<Vec<Hash>, StoreError> + '_> {
        Tiled::new(self.size, |level, number, width| self.hashes(level, number, width))
    }

    /// The root of the first `size` leaves, at most the tree's own.
    pub(super) fn root(&self, size: u64) -> Result<Hash, LogError> {
        span::root(size, &self.nodes()).map_err(LogError::unavailable)
    }

    /// The path of a leaf.
    pub(super) fn inclusion(&self, index: u64) -> Result<Vec<Hash>, LogError> {
        inclusion::path(index, self.size, &self.nodes()).map_err(|e| match e {
            span::BuildError::Position(outside) => LogError::Absent { what: outside.to_string() },
            source @ span::BuildError::Source(_) => LogError::unavailable(detailed(&source)),
        })
    }

    /// The proof that this tree extends the one of the first `old` leaves.
    pub(super) fn consistency(&self, old: u64) -> Result<Vec<Hash>, LogError> {
        consistency::path(old, self.size, &self.nodes()).map_err(|e| match e {
            span::BuildError::Position(outside) => LogError::Absent { what: outside.to_string() },
            source @ span::BuildError::Source(_) => LogError::unavailable(detailed(&source)),
        })
    }
}

/// An error with its causes on one line.
pub(super) fn detailed(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}
