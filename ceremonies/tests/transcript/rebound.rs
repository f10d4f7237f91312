//! Keys on another device: themselves, and where the statement says.

use ceremonies::genesis::Mode;
use ceremonies::outputs::{Bound, Outputs};
use ceremonies::statement::target::BackendRebind;
use ceremonies::statement::{CeremonyId, Kind, Statement, Target};
use ceremonies::transcript::{Files, Step};
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::record::SignRecord;
use proto::term::Term;

use super::stage::Stage;
use super::valid::valid;
use crate::invalid;

/// What is said, and what is done.
struct Told {
    target: BackendRebind,
    bound: Bound,
    record: SignRecord,
    /// Whether the completion says what it touches.
    touches: bool,
}

/// A key in force on SN-0123, and the one that it is.
fn in_force() -> (Stage, KeyId, String) {
    let mut stage = Stage::played(Mode::Rehearsal);
    stage.complete();
    let Some(Outputs::Key(born)) = stage.outputs.clone() else { panic!("nothing was born") };
    (stage, KeyId::of_spki(&born.public_key), born.locator)
}

/// It is found on the device 77/8.
fn moves(stage: &mut Stage, key_id: KeyId, before: &str, change: impl FnOnce(&mut Told)) -> Files {
    let place = before.replace("serial=SN-0123", "serial=77%2F8").replace("token=release", "token=other");
    let mut told = Told {
        target: BackendRebind {
            backend: "hsm-a".parse().unwrap(),
            keys: vec![key_id],
            replaces: "SN-0123".parse().unwrap(),
            serial: "77/8".parse().unwrap(),
        },
        bound: Bound { key_id, locator: place, possession: stage.proof().0 },
        record: stage.proof().1,
        touches: true,
    };
    change(&mut told);
    told.target.keys = vec![told.bound.key_id];
    let common =
        stage.common(Kind::BackendRebind, CeremonyId::from([u8::try_from(stage.log.size()).unwrap(); 16]));
    stage.statement = Statement::new(common, Target::BackendRebind(told.target)).unwrap();
    stage.armed();
    stage.start_finding("ivy", 1);
    told.bound.possession.index = stage.log.size();
    stage.seal_proof(&told.record);
    stage.outputs = Some(Outputs::Rebound(vec![told.bound]));
    stage.executed();
    stage.saw("fay");
    let touches = told.touches;
    stage.complete_with(
        |_| {},
        |_| {},
        |record| record.touches = if touches { vec![Term::Backend("hsm-a".into())] } else { vec![] },
    )
}

#[test]
fn a_rebinding_is_valid_and_the_next_one_goes_on_from_there() {
    let (mut stage, id, place) = in_force();
    let files = moves(&mut stage, id, &place, |_| {});
    let verified = valid(&stage, &files);
    assert_eq!((verified.kind, verified.deviations.len()), (Kind::BackendRebind, 0));
    assert_eq!(files.keys().filter(|path| path.starts_with("pop")).count(), 1);
    // From the device that it was on before, it moves no more; from the one that it is on, it does.
    let mut back = stage.clone();
    let files = moves(&mut back, id, &place, |_| {});
    invalid(&back, &files, Step::Outputs, "was not bound to the device SN-0123");
    let files = moves(&mut stage, id, &place, |told| {
        (told.target.replaces, told.target.serial) = ("77/8".parse().unwrap(), "SN-9".parse().unwrap());
        told.bound.locator = told.bound.locator.replace("77%2F8", "SN-9");
    });
    valid(&stage, &files);
}

#[test]
fn nothing_else_is_rebound_than_what_was_bound_and_is_there() {
    type Change = fn(&mut Told);
    let cases: [(Change, Step, &str); 9] = [
        (|told| told.bound.key_id = Hash::of(b"another").into(), Step::Outputs, "never came into force"),
        (|told| told.target.replaces = "SN-0124".parse().unwrap(), Step::Outputs, "was not bound to"),
        (|told| told.target.backend = "hsm-b".parse().unwrap(), Step::Outputs, "was not bound to"),
        (|told| told.target.serial = "77/9".parse().unwrap(), Step::Outputs, "is not on the device 77/9"),
        (
            |told| told.bound.locator = told.bound.locator.replace("object=cer", "object=xer"),
            Step::Outputs,
            "another label or id",
        ),
        (
            |told| told.bound.locator = told.bound.locator.replace(";id=%", ";id=%00%"),
            Step::Outputs,
            "another label or id",
        ),
        (|told| told.bound.possession.signature[10] ^= 1, Step::Possession, "the signature"),
        (|told| told.record.key = "release/other".parse().unwrap(), Step::Possession, "another key"),
        (|told| told.touches = false, Step::Effect, "touches its backend"),
    ];
    for (change, step, why) in cases {
        let (mut stage, id, place) = in_force();
        let files = moves(&mut stage, id, &place, change);
        invalid(&stage, &files, step, why);
    }
}
