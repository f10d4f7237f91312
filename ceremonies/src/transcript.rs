//! Transcripts: a completed ceremony as a set of files, and its verifier, which needs neither network nor daemon.
//!
//! ```text
//! README.md                         how to verify, with our program and without
//! manifest.json                     SHA-256 of every file but itself and the next one
//! completed.receipt                 that the log holds `ceremony.completed`, which names the manifest (C2SP tlog-proof)
//! genesis.json  genesis/…           the statement of record 0; roster, guardrails, grants, and who signed it
//! statement.json  documents/…       what the ceremony was about, and what the proposal brought
//! acts/<index>-<decision>-<person>.json(.sig)    what people decided, in the order of the log
//! beside/<index>-suspend-<person>.json(.sig)     what officers signed outside of ceremonies, from the first record on
//! outputs.json                      what came of it
//! allowed_signers                   whose keys these are, as `ssh-keygen -Y verify` reads it
//! control.jsonl                     every control record from the first one to the last before the completion
//! details/<index>.json              the details of record 0, of this ceremony's records and of suspensions
//! checkpoint.txt  proofs.json       a signed head of the log, and what leads from records and older heads to it
//! pop.json                          the `sign` record of the proof of possession, where a key was made
//! proofs/…                          what the new keys of a next roster signed; their signatures are in documents/
//! pop-<index>.json                  those of keys that were found on another device
//! rosters/<version>/…               the transcript of each `roster.change` before the completion, without what is nested in it
//! guardrails/<version>/…            that of each `policy.change`, likewise
//! log-keys/<number>/…               that of each `log.rekey`, likewise
//! ```
//!
//! *Sources* are `control.jsonl`, `details`, `checkpoint.txt`, `proofs.json`, `pop.json`, `rosters`, `guardrails`, `log-keys` and
//! `completed.receipt`; every other file is a copy of something in them, for people and for stock tools, and the verifier
//! demands that it is exactly the copy that [`Transcript::assemble`] makes. Control records are chained by `previous`, and the
//! checkpoint names the newest of them, so nobody can leave out a veto, a roster or a change of the guardrails. A checkpoint
//! has the signatures of the log keys in force at its size and no other line; the receipt of a `log.rekey` is by the checkpoint
//! that both keys have signed, and that of any other ceremony by a checkpoint of the key in force at its completion.
//!
//! What is promised: [`verify`] is a function of the files and the genesis digest alone; it decides with the code that the
//! daemon decides with; any other byte, a file more or a file less is [`Verdict::Invalid`]. The same log gives the same
//! files, byte for byte, but for the receipt, whose checkpoint may be a newer one.
//!
//! What it does not do: it reads and writes no files. It cannot see a log that shows different people different records
//! (whoever keeps checkpoints can), nor whether two people are one. Records between the control records (signatures,
//! refusals) are in the tree and not in the transcript. The acts that stand behind *other* ceremonies' records are in those
//! ceremonies' transcripts; only those that changed the roster, the guardrails or the log key are in here.

mod control;
mod copies;
mod course;
mod deviation;
mod governs;
mod invalid;
mod manifest;
mod proofs;
mod verify;

use std::collections::BTreeMap;

pub use deviation::Deviation;
pub use governs::Governs;
pub use invalid::{Invalid, Step};
pub use manifest::{Listed, Manifest};
use proto::proof::span::{BuildError, Nodes};
pub use verify::{Verdict, Verified, recovery, verify};

use self::control::Control;
use self::course::Course;
use self::proofs::Proofs;
use crate::outputs::Outputs;
use crate::statement::CeremonyId;

/// The one schema of manifests that this version knows.
pub const SCHEMA: &str = "countersign.transcript.v0";

/// How to verify a transcript; the same text in every transcript of this version.
pub const README: &str = include_str!("transcript/readme.md");

/// Largest file in bytes: 64 MiB, which is a control chain of about a hundred thousand records.
pub const LARGEST_FILE: usize = 64 << 20;

/// Most bytes of all files together: 256 MiB.
pub const LARGEST: usize = 256 << 20;

/// Most files.
pub const MOST_FILES: usize = 20_000;

/// Files by their paths, `/` between the names.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Names of the files that are always there.
pub mod name {
    /// How to verify.
    pub const README: &str = "README.md";
    /// Who may sign, for `ssh-keygen`.
    pub const ALLOWED_SIGNERS: &str = "allowed_signers";
    /// The head that everything else is proven to be in.
    pub const CHECKPOINT: &str = "checkpoint.txt";
    /// The receipt of the completion.
    pub const COMPLETED: &str = "completed.receipt";
    /// The control records.
    pub const CONTROL: &str = "control.jsonl";
    /// The genesis statement.
    pub const GENESIS: &str = "genesis.json";
    /// Digests of the files.
    pub const MANIFEST: &str = "manifest.json";
    /// What came of it.
    pub const OUTPUTS: &str = "outputs.json";
    /// The record of the proof of possession; where a key was made.
    pub const POSSESSION: &str = "pop.json";
    /// Inclusion and consistency.
    pub const PROOFS: &str = "proofs.json";
    /// What was asked for.
    pub const STATEMENT: &str = "statement.json";
}

/// What a transcript is made of, as the log has it.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// Every control record before `ceremony.completed`, from record 0 on: index and leaf.
    pub control: Vec<(u64, Vec<u8>)>,
    /// The details of record 0, of this ceremony's records and of suspensions, by index. Others may be among them.
    pub details: BTreeMap<u64, Vec<u8>>,
    /// The leaves of the proofs of possession, in the order of the outputs.
    pub possessions: Vec<Vec<u8>>,
    /// A signed checkpoint of a tree that holds all of these records and no later control record.
    pub checkpoint: String,
    /// The transcripts of the changes of roster, guardrails and log key before the completion, by what each made, with their
    /// receipts.
    pub made: BTreeMap<Governs, Files>,
}

/// Why records make no transcript.
#[derive(Debug, thiserror::Error)]
pub enum Unassembled<E> {
    /// Something is missing, or is not what the verifier would take.
    #[error("the log's records make no transcript: {0}")]
    Records(#[from] Invalid),
    /// A proof could not be built.
    #[error("no proof for the transcript can be built: {0}")]
    Proof(BuildError<E>),
}

/// The files of the proofs of possession, in the order of the outputs, and the index of the record in each.
fn possession_files(outputs: &Outputs) -> Vec<(String, u64)> {
    let single = matches!(outputs, Outputs::Key(_));
    let file = |index: u64| if single { name::POSSESSION.to_owned() } else { format!("pop-{index}.json") };
    outputs.possessions().into_iter().map(|proof| (file(proof.index), proof.index)).collect()
}

/// A transcript that waits for its completion.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transcript {
    files: Files,
    manifest: Manifest,
}

impl Transcript {
    /// The transcript of a ceremony whose witnesses have all attested, before `ceremony.completed` is written. `nodes` is
    /// the log's tree, at least as far as the checkpoint's.
    ///
    /// # Errors
    /// [`Unassembled`]. That everything is valid is for [`verify`] to say.
    pub fn assemble<N: Nodes + ?Sized>(
        ceremony: CeremonyId,
        parts: Parts,
        nodes: &N,
    ) -> Result<Self, Unassembled<N::Error>> {
        let control = Control::of(parts.control)?;
        let course = Course::read(&control, ceremony, |index| parts.details.get(&index).map(Vec::as_slice))?;
        let tree = proofs::checkpoint_size(&parts.checkpoint)?;
        let proofs = Proofs::build(&course.heads(), &course.proven(&control)?, tree, nodes)
            .map_err(Unassembled::Proof)?;
        let mut files = Files::new();
        for (what, made) in &parts.made {
            // The changes before it stand beside it.
            let own = made.iter().filter(|(path, _)| !Governs::is_of_one(path));
            let directory = what.directory();
            files.extend(own.map(|(path, bytes)| (format!("{directory}/{path}"), bytes.clone())));
        }
        files.insert(name::CHECKPOINT.to_owned(), parts.checkpoint.into_bytes());
        files.insert(name::PROOFS.to_owned(), proofs.encode());
        let possessions = possession_files(&course.outputs()?.1);
        files.extend(possessions.into_iter().map(|(path, _)| path).zip(parts.possessions));
        let copies = copies::of(&control, &course, &files)?;
        files.extend(copies);
        let manifest = Manifest::of(ceremony, course.genesis_sha256(), course.statement.digest(), &files);
        files.insert(name::MANIFEST.to_owned(), manifest.encode());
        Ok(Self { files, manifest })
    }

    /// What `ceremony.completed` names by its digest.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The whole transcript, with the receipt of the `ceremony.completed` record.
    pub fn with_completion(self, receipt: String) -> Files {
        let mut files = self.files;
        files.insert(name::COMPLETED.to_owned(), receipt.into_bytes());
        files
    }
}
