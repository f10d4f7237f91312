//! Transcripts: no directory but the golden one is believed by its genesis, and where whoever changes it has the log key, too,
//! and signs a completion of what he has made, what is believed is still what its people signed.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use ceremonies::transcript::{Files, Manifest, Step, Verdict, name, verify};
use proto::hash::Hash;
use proto::proof::checkpoint::Checkpoint;
use proto::proof::leaf::{leaf_hash, node_hash};
use proto::proof::note::Ed25519Signer;
use proto::proof::receipt::Receipt;
use proto::proof::{inclusion, span};
use proto::record::{Body, Ceremony, ControlRecord};

/// Words of transcripts: a file begins with one byte, and its path ends with another.
pub const WORDS: &[&str] = &[
    "\u{1}",
    "\u{2}",
    "\u{1}manifest.json\u{2}",
    "\u{1}rosters/2/manifest.json\u{2}",
    "\u{1}../x\u{2}",
    "\u{1}details/3.json\u{2}",
    "\u{1}pop.json\u{2}",
    "\u{1}control.jsonl\u{2}",
    "\u{1}completed.receipt\u{2}",
    "{\"index\":",
    "\"record\":{",
    "\"signature\":\"",
    "-----BEGIN SSH SIGNATURE-----",
    "\u{2014} ",
    "\n",
    "null",
];

struct Golden {
    files: Files,
    genesis: Hash,
    /// The log up to the completion.
    leaves: Vec<Vec<u8>>,
}

static GOLDEN: LazyLock<Golden> = LazyLock::new(|| {
    let place =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../ceremonies/tests/golden/transcript");
    let files = client::transcript::read(&place).unwrap();
    let genesis = Hash::of(&files[name::GENESIS]);
    let control = std::str::from_utf8(&files[name::CONTROL]).unwrap();
    let mut leaves: Vec<(u64, Vec<u8>)> = control
        .lines()
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            (value["index"].as_u64().unwrap(), serde_json_canonicalizer::to_vec(&value["record"]).unwrap())
        })
        .collect();
    let outputs: serde_json::Value = serde_json::from_slice(&files["outputs.json"]).unwrap();
    let proof = outputs["proof_of_possession"]["index"].as_u64().unwrap();
    leaves.push((proof, files[name::POSSESSION].clone()));
    leaves.sort();
    assert!(
        leaves.iter().map(|(index, _)| *index).eq(0..leaves.len() as u64),
        "a log of this ceremony alone"
    );
    Golden { files, genesis, leaves: leaves.into_iter().map(|(_, leaf)| leaf).collect() }
});

/// Each file of the golden transcript: what is not said of the others is that they are as they were.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let framed = |(path, bytes): (&String, &Vec<u8>)| [&[1], path.as_bytes(), &[2], bytes].concat();
    GOLDEN.files.iter().map(framed).collect()
}

/// The golden transcript with other files, and without those that are named and have no content.
fn files(bytes: &[u8]) -> Files {
    let mut files = GOLDEN.files.clone();
    for file in bytes.split(|byte| *byte == 1).skip(1) {
        let mut parts = file.splitn(2, |byte| *byte == 2);
        let path = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
        match parts.next() {
            Some(content) => drop(files.insert(path, content.to_vec())),
            None => drop(files.remove(&path)),
        }
    }
    files
}

/// See the module. Read is what has a completion that is believed.
pub fn fuzz_one(bytes: &[u8]) -> bool {
    let golden = &*GOLDEN;
    let mut files = files(bytes);
    if let Verdict::Valid(_) | Verdict::ValidWithDeviations(_) = verify(&files, golden.genesis) {
        assert!(files == golden.files, "another directory is believed");
        return true;
    }
    if !complete(&mut files) {
        return false;
    }
    match verify(&files, golden.genesis) {
        Verdict::Valid(verified) | Verdict::ValidWithDeviations(verified) => {
            // Records, acts and statement have signatures that the log key does not make; all else are copies of them.
            let of = |files: &Files| -> BTreeSet<(String, Vec<u8>)> {
                let ours = |path: &str| !["completed.receipt", "manifest.json"].contains(&path);
                files.iter().filter(|(path, _)| ours(path)).map(|(p, b)| (p.clone(), b.clone())).collect()
            };
            assert_eq!(of(&files), of(&golden.files), "something else is believed");
            assert_eq!(verified.statement, Hash::of(&golden.files["statement.json"]));
            true
        }
        Verdict::Invalid(invalid) => !matches!(
            invalid.step,
            Step::Files
                | Step::Manifest
                | Step::Hashes
                | Step::GenesisDigest
                | Step::Control
                | Step::Details
                | Step::Genesis
                | Step::Checkpoint
                | Step::Completion
        ),
    }
}

/// Lists the files anew, and completes the ceremony with that, as whoever has the log key can. Whether there is something to
/// complete.
fn complete(files: &mut Files) -> bool {
    let golden = &*GOLDEN;
    let (Some(statement), Some(outputs)) = (files.get("statement.json"), files.get("outputs.json")) else {
        return false;
    };
    let (statement, outputs) = (Hash::of(statement), Hash::of(outputs));
    let receipt: Receipt = std::str::from_utf8(&golden.files["completed.receipt"]).unwrap().parse().unwrap();
    let mut record = ControlRecord::parse(&receipt.leaf).unwrap();
    let Body::Ceremony(Ceremony::Completed(completed)) = &mut record.body else { panic!("no completion") };
    let manifest = Manifest::of(completed.ceremony, golden.genesis, statement, files);
    (completed.manifest, completed.outputs, completed.statement) = (manifest.digest(), outputs, statement);
    files.insert(name::MANIFEST.into(), manifest.encode());
    let previous = leaf_hash(golden.leaves.last().unwrap());
    let leaf = record.draft().unwrap().stamp(record.time.sealed, false, &previous);
    let mut leaves = golden.leaves.clone();
    leaves.push(leaf.clone());
    let (index, size) = (receipt.index, leaves.len() as u64);
    let node = |level, index| node(&leaves, level, index);
    let Ok(root) = span::root(size, &node);
    let Ok(path) = inclusion::path(index, size, &node) else { panic!("the record is in the log") };
    let origin = receipt.checkpoint.lines().next().unwrap().to_owned();
    let key = Ed25519Signer::from_seed(&origin, &[77; 32]).unwrap();
    let checkpoint = Checkpoint { origin, size, root, control: Some((index, leaf_hash(&leaf))) };
    let checkpoint = checkpoint.sign(&key).unwrap();
    files.insert(name::COMPLETED.into(), Receipt { leaf, index, path, checkpoint }.to_string().into_bytes());
    true
}

fn node(leaves: &[Vec<u8>], level: u32, index: u64) -> Result<Hash, std::convert::Infallible> {
    if level == 0 {
        return Ok(leaf_hash(&leaves[usize::try_from(index).unwrap()]));
    }
    Ok(node_hash(&node(leaves, level - 1, 2 * index)?, &node(leaves, level - 1, 2 * index + 1)?))
}
