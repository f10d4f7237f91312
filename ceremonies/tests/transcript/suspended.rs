//! Whose acts count no more: what an officer's word does to a ceremony is seen offline, too, and nobody makes such a word up.

use ceremonies::act::Deed;
use ceremonies::genesis::Mode;
use ceremonies::statement::CeremonyId;
use ceremonies::suspension::Said;
use ceremonies::transcript::{Files, Step, name};
use proto::record::ceremony::document;
use proto::record::{Body, Suspend};
use proto::term::Term;

use super::others::{joins, proposes_joining};
use super::stage::Stage;
use super::valid::valid;
use crate::invalid;

/// A signed word about somebody.
fn word(stage: &mut Stage, by: &str, whom: &str) -> (String, String) {
    stage.sign(by, Deed::Suspend { person: whom.parse().unwrap() }, "the token is gone")
}

/// Records a word; a rogue keeps other documents, or writes something else into the leaf.
fn recorded(
    stage: &mut Stage,
    signed: (String, String),
    keeps: impl FnOnce(&mut Vec<(&str, String)>),
    writes: impl FnOnce(&mut Suspend),
) -> u64 {
    let mut body = Said::of(&stage.verified(&signed)).unwrap().record();
    writes(&mut body);
    let mut documents = vec![(document::ACT, signed.0), (document::SIGNATURE, signed.1)];
    keeps(&mut documents);
    let touches = |record: &mut proto::record::ControlRecord| record.touches = vec![Term::All];
    stage.log.control_with(Body::Suspend(Box::new(body)), documents, touches)
}

pub fn suspends(stage: &mut Stage, by: &str, whom: &str) -> u64 {
    let signed = word(stage, by, whom);
    recorded(stage, signed, |_| {}, |_| {})
}

/// A ceremony that is armed, then this, then the rest of it.
fn armed_then(change: impl FnOnce(&mut Stage)) -> (Stage, Files) {
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.armed();
    change(&mut stage);
    let files = stage.rest_armed();
    (stage, files)
}

#[test]
fn an_approval_of_somebody_who_was_suspended_before_the_start_does_not_count() {
    let (stage, files) = armed_then(|stage| {
        suspends(stage, "dan", "ada");
    });
    invalid(&stage, &files, Step::Session, "1 more officer must approve");
    // Somebody else approves in her place.
    let (stage, files) = armed_then(|stage| {
        suspends(stage, "dan", "ada");
        stage.approve("eve");
    });
    let verified = valid(&stage, &files);
    assert_eq!(verified.deviations, []);
    assert!(files.keys().any(|path| path.starts_with("beside/") && path.ends_with("-suspend-dan.json")));
}

#[test]
fn neither_does_the_attestation_of_a_witness_nor_the_start_of_an_operator() {
    let (stage, files) = armed_then(|stage| {
        suspends(stage, "dan", "gus");
    });
    invalid(&stage, &files, Step::Session, "1 more witness must attest");
    let (stage, files) = armed_then(|stage| {
        suspends(stage, "dan", "ivy");
    });
    invalid(&stage, &files, Step::Session, "`ivy` is suspended");
    // After the start the execution is finished, and others see what came of it.
    let mut stage = Stage::played(Mode::Rehearsal);
    suspends(&mut stage, "dan", "ivy");
    let files = stage.complete();
    valid(&stage, &files);
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.armed();
    stage.start("ivy");
    stage.birth(|_, _| {});
    stage.executed();
    stage.saw("fay");
    suspends(&mut stage, "dan", "fay");
    stage.saw("gus");
    let files = stage.complete();
    invalid(&stage, &files, Step::Session, "leave the ceremony executed");
}

#[test]
fn who_was_suspended_before_the_proposal_has_no_say_in_it() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    suspends(&mut stage, "dan", "ada");
    stage.statement = stage.key_generate(CeremonyId::from([0xa7; 16]), |_, _| {});
    stage.armed();
    let mut other = stage.clone();
    let files = other.rest_armed();
    invalid(&other, &files, Step::Session, "1 more officer must approve");
    stage.approve("eve");
    let files = stage.rest_armed();
    valid(&stage, &files);
    // Nor does somebody who is suspended propose anything.
    let mut stage = Stage::begin(Mode::Rehearsal);
    suspends(&mut stage, "dan", "ivy");
    stage.statement = stage.key_generate(CeremonyId::from([0xa7; 16]), |_, _| {});
    stage.armed();
    let files = stage.rest_armed();
    invalid(&stage, &files, Step::Session, "`ivy` is suspended");
}

#[test]
fn one_officer_suspends_one_and_the_word_of_one_against_a_second_has_no_effect() {
    let (stage, files) = armed_then(|stage| {
        suspends(stage, "dan", "eve");
        suspends(stage, "dan", "ada");
    });
    valid(&stage, &files);
    let (stage, files) = armed_then(|stage| {
        suspends(stage, "dan", "eve");
        suspends(stage, "dan", "ada");
        suspends(stage, "bob", "ada");
    });
    invalid(&stage, &files, Step::Session, "1 more officer must approve");
}

#[test]
fn whoever_is_free_again_signs_anew() {
    let rogue_is_suspended = |stage: &mut Stage| {
        suspends(stage, "eve", "ada");
        suspends(stage, "ada", "eve");
        suspends(stage, "bob", "eve");
    };
    let (stage, files) = armed_then(rogue_is_suspended);
    invalid(&stage, &files, Step::Session, "1 more officer must approve");
    let (stage, files) = armed_then(|stage| {
        rogue_is_suspended(stage);
        stage.approve("ada");
    });
    valid(&stage, &files);
}

#[test]
fn nobody_makes_up_a_word_against_somebody() {
    // Signed by a witness, or by nobody.
    let (stage, files) = armed_then(|stage| {
        let signed = word(stage, "dan", "eve");
        let by_another = stage.sign("ada", Deed::Suspend { person: "eve".parse().unwrap() }, "x");
        recorded(stage, signed, |kept| kept[1].1 = by_another.1, |_| {});
    });
    invalid(&stage, &files, Step::Acts, "the act of record");
    for writes in [
        (|body: &mut Suspend| body.person = "cyd".into()) as fn(&mut Suspend),
        |body| body.by = "ada".into(),
        |body| body.expires = body.expires.later(std::time::Duration::from_secs(1)),
        |body| body.nonce = proto::hash::Hash::ZERO,
        |body| body.act = proto::hash::Hash::ZERO,
    ] {
        let (stage, files) = armed_then(|stage| {
            let signed = word(stage, "dan", "eve");
            recorded(stage, signed, |_| {}, writes);
        });
        invalid(&stage, &files, Step::Acts, "does not say what its act says");
    }
    // An act whose time was over, and one over a head that was not there yet.
    let (stage, files) = armed_then(|stage| {
        let now = stage.log.now;
        let person = "eve".parse().unwrap();
        let ended = stage.sign_as("dan", Deed::Suspend { person }, "x", |act| act.expires = now);
        stage.log.now = now.later(std::time::Duration::from_secs(120));
        recorded(stage, ended, |_| {}, |_| {});
    });
    invalid(&stage, &files, Step::Acts, "the act's time was over");
    let (stage, files) = armed_then(|stage| {
        let person = "eve".parse().unwrap();
        let early = stage.sign_as("dan", Deed::Suspend { person }, "x", |act| act.head.size += 1);
        recorded(stage, early, |_| {}, |_| {});
    });
    let verdict = ceremonies::transcript::verify(&files, stage.genesis_sha256());
    assert!(verdict.to_string().starts_with("INVALID (proofs)"), "{verdict}");
}

#[test]
fn a_rogue_can_leave_out_no_word() {
    let dropped = |path: &'static str| {
        let mut stage = Stage::begin(Mode::Rehearsal);
        stage.armed();
        suspends(&mut stage, "dan", "eve");
        stage.start("ivy");
        stage.birth(|_, _| {});
        stage.executed();
        stage.saw("fay");
        stage.saw("gus");
        let drop = |files: &mut Files| files.retain(|own, _| !own.starts_with(path));
        let files = stage.complete_with(drop, |_| {}, |_| {});
        (stage, files)
    };
    let (stage, files) = dropped("details/7");
    invalid(&stage, &files, Step::Details, "the detail of record 7 is missing");
    let (stage, files) = dropped("beside/");
    invalid(&stage, &files, Step::Copies, "beside/000000000007-suspend-dan.json");
}

#[test]
fn a_suspension_ends_with_a_roster_that_was_proposed_after_it() {
    let by_the_second_roster = |stage: &mut Stage| {
        stage.statement = stage.key_generate(CeremonyId::from([0xa7; 16]), |_, _| {});
        stage.armed();
        stage.rest_armed()
    };
    let mut stage = Stage::begin(Mode::Rehearsal);
    suspends(&mut stage, "dan", "eve");
    joins(&mut stage, "kim");
    suspends(&mut stage, "bob", "kim");
    stage.statement = stage.key_generate(CeremonyId::from([0xa7; 16]), |_, _| {});
    stage.propose();
    for who in ["ada", "eve", "cyd"] {
        stage.approve(who);
    }
    let files = stage.rest();
    valid(&stage, &files);
    // What was said under the first roster is checked by it, with stock tools, too.
    let signers = std::str::from_utf8(&files[name::ALLOWED_SIGNERS]).unwrap();
    assert!(signers.contains("\nkim namespaces=") && signers.contains("\ndan namespaces="), "{signers}");

    // One that was proposed before it leaves it as it is.
    let mut stage = Stage::begin(Mode::Rehearsal);
    let next = proposes_joining(&mut stage, "kim");
    suspends(&mut stage, "dan", "eve");
    for officer in ["ada", "bob", "cyd", "kim"] {
        stage.approve(officer);
    }
    for witness in ["fay", "gus"] {
        stage.attest(witness);
    }
    super::others::comes_into_force(&mut stage, next);
    let mut other = stage.clone();
    let files = by_the_second_roster(&mut other);
    valid(&other, &files);
    stage.statement = stage.key_generate(CeremonyId::from([0xa7; 16]), |_, _| {});
    stage.propose();
    for who in ["ada", "eve", "cyd"] {
        stage.approve(who);
    }
    let files = stage.rest();
    invalid(&stage, &files, Step::Session, "1 more officer must approve");
}
