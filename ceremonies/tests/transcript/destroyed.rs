//! Keys that were destroyed: what a birth left, and nothing that came into force.

use ceremonies::genesis::Mode;
use ceremonies::outputs::Outputs;
use ceremonies::statement::target::KeyDestroy;
use ceremonies::statement::{CeremonyId, Kind, Statement, Target};
use ceremonies::transcript::{Files, Step};
use proto::hash::Hash;
use proto::key_id::KeyId;

use super::stage::{KEY, Stage};
use super::valid::valid;
use crate::invalid;

/// Which birth the outputs name, and where the key was; found by the start.
struct Told {
    birth: CeremonyId,
    found: u64,
    key_id: KeyId,
    locator: String,
}

/// A birth as it is said, then the destruction of what it made.
fn destroys(begun: &mut Stage, change: impl FnOnce(&mut Told)) -> Files {
    let Some(Outputs::Key(born)) = begun.outputs.clone() else { panic!("nothing was born") };
    let mut told = Told {
        birth: begun.statement.common().ceremony,
        found: 1,
        key_id: KeyId::of_spki(&born.public_key),
        locator: born.locator,
    };
    change(&mut told);
    let target = Target::KeyDestroy(KeyDestroy {
        backend: "hsm-a".parse().unwrap(),
        copies: vec![],
        key: KEY.parse().unwrap(),
        key_id: told.key_id,
        locator: told.locator.parse().unwrap(),
        serial: Some("SN-0123".parse().unwrap()),
        version: 1,
    });
    let common = begun.common(Kind::KeyDestroy, CeremonyId::from([0xd0; 16]));
    begun.statement = Statement::new(common, target).unwrap();
    begun.armed();
    begun.start_finding("ivy", told.found);
    (begun.outputs, begun.possession) = (Some(Outputs::Gone(told.birth)), None);
    begun.executed();
    begun.rest_executed()
}

/// A birth that was executed and of which nobody attested anything.
fn born() -> Stage {
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.armed();
    stage.start("ivy");
    stage.birth(|_, _| {});
    stage.executed();
    stage
}

#[test]
fn a_destruction_is_valid() {
    let mut stage = born();
    let files = destroys(&mut stage, |_| {});
    let verified = valid(&stage, &files);
    assert_eq!((verified.kind, verified.deviations.len()), (Kind::KeyDestroy, 0));
}

#[test]
fn what_no_birth_left_is_not_what_was_destroyed() {
    type Change = fn(&mut Told);
    let cases: [(Change, &str); 4] = [
        (|told| told.birth = CeremonyId::from([9; 16]), "no birth of a key was proposed as ceremony 0909"),
        (|told| told.locator = told.locator.replace("object=cer-a7", "object=cer-a8"), "label and id"),
        (|told| told.locator = told.locator.replace(";id=%", ";id=%00%"), "label and id"),
        (|told| told.locator = format!("software:{}", Hash::ZERO), "label and id"),
    ];
    for (change, why) in cases {
        let mut stage = born();
        let files = destroys(&mut stage, change);
        invalid(&stage, &files, Step::Outputs, why);
    }
}

#[test]
fn a_key_in_force_is_never_destroyed() {
    let mut stage = Stage::played(Mode::Rehearsal);
    stage.complete();
    let files = destroys(&mut stage, |_| {});
    invalid(&stage, &files, Step::Outputs, "came into force");
    // Nor is another one said to be what that ceremony left.
    let mut stage = Stage::played(Mode::Rehearsal);
    stage.complete();
    let files = destroys(&mut stage, |told| told.key_id = Hash::of(b"another").into());
    invalid(&stage, &files, Step::Outputs, "was completed");
}

#[test]
fn a_birth_that_never_started_left_nothing() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.armed();
    stage.birth(|_, _| {});
    let files = destroys(&mut stage, |_| {});
    invalid(&stage, &files, Step::Outputs, "never started");
}

#[test]
fn nothing_is_destroyed_where_nothing_was_found() {
    let mut stage = born();
    let files = destroys(&mut stage, |told| told.found = 0);
    invalid(&stage, &files, Step::Session, "is not there");
}
