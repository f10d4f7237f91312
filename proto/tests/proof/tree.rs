//! The tree: proofs, frontier and tiles agree with `tlog_tiles` and `sigstore-merkle`, and nothing else passes.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proto::hash::Hash;
use proto::proof::frontier::{Frontier, FrontierError, RestoreError};
use proto::proof::span::{self, BuildError, Nodes};
use proto::proof::tile::{self, Place, Tiled, TiledError};
use proto::proof::{ProofError, consistency, inclusion};
use sigstore_merkle::{verify_consistency_proof, verify_inclusion_proof};

use crate::oracle::{Oracle, theirs};

const LARGE: u64 = 70_000;
static TREE: LazyLock<Oracle> = LazyLock::new(|| Oracle::of(LARGE));

/// Their hash type has no public name here; it reads itself from base64.
fn sigstore<T: serde::de::DeserializeOwned>(hash: &Hash) -> T {
    serde_json::from_value(STANDARD.encode(hash.as_bytes()).into()).unwrap()
}

fn sigstore_all<T: serde::de::DeserializeOwned>(hashes: &[Hash]) -> Vec<T> {
    hashes.iter().map(sigstore).collect()
}

fn source(level: u32, index: u64) -> Result<Hash, Infallible> {
    TREE.node(level, index)
}

fn check_inclusion(index: u64, size: u64) {
    let root = TREE.root(size);
    let leaf = TREE.leaves[usize::try_from(index).unwrap()];
    let path = inclusion::path(index, size, &source).unwrap();
    assert_eq!(path, TREE.path(index, size), "leaf {index} of {size}");
    assert_eq!(path.len(), inclusion::length(index, size).unwrap());
    inclusion::verify(&leaf, index, size, &path, &root).unwrap();
    verify_inclusion_proof(&sigstore(&leaf), index, size, &sigstore_all(&path), &sigstore(&root)).unwrap();
    let proof = path.iter().map(theirs).collect();
    tlog_tiles::check_record(&proof, size, theirs(&root), index, theirs(&leaf)).unwrap();
}

fn check_consistency(old: u64, new: u64) {
    let (old_root, new_root) = (TREE.root(old), TREE.root(new));
    let path = consistency::path(old, new, &source).unwrap();
    consistency::verify(old, &old_root, new, &new_root, &path).unwrap();
    if old > 0 {
        assert_eq!(path, TREE.consistency(old, new), "{old} to {new}");
        let path = sigstore_all(&path);
        verify_consistency_proof(old, new, &path, &sigstore(&old_root), &sigstore(&new_root)).unwrap();
    }
}

#[test]
fn proofs_agree_with_independent_implementations() {
    for size in 0..300 {
        assert_eq!(span::root(size, &source).unwrap(), TREE.root(size));
        (0..size).for_each(|index| check_inclusion(index, size));
        (0..=size).for_each(|old| check_consistency(old, size));
    }
}

#[test]
fn positions_outside_the_tree_are_named() {
    let outside = ProofError::OutsideTree { index: 7, size: 7 };
    assert_eq!(inclusion::path(7, 7, &source), Err(BuildError::Position(outside)));
    assert_eq!(inclusion::verify(&Hash::ZERO, 7, 7, &[], &Hash::ZERO), Err(outside));
    let shrunk = ProofError::Shrunk { old: 8, new: 7 };
    assert_eq!(consistency::path(8, 7, &source), Err(BuildError::Position(shrunk)));
    assert_eq!(consistency::verify(8, &Hash::ZERO, 7, &Hash::ZERO, &[]), Err(shrunk));
    // Every tree extends the empty one, but only if that one has the empty root.
    assert!(consistency::verify(0, &Hash::ZERO, 5, &TREE.root(5), &[]).is_err());
    assert!(consistency::verify(0, &TREE.root(0), 0, &Hash::ZERO, &[]).is_err());
    assert!(consistency::verify(5, &TREE.root(5), 5, &TREE.root(6), &[]).is_err());
}

fn any_tree() -> impl Strategy<Value = (u64, u64)> {
    (1..=LARGE).prop_flat_map(|size| (0..size, Just(size)))
}

/// Irregular batches: mostly small, some beyond a tile.
fn batches() -> impl Strategy<Value = Vec<(u64, bool)>> {
    let size = prop_oneof![4 => 0u64..20, 2 => 200u64..300, 1 => 300u64..3000];
    prop::collection::vec((size, prop::bool::weighted(0.8)), 1..24)
}

fn push(frontier: &mut Frontier, count: u64) {
    for _ in 0..count {
        let index = frontier.size();
        assert_eq!(frontier.push(TREE.leaves[usize::try_from(index).unwrap()]), index);
    }
}

fn restored(size: u64, tiles: &BTreeMap<(u8, u64), Vec<Hash>>) -> Frontier {
    let tail = TREE.leaves[usize::try_from(size & !255).unwrap()..usize::try_from(size).unwrap()].to_vec();
    Frontier::restore(size, tail, |level, number| tiles.get(&(level, number)).cloned().ok_or("no such tile"))
        .unwrap()
}

proptest! {
    // Each try hashes thousands of leaves: a failure is shown soon rather than at its smallest.
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn large_trees_agree_too((index, size) in any_tree()) {
        check_inclusion(index, size);
        check_consistency(index, size);
    }

    #[test]
    fn nothing_else_passes((index, size) in any_tree(), at in any::<prop::sample::Index>(), bit in 0usize..256) {
        let flip = |hash: Hash| {
            let mut bytes = *hash.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            Hash::from(bytes)
        };
        let root = TREE.root(size);
        let leaf = TREE.leaves[usize::try_from(index).unwrap()];
        let path = TREE.path(index, size);
        prop_assert!(inclusion::verify(&flip(leaf), index, size, &path, &root).is_err());
        prop_assert!(inclusion::verify(&leaf, index, size, &path, &flip(root)).is_err());
        let longer = inclusion::verify(&leaf, index, size, &[path.clone(), vec![root]].concat(), &root);
        prop_assert_eq!(longer, Err(ProofError::Length { expected: path.len(), found: path.len() + 1 }));
        if let Some(other) = index.checked_sub(1) {
            prop_assert!(inclusion::verify(&leaf, other, size, &path, &root).is_err());
        }
        if !path.is_empty() {
            let mut wrong = path.clone();
            let at = at.index(wrong.len());
            wrong[at] = flip(wrong[at]);
            prop_assert!(inclusion::verify(&leaf, index, size, &wrong, &root).is_err());
            wrong.pop();
            let shorter = inclusion::verify(&leaf, index, size, &wrong, &root);
            prop_assert_eq!(shorter, Err(ProofError::Length { expected: path.len(), found: path.len() - 1 }));
        }
        let (old, old_root) = (index + 1, TREE.root(index + 1));
        let path = consistency::path(old, size, &source).unwrap();
        prop_assert!(consistency::verify(old, &flip(old_root), size, &root, &path).is_err());
        prop_assert!(consistency::verify(old, &old_root, size, &flip(root), &path).is_err());
        prop_assert!(consistency::verify(old, &old_root, size, &root, &[path.clone(), vec![root]].concat()).is_err());
        if !path.is_empty() {
            let mut wrong = path.clone();
            let at = at.index(wrong.len());
            wrong[at] = flip(wrong[at]);
            prop_assert!(consistency::verify(old, &old_root, size, &root, &wrong).is_err());
        }
    }

    #[test]
    fn arbitrary_proofs_never_panic(
        index in any::<u64>(), size in any::<u64>(), path in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let path: Vec<Hash> = path.into_iter().map(Hash::from).collect();
        prop_assert!(inclusion::verify(&Hash::ZERO, index, size, &path, &Hash::ZERO).is_err());
        let outcome = consistency::verify(index, &Hash::ZERO, size, &Hash::ZERO, &path);
        prop_assert!(outcome.is_err() || (index == size && index > 0 && path.is_empty()));
        let length = inclusion::length(index, size);
        prop_assert_eq!(length.is_ok(), index < size);
        if let Ok(length) = length {
            prop_assert_eq!(inclusion::spans(index, size).unwrap().len(), length);
        }
    }

    #[test]
    fn paths_of_every_batch_lead_to_the_root(batches in batches()) {
        let mut frontier = Frontier::new();
        let mut tiles = BTreeMap::new();
        for (count, commits) in batches {
            let before = frontier.size();
            push(&mut frontier, count.min(LARGE - before));
            let size = frontier.size();
            prop_assert_eq!(frontier.root(), TREE.root(size));
            let edge = frontier.edge();
            prop_assert_eq!(edge.root(), TREE.root(size));
            for index in before..size {
                prop_assert_eq!(edge.path(index).unwrap(), TREE.path(index, size));
            }
            prop_assert_eq!(edge.path(size), None);
            prop_assert_eq!(before.checked_sub(1).and_then(|index| edge.path(index)), None);
            let mut expected = Vec::new();
            for level in 0..8u8 {
                let full = |size: u64| (size >> (8 * u32::from(level))) / 256;
                expected.extend((full(before)..full(size)).map(|number| (level, number)));
            }
            let full = frontier.full_tiles().unwrap();
            prop_assert_eq!(full.iter().map(|tile| (tile.level, tile.number)).collect::<Vec<_>>(), expected);
            for tile in &full {
                prop_assert_eq!(tile.hashes, &TREE.tile(tile.level, tile.number, 256)[..]);
                prop_assert_eq!(tile.to_bytes().len(), 8192);
            }
            if commits {
                tiles.extend(full.iter().map(|tile| ((tile.level, tile.number), tile.hashes.to_vec())));
                frontier.settle();
                prop_assert_eq!(frontier.settled(), size);
            } else {
                frontier.rewind();
                prop_assert_eq!(frontier.size(), before);
            }
            prop_assert_eq!(frontier.root(), TREE.root(frontier.size()));
            prop_assert_eq!(restored(frontier.size(), &tiles).nodes(), frontier.nodes());
        }
        // From here the restored one goes on exactly as the one that was never stopped.
        let mut restored = restored(frontier.size(), &tiles);
        for one in [&mut frontier, &mut restored] {
            let count = (LARGE - one.size()).min(600);
            push(one, count);
        }
        prop_assert_eq!(frontier.full_tiles(), restored.full_tiles());
        let (frontier, restored) = (frontier.edge(), restored.edge());
        for index in restored.size().saturating_sub(600)..restored.size() {
            prop_assert_eq!(frontier.path(index), restored.path(index));
        }
    }

    #[test]
    fn a_frontier_of_bare_nodes_proves_but_says_which_tile_it_cannot_give((start, size) in any_tree()) {
        let mut whole = Frontier::new();
        push(&mut whole, start);
        let mut bare = Frontier::from_nodes(start, whole.nodes()).unwrap();
        prop_assert_eq!(bare.root(), TREE.root(start));
        let size = size.min(start + 1000);
        push(&mut bare, size - start);
        let edge = bare.edge();
        prop_assert_eq!(edge.root(), TREE.root(size));
        for index in start..size {
            prop_assert_eq!(edge.path(index).unwrap(), TREE.path(index, size));
        }
        let begun = start % 256 > 1 && size / 256 > start / 256;
        let expected = FrontierError::WithoutTail { level: 0, number: start / 256 };
        if begun {
            prop_assert_eq!(bare.full_tiles(), Err(expected));
        }
    }

    #[test]
    fn proofs_can_be_built_from_tiles((index, size) in any_tree()) {
        let tiles = Tiled::new(size, |level, number, width| Ok::<_, Infallible>(TREE.tile(level, number, width)));
        prop_assert_eq!(inclusion::path(index, size, &tiles).unwrap(), TREE.path(index, size));
        let old = index + 1;
        prop_assert_eq!(consistency::path(old, size, &tiles).unwrap(), TREE.consistency(old, size));
        prop_assert_eq!(span::root(size, &tiles).unwrap(), TREE.root(size));
    }

    #[test]
    fn places_in_tiles_are_those_of_others(level in 0u32..17, index in 0..LARGE) {
        let index = index >> level;
        let place = Place::of(level, index).unwrap();
        let stored = tlog_tiles::stored_hash_index(u8::try_from(level).unwrap(), index);
        let tile = tlog_tiles::Tile::from_index(8, stored);
        prop_assert_eq!((place.level, place.number), (tile.level(), tile.level_index()));
        prop_assert!(place.start + place.len <= tile::WIDTH);
    }
}

#[test]
fn frontiers_are_not_made_of_the_wrong_parts() {
    let count = FrontierError::Count { size: 7, expected: 3, found: 2 };
    assert_eq!(Frontier::from_nodes(7, vec![Hash::ZERO; 2]).unwrap_err(), count);
    let tail = Frontier::restore(300, Vec::new(), |_, _| Ok::<_, &str>(Vec::new())).unwrap_err();
    assert_eq!(tail, RestoreError::Tail { size: 300, expected: 44, found: 0 });
    let short = Frontier::restore(300, vec![Hash::ZERO; 44], |_, _| Ok::<_, &str>(vec![Hash::ZERO; 255]));
    assert_eq!(short.unwrap_err(), RestoreError::Tile { level: 0, number: 0, found: 255 });
    let absent = Frontier::restore(300, vec![Hash::ZERO; 44], |_, _| Err("gone")).unwrap_err();
    assert_eq!(absent, RestoreError::Source { level: 0, number: 0, cause: "gone" });
    let empty = Frontier::restore(0, Vec::new(), |_, _| Err("no tile is asked for")).unwrap();
    assert_eq!((empty.size(), empty.root()), (0, TREE.root(0)));
}

#[test]
fn a_frontier_is_restored_at_every_border_of_tiles() {
    let sizes =
        [1, 255, 256, 257, 511, 512, 65_279, 65_280, 65_535, 65_536, 65_537, 65_791, 65_792, 66_049, 69_999];
    let mut frontier = Frontier::new();
    let mut tiles = BTreeMap::new();
    for size in sizes {
        let count = size - frontier.size();
        push(&mut frontier, count);
        let full = frontier.full_tiles().unwrap();
        tiles.extend(full.iter().map(|tile| ((tile.level, tile.number), tile.hashes.to_vec())));
        frontier.settle();
        let mut restored = restored(size, &tiles);
        assert_eq!((restored.size(), restored.settled(), restored.held()), (size, size, frontier.held()));
        assert_eq!(restored.nodes(), frontier.nodes(), "{size}");
        assert_eq!(restored.root(), TREE.root(size), "{size}");
        // Whatever it lacked would be missed here: the next tile of every level that fills.
        push(&mut restored, LARGE - size);
        for tile in restored.full_tiles().unwrap() {
            assert_eq!(tile.hashes, &TREE.tile(tile.level, tile.number, 256)[..], "{size}");
        }
        assert_eq!(restored.root(), TREE.root(LARGE));
    }
}

#[test]
fn a_settled_frontier_stays_small() {
    let mut frontier = Frontier::new();
    push(&mut frontier, 65_535);
    frontier.settle();
    // 255 hashes on each of the two tile levels, one on each of the fourteen between.
    assert_eq!(frontier.held(), 255 * 2 + 14);
    let copy = frontier.clone();
    push(&mut frontier, 1);
    assert_eq!(frontier.full_tiles().unwrap().len(), 2);
    frontier.rewind();
    assert_eq!(frontier.root(), copy.root());
}

#[test]
fn nodes_that_no_tile_has_are_refused() {
    let tiles = Tiled::new(300, |level, number, width| {
        if level == 0 && number == 1 { Err("unreachable") } else { Ok(TREE.tile(level, number, width)) }
    });
    assert_eq!(tiles.node(8, 1), Err(TiledError::NoSuchNode { size: 300, level: 8, index: 1 }));
    assert_eq!(tiles.node(0, 256), Err(TiledError::Source { level: 0, number: 1, cause: "unreachable" }));
    let short = Tiled::new(300, |_, _, _| Ok::<_, Infallible>(vec![Hash::ZERO; 43]));
    assert_eq!(short.node(0, 256), Err(TiledError::Short { level: 0, number: 1, expected: 44, found: 43 }));
    assert_eq!(Place::of(64, 0), None);
    assert_eq!(Place::of(63, 2), None);
    assert_eq!((tile::width(300, 0, 0), tile::width(300, 0, 1), tile::width(300, 0, 2)), (256, 44, 0));
    assert_eq!(
        (tile::width(300, 1, 0), tile::width(300, 9, 0), tile::width(u64::MAX, 0, u64::MAX)),
        (1, 0, 0)
    );
}
