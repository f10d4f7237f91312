//! The text that an anchor off the host keeps: its golden file, one form, and malformed input.

use proptest::prelude::*;
use proto::hash::Hash;
use proto::proof::anchor::{AnchorTextError, Kept, LONGEST};
use proto::proof::checkpoint::Checkpoint;
use proto::proof::note::{self, Ed25519Signer};

fn signer() -> Ed25519Signer {
    Ed25519Signer::from_seed("log.example.org", &[7; 32]).unwrap()
}

fn golden(name: &str) -> String {
    let path = format!("{}/tests/golden/proof/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| format!("{path}: {e}"))
}

#[test]
fn the_golden_file_stays_as_it_is() {
    let kept = Kept { checkpoint: golden("checkpoint.txt"), number: 4711 };
    assert_eq!(kept.to_string(), golden("anchor.txt"));
    assert_eq!(golden("anchor.txt").parse(), Ok(kept));
}

#[test]
fn what_is_not_written_is_not_read() {
    let good = golden("anchor.txt");
    let read = |text: &str| text.parse::<Kept>();
    let line = |text: &str| match read(text) {
        Err(AnchorTextError::Line { line, .. }) => line,
        other => panic!("{text}: {other:?}"),
    };
    for (from, to, at) in [
        ("countersign-anchor/v1", "countersign-anchor/v2", 1),
        ("countersign-anchor/v1\n", "", 1),
        ("countersign-anchor/v1\n", "countersign-anchor/v1\r\n", 1),
        ("number 4711", "number 04711", 2),
        ("number 4711", "number -1", 2),
        ("number 4711", "number 18446744073709551616", 2),
        ("number 4711", "Number 4711", 2),
        ("number 4711\n", "number 4711\nnumber 4711\n", 3),
        ("number 4711\n\n", "number 4711\n", 3),
    ] {
        assert_eq!(line(&good.replacen(from, to, 1)), at, "{to}");
    }
    assert_eq!(line(""), 1);
    assert_eq!(line("countersign-anchor/v1"), 2);
    assert_eq!(line("countersign-anchor/v1\nnumber 1"), 3);
    for cut in [good.len() - 1, good.len() - 20, good.find("\u{2014}").unwrap()] {
        assert!(matches!(read(&good[..cut]), Err(AnchorTextError::Checkpoint(_))), "{cut}");
    }
    // A note that is no checkpoint.
    let note = note::sign("a text\n", &[&signer()]).unwrap().to_string();
    let text = Kept { checkpoint: note, number: 0 }.to_string();
    assert!(matches!(read(&text), Err(AnchorTextError::Checkpoint(_))));
    let long = format!("{good}{}", "x".repeat(LONGEST));
    assert_eq!(read(&long), Err(AnchorTextError::TooLong { found: long.len() }));
}

proptest! {
    /// Whatever was kept is read back, and anything cut from it or put behind it is noticed or another signature.
    #[test]
    fn what_was_kept_is_read_back(size in 1_u64.., root in any::<[u8; 32]>(), number in any::<u64>(), cut in 1_usize..40) {
        let control = Some((size - 1, Hash::of(&root)));
        let checkpoint = Checkpoint { origin: "log.example.org".into(), size, root: Hash::from(root), control };
        let kept = Kept { checkpoint: checkpoint.sign(&signer()).unwrap(), number };
        let text = kept.to_string();
        prop_assert_eq!(kept.position(), (checkpoint.size, number));
        prop_assert_eq!(text.parse::<Kept>(), Ok(kept));
        prop_assert!(text[..text.len() - cut].parse::<Kept>().is_err());
        let longer = text + "\n";
        prop_assert!(longer.parse::<Kept>().is_err());
    }
}
