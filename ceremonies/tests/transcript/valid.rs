//! What is valid, and what is said of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ceremonies::genesis::Mode;
use ceremonies::statement::{CeremonyId, Kind, Version};
use ceremonies::transcript::{Deviation, Files, Manifest, Verdict, Verified, name, verify};
use proto::hash::Hash;
use proto::record::Body;

use crate::stage::{PEOPLE, Stage};

#[track_caller]
pub fn valid(stage: &Stage, files: &Files) -> Verified {
    match verify(files, stage.genesis_sha256()) {
        Verdict::Valid(verified) | Verdict::ValidWithDeviations(verified) => *verified,
        invalid => panic!("{invalid}"),
    }
}

#[test]
fn a_whole_ceremony_is_valid() {
    let mut stage = Stage::played(Mode::Rehearsal);
    let files = stage.complete();
    let verdict = verify(&files, stage.genesis_sha256());
    assert_eq!(verdict.to_string(), "VALID (rehearsal: it counts for nothing)");
    let Verdict::Valid(verified) = verdict else { panic!("{verdict}") };
    let expected = Verified {
        ceremony: CeremonyId::from([0xa7; 16]),
        deviations: vec![],
        kind: Kind::KeyGenerate,
        manifest: Hash::of(&files[name::MANIFEST]),
        mode: Mode::Rehearsal,
        statement: stage.digest(),
    };
    assert_eq!(*verified, expected);
    assert_eq!(Manifest::parse(&files[name::MANIFEST]).unwrap().digest(), verified.manifest);
}

#[test]
fn in_production_keys_in_software_are_deviations() {
    let mut stage = Stage::played(Mode::Production);
    let files = stage.complete();
    let verdict = verify(&files, stage.genesis_sha256());
    assert!(verdict.to_string().starts_with(
        "VALID WITH DEVIATIONS\n- ada signs with a key in software (ssh-ed25519)\n- bob signs with"
    ));
    let Verdict::ValidWithDeviations(verified) = verdict else { panic!("{verdict}") };
    assert_eq!(verified.deviations.len(), PEOPLE.len());
}

#[test]
fn what_was_spoken_and_a_clock_that_was_not_trusted_are_said() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.armed();
    stage.start("ivy");
    stage.log.untrusted = true;
    let index = stage.deviate("fay", "the tamper seal had another number");
    stage.log.untrusted = false;
    stage.birth(|_, _| {});
    stage.executed();
    stage.saw("fay");
    stage.saw("gus");
    let files = stage.complete();
    let text = "the tamper seal had another number".to_owned();
    let spoken = Deviation::Spoken { index, person: "fay".parse().unwrap(), text };
    assert_eq!(valid(&stage, &files).deviations, [spoken, Deviation::UntrustedClock { index }]);
}

#[test]
fn in_a_rehearsal_changed_guardrails_are_a_deviation() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    let text = "[log]\nleaves = \"public\"\n";
    let sha256 = Hash::of(text.as_bytes());
    let index = stage.log.control(Body::Policy { sha256 }, vec![]);
    stage.guardrails = (Version { sha256, version: 2 }, text.into());
    stage.statement = stage.key_generate(CeremonyId::from([0xa7; 16]), |_, _| {});
    stage.armed();
    stage.start("ivy");
    stage.birth(|_, _| {});
    stage.executed();
    stage.saw("fay");
    stage.saw("gus");
    let files = stage.complete();
    assert_eq!(valid(&stage, &files).deviations, [Deviation::Guardrails { index }]);
}

#[test]
fn an_act_that_came_too_late_has_no_effect_and_is_shown_all_the_same() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.armed();
    stage.start("ivy");
    let late = stage.approve("dan");
    stage.birth(|_, _| {});
    stage.executed();
    stage.saw("fay");
    stage.saw("gus");
    let files = stage.complete();
    assert_eq!(valid(&stage, &files).deviations, []);
    assert!(files.contains_key(&format!("acts/{late:012}-approve-dan.json")));
}

#[test]
fn the_same_log_gives_the_same_bytes() {
    let mut stage = Stage::played(Mode::Rehearsal);
    let (before, checkpoint) = (stage.assemble(), stage.log.checkpoint());
    assert_eq!(before, stage.assemble());
    let files = stage.complete();
    // Later, from the log as it is then and from the checkpoint that the completion's detail keeps.
    let kept = stage.log.details.last_key_value().unwrap().1;
    let kept: serde_json::Value = serde_json::from_slice(kept).unwrap();
    assert_eq!(kept["documents"]["checkpoint"].as_str(), Some(checkpoint.as_str()));
    let mut chain = stage.log.chain();
    let (completed, _) = chain.pop().unwrap();
    let parts = ceremonies::transcript::Parts {
        control: chain,
        details: stage.log.details.clone(),
        possessions: stage.possession.iter().cloned().collect(),
        checkpoint,
        made: BTreeMap::new(),
    };
    let nodes = |level, index| stage.log.node(level, index);
    let again =
        ceremonies::transcript::Transcript::assemble(CeremonyId::from([0xa7; 16]), parts, &nodes).unwrap();
    assert_eq!(again, before);
    assert_eq!(again.with_completion(stage.log.receipt(completed)), files);
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn read(directory: &Path, path: &str, files: &mut Files) {
    for entry in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        let path = if path.is_empty() { name } else { format!("{path}/{name}") };
        match entry.file_type().unwrap().is_dir() {
            true => read(&entry.path(), &path, files),
            false => drop(files.insert(path, std::fs::read(entry.path()).unwrap())),
        }
    }
}

/// Bytes that were stored once are valid for ever. Golden files are not rewritten by a switch on purpose.
#[track_caller]
pub fn kept_as_written(name: &str, stage: &Stage, written: &Files) {
    let mut kept = Files::new();
    read(&golden(name), "", &mut kept);
    valid(stage, &kept);
    assert!(kept.keys().eq(written.keys()), "other files than those in {}", golden(name).display());
    for (path, bytes) in written {
        let kept = String::from_utf8_lossy(&kept[path]);
        assert_eq!(kept, String::from_utf8_lossy(bytes), "{path}");
    }
}

#[test]
fn the_golden_transcript_is_valid_and_is_what_is_written() {
    let mut stage = Stage::played(Mode::Rehearsal);
    let written = stage.complete();
    kept_as_written("transcript", &stage, &written);
}
