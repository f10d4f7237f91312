//! No byte is free: whatever is changed, dropped, added or wrapped anew makes a transcript invalid; and the verdict is a function of
//! the files and the genesis digest alone (C9).

use std::sync::LazyLock;

use ceremonies::genesis::Mode;
use ceremonies::transcript::{Files, Step, Verdict, name, verify};
use proptest::prelude::*;
use proptest::sample::Index;
use proto::hash::Hash;

use crate::invalid;
use crate::stage::{Stage, armor};

fn whole() -> (Stage, Files) {
    let mut stage = Stage::played(Mode::Rehearsal);
    let files = stage.complete();
    (stage, files)
}

/// Numbers that are the same in every run (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// Whether `cargo xtask test --full` asks for everything.
fn is_full() -> bool {
    std::env::var_os("COUNTERSIGN_FULL").is_some()
}

#[track_caller]
fn refused(files: &Files, genesis: Hash, what: &str) {
    let verdict = verify(files, genesis);
    assert!(matches!(verdict, Verdict::Invalid(_)), "{what}: {verdict}");
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let (stage, files) = whole();
    flipped(&stage, files, 20, 1);
}

/// Where the roster is not the first one: the ceremony that made it is in there, too.
#[test]
fn a_flipped_bit_anywhere_is_noticed_under_a_later_roster() {
    let (stage, files) = super::others::by_the_second_roster();
    flipped(&stage, files, 5, 8);
}

/// The same for guardrails, of which the second made something looser.
#[test]
fn a_flipped_bit_anywhere_is_noticed_under_later_guardrails() {
    let mut stage = super::amended::by_the_third_guardrails();
    let files = stage.rest();
    flipped(&stage, files, 1, 16);
}

/// One bit in `least` bytes of each file. In a full run, one bit in one byte of so many: a byte takes 13 ms in the first transcript
/// and 37 ms in the last, which has 237,162 of them, most of the same kinds.
fn flipped(stage: &Stage, mut files: Files, least: usize, one_of: usize) {
    let genesis = stage.genesis_sha256();
    let lengths: Vec<(String, usize)> =
        files.iter().map(|(path, bytes)| (path.clone(), bytes.len())).collect();
    let mut flip = |path: &str, at: usize, bit: u8| {
        files.get_mut(path).unwrap()[at] ^= 1 << bit;
        refused(&files, genesis, &format!("bit {bit} of byte {at} of {path}"));
        files.get_mut(path).unwrap()[at] ^= 1 << bit;
    };
    let mut numbers = Numbers(0x00c0_ffee);
    if is_full() {
        for (path, length) in &lengths {
            let first = numbers.below(one_of.min(*length));
            let bytes = (first..*length).step_by(one_of);
            bytes.enumerate().for_each(|(count, at)| flip(path, at, u8::try_from(count % 8).unwrap()));
        }
        return;
    }
    // Every file often, whatever its size; the two that no digest in the manifest covers most often.
    for (path, length) in &lengths {
        let often =
            if [name::COMPLETED, name::MANIFEST].contains(&path.as_str()) { 20 * least } else { least };
        for _ in 0..often {
            flip(path, numbers.below(*length), u8::try_from(numbers.below(8)).unwrap());
        }
    }
}

#[test]
fn a_file_that_is_dropped_cut_or_longer_is_noticed() {
    let (stage, files) = whole();
    for path in files.keys() {
        let mut without = files.clone();
        without.remove(path);
        invalid(&stage, &without, Step::Files, path);
        let changes: [fn(&mut Vec<u8>); 3] =
            [|bytes| bytes.push(b'\n'), |bytes| bytes.truncate(bytes.len() - 1), Vec::clear];
        for change in changes {
            let mut other = files.clone();
            change(other.get_mut(path).unwrap());
            refused(&other, stage.genesis_sha256(), path);
        }
    }
}

#[test]
fn a_file_that_is_added_is_noticed() {
    let (stage, files) = whole();
    for path in ["NOTES.txt", "acts/x", "details/8.json", "../x", "documents/", ""] {
        let mut more = files.clone();
        more.insert(path.into(), b"x".to_vec());
        invalid(&stage, &more, Step::Files, "does not belong");
    }
    for path in ["rosters/2/statement.json", "rosters/02/x", "rosters/x"] {
        let mut more = files.clone();
        more.insert(path.into(), b"x".to_vec());
        refused(&more, stage.genesis_sha256(), path);
    }
}

/// Whoever has the log key can make a manifest of other files, and still not of any others.
#[test]
fn a_manifest_that_a_rogue_completes_covers_no_other_file() {
    let played = Stage::played(Mode::Rehearsal);
    let rogue = |change: &dyn Fn(&mut Files)| {
        let mut stage = played.clone();
        let files = stage.complete_with(|files| change(files), |_| {}, |_| {});
        (stage, files)
    };
    let (stage, files) = rogue(&|files| drop(files.insert("NOTES.txt".into(), b"believe me".to_vec())));
    invalid(&stage, &files, Step::Copies, "NOTES.txt");
    let (_, honest) = whole();
    let listed = honest.keys().filter(|path| ![name::COMPLETED, name::MANIFEST].contains(&path.as_str()));
    for (number, path) in listed.enumerate() {
        // One of the two for each file, both in a full run.
        if number % 2 == 0 || is_full() {
            let (stage, files) = rogue(&|files| files.get_mut(path).unwrap().push(b'\n'));
            refused(&files, stage.genesis_sha256(), path);
        }
        if number % 2 == 1 || is_full() {
            let (stage, files) = rogue(&|files| drop(files.remove(path)));
            refused(&files, stage.genesis_sha256(), path);
        }
    }
}

#[test]
fn another_genesis_is_another_instance() {
    let (_, files) = whole();
    let verdict = verify(&files, Hash::of(b"another genesis"));
    let Verdict::Invalid(invalid) = verdict else { panic!("{verdict}") };
    assert_eq!(invalid.step, Step::GenesisDigest);
}

fn wrapped(signature: &str) -> String {
    use base64::Engine;
    let body: String = signature.lines().filter(|line| !line.starts_with('-')).collect();
    armor(&base64::engine::general_purpose::STANDARD.decode(body).unwrap(), 64)
}

#[test]
fn an_act_that_is_wrapped_anew_is_noticed() {
    let path = "acts/000000000002-approve-ada.json.sig";
    let (stage, mut files) = whole();
    let text = wrapped(std::str::from_utf8(&files[path]).unwrap());
    files.insert(path.into(), text.into_bytes());
    invalid(&stage, &files, Step::Hashes, path);
    // In the detail, as only a rogue can put it there.
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.propose();
    let statement = stage.digest();
    let deed = ceremonies::act::Deed::Approve { decision: ceremonies::act::Decision::Accept, statement };
    let (act, signature) = stage.sign("ada", deed, "");
    let other = wrapped(&signature);
    stage.decided_with((act, signature), Some(other), |_| {});
    for who in ["bob", "cyd", "dan"] {
        stage.approve(who);
    }
    let files = stage.rest();
    invalid(&stage, &files, Step::Acts, "is not as `ssh-keygen -Y sign` writes it");
}

#[test]
fn signatures_of_strangers_on_checkpoint_and_receipt_are_bytes_too_many() {
    let line = "\u{2014} example.com/witness wHFS0Rr8SMTbkVEfHcI=\n";
    let (stage, mut files) = whole();
    files.get_mut(name::COMPLETED).unwrap().extend(line.as_bytes());
    invalid(&stage, &files, Step::Completion, "more than the signature of the log key");
    let mut stage = Stage::played(Mode::Rehearsal);
    let files = stage.complete_with(
        |files| files.get_mut(name::CHECKPOINT).unwrap().extend(line.as_bytes()),
        |_| {},
        |_| {},
    );
    invalid(&stage, &files, Step::Checkpoint, "more than the signature of the log key");
}

/// One change of a transcript, by places that every file has.
#[derive(Clone, Debug)]
enum Change {
    /// A byte is any other one.
    Byte(Index, Index, u8),
    /// A byte comes in between.
    Insert(Index, Index, u8),
    /// A byte is gone.
    Remove(Index, Index),
    /// Two files have each other's bytes.
    Exchange(Index, Index),
    /// A file is another one's.
    Copy(Index, Index),
    /// A file is gone.
    Drop(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        6 => (at(), at(), 1..=255u8).prop_map(|(file, byte, xor)| Change::Byte(file, byte, xor)),
        2 => (at(), at(), any::<u8>()).prop_map(|(file, byte, new)| Change::Insert(file, byte, new)),
        2 => (at(), at()).prop_map(|(file, byte)| Change::Remove(file, byte)),
        1 => (at(), at()).prop_map(|(one, other)| Change::Exchange(one, other)),
        1 => (at(), at()).prop_map(|(from, to)| Change::Copy(from, to)),
        1 => at().prop_map(Change::Drop),
    ]
}

fn changed(files: &mut Files, change: &Change) {
    let name = |files: &Files, at: &Index| files.keys().nth(at.index(files.len())).unwrap().clone();
    if files.len() < 2 {
        return;
    }
    match change {
        Change::Byte(file, byte, xor) => {
            let bytes = files.get_mut(&name(files, file)).unwrap();
            if !bytes.is_empty() {
                let at = byte.index(bytes.len());
                bytes[at] ^= xor;
            }
        }
        Change::Insert(file, byte, new) => {
            let bytes = files.get_mut(&name(files, file)).unwrap();
            bytes.insert(byte.index(bytes.len() + 1), *new);
        }
        Change::Remove(file, byte) => {
            let bytes = files.get_mut(&name(files, file)).unwrap();
            if !bytes.is_empty() {
                bytes.remove(byte.index(bytes.len()));
            }
        }
        Change::Exchange(one, other) => {
            let (one, other) = (name(files, one), name(files, other));
            let (first, second) = (files[&one].clone(), files[&other].clone());
            files.insert(one, second);
            files.insert(other, first);
        }
        Change::Copy(from, to) => {
            let (from, to) = (name(files, from), name(files, to));
            files.insert(to, files[&from].clone());
        }
        Change::Drop(file) => drop(files.remove(&name(files, file))),
    }
}

/// Played once: the same ceremony under its first roster, under a second one, and under a third version of the guardrails.
static PLAYED: LazyLock<Vec<(Hash, Files)>> = LazyLock::new(|| {
    let (first, files) = whole();
    let (second, later) = super::others::by_the_second_roster();
    let mut third = super::amended::by_the_third_guardrails();
    let amended = third.rest();
    vec![(first.genesis_sha256(), files), (second.genesis_sha256(), later), (third.genesis_sha256(), amended)]
});

/// The verdict as another thread comes to it, of files that were put together in another order.
fn elsewhere(files: &Files, genesis: Hash) -> String {
    let parts: Vec<(String, Vec<u8>)> = files.clone().into_iter().rev().collect();
    let judge = move || verify(&parts.into_iter().collect(), genesis).to_string();
    std::thread::Builder::new().spawn(judge).unwrap().join().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if is_full() { 10_000 } else { 120 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Invariant C9: whatever becomes of the directory, the verdict is the same each time and everywhere it is asked for, and it is
    /// `VALID` of those files alone, by that genesis alone.
    #[test]
    fn c9_a_verdict_is_a_function_of_the_files_and_the_genesis_and_holds_for_no_others(
        which in any::<Index>(),
        changes in prop::collection::vec(change(), 0..3),
        other_genesis in proptest::option::weighted(0.1, any::<[u8; 32]>()),
    ) {
        let (genesis, honest) = &PLAYED[which.index(PLAYED.len())];
        let mut files = honest.clone();
        changes.iter().for_each(|change| changed(&mut files, change));
        let asked = other_genesis.map_or(*genesis, Hash::from);
        let verdict = verify(&files, asked);
        prop_assert_eq!(verdict.to_string(), elsewhere(&files, asked));
        let is_honest = files == *honest && asked == *genesis;
        prop_assert_eq!(!matches!(verdict, Verdict::Invalid(_)), is_honest, "{}: {:?}", verdict, changes);
    }
}
