//! Log keys that ceremonies made: what is valid by which key, and that no key signs beyond its end.

use ceremonies::genesis::Mode;
use ceremonies::outputs::Outputs;
use ceremonies::statement::target::LogRekey;
use ceremonies::statement::{CeremonyId, Kind, Statement, Target};
use ceremonies::transcript::{Files, Governs, Step, name};
use proto::proof::note;
use proto::proof::receipt::Receipt;
use proto::record::ceremony::Effect;

use super::others;
use super::stage::Stage;
use super::valid::{kept_as_written, valid};
use crate::invalid;

/// Proposes that the key with this seed is the next one.
fn propose(stage: &mut Stage, seed: u8) {
    let common = stage.common(Kind::LogRekey, CeremonyId::from([0x90 + stage.log.seed() % 16; 16]));
    let target = Target::LogRekey(LogRekey {
        log_key: stage.log.key_of(seed).parse().unwrap(),
        replaces: stage.log.log_key().parse().unwrap(),
    });
    stage.statement = Statement::new(common, target).unwrap();
    stage.next_key = Some(seed);
    stage.propose();
}

/// Everything up to the attestation of what was done; `by` are the keys that sign the head then.
fn attested_by(stage: &mut Stage, seed: u8, by: &[u8]) {
    propose(stage, seed);
    for officer in ["ada", "bob", "cyd"] {
        stage.approve(officer);
    }
    stage.attest("fay");
    stage.start_by_itself();
    (stage.outputs, stage.possession) = (Some(Outputs::Rekeyed(stage.log.checkpoint_by(by))), None);
    stage.executed();
    stage.saw("fay");
}

fn attested(stage: &mut Stage, seed: u8) {
    let by = [stage.log.seed(), seed];
    attested_by(stage, seed, &by);
}

/// The key with this seed is the next one.
pub fn rekeys(stage: &mut Stage, seed: u8) -> Files {
    attested(stage, seed);
    let files = stage.complete();
    let number = stage.log.keys.len() as u64;
    stage.made.insert(Governs::LogKey(number), files.clone());
    files
}

fn births(stage: &mut Stage) -> Files {
    stage.statement = stage.key_generate(CeremonyId::from([0xa7; 16]), |_, _| {});
    stage.propose();
    for who in ["ada", "bob", "cyd"] {
        stage.approve(who);
    }
    stage.rest()
}

/// A key.generate under the second log key.
pub fn by_the_second_log_key() -> (Stage, Files) {
    let mut stage = Stage::begin(Mode::Rehearsal);
    rekeys(&mut stage, 78);
    let files = births(&mut stage);
    (stage, files)
}

#[test]
fn the_golden_transcript_under_a_second_log_key_is_valid_and_is_what_is_written() {
    let (stage, written) = by_the_second_log_key();
    kept_as_written("transcript-second-log-key", &stage, &written);
}

#[test]
fn keys_follow_each_other_and_what_was_valid_stays_valid() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    let first = births(&mut stage);
    let second = rekeys(&mut stage, 78);
    let verified = valid(&stage, &second);
    assert_eq!((verified.kind, verified.deviations.len()), (Kind::LogRekey, 0));
    others::joins(&mut stage, "kim");
    let third = rekeys(&mut stage, 79);
    assert!(
        third.contains_key("log-keys/2/statement.json") && third.contains_key("rosters/2/statement.json")
    );
    assert!(!third.keys().any(|path| path.starts_with("log-keys/3")));
    for files in [&first, &second, &third] {
        assert_eq!(valid(&stage, files).deviations, []);
    }
    let files = others::joins(&mut stage, "lou");
    assert_eq!(valid(&stage, &files).deviations, []);
    assert!(files.contains_key("log-keys/3/completed.receipt"));
    assert!(!files.keys().any(|path| path.starts_with("log-keys/3/log-keys")));
}

#[test]
fn the_end_of_a_key_is_proven_by_the_checkpoint_that_both_have_signed() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    let files = rekeys(&mut stage, 78);
    let receipt: Receipt = String::from_utf8(files[name::COMPLETED].clone()).unwrap().parse().unwrap();
    let with = |checkpoint: String| {
        let mut files = files.clone();
        let receipt = Receipt { checkpoint, ..receipt.clone() };
        files.insert(name::COMPLETED.into(), receipt.to_string().into_bytes());
        files
    };
    for seed in [77, 78] {
        let files = with(stage.log.checkpoint_by(&[seed]));
        invalid(&stage, &files, Step::Completion, "more than the signature of the log key in force, or less");
    }
    invalid(&stage, &with(stage.log.checkpoint_by(&[78, 77])), Step::Completion, "or less");
    invalid(
        &stage,
        &with(stage.log.checkpoint_by(&[77, 78, 79])),
        Step::Completion,
        "more than the signature",
    );
    invalid(&stage, &with(stage.log.checkpoint_by(&[79])), Step::Completion, "cannot be believed");
    // In a larger tree, by the new key alone.
    let index = receipt.index;
    stage.propose();
    let mut later = files.clone();
    later.insert(name::COMPLETED.into(), stage.log.receipt(index).into_bytes());
    invalid(&stage, &later, Step::Completion, "not by the checkpoint with which the log key ended");
}

#[test]
fn the_next_key_is_there_when_the_ceremony_is_executed() {
    for by in [&[77][..], &[78], &[78, 77], &[77, 78, 79], &[77, 79]] {
        let mut stage = Stage::begin(Mode::Rehearsal);
        propose(&mut stage, 78);
        stage.outputs = Some(Outputs::Rekeyed(stage.log.checkpoint_by(by)));
        let error = stage.outputs.clone().unwrap().encode(&stage.statement).unwrap_err();
        assert!(error.to_string().contains("`checkpoint`"), "{by:?}: {error}");
    }
    // Of a head that this log never had.
    let mut stage = Stage::begin(Mode::Rehearsal);
    propose(&mut stage, 78);
    let other = Stage::begin_with(Mode::Rehearsal, &["ada", "bob", "cyd", "dan", "eve"], &["fay"]);
    let mut foreign = other.log.clone();
    foreign.control(proto::record::Body::Anchor { place: "elsewhere".into() }, vec![]);
    for officer in ["ada", "bob", "cyd"] {
        stage.approve(officer);
    }
    stage.attest("fay");
    stage.start_by_itself();
    (stage.outputs, stage.possession) = (Some(Outputs::Rekeyed(foreign.checkpoint_by(&[77, 78]))), None);
    stage.executed();
    stage.saw("fay");
    let files = stage.complete();
    invalid(&stage, &files, Step::Proofs, "the head of 2 records");
}

#[test]
fn a_key_signs_nothing_beyond_its_end() {
    // Whoever has the old key goes on with it, as if nothing had happened.
    let (mut stage, _) = by_the_second_log_key();
    stage.log.keys.pop();
    let files = others::joins(&mut stage, "kim");
    invalid(&stage, &files, Step::Checkpoint, "records alone");
    // The new key signs nothing before it.
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.log.keys[0].0 = 78;
    let files = births(&mut stage);
    invalid(&stage, &files, Step::Checkpoint, "is not signed by");
}

#[test]
fn a_key_that_was_there_does_not_follow() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    rekeys(&mut stage, 78);
    let files = rekeys(&mut stage, 77);
    invalid(&stage, &files, Step::LogKeys, "is a key of this log already");
    // Nor does one that follows another key than the one in force.
    let mut stage = Stage::begin(Mode::Rehearsal);
    attested(&mut stage, 78);
    let first = stage.clone();
    let mut other = Stage::begin(Mode::Rehearsal);
    rekeys(&mut other, 80);
    let common = other.common(Kind::LogRekey, CeremonyId::from([0x9f; 16]));
    other.statement = Statement::new(common, first.statement.target().clone()).unwrap();
    other.next_key = Some(78);
    other.propose();
    for officer in ["ada", "bob", "cyd"] {
        other.approve(officer);
    }
    other.attest("fay");
    other.start_by_itself();
    (other.outputs, other.possession) = (Some(Outputs::Rekeyed(other.log.checkpoint_by(&[77, 78]))), None);
    other.executed();
    other.saw("fay");
    let files = other.complete();
    invalid(&other, &files, Step::LogKeys, "it ends the log key");
}

#[test]
fn the_ceremony_that_made_a_log_key_is_in_every_later_transcript() {
    let (stage, files) = by_the_second_log_key();
    assert_eq!(valid(&stage, &files).deviations, []);
    let mut changed = files.clone();
    changed.get_mut("log-keys/2/statement.json").unwrap()[20] ^= 1;
    invalid(&stage, &changed, Step::LogKeys, "log key 2: hashes");
    let mut dropped = files.clone();
    dropped.retain(|path, _| !path.starts_with("log-keys/2/"));
    invalid(&stage, &dropped, Step::LogKeys, "the transcript of log key 2 is missing");
    let mut stage = Stage::begin(Mode::Rehearsal);
    attested(&mut stage, 78);
    let key = stage.log.key_of(79).parse().unwrap();
    let replaces = stage.log.log_key().parse().unwrap();
    let files = stage.complete_with(|_| {}, |body| body.effect = Effect::LogKey { key, replaces }, |_| {});
    invalid(&stage, &files, Step::Effect, "puts something else in force");
}

#[test]
fn a_receipt_of_before_is_by_the_key_of_then_also_at_its_end() {
    // What the daemon gives of a ceremony that was completed before the key ended: the last checkpoint of the old key, without
    // the line of the key that its verifier does not know yet.
    let mut stage = Stage::begin(Mode::Rehearsal);
    let mut files = births(&mut stage);
    let index = stage.log.size() - 1;
    rekeys(&mut stage, 78);
    let both: Receipt = stage.log.receipt(index).parse().unwrap();
    files.insert(name::COMPLETED.into(), both.to_string().into_bytes());
    invalid(&stage, &files, Step::Completion, "more than the signature of the log key");
    let old = stage.log.key_of(77).parse().unwrap();
    let checkpoint = note::parse(&both.checkpoint).unwrap().only(&old).to_string();
    files.insert(name::COMPLETED.into(), Receipt { checkpoint, ..both }.to_string().into_bytes());
    assert_eq!(valid(&stage, &files).deviations, []);
}
