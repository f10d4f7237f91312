//! What an anchor off the host gives back: one text, one reading; nothing longer than is written.

use proto::proof::anchor::{Kept, LONGEST};
use proto::proof::checkpoint::Checkpoint;
use proto::proof::note;

/// Words of anchors.
pub const WORDS: &[&str] = &[
    "countersign-anchor/v1\n",
    "countersign-anchor/v2\n",
    "number 0\n",
    "number 00\n",
    "number 18446744073709551616\n",
    "number ",
    "\n\n",
    "\u{2014} log.example.org ",
    "\r\n",
    "<html>",
];

/// The golden file, and one of a log without records.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = super::golden("proto/tests/golden/proof", "anchor");
    for checkpoint in super::golden("proto/tests/golden/proof", "checkpoint") {
        let checkpoint = String::from_utf8(checkpoint).unwrap();
        seeds.push(Kept { checkpoint, number: u64::MAX }.to_string().into_bytes());
    }
    seeds
}

/// See the module.
pub fn fuzz_one(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(kept) = text.parse::<Kept>() else { return false };
    assert_eq!(kept.to_string(), text, "an anchor written again");
    assert!(text.len() <= LONGEST);
    let note = note::parse(&kept.checkpoint).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert!(Checkpoint::parse(note.text()).is_ok(), "{text}");
    true
}
