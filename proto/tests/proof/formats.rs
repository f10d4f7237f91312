//! Notes, checkpoints, tiles and receipts: golden files, `signed_note` and `tlog_tiles` both ways, malformed input.

use proptest::prelude::*;
use proto::hash::Hash;
use proto::proof::checkpoint::{Checkpoint, CheckpointError};
use proto::proof::leaf::{empty_root, leaf_hash};
use proto::proof::note::{
    self, Ed25519Signer, KeyTextError, NoteError, NoteSigner, SeedError, SignFailure, SignedNote, Verifier,
};
use proto::proof::receipt::{Receipt, ReceiptError};
use proto::proof::tile::{self, Resource, bundle};
use proto::proof::{ProofError, inclusion};

use crate::oracle::{Oracle, record, theirs};

const ORIGIN: &str = "log.example.org";

fn signer(name: &str, seed: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed(name, &[seed; 32]).unwrap()
}

/// The same key, read by the other implementation from the text that Go's tools use for secret keys.
fn other_signer(name: &str, seed: u8) -> signed_note::StandardSigner {
    use base64::Engine;
    let ours = signer(name, seed);
    let typed = [&[1], [seed; 32].as_slice()].concat();
    let key = base64::engine::general_purpose::STANDARD.encode(typed);
    let id = hex::encode(ours.verifier().key_id());
    signed_note::StandardSigner::new(&format!("PRIVATE+KEY+{name}+{id}+{key}")).unwrap()
}

fn others(keys: &[&Verifier]) -> signed_note::VerifierList {
    let key = |key: &&Verifier| {
        Box::new(signed_note::StandardVerifier::new(&key.to_string()).unwrap())
            as Box<dyn signed_note::Verifier>
    };
    signed_note::VerifierList::new(keys.iter().map(key).collect())
}

/// A changed golden file is a changed format: it is edited by hand.
fn golden(name: &str, text: &str) {
    let path = format!("{}/tests/golden/proof/{name}", env!("CARGO_MANIFEST_DIR"));
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|e| format!("{path}: {e}"));
    assert_eq!(golden, text, "{name}");
}

fn checkpoint_of(tree: &Oracle, size: u64) -> Checkpoint {
    let control = size.checked_sub(2).map(|index| (index, Hash::of(b"control")));
    Checkpoint { origin: ORIGIN.into(), size, root: tree.root(size), control }
}

fn receipt_of(tree: &Oracle, index: u64, size: u64) -> Receipt {
    let checkpoint = checkpoint_of(tree, size).sign(&signer(ORIGIN, 7)).unwrap();
    Receipt { leaf: record(index), index, path: tree.path(index, size), checkpoint }
}

#[test]
fn key_texts_are_those_of_the_specification() {
    let key: [u8; 32] = std::array::from_fn(|place| u8::try_from(place).unwrap());
    let text = "log.example.org/signer+dbc1f4fa+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    let verifier = Verifier::new("log.example.org/signer", key).unwrap();
    assert_eq!(verifier.to_string(), text);
    assert_eq!(text.parse(), Ok(verifier));
    let hash = KeyTextError::Hash { expected: "dbc1f4fa".into() };
    for (wrong, error) in [
        ("", KeyTextError::Shape),
        ("log.example.org+dbc1f4fa", KeyTextError::Shape),
        ("a+dbc1f4fa+AQABAgM=!", KeyTextError::Shape),
        ("a b+dbc1f4fa+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f", KeyTextError::Name),
        ("+dbc1f4fa+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f", KeyTextError::Name),
        // A cosigner's key is of another type.
        ("log.example.org/signer+cc9dd4a9+BAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f", KeyTextError::Kind),
        ("log.example.org/signer+dbc1f4fa+AQAB", KeyTextError::Kind),
        ("log.example.org/signer+dbc1f4fb+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f", hash.clone()),
        ("log.example.org/signer+DBC1F4FA+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f", hash),
    ] {
        assert_eq!(wrong.parse::<Verifier>(), Err(error), "{wrong}");
    }
    assert_eq!(Ed25519Signer::from_seed(ORIGIN, &[0; 31]).unwrap_err(), SeedError::Seed);
    assert_eq!(Ed25519Signer::from_seed("a+b", &[0; 32]).unwrap_err(), SeedError::Name(KeyTextError::Name));
    assert!(!format!("{:?}", signer(ORIGIN, 7)).contains("[7"));
}

#[test]
fn golden_files_stay_as_they_are() {
    let tree = Oracle::of(300);
    let key = signer(ORIGIN, 7);
    let checkpoint = checkpoint_of(&tree, 300);
    let signed = checkpoint.sign_with(&[&key, &signer(ORIGIN, 8)]).unwrap();
    golden("checkpoint.txt", &signed);
    golden("checkpoint-empty.txt", &checkpoint_of(&tree, 0).sign(&key).unwrap());
    golden("note.txt", &note::sign("Any text,\n\nalso with empty lines: é.\n", &[&key]).unwrap().to_string());
    golden("log-key.txt", &key.verifier().to_string());
    let receipt = receipt_of(&tree, 123, 300);
    golden("receipt.txt", &receipt.to_string());
    golden("receipt-alone.txt", &receipt_of(&tree, 0, 1).to_string());
    assert_eq!(Checkpoint::verify(&signed, key.verifier()), Ok(checkpoint));
    let proved = receipt.verify(key.verifier()).unwrap();
    assert_eq!((proved.index(), proved.leaf(), proved.checkpoint().size), (123, &record(123)[..], 300));
}

#[test]
fn checkpoints_are_read_by_others() {
    let tree = Oracle::of(40);
    for size in [0, 1, 39] {
        let ours = checkpoint_of(&tree, size);
        let others = tlog_tiles::Checkpoint::from_bytes(ours.body().as_bytes()).unwrap();
        assert_eq!((others.origin(), others.size(), *others.hash()), (ORIGIN, size, theirs(&ours.root)));
        assert_eq!(others.to_bytes(), ours.body().as_bytes());
        assert_eq!(Checkpoint::parse(&ours.body()), Ok(ours));
    }
}

#[test]
fn checkpoint_lines_have_one_form() {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    let zeros = "0".repeat(64);
    let read = |rest: &str| Checkpoint::parse(&format!("{ORIGIN}\n{rest}"));
    assert_eq!(read(&format!("5\n{root}\n")).unwrap().control, None);
    let foreign = read(&format!("5\n{root}\nanother extension\ncontrol 4 {zeros}\n")).unwrap();
    assert_eq!(foreign.control, Some((4, Hash::ZERO)));
    for (body, line) in [
        (String::new(), 2),
        (format!("5\n{root}"), 1),
        (format!("05\n{root}\n"), 2),
        (format!("+5\n{root}\n"), 2),
        (format!("18446744073709551616\n{root}\n"), 2),
        (format!("0\n{root}\n"), 3),
        ("5\n\n".into(), 3),
        (format!("5\n{}\n", &root[..43]), 3),
        (format!("5\n{}J=\n", &root[..42]), 3),
        (format!("5\n{root}\n\n"), 4),
        (format!("5\n{root}\ncontrol 5 {zeros}\n"), 4),
        (format!("5\n{root}\ncontrol 04 {zeros}\n"), 4),
        (format!("5\n{root}\ncontrol 4 {}\n", "A".repeat(64)), 4),
        (format!("5\n{root}\ncontrol 4 {zeros} \n"), 4),
        (format!("5\n{root}\ncontrol \n"), 4),
        (format!("5\n{root}\ncontrol 4 {zeros}\ncontrol 4 {zeros}\n"), 5),
    ] {
        match read(&body) {
            Err(CheckpointError::Body { line: found, .. }) => assert_eq!(found, line, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn only_the_logs_own_key_speaks_for_it() {
    let tree = Oracle::of(9);
    let (own, stranger, other_log) = (signer(ORIGIN, 7), signer(ORIGIN, 8), signer("other.example.org", 7));
    let checkpoint = checkpoint_of(&tree, 9);
    let origin = CheckpointError::Origin { expected: "other.example.org".into(), found: ORIGIN.into() };
    assert_eq!(checkpoint.sign(&other_log), Err(origin.clone()));
    // Someone else's key under its own name, over our text.
    let foreign = note::sign(&checkpoint.body(), &[&other_log]).unwrap().to_string();
    assert_eq!(Checkpoint::verify(&foreign, other_log.verifier()), Err(origin));
    let signed = checkpoint.sign(&own).unwrap();
    let unsigned = Checkpoint::verify(&signed, stranger.verifier()).unwrap_err();
    assert!(unsigned.to_string().contains(&hex::encode(stranger.verifier().key_id())), "{unsigned}");
    let forged = Checkpoint::verify(&signed.replacen("\n9\n", "\n8\n", 1), own.verifier());
    assert!(matches!(forged, Err(CheckpointError::Note(NoteError::Forged { .. }))), "{forged:?}");
    let absurd = Checkpoint { control: Some((9, Hash::ZERO)), ..checkpoint };
    assert!(matches!(absurd.sign(&own), Err(CheckpointError::Body { line: 4, .. })));
}

struct Broken(Verifier);

impl NoteSigner for Broken {
    fn verifier(&self) -> &Verifier {
        &self.0
    }

    fn sign(&self, _text: &[u8]) -> Result<[u8; 64], SignFailure> {
        Err(SignFailure("the token was removed: put it back".into()))
    }
}

#[test]
fn notes_have_one_form_and_one_wrong_signature_spoils_them() {
    let (key, other) = (signer(ORIGIN, 7), signer("witness.example", 9));
    let signed = note::sign("text\n", &[&key, &other]).unwrap();
    assert_eq!(signed.verify(&[key.verifier()]), Ok("text\n"));
    assert_eq!(signed.verify(&[]), Err(NoteError::Unsigned { expected: String::new() }));
    // A known key whose line is wrong spoils the note, though another's is right.
    let text = signed.to_string();
    let lines: Vec<&str> = text.lines().collect();
    let (place, last) = lines[2].char_indices().rev().nth(3).unwrap();
    let mut line = lines[2].to_owned();
    line.replace_range(place..=place, if last == 'A' { "B" } else { "A" });
    let spoilt = note::parse(&format!("text\n\n{line}\n{}\n", lines[3])).unwrap();
    let keys = [key.verifier(), other.verifier()];
    assert!(matches!(spoilt.verify(&keys), Err(NoteError::Forged { .. })), "{spoilt}");
    assert_eq!(spoilt.verify(&keys[1..]), Ok("text\n"));
    let broken = note::sign("text\n", &[&Broken(key.verifier().clone())]).unwrap_err();
    assert!(matches!(broken, NoteError::Sign { .. }), "{broken}");
    for text in ["", "no newline", "a tab\t\n", "carriage return\r\n", "nul\0\n"] {
        assert_eq!(note::sign(text, &[&key]), Err(NoteError::Text), "{text:?}");
    }
    let line = lines[2];
    for (note, error) in [
        (String::new(), NoteError::Shape),
        ("text\n".into(), NoteError::Shape),
        ("text\n\n".into(), NoteError::Shape),
        (format!("text\n\n{line}"), NoteError::Shape),
        (format!("te\txt\n\n{line}\n"), NoteError::Text),
        (format!("text\n\n{line}\n\n"), NoteError::Shape),
        (format!("text\n\n{line}\nfoo\n"), NoteError::Line { line: 2 }),
        (format!("text\n\n{}\n", line.replace('\u{2014}', "-")), NoteError::Line { line: 1 }),
        (format!("text\n\n{line} \n"), NoteError::Line { line: 1 }),
        (format!("text\n\n{line}\r\n"), NoteError::Line { line: 1 }),
        ("text\n\n\u{2014} a AAAAAA==\n".into(), NoteError::Line { line: 1 }),
        ("text\n\n\u{2014} a+b AAAAAAA=\n".into(), NoteError::Line { line: 1 }),
        (format!("text\n\n{}", format!("{line}\n").repeat(65)), NoteError::TooMany),
        ("x".repeat((1 << 20) + 1), NoteError::TooLong { found: (1 << 20) + 1 }),
    ] {
        assert_eq!(note::parse(&note), Err(error), "{}", note.chars().take(200).collect::<String>());
    }
    assert!(note::parse(&format!("text\n\n{}", format!("{line}\n").repeat(64))).is_ok());
}

#[test]
fn receipts_have_one_form() {
    let tree = Oracle::of(9);
    let good = receipt_of(&tree, 5, 9).to_string();
    assert_eq!(good.parse::<Receipt>().unwrap().to_string(), good);
    let hash = good.lines().nth(3).unwrap().to_owned();
    for (from, to, line) in [
        ("@v1", "@v2", 1),
        ("extra ", "extra  ", 2),
        ("extra ", "Extra ", 2),
        ("extra cm", "index 5\nextra cm", 2),
        ("index 5", "index 05", 3),
        ("index 5", "index -5", 3),
        ("index 5\n", "", 3),
        (hash.as_str(), &hash[..40], 4),
        (hash.as_str(), &[hash.as_str(); 70].join("\n"), 64 + 4),
        ("\n\n", "\n", 1),
    ] {
        let bad = good.replace(from, to);
        match bad.parse::<Receipt>() {
            Err(ReceiptError::Text { line: found, .. }) => assert_eq!(found, line, "{bad}"),
            other => panic!("{bad}: {other:?}"),
        }
    }
    let limit = Receipt { leaf: vec![0; 65_536], ..good.parse().unwrap() };
    assert!(matches!(limit.to_string().parse::<Receipt>(), Err(ReceiptError::Text { line: 2, .. })));
    let limit = Receipt { leaf: vec![0; 65_535], ..limit };
    assert_eq!(limit.to_string().parse(), Ok(limit));
}

#[test]
fn a_receipt_of_another_record_place_or_log_proves_nothing() {
    let tree = Oracle::of(9);
    let key = signer(ORIGIN, 7);
    let good = receipt_of(&tree, 5, 9);
    assert!(good.verify(key.verifier()).is_ok());
    let other_leaf = Receipt { leaf: record(4), ..good.clone() };
    let other_index = Receipt { index: 4, ..good.clone() };
    for bad in [other_leaf, other_index] {
        let error = bad.verify(key.verifier()).unwrap_err();
        assert!(matches!(error, ReceiptError::Inclusion(ProofError::Root { .. })), "{error:?}");
    }
    let other_key = good.verify(signer(ORIGIN, 8).verifier()).unwrap_err();
    assert!(matches!(other_key, ReceiptError::Checkpoint(_)), "{other_key:?}");
}

#[test]
fn bundles_are_cut_where_they_should() {
    let longest = vec![7; 65_535];
    let entries = [b"".as_slice(), b"one", &longest];
    let bytes = bundle::encode(&entries).unwrap();
    assert_eq!(bytes[..7], [0, 0, 0, 3, b'o', b'n', b'e']);
    assert_eq!(bundle::decode(&bytes, 3).unwrap(), entries);
    assert_eq!(bundle::decode(&bytes, 2), Err(bundle::BundleError::Count { expected: 2, found: 3 }));
    assert_eq!(bundle::decode(&bytes, 4), Err(bundle::BundleError::Count { expected: 4, found: 3 }));
    for cut in [1, 3, 4, bytes.len() - 1] {
        assert!(matches!(bundle::decode(&bytes[..cut], 3), Err(bundle::BundleError::Truncated { .. })));
    }
    let long = bundle::encode(&[vec![0; 65_536]]).unwrap_err();
    assert_eq!(long, bundle::BundleError::EntryTooLong { place: 0, found: 65_536 });
    assert_eq!(bundle::encode(&[b""; 257]), Err(bundle::BundleError::TooMany { found: 257 }));
    assert!(tile::decode_hashes(&[0; 33], 1).is_err());
    assert!(tile::decode_hashes(&[0; 64], 1).is_err());
}

/// Text that is nearly a note, checkpoint or receipt.
fn near() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\n".to_owned()),
        Just("\n\n".to_owned()),
        Just("c2sp.org/tlog-proof@v1\n".to_owned()),
        Just("extra cmVjb3Jk\n".to_owned()),
        Just("index 5\n".to_owned()),
        Just("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n".to_owned()),
        Just("log.example.org\n".to_owned()),
        Just(format!("control 4 {}\n", "0".repeat(64))),
        Just("\u{2014} log.example.org AAAAAAAA\n".to_owned()),
        Just("log.example.org+dbc1f4fa+AQAB".to_owned()),
        Just("tile/0/x001/067.p/5".to_owned()),
        "[0-9]{1,21}\n",
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_read_is_written_again_byte_for_byte(text in near()) {
        if let Ok(note) = note::parse(&text) {
            prop_assert_eq!(note.to_string(), &*text);
        }
        if let Ok(receipt) = text.parse::<Receipt>() {
            prop_assert_eq!(receipt.to_string(), &*text);
        }
        if let Ok(checkpoint) = Checkpoint::parse(&text) {
            prop_assert!(text.starts_with(checkpoint.body().lines().take(3).collect::<Vec<_>>().join("\n").as_str()));
        }
        if let Ok(resource) = text.parse::<Resource>() {
            prop_assert_eq!(resource.to_string(), &*text);
        }
        if let Ok(key) = text.parse::<Verifier>() {
            prop_assert_eq!(key.to_string(), &*text);
        }
    }

    #[test]
    fn notes_are_read_by_others_as_by_us(text in near()) {
        let ours = note::parse(&text);
        let others = signed_note::Note::from_bytes(text.as_bytes());
        // They read their names more loosely (control characters), we never more loosely than they.
        if let Ok(ours) = &ours {
            let others = others.unwrap();
            prop_assert_eq!(others.text(), ours.text().as_bytes());
            prop_assert_eq!(others.to_bytes(), text.as_bytes());
        }
    }

    #[test]
    fn arbitrary_bundles_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), width in 0usize..300) {
        if let Ok(entries) = bundle::decode(&bytes, width) {
            prop_assert_eq!(bundle::encode(&entries).ok(), (width <= 256).then_some(bytes));
        }
    }

    #[test]
    fn tile_paths_are_those_of_others(level in 0u8..64, number: u64, width in 1u16..=256, entries: bool) {
        let ours = if entries { Resource::Entries { number, width } } else { Resource::Hashes { level, number, width } };
        prop_assert_eq!(ours.to_string().parse(), Ok(ours));
        let theirs = tlog_tiles::Tile::new(8, level, number, u32::from(width), entries).path();
        prop_assert_eq!(ours.to_string(), theirs.replace("tile/8/", "tile/").replace("data", "entries"));
    }

    #[test]
    fn signed_notes_verify_both_ways(text in "[^\u{0}-\u{1f}]{0,40}(\n[^\u{0}-\u{1f}]{0,40}){0,4}\n", seed: u8) {
        let (key, other) = (signer(ORIGIN, seed), signer("other.example.org/witness", seed));
        let ours = note::sign(&text, &[&key, &other]).unwrap().to_string();
        let read = signed_note::Note::from_bytes(ours.as_bytes()).unwrap();
        let (verified, unknown) = read.verify(&others(&[key.verifier()])).unwrap();
        prop_assert_eq!((verified.len(), unknown.len()), (1, 1));
        prop_assert_eq!(read.to_bytes(), ours.as_bytes());

        let mut theirs = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
        theirs.add_sigs(&[&other_signer(ORIGIN, seed)]).unwrap();
        let bytes = String::from_utf8(theirs.to_bytes()).unwrap();
        let read: SignedNote = bytes.parse().unwrap();
        prop_assert_eq!(read.verify(&[key.verifier()]), Ok(&*text));
        prop_assert_eq!(read.to_string(), bytes);
        // Ed25519 is deterministic: their line is ours.
        prop_assert_eq!(note::sign(&text, &[&key]).unwrap(), read);
    }

    #[test]
    fn receipts_of_any_record_verify(
        leaves in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 1..40),
        at in any::<prop::sample::Index>(),
    ) {
        let key = signer(ORIGIN, 7);
        let mut frontier = proto::proof::frontier::Frontier::new();
        leaves.iter().for_each(|leaf| { frontier.push(leaf_hash(leaf)); });
        let edge = frontier.edge();
        let (index, size) = (at.index(leaves.len()) as u64, leaves.len() as u64);
        let checkpoint = Checkpoint { origin: ORIGIN.into(), size, root: edge.root(), control: Some((0, Hash::ZERO)) };
        let receipt = Receipt {
            leaf: leaves[at.index(leaves.len())].clone(),
            index,
            path: edge.path(index).unwrap(),
            checkpoint: checkpoint.sign(&key).unwrap(),
        };
        let read: Receipt = receipt.to_string().parse().unwrap();
        prop_assert_eq!(&read, &receipt);
        let proved = read.verify(key.verifier()).unwrap();
        prop_assert_eq!(proved.checkpoint(), &checkpoint);
        prop_assert_eq!(inclusion::verify(&leaf_hash(proved.leaf()), index, size, &receipt.path, &edge.root()), Ok(()));
        prop_assert_ne!(edge.root(), empty_root());
    }
}
