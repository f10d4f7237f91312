//! Signed notes, checkpoints and their keys: one text, one reading; the text of what was read is what was read.

use proto::proof::checkpoint::Checkpoint;
use proto::proof::note::{self, SIGNATURES_LIMIT, Verifier};

/// Words of notes.
pub const WORDS: &[&str] = &[
    "\n\n",
    "\u{2014} ",
    "\u{2014} log.example.org ",
    "control ",
    "control 0 ",
    "+",
    "=",
    "==",
    "\r\n",
    "\u{2028}",
    "00",
    "18446744073709551616",
];

/// The golden files: notes, checkpoints and a key; and the body of a checkpoint alone.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = super::golden("proto/tests/golden/proof", "note");
    seeds.extend(super::golden("proto/tests/golden/proof", "checkpoint"));
    seeds.extend(super::golden("proto/tests/golden/proof", "log-key").iter().map(|key| key.trim_ascii_end().to_vec()));
    let bodies: Vec<Vec<u8>> = super::golden("proto/tests/golden/proof", "checkpoint")
        .iter()
        .map(|seed| note::parse(std::str::from_utf8(seed).unwrap()).unwrap().text().as_bytes().to_vec())
        .collect();
    seeds.extend(bodies);
    seeds
}

/// See the module.
pub fn fuzz_one(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut read = false;
    if let Ok(note) = note::parse(text) {
        assert_eq!(note.to_string(), text, "a note written again");
        assert!((1..=SIGNATURES_LIMIT).contains(&note.signatures().len()));
        assert!(note.signatures().iter().all(|line| note::is_name(&line.name)));
        read = true;
        checkpoint(note.text());
    }
    if let Ok(key) = text.parse::<Verifier>() {
        assert_eq!(key.to_string(), text, "a key written again");
        assert_eq!(Verifier::new(key.name(), *key.public_key()).as_ref(), Ok(&key));
        read = true;
    }
    read | checkpoint(text)
}

fn checkpoint(text: &str) -> bool {
    let Ok(checkpoint) = Checkpoint::parse(text) else { return false };
    let body = checkpoint.body();
    assert_eq!(Checkpoint::parse(&body).as_ref(), Ok(&checkpoint), "read again");
    // Extension lines of others are let be when reading and never written; all else has one form.
    let ours = |(at, line): &(usize, &str)| *at < 3 || line.starts_with("control ");
    let lines: String = text.lines().enumerate().filter(ours).map(|(_, line)| format!("{line}\n")).collect();
    assert_eq!(body, lines, "a checkpoint written again");
    assert!(checkpoint.control.is_none_or(|(index, _)| index < checkpoint.size));
    true
}
