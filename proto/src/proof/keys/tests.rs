//! Keys follow each other, each signs what it signs, and a file of ends leads from any of them to every other one.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use super::*;
use crate::hash::Hash;
use crate::proof::frontier::Frontier;
use crate::proof::leaf::leaf_hash;
use crate::proof::note::Ed25519Signer;
use crate::record::ceremony::Completed;
use crate::record::{Actor, ActorKind, Times};

const ORIGIN: &str = "rehearsal.example.org";

fn signer(seed: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed(ORIGIN, &[seed; 32]).unwrap()
}

fn key(seed: u8) -> Verifier {
    use crate::proof::note::NoteSigner as _;
    signer(seed).verifier().clone()
}

fn record(replaces: Verifier, next: Verifier) -> ControlRecord {
    let completed = Completed {
        ceremony: "a7".repeat(16).parse().unwrap(),
        effect: Effect::LogKey { key: next, replaces },
        manifest: Hash::of(b"manifest"),
        outputs: Hash::of(b"outputs"),
        statement: Hash::of(b"statement"),
    };
    ControlRecord {
        actor: Actor { id: "test".into(), kind: ActorKind::Daemon },
        body: Body::Ceremony(Ceremony::Completed(Box::new(completed))),
        detail: None,
        lifts: vec![],
        operation: "019aa3c0de7f7abc8def0123456789ab".parse().unwrap(),
        previous: Hash::of(b"previous"),
        stops: vec![],
        time: Times::asked("2026-11-21T05:00:00.000000Z".parse().unwrap()),
        touches: vec![],
    }
}

/// A log whose records are the given ones, and the receipt of its last record, signed by these.
fn end(leaves: &[Vec<u8>], by: &[u8]) -> Receipt {
    let mut frontier = Frontier::new();
    for leaf in leaves {
        frontier.push(leaf_hash(leaf));
    }
    let (leaf, before) = leaves.split_last().unwrap();
    let mut path = Frontier::new();
    for leaf in before {
        path.push(leaf_hash(leaf));
    }
    // The siblings of the last leaf are the roots of the perfect trees before it, smallest first.
    let path: Vec<Hash> = path.nodes().into_iter().rev().collect();
    Receipt { leaf: leaf.clone(), index: before.len() as u64, path, checkpoint: checkpoint(&frontier, by) }
}

fn checkpoint(frontier: &Frontier, by: &[u8]) -> String {
    let said =
        Checkpoint { origin: ORIGIN.into(), size: frontier.size(), root: frontier.root(), control: None };
    let signers: Vec<Ed25519Signer> = by.iter().map(|seed| signer(*seed)).collect();
    let signers: Vec<&dyn note::NoteSigner> = signers.iter().map(|s| s as &dyn note::NoteSigner).collect();
    said.sign_with(&signers).unwrap()
}

/// A checkpoint of so many records, of no particular tree.
fn of(size: u64, by: &[u8]) -> String {
    let said = Checkpoint { origin: ORIGIN.into(), size, root: Hash::of(b"root"), control: None };
    let signers: Vec<Ed25519Signer> = by.iter().map(|seed| signer(*seed)).collect();
    let signers: Vec<&dyn note::NoteSigner> = signers.iter().map(|s| s as &dyn note::NoteSigner).collect();
    said.sign_with(&signers).unwrap()
}

fn three() -> LogKeys {
    let mut keys = LogKeys::new(key(1));
    keys.follow(9, &key(1), key(2)).unwrap();
    keys.follow(19, &key(2), key(3)).unwrap();
    keys
}

/// A log of 20 records in which records 9 and 19 end keys, and the two receipts.
fn ends() -> Vec<Receipt> {
    let mut leaves: Vec<Vec<u8>> = (0..20).map(|n| format!("{{\"n\":{n}}}").into_bytes()).collect();
    leaves[9] = crate::canonical::to_vec(&record(key(1), key(2))).unwrap();
    leaves[19] = crate::canonical::to_vec(&record(key(2), key(3))).unwrap();
    vec![end(&leaves[..10], &[1, 2]), end(&leaves, &[2, 3])]
}

#[test]
fn at_each_size_one_key_is_in_force_or_two_at_an_end() {
    // Every history of up to three ends among the first twelve records.
    for first in 1..10 {
        for second in first + 1..11 {
            for third in second + 1..12 {
                let mut keys = LogKeys::new(key(1));
                for (at, index) in (1_u8..).zip([first, second, third]) {
                    keys.follow(index, &key(at), key(at + 1)).unwrap();
                }
                for size in 0..20 {
                    let here: Vec<_> = keys.at(size).cloned().collect();
                    let ends = [first, second, third].map(|index| index + 1);
                    let passed = ends.iter().filter(|end| **end < size).count() as u8;
                    let expected = match ends.contains(&size) {
                        true => vec![key(passed + 1), key(passed + 2)],
                        false => vec![key(passed + 1)],
                    };
                    assert_eq!(here, expected, "{ends:?} {size}");
                }
            }
        }
    }
}

#[test]
fn a_checkpoint_is_believed_by_the_keys_at_its_size_alone() {
    let keys = three();
    let good: &[(u64, &[u8])] =
        &[(1, &[1]), (9, &[1]), (10, &[1, 2]), (10, &[1]), (10, &[2]), (11, &[2]), (20, &[2, 3]), (21, &[3])];
    for (size, by) in good {
        assert_eq!(keys.verify(&of(*size, by)).unwrap().size, *size, "{size} by {by:?}");
    }
    let wrong: &[(u64, &[u8])] = &[(11, &[1]), (9, &[2]), (21, &[2]), (21, &[1, 2]), (1, &[3])];
    for (size, by) in wrong {
        let error = keys.verify(&of(*size, by)).unwrap_err();
        assert!(matches!(error, CheckpointError::OutOfReign { .. }), "{size} by {by:?}: {error}");
    }
    let error = keys.verify(&of(11, &[1])).unwrap_err().to_string();
    assert!(error.contains("signs trees of 0 to 10 records alone"), "{error}");
    let foreign = keys.verify(&of(5, &[9])).unwrap_err();
    assert!(matches!(foreign, CheckpointError::Note(NoteError::Unsigned { .. })), "{foreign}");
    // A wrong signature of a key that should have signed is forged, whoever else has signed.
    let forged = of(10, &[1, 2]).replacen("rehearsal.example.org\n10", "rehearsal.example.org\n20", 1);
    assert!(matches!(keys.verify(&forged), Err(CheckpointError::Note(NoteError::Forged { .. }))));
}

#[test]
fn ends_lead_on_from_keys_that_are_known() {
    let ends = ends();
    let first = LogKeys::new(key(1));
    let second = first.led_on(&ends[..1]).unwrap();
    assert_eq!(second.newest(), &key(2));
    for known in [&first, &second, &three()] {
        assert_eq!(known.led_on(&ends).unwrap(), three());
    }
    assert_eq!(second.led_on(&ends[1..]).unwrap(), three());
    assert_eq!(second.led_on(&[]).unwrap(), second);
    // From nowhere, twice in another place, and to another key than the one that is known.
    let refused = |keys: &LogKeys, ends: &[Receipt]| keys.led_on(ends).unwrap_err();
    assert!(matches!(refused(&first, &ends[1..]), NotFollowed::Succession { number: 1, .. }));
    let mut elsewhere = LogKeys::new(key(1));
    elsewhere.follow(8, &key(1), key(2)).unwrap();
    assert!(matches!(refused(&elsewhere, &ends), NotFollowed::Succession { number: 1, .. }));
    let mut other = LogKeys::new(key(1));
    other.follow(9, &key(1), key(4)).unwrap();
    assert!(matches!(refused(&other, &ends), NotFollowed::Succession { number: 1, .. }));
    // One that a single key has signed.
    let text = note::parse(&ends[0].checkpoint).unwrap().only(&key(2)).to_string();
    let alone = Receipt { checkpoint: text, ..ends[0].clone() };
    assert!(matches!(refused(&first, &[alone]), NotFollowed::Receipt { number: 1, .. }));
}

#[test]
fn no_key_follows_that_is_anothers_or_was_there() {
    let mut keys = three();
    let other = Ed25519Signer::from_seed("other.example.org", &[4; 32]).unwrap();
    let other = note::NoteSigner::verifier(&other).clone();
    let refused = [
        keys.may_follow(&key(2), &key(4)),
        keys.may_follow(&key(3), &other),
        keys.may_follow(&key(3), &key(1)),
        keys.may_follow(&key(3), &key(3)),
        keys.follow(19, &key(3), key(4)),
    ];
    use NoSuccession as No;
    assert!(matches!(
        refused,
        [
            Err(No::Other { .. }),
            Err(No::Origin { .. }),
            Err(No::Spent(_)),
            Err(No::Spent(_)),
            Err(No::Early(19))
        ]
    ));
    assert_eq!(keys, three(), "what is refused changes nothing");
    assert!(!keys.take(25, &record(key(1), key(4))), "a record that ends an ended key has no effect");
    assert!(keys.take(25, &record(key(3), key(4))));
    assert_eq!((keys.newest(), keys.end_of(&key(3))), (&key(4), Some(26)));
}

#[test]
fn ends_lead_from_any_key_to_every_other_one() {
    let text = write_ends(&ends());
    let read = read_ends(&text).unwrap();
    assert_eq!(read, ends());
    for trusted in 1..=3 {
        let keys = LogKeys::of_ends(&key(trusted), &read).unwrap();
        assert_eq!(keys, three());
    }
    // What is left out at the end is not followed, and at the beginning not needed.
    assert_eq!(LogKeys::of_ends(&key(1), &read[..1]).unwrap().count(), 2);
    assert_eq!(LogKeys::of_ends(&key(3), &read[1..]).unwrap().first(), &key(2));
    assert_eq!(LogKeys::of_ends(&key(5), &[]).unwrap(), LogKeys::new(key(5)));
    assert!(read_ends("").unwrap().is_empty());
    for bad in ["x", "x\nc2sp.org/tlog-proof@v1\n", "c2sp.org/tlog-proof@v1\n"] {
        assert!(matches!(read_ends(bad), Err(NotFollowed::Receipt { number: 1, .. })), "{bad}");
    }
}

#[test]
fn ends_that_lead_nowhere_are_refused() {
    let [first, second] = <[Receipt; 2]>::try_from(ends()).unwrap();
    let no = |ends: &[Receipt], trusted: u8| LogKeys::of_ends(&key(trusted), ends).unwrap_err();
    assert!(matches!(no(std::slice::from_ref(&first), 3), NotFollowed::Untrusted(_)));
    assert!(matches!(no(&[second.clone(), first.clone()], 1), NotFollowed::Succession { number: 2, .. }));
    // Signed by one of the two alone: whoever has stolen one key brings no other one.
    for by in [[1], [2]] {
        let mut leaves: Vec<Vec<u8>> = (0..10).map(|n| format!("{{\"n\":{n}}}").into_bytes()).collect();
        leaves[9] = first.leaf.clone();
        assert!(matches!(no(&[end(&leaves, &by)], 1), NotFollowed::Receipt { number: 1, .. }));
    }
    let other = Receipt { leaf: b"{\"kind\":\"sign\"}".to_vec(), ..first.clone() };
    assert!(matches!(no(&[other], 1), NotFollowed::Record { .. }));
    let moved = Receipt { index: 8, ..first.clone() };
    assert!(matches!(no(&[moved], 1), NotFollowed::Receipt { .. }));
    // In a larger tree than the first that holds it.
    let mut leaves: Vec<Vec<u8>> = (0..8).map(|n| format!("{{\"n\":{n}}}").into_bytes()).collect();
    leaves.push(first.leaf.clone());
    let last = end(&leaves, &[1, 2]);
    leaves.push(b"{}".to_vec());
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| {
        frontier.push(leaf_hash(leaf));
    });
    let path = [vec![leaf_hash(b"{}")], last.path.clone()].concat();
    let late = Receipt { path, checkpoint: checkpoint(&frontier, &[1, 2]), ..last };
    assert!(matches!(no(&[late], 1), NotFollowed::Size { expected: 9, found: 10, .. }));
}
