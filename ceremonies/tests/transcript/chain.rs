//! The log's side: nothing can be left out, moved or claimed that the log does not hold.

use ceremonies::genesis::Mode;
use ceremonies::statement::Version;
use ceremonies::transcript::{Files, Step, name};
use proto::hash::Hash;
use proto::record::Body;
use proto::record::ceremony::Effect;

use crate::invalid;
use crate::stage::Stage;

/// The same transcript with other lines in `control.jsonl`, completed by a rogue.
fn with_lines(stage: &mut Stage, change: impl Fn(&mut Vec<String>)) -> Files {
    stage.complete_with(
        |files| {
            let text = std::str::from_utf8(&files[name::CONTROL]).unwrap();
            let mut lines: Vec<String> = text.lines().map(|line| format!("{line}\n")).collect();
            change(&mut lines);
            files.insert(name::CONTROL.into(), lines.concat().into_bytes());
        },
        |_| {},
        |_| {},
    )
}

#[test]
fn a_control_record_that_is_left_out_or_moved_is_noticed() {
    for at in 1..11 {
        let mut stage = Stage::played(Mode::Rehearsal);
        let files = with_lines(&mut stage, |lines| drop(lines.remove(at)));
        let (step, why) = match at {
            10 => (Step::Checkpoint, "as the newest control record"),
            _ => (Step::Control, "was left out, changed or moved"),
        };
        invalid(&stage, &files, step, why);
        let mut stage = Stage::played(Mode::Rehearsal);
        let files = with_lines(&mut stage, |lines| lines.swap(at - 1, at));
        invalid(&stage, &files, Step::Control, "");
    }
    let mut stage = Stage::played(Mode::Rehearsal);
    let files = with_lines(&mut stage, |lines| drop(lines.remove(0)));
    invalid(&stage, &files, Step::Control, "not the genesis");
    let mut stage = Stage::played(Mode::Rehearsal);
    let files = with_lines(&mut stage, |lines| {
        let copy = lines[3].clone();
        lines.insert(4, copy);
    });
    invalid(&stage, &files, Step::Control, "no place after record");
    let mut stage = Stage::played(Mode::Rehearsal);
    let files =
        with_lines(&mut stage, |lines| lines[10] = lines[10].replace("{\"index\":11,", "{\"index\":12,"));
    invalid(&stage, &files, Step::Details, "the detail of record 12 is missing");
    let mut stage = Stage::played(Mode::Rehearsal);
    let files =
        with_lines(&mut stage, |lines| lines[3] = lines[3].replace("{\"index\":3,", "{\"index\":03,"));
    invalid(&stage, &files, Step::Control, "line 4");
}

#[test]
fn a_veto_cannot_be_left_out() {
    // As it is: the ceremony was vetoed.
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.armed();
    let index = stage.veto("dan");
    let mut files = stage.rest_armed();
    invalid(&stage, &files, Step::Session, "vetoed");
    // Without it.
    let text = String::from_utf8(files[name::CONTROL].clone()).unwrap();
    let kept: String = text
        .lines()
        .filter(|line| !line.starts_with(&format!("{{\"index\":{index},")))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(kept.len() < text.len());
    files.insert(name::CONTROL.into(), kept.into_bytes());
    stage.list_again(&mut files);
    invalid(&stage, &files, Step::Control, "left out");
}

#[test]
fn the_completion_names_exactly_this() {
    type Change = fn(&mut proto::record::ceremony::Completed);
    let cases: [(Change, Step, &str); 6] = [
        (|body| body.outputs = Hash::ZERO, Step::Completion, "another outputs"),
        (|body| body.statement = Hash::ZERO, Step::Completion, "another statement"),
        (|body| body.manifest = Hash::ZERO, Step::Completion, "another manifest"),
        (|body| body.ceremony = [3; 16].into(), Step::Completion, "another ceremony"),
        (|body| body.effect = Effect::Lifts, Step::Effect, "something else in force"),
        (
            |body| match &mut body.effect {
                Effect::Key(key) => key.owner = "somebody else".into(),
                _ => unreachable!("a key was made"),
            },
            Step::Effect,
            "something else in force",
        ),
    ];
    for (change, step, why) in cases {
        let mut stage = Stage::played(Mode::Rehearsal);
        let files = stage.complete_with(|_| {}, change, |_| {});
        invalid(&stage, &files, step, why);
    }
    let mut stage = Stage::played(Mode::Rehearsal);
    let lift = proto::record::Lift { index: 3, terms: vec![] };
    let files = stage.complete_with(|_| {}, |_| {}, |record| record.lifts.push(lift));
    invalid(&stage, &files, Step::Effect, "ends other stops");
}

#[test]
fn a_record_between_the_chain_and_the_completion_is_noticed() {
    let mut stage = Stage::played(Mode::Rehearsal);
    let transcript = stage.assemble();
    let before = stage.log.newest;
    stage.log.control(Body::Anchor { place: "elsewhere".into() }, vec![]);
    let files = stage.complete_with(
        |files| *files = transcript.clone().with_completion(String::new()),
        |_| {},
        |_| {},
    );
    assert_ne!(stage.log.newest, before);
    invalid(&stage, &files, Step::Completion, "a control record was left out");
}

#[test]
fn a_receipt_of_another_record_or_log_is_none() {
    let mut stage = Stage::played(Mode::Rehearsal);
    let mut files = stage.complete();
    let other = stage.log.receipt(3);
    files.insert(name::COMPLETED.into(), other.into_bytes());
    invalid(&stage, &files, Step::Completion, "is of a `ceremony.act` record");
    let mut foreign = Stage::played(Mode::Production);
    let other = foreign.complete()[name::COMPLETED].clone();
    files.insert(name::COMPLETED.into(), other);
    invalid(&stage, &files, Step::Completion, "cannot be believed");
}

#[test]
fn proofs_are_those_that_are_needed_and_lead_to_the_checkpoint() {
    type Change = fn(&mut serde_json::Value);
    let cases: [(Change, &str); 6] = [
        (|proofs| drop(proofs["inclusion"].as_array_mut().unwrap().pop()), "exactly one inclusion proof"),
        (|proofs| drop(proofs["consistency"].as_array_mut().unwrap().pop()), "exactly one consistency proof"),
        (
            |proofs| {
                let list = proofs["inclusion"].as_array_mut().unwrap();
                let copy = list[0].clone();
                list.insert(0, copy);
            },
            "exactly one inclusion proof",
        ),
        (|proofs| proofs["inclusion"][2]["path"][0] = Hash::ZERO.to_string().into(), "record 2"),
        (
            |proofs| proofs["consistency"][2]["path"][0] = Hash::ZERO.to_string().into(),
            "the head of 3 records",
        ),
        (|proofs| proofs["schema"] = "countersign.transcript-proofs.v9".into(), "newer version"),
    ];
    for (change, why) in cases {
        let mut stage = Stage::played(Mode::Rehearsal);
        let files = stage.complete_with(
            |files| {
                let mut proofs = serde_json::from_slice(&files[name::PROOFS]).unwrap();
                change(&mut proofs);
                files.insert(name::PROOFS.into(), serde_json::to_vec(&proofs).unwrap());
            },
            |_| {},
            |_| {},
        );
        invalid(&stage, &files, Step::Proofs, why);
    }
}

#[test]
fn who_saw_another_log_is_noticed() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.propose();
    let statement = stage.digest();
    let deed = ceremonies::act::Deed::Approve { decision: ceremonies::act::Decision::Accept, statement };
    let signed = stage.sign_as("ada", deed, "", |act| act.head.root = Hash::of(b"another log"));
    stage.decided(signed);
    for who in ["bob", "cyd"] {
        stage.approve(who);
    }
    let files = stage.rest();
    invalid(&stage, &files, Step::Proofs, "the head of 2 records");
}

#[test]
fn a_genesis_takes_every_officer_and_an_independent_witness() {
    let all = ["ada", "bob", "cyd", "dan", "eve"];
    let cases: [(&[&str], &[&str], &str); 4] = [
        (&all[..4], &["fay", "gus"], "the approval of `eve` is missing"),
        (&all, &["fay"], "1 of 2 witnesses have attested"),
        (&all, &[], "0 of 2 witnesses have attested"),
        (&[], &[], "the approval of `ada` is missing"),
    ];
    for (officers, witnesses, why) in cases {
        let mut stage = Stage::begin_with(Mode::Rehearsal, officers, witnesses);
        stage.armed();
        let files = stage.rest_armed();
        invalid(&stage, &files, Step::Genesis, why);
    }
}

#[test]
fn guardrails_are_those_in_force() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.guardrails.1 = "# others\n".into();
    stage.armed();
    let files = stage.rest_armed();
    invalid(&stage, &files, Step::Guardrails, "are not those in force");
    for mode in [Mode::Production, Mode::Rehearsal] {
        let mut stage = Stage::begin(mode);
        stage.log.control(Body::Policy { sha256: Hash::of(b"others") }, vec![]);
        stage.armed();
        let files = stage.rest_armed();
        let why = match mode {
            Mode::Production => "and this is production",
            Mode::Rehearsal => "are not those in force",
        };
        invalid(&stage, &files, Step::Guardrails, why);
    }
    // Changed under it.
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.armed();
    stage.log.control(Body::Policy { sha256: Hash::of(b"others") }, vec![]);
    let files = stage.rest_armed();
    invalid(&stage, &files, Step::Session, "superseded");
}

#[test]
fn the_rules_are_those_of_the_guardrails_in_force() {
    let text = "[ceremony.\"key.generate\"]\nwitnesses = 3\n";
    let sha256 = Hash::of(text.as_bytes());
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.log.control(Body::Policy { sha256 }, vec![]);
    stage.guardrails = (Version { sha256, version: 2 }, text.into());
    stage.statement = stage.key_generate([0xa7; 16].into(), |_, _| {});
    stage.armed();
    let files = stage.rest_armed();
    invalid(&stage, &files, Step::Session, "takes 3 of 5 officers and 3 witnesses");
}
