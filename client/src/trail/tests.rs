//! Growth is followed; rollbacks and forks are alarms.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use proto::proof::frontier::Frontier;
use proto::proof::leaf::leaf_hash;
use proto::proof::note::{Ed25519Signer, NoteSigner};
use proto::proof::span::Nodes;

use super::*;

const ORIGIN: &str = "rehearsal.example.org";

/// A log in memory: its leaf hashes, from which every node is made.
struct Grove(Vec<Hash>);

impl Grove {
    fn of(seed: &str, size: usize) -> Self {
        Self((0..size).map(|number| leaf_hash(format!("{seed} {number}").as_bytes())).collect())
    }

    fn seen(&self, size: usize) -> Seen {
        let mut frontier = Frontier::new();
        for leaf in &self.0[..size] {
            frontier.push(*leaf);
        }
        let checkpoint =
            Checkpoint { origin: ORIGIN.to_owned(), size: size as u64, root: frontier.root(), control: None };
        Seen { text: checkpoint.sign(&signer()).unwrap(), checkpoint }
    }

    fn proof(&self, old: u64, new: u64) -> Vec<Hash> {
        consistency::path(old, new, self).unwrap()
    }
}

impl Nodes for Grove {
    type Error = std::convert::Infallible;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error> {
        let width = 1_usize << level;
        let start = usize::try_from(index).unwrap() * width;
        let mut frontier = Frontier::new();
        for leaf in &self.0[start..start + width] {
            frontier.push(*leaf);
        }
        Ok(frontier.root())
    }
}

fn signer() -> Ed25519Signer {
    Ed25519Signer::from_seed(ORIGIN, &[1; 32]).unwrap()
}

fn key() -> Verifier {
    signer().verifier().clone()
}

fn begin(directory: &tempfile::TempDir) -> Trail {
    Trail::begin(key(), Memory::at(&directory.path().join("state"))).unwrap()
}

fn settle(trail: &mut Trail, log: &Grove, size: usize) -> Result<(), TrailError> {
    let shown = log.seen(size);
    let path = match trail.wants(&shown)? {
        Wanted::Nothing => Vec::new(),
        Wanted::Proof { old, new } => log.proof(old, new),
    };
    trail.settle(&shown, &path)
}

#[test]
fn a_log_that_grows_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let log = Grove::of("log", 40);
    let mut trail = begin(&directory);
    assert!(trail.newest().is_none());
    for size in [5, 5, 8, 3, 21, 40, 20] {
        settle(&mut trail, &log, size).unwrap();
    }
    assert_eq!(trail.newest().unwrap().checkpoint.size, 40);
    assert_eq!(trail.wants(&log.seen(21)).unwrap(), Wanted::Nothing, "proven before");
    // The next run goes on from there.
    let trail = begin(&directory);
    assert_eq!(trail.newest().unwrap(), &log.seen(40));
    assert_eq!(trail.wants(&log.seen(21)).unwrap(), Wanted::Proof { old: 21, new: 40 });
}

#[test]
fn rollbacks_and_forks_are_alarms() {
    let directory = tempfile::tempdir().unwrap();
    let (log, fork) = (Grove::of("log", 40), Grove::of("fork", 60));
    let mut trail = begin(&directory);
    settle(&mut trail, &log, 30).unwrap();
    for (size, what) in [(30, "another root for the same size"), (50, "a larger fork"), (7, "a smaller fork")]
    {
        let error = settle(&mut trail, &fork, size).unwrap_err();
        assert!(matches!(error, TrailError::Contradiction(_)), "{what}: {error}");
        assert_eq!(trail.newest().unwrap(), &log.seen(30), "{what} is not remembered");
    }
    // Nor is a proof of the right log with one flipped bit.
    let shown = log.seen(40);
    let mut path = log.proof(30, 40);
    let mut bytes = *path[0].as_bytes();
    bytes[31] ^= 1;
    path[0] = Hash::from(bytes);
    assert!(matches!(trail.settle(&shown, &path), Err(TrailError::Contradiction(_))));
    assert!(matches!(trail.settle(&shown, &[]), Err(TrailError::Contradiction(_))));
    let TrailError::Contradiction(alarm) = settle(&mut trail, &fork, 50).unwrap_err() else {
        panic!("no alarm")
    };
    let evidence = alarm.evidence.unwrap();
    assert_eq!(std::fs::read_to_string(evidence).unwrap(), fork.seen(50).text);
    assert_eq!(begin(&directory).newest().unwrap(), &log.seen(30));
}

#[test]
fn the_memory_is_private_and_never_goes_back() {
    let directory = tempfile::tempdir().unwrap();
    let log = Grove::of("log", 40);
    let memory = Memory::at(&directory.path().join("state"));
    let mut slow = begin(&directory);
    settle(&mut slow, &log, 10).unwrap();
    // Another command sees more while this one is still at 10.
    let mut fast = begin(&directory);
    settle(&mut fast, &log, 30).unwrap();
    settle(&mut slow, &log, 20).unwrap();
    assert_eq!(memory.recall(&key()).unwrap().unwrap(), log.seen(30));
    // And one that saw a fork of the size that is kept by now is told.
    let mut late = Trail { newest: Some(log.seen(10)), ..begin(&directory) };
    let error = late.settle(&Grove::of("log", 40).seen(30), &log.proof(10, 30));
    assert!(error.is_ok(), "the same checkpoint is no contradiction: {error:?}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&memory.file(&key())), 0o600);
        assert_eq!(mode(&directory.path().join("state")), 0o700);
    }
}

#[test]
fn a_memory_that_somebody_changed_is_not_believed() {
    let directory = tempfile::tempdir().unwrap();
    let log = Grove::of("log", 4);
    settle(&mut begin(&directory), &log, 4).unwrap();
    let memory = Memory::at(&directory.path().join("state"));
    let file = memory.file(&key());
    let text = std::fs::read_to_string(&file).unwrap().replacen("\n4\n", "\n3\n", 1);
    std::fs::write(&file, text).unwrap();
    assert!(matches!(Trail::begin(key(), memory), Err(TrailError::Memory(MemoryError::Damaged { .. }))));
}

#[test]
fn what_an_ended_key_signed_beyond_its_end_is_an_alarm_also_where_it_was_believed() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = crate::fixture::Log::new();
    for number in 0..4_u8 {
        log.push_control(proto::record::Body::Anchor { place: number.to_string() }, Vec::new());
    }
    let memory = || Memory::at(&directory.path().join("state"));
    let mut trail = Trail::begin(log.key(), memory()).unwrap();
    // Signed by the trusted key, and believed: nobody knew yet that it would end before.
    let beyond = Checkpoint { origin: ORIGIN.to_owned(), size: 9, root: Hash::of(b"fork"), control: None };
    let text = beyond.sign(&log.signer).unwrap();
    trail.settle(&Seen { text, checkpoint: beyond }, &[]).unwrap();
    log.rekey(2);
    let followed = Followed::of(trail.key(), log.ends.clone()).unwrap();
    let error = trail.follow(followed.clone()).unwrap_err();
    let TrailError::Contradiction(alarm) = error else { panic!("no alarm: {error}") };
    assert!(matches!(alarm.cause, Cause::Ended(_)), "{}", alarm.cause);
    assert_eq!(memory().followed(&log.signer_of(1)).unwrap().ends, [], "nothing is remembered");
    // Whoever followed the log elsewhere before is told.
    let other = tempfile::tempdir().unwrap();
    let memory = || Memory::at(&other.path().join("state"));
    let mut elsewhere = crate::fixture::Log::new();
    elsewhere.rekey(3);
    let mut trail = Trail::begin(log.signer_of(1), memory()).unwrap();
    trail.follow(Followed::of(trail.key(), elsewhere.ends.clone()).unwrap()).unwrap();
    // Or whoever hides an end that was seen.
    for other in [followed, Followed::none(&log.signer_of(1))] {
        let error = trail.follow(other).unwrap_err();
        assert!(matches!(error, TrailError::Memory(MemoryError::OtherKeys { .. })), "{error}");
        assert_eq!(trail.followed().ends, elsewhere.ends);
    }
    assert_eq!(memory().followed(&log.signer_of(1)).unwrap().ends, elsewhere.ends);
    std::fs::write(memory().file(&log.signer_of(1)).with_extension("keys"), "x").unwrap();
    assert!(matches!(
        Trail::begin(log.signer_of(1), memory()),
        Err(TrailError::Memory(MemoryError::Keys { .. }))
    ));
}
