//! The key's side: where it is, what the device says of it, and that its private half is there.

use ceremonies::genesis::Mode;
use ceremonies::outputs::Born;
use ceremonies::transcript::Step;
use proto::hash::Hash;
use proto::purpose::Kind;
use proto::record::{Outcome, SignRecord};

use crate::invalid;
use crate::stage::{KEY, Stage};

type Change = fn(&mut Born, &mut SignRecord);

#[track_caller]
fn other(change: Change, step: Step, why: &str) {
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.armed();
    stage.start("ivy");
    stage.birth(change);
    stage.executed();
    let files = stage.rest_executed();
    invalid(&stage, &files, step, why);
}

#[test]
fn the_key_is_where_the_statement_says_and_the_device_says_what_is_demanded() {
    let cases: [(Change, &str); 10] = [
        (|born, _| drop(born.attributes.insert("extractable".into(), "true".into())), "`extractable` = true"),
        (|born, _| drop(born.attributes.remove("never-extractable")), "`never-extractable` = nothing"),
        (|born, _| drop(born.attributes.insert("decrypt".into(), "true".into())), "`decrypt` = true"),
        (|born, _| drop(born.attributes.insert("derive".into(), "yes".into())), "`derive` = yes"),
        (|born, _| born.attributes.clear(), "`always-sensitive` = nothing"),
        (|born, _| drop(born.device.insert("serial".into(), "SN-9999".into())), "another serial"),
        (|born, _| drop(born.device.remove("serial")), "another serial"),
        (|born, _| born.locator = born.locator.replace("object=cer-a7", "object=cer-a8"), "label and id"),
        (|born, _| born.locator = born.locator.replace(";id=%", ";id=%00%"), "label and id"),
        (|born, _| born.locator = "software:x".into(), "neither under"),
    ];
    for (change, why) in cases {
        other(change, Step::Outputs, why);
    }
}

#[test]
fn the_proof_of_possession_is_an_operation_of_this_execution() {
    let cases: [(Change, &str); 10] = [
        (|born, _| born.possession.nonce = Hash::ZERO, "the signature"),
        (|born, _| born.possession.signature[10] ^= 1, "the signature"),
        (|_, record| record.operation = [3; 16].into(), "another operation"),
        (|_, record| record.signed.kind = Kind::Blob, "another kind"),
        (|_, record| record.key = "release/other".parse().unwrap(), "another key"),
        (|_, record| record.signatures[0].version = 2, "another version"),
        (|_, record| record.signatures[0].key_id = Hash::ZERO.into(), "another key id"),
        (|_, record| record.signatures[0].outcome = Outcome::Unknown, "another outcome"),
        (|_, record| record.signatures[0].value = Some(vec![1].into()), "another signature"),
        (|_, record| record.signatures.push(record.signatures[0].clone()), "other signatures too"),
    ];
    for (change, why) in cases {
        other(change, Step::Possession, why);
    }
    assert!(!KEY.is_empty());
}

#[test]
fn a_proof_from_before_the_start_is_none() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.armed();
    stage.birth(|_, _| {});
    stage.start("ivy");
    stage.executed();
    let files = stage.rest_executed();
    invalid(&stage, &files, Step::Possession, "between the start and its outputs");
}
