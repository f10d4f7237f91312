//! Guardrails that ceremonies made: what a transcript under them holds, that looser ones waited, and everything that is not so.

use std::time::Duration;

use ceremonies::amendment;
use ceremonies::genesis::Mode;
use ceremonies::outputs::Outputs;
use ceremonies::statement::target::PolicyChange;
use ceremonies::statement::{CeremonyId, Kind, Statement, Target, Version};
use ceremonies::transcript::{Files, Governs, Step};
use proto::hash::Hash;
use proto::record::Body;
use proto::record::ceremony::{Ceremony, Effect, Turned, document};

use super::others;
use super::stage::{GUARDRAILS, Stage};
use super::valid::{kept_as_written, valid};
use crate::invalid;

const FORBID: &str = "@id(\"no-blobs\")\nforbid (principal, action == Action::\"sign\", resource) when { context.kind == \"blob\" };\n";

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Tighter than those of the genesis: something is forbidden, and a key takes three witnesses... of whom there are two.
fn tighter() -> String {
    let sha256 = Hash::of(FORBID.as_bytes());
    format!(
        "[forbid]\nfile = \"forbid.cedar\"\nsha256 = \"{sha256}\"\n{GUARDRAILS}[ceremony.\"key.generate\"]\nexpires = \"48h\"\n"
    )
}

/// Proposes these guardrails, and says of them what is said.
fn propose(stage: &mut Stage, text: &str, loosens: bool) {
    let version = stage.guardrails.0.version + 1;
    let mut common =
        stage.common(Kind::PolicyChange, CeremonyId::from([0x60 + u8::try_from(version).unwrap(); 16]));
    common.purpose = "other guardrails".parse().unwrap();
    let guardrails = Version { sha256: Hash::of(text.as_bytes()), version };
    let target = Target::PolicyChange(PolicyChange { guardrails, loosens });
    stage.statement = Statement::new(common, target).unwrap();
    let file = amendment::name(&Hash::of(FORBID.as_bytes()));
    let mut documents = vec![(document::NEXT_GUARDRAILS, text.to_owned())];
    // What is named by either of them.
    if text.contains("[forbid]") || stage.guardrails.1.contains("[forbid]") {
        documents.push((file.as_str(), FORBID.to_owned()));
    }
    stage.propose_with(documents);
}

/// Everything up to the last attestation of what was done.
fn attested(stage: &mut Stage, text: &str, loosens: bool) {
    propose(stage, text, loosens);
    for officer in ["ada", "bob", "cyd"] {
        stage.approve(officer);
    }
    stage.attest("fay");
    stage.start_by_itself();
    (stage.outputs, stage.possession) = (Some(Outputs::Done), None);
    stage.executed();
    stage.saw("fay");
}

/// A tick of the daemon.
fn ticks(stage: &mut Stage, after: Duration) {
    stage.log.now = stage.log.now.later(after);
    let ceremony = stage.statement.common().ceremony;
    stage.log.control(Body::Ceremony(Ceremony::Ended(Turned { ceremony })), vec![]);
}

/// They are in force.
fn follows(stage: &mut Stage, text: &str, files: &Files) {
    let Target::PolicyChange(change) = stage.statement.target() else { unreachable!() };
    stage.guardrails = (change.guardrails, text.to_owned());
    stage.made.insert(Governs::Guardrails(change.guardrails.version), files.clone());
}

fn amends(stage: &mut Stage, text: &str, loosens: bool) -> Files {
    attested(stage, text, loosens);
    if loosens {
        ticks(stage, DAY);
    }
    let files = stage.complete();
    follows(stage, text, &files);
    files
}

fn key(stage: &mut Stage) {
    let lives = Duration::from_secs(40 * 3600);
    stage.statement = stage.key_generate(CeremonyId::from([0xa7; 16]), |common, _| {
        common.expires = common.not_before.later(lives);
    });
}

/// A key by guardrails that a ceremony made tighter and another one looser again.
pub fn by_the_third_guardrails() -> Stage {
    let mut stage = Stage::begin(Mode::Rehearsal);
    amends(&mut stage, &tighter(), false);
    amends(&mut stage, GUARDRAILS, true);
    key(&mut stage);
    stage.propose();
    for who in ["ada", "bob", "cyd"] {
        stage.approve(who);
    }
    stage
}

/// A whole key.generate by guardrails that a ceremony made.
pub fn by_the_second_guardrails() -> (Stage, Files) {
    let mut stage = Stage::begin(Mode::Rehearsal);
    amends(&mut stage, &tighter(), false);
    key(&mut stage);
    stage.propose();
    for who in ["ada", "bob", "cyd"] {
        stage.approve(who);
    }
    let files = stage.rest();
    (stage, files)
}

#[test]
fn the_golden_transcript_with_a_policy_change_is_valid_and_is_what_is_written() {
    let (stage, written) = by_the_second_guardrails();
    kept_as_written("transcript-second-guardrails", &stage, &written);
}

#[test]
fn a_tightening_completes_at_once_and_a_loosening_after_a_day() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    let files = amends(&mut stage, &tighter(), false);
    let verified = valid(&stage, &files);
    assert_eq!((verified.kind, verified.deviations.len()), (Kind::PolicyChange, 0));
    assert_eq!(files["documents/guardrails.next"], tighter().into_bytes());
    assert!(files.keys().any(|path| path.starts_with("documents/file.")));

    for (early, why) in [(Duration::ZERO, "waiting"), (DAY - Duration::from_secs(3), "waiting")] {
        let mut stage = stage.clone();
        attested(&mut stage, GUARDRAILS, true);
        ticks(&mut stage, early);
        let files = stage.complete();
        invalid(&stage, &files, Step::Session, why);
    }
    let mut vetoed = stage.clone();
    attested(&mut vetoed, GUARDRAILS, true);
    vetoed.log.now = vetoed.log.now.later(DAY / 2);
    vetoed.veto("gus");
    ticks(&mut vetoed, DAY);
    let files = vetoed.complete();
    invalid(&vetoed, &files, Step::Session, "vetoed");
    // A clock that nobody trusted ends no waiting.
    let mut untrusted = stage.clone();
    attested(&mut untrusted, GUARDRAILS, true);
    untrusted.log.untrusted = true;
    ticks(&mut untrusted, DAY);
    untrusted.log.untrusted = false;
    let files = untrusted.complete();
    invalid(&untrusted, &files, Step::Session, "waiting");

    let files = amends(&mut stage, GUARDRAILS, true);
    assert_eq!(valid(&stage, &files).deviations, []);
}

#[test]
fn a_statement_that_calls_looser_guardrails_tighter_is_noticed_and_the_reverse() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    attested(&mut stage, &tighter(), true);
    ticks(&mut stage, DAY);
    let files = stage.complete();
    invalid(&stage, &files, Step::Guardrails, "`target.loosens` is true, and it must be false");
    let mut stage = Stage::begin(Mode::Rehearsal);
    amends(&mut stage, &tighter(), false);
    attested(&mut stage, GUARDRAILS, false);
    let files = stage.complete();
    invalid(&stage, &files, Step::Guardrails, "forbid \"no-blobs\": nothing instead of");
}

#[test]
fn a_completion_that_says_something_else_of_guardrails_is_noticed() {
    let ends = |effect: Option<Effect>, touches: bool| {
        let mut stage = Stage::begin(Mode::Rehearsal);
        attested(&mut stage, &tighter(), false);
        let body = |completed: &mut proto::record::ceremony::Completed| {
            completed.effect = effect.unwrap_or_else(|| completed.effect.clone());
        };
        let files = stage.complete_with(
            |_| {},
            body,
            |record| {
                if !touches {
                    record.touches.clear();
                }
            },
        );
        (stage, files)
    };
    let (stage, files) = ends(None, false);
    invalid(&stage, &files, Step::Effect, "touch everything");
    let sha256 = Hash::of(b"others");
    for effect in [
        Effect::Guardrails { sha256, version: 2 },
        Effect::Guardrails { sha256: Hash::of(tighter().as_bytes()), version: 3 },
        Effect::Lifts,
    ] {
        let (stage, files) = ends(Some(effect), true);
        invalid(&stage, &files, Step::Effect, "puts something else in force");
    }
}

#[test]
fn a_ceremony_under_later_guardrails_holds_the_ceremonies_that_made_them() {
    let mut stage = by_the_third_guardrails();
    let files = stage.rest();
    assert_eq!(valid(&stage, &files).deviations, []);
    assert!(
        files.contains_key("guardrails/2/statement.json")
            && files.contains_key("guardrails/3/statement.json")
    );
    assert!(!files.keys().any(|path| path.starts_with("guardrails/3/guardrails")));
    let mut changed = files.clone();
    changed.get_mut("guardrails/2/documents/guardrails.next").unwrap()[20] ^= 1;
    invalid(&stage, &changed, Step::Guardrails, "guardrails 2: hashes");
    let mut dropped = files.clone();
    dropped.retain(|path, _| !path.starts_with("guardrails/2/"));
    invalid(&stage, &dropped, Step::Guardrails, "the transcript of guardrails 2 is missing");
    // Left out before the completion, so that the manifest fits.
    let mut stage = by_the_third_guardrails();
    let files = stage.rest_with(|files| files.retain(|path, _| !path.starts_with("guardrails/")));
    invalid(&stage, &files, Step::Guardrails, "the transcript of guardrails 2 is missing");
}

#[test]
fn guardrails_and_rosters_are_made_beside_each_other_in_the_order_of_the_log() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    amends(&mut stage, &tighter(), false);
    others::joins(&mut stage, "kim");
    amends(&mut stage, GUARDRAILS, true);
    key(&mut stage);
    stage.propose();
    for who in ["ada", "bob", "kim"] {
        stage.approve(who);
    }
    let files = stage.rest();
    assert_eq!(valid(&stage, &files).deviations, []);
    for path in ["guardrails/2/manifest.json", "rosters/2/manifest.json", "guardrails/3/manifest.json"] {
        assert!(files.contains_key(path), "{path}");
    }
}

/// A quorum was there when the guardrails were others; with those that are in force it is none.
#[test]
fn guardrails_that_are_in_force_no_more_decide_nothing() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    let (old, text) = stage.guardrails.clone();
    amends(&mut stage, &tighter(), false);
    let made = stage.guardrails.clone();
    stage.guardrails = (old, text);
    key(&mut stage);
    stage.propose();
    for who in ["ada", "bob", "cyd"] {
        stage.approve(who);
    }
    let files = stage.rest();
    invalid(&stage, &files, Step::Guardrails, "are not those in force");
    // Superseded while it was open.
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.armed();
    let statement = stage.statement.clone();
    amends(&mut stage, &tighter(), false);
    assert_eq!(stage.guardrails, made);
    stage.statement = statement;
    let files = stage.rest_armed();
    invalid(&stage, &files, Step::Session, "superseded");
}
