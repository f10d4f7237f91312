//! The people's side: who must agree, when, and that the records say what people signed.

use std::time::Duration;

use ceremonies::act::{Decision, Deed, Outcome};
use ceremonies::genesis::Mode;
use ceremonies::session::deviations_digest;
use ceremonies::transcript::Step;
use proto::hash::Hash;
use proto::record::ceremony::{Acted, Decided};

use crate::invalid;
use crate::stage::{Stage, ssh_sign};

fn approve(stage: &Stage) -> Deed {
    Deed::Approve { decision: Decision::Accept, statement: stage.digest() }
}

#[test]
fn too_few_or_the_wrong_people_do_not_arm() {
    let cases: [(&[&str], &[&str]); 6] = [
        (&["ada", "bob"], &["fay", "gus"]),
        (&["ada", "bob", "cyd"], &["fay"]),
        (&["ada", "bob", "cyd"], &[]),
        // The same person twice, a responder, the operator.
        (&["ada", "ada", "bob"], &["fay", "gus"]),
        (&["ada", "bob", "hal"], &["fay", "gus"]),
        (&["ada", "bob", "ivy"], &["fay", "gus"]),
    ];
    for (approvers, witnesses) in cases {
        let mut stage = Stage::begin(Mode::Rehearsal);
        stage.propose();
        for who in approvers {
            stage.approve(who);
        }
        for who in witnesses {
            stage.attest(who);
        }
        let files = stage.rest_armed();
        invalid(&stage, &files, Step::Session, "leave the ceremony proposed");
    }
}

#[test]
fn approvals_grow_old_and_statements_end() {
    for (hours, ends) in [
        (25, "record 7 had no effect: it is not armed: 3 more officers"),
        (80, "record 7 had no effect: the statement expired"),
    ] {
        let mut stage = Stage::begin(Mode::Rehearsal);
        stage.armed();
        stage.log.now = stage.log.now.later(Duration::from_secs(hours * 3600));
        let files = stage.rest_armed();
        invalid(&stage, &files, Step::Session, ends);
    }
    // Silence after the execution.
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.armed();
    stage.start("ivy");
    stage.birth(|_, _| {});
    stage.executed();
    stage.log.now = stage.log.now.later(Duration::from_secs(5 * 3600));
    let files = stage.rest_executed();
    invalid(&stage, &files, Step::Session, "leave the ceremony executed");
}

#[test]
fn nothing_is_done_while_the_clock_is_untrusted() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.armed();
    stage.log.untrusted = true;
    let files = stage.rest_armed();
    invalid(&stage, &files, Step::Session, "leave the ceremony armed");
}

#[test]
fn somebody_runs_the_tool_who_is_nothing_else_in_it() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.armed();
    stage.start_by_itself();
    stage.birth(|_, _| {});
    stage.executed();
    let files = stage.rest_executed();
    invalid(&stage, &files, Step::Session, "nobody ran the tool");
}

#[test]
fn witnesses_attest_the_outputs_that_there_are() {
    for (outputs, deviations) in [(true, false), (false, true)] {
        let mut stage = Stage::begin(Mode::Rehearsal);
        stage.armed();
        stage.start("ivy");
        stage.birth(|_, _| {});
        stage.executed();
        stage.saw("fay");
        let right = stage.outcome();
        let outcome = Outcome {
            outputs: if outputs { Hash::of(b"others") } else { right.outputs },
            deviations: if deviations { deviations_digest(&[Hash::ZERO]) } else { right.deviations },
        };
        let statement = stage.digest();
        stage.decide(
            "gus",
            Deed::Attest { decision: Decision::Accept, outcome: Some(outcome), statement },
            "",
        );
        let files = stage.complete();
        invalid(&stage, &files, Step::Session, "leave the ceremony executed");
    }
    // One of them refuses.
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.armed();
    stage.start("ivy");
    stage.birth(|_, _| {});
    stage.executed();
    stage.saw("fay");
    let (statement, outcome) = (stage.digest(), Some(stage.outcome()));
    let refuse = Deed::Attest { decision: Decision::Refuse, outcome, statement };
    stage.decide("gus", refuse, "the serial was another one");
    let files = stage.complete();
    invalid(&stage, &files, Step::Session, "leave the ceremony failed");
}

#[test]
fn records_say_what_people_signed() {
    type Change = fn(&mut Acted);
    let cases: [Change; 6] = [
        |body| body.person = "dan".into(),
        |body| body.decision = Decided::Attest,
        |body| body.nonce = Hash::ZERO,
        |body| body.act = Hash::ZERO,
        |body| body.expires = body.expires.later(Duration::from_secs(1)),
        |body| body.head.size += 1,
    ];
    for change in cases {
        let mut stage = Stage::begin(Mode::Rehearsal);
        stage.propose();
        let deed = approve(&stage);
        let signed = stage.sign("ada", deed, "");
        stage.decided_with(signed, None, change);
        for who in ["bob", "cyd", "dan"] {
            stage.approve(who);
        }
        let files = stage.rest();
        invalid(&stage, &files, Step::Acts, "record 2 does not say what its act says");
    }
}

#[test]
fn a_stranger_is_nobody_and_a_rehearsal_is_not_production() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.propose();
    let deed = approve(&stage);
    let (act, signature) = stage.sign("ada", deed, "");
    let namespace = ceremonies::act::namespace(Mode::Rehearsal);
    let other = ssh_sign("zed", namespace, act.as_bytes());
    stage.decided_with((act, signature), Some(other), |_| {});
    let files = stage.rest();
    invalid(&stage, &files, Step::Acts, "belongs to nobody in the roster");

    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.propose();
    let deed = approve(&stage);
    let (act, signature) = stage.sign("ada", deed, "");
    let namespace = ceremonies::act::namespace(Mode::Production);
    let other = ssh_sign("ada", namespace, act.as_bytes());
    stage.decided_with((act, signature), Some(other), |_| {});
    let files = stage.rest();
    invalid(&stage, &files, Step::Acts, namespace);
}

#[test]
fn an_act_about_another_statement_is_none_of_this_ceremony() {
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.propose();
    let deed = Deed::Approve { decision: Decision::Accept, statement: Hash::of(b"another") };
    stage.decide("ada", deed, "");
    let files = stage.rest();
    invalid(&stage, &files, Step::Acts, "about another statement");
}

#[test]
fn when_a_head_was_overtaken_is_what_the_log_shows() {
    // The head of the proposal, long overtaken when the witness attests: said otherwise, he would seem to be up to date.
    let lie = |overtaken: fn(&mut Acted)| {
        let mut stage = Stage::begin(Mode::Rehearsal);
        stage.propose();
        for who in ["ada", "bob", "cyd"] {
            stage.approve(who);
        }
        stage.attest("fay");
        let (size, root) = (2, stage.log.root(2));
        stage.log.now = stage.log.now.later(Duration::from_secs(1200));
        let deed = Deed::Attest { decision: Decision::Accept, outcome: None, statement: stage.digest() };
        let signed = stage.sign_as("gus", deed, "", |act| {
            (act.head.size, act.head.root) = (size, root);
        });
        stage.decided_with(signed, None, overtaken);
        let files = stage.rest_armed();
        (stage, files)
    };
    let (stage, files) = lie(|_| {});
    invalid(&stage, &files, Step::Session, "leave the ceremony proposed");
    let (stage, files) = lie(|body| body.overtaken = None);
    invalid(&stage, &files, Step::Acts, "was not the newest one");
    let (stage, files) =
        lie(|body| body.overtaken = Some(body.overtaken.unwrap().later(Duration::from_secs(900))));
    invalid(&stage, &files, Step::Acts, "earlier than the record says");
    let (stage, files) =
        lie(|body| body.overtaken = Some(body.overtaken.unwrap().earlier(Duration::from_secs(900))));
    invalid(&stage, &files, Step::Acts, "later than the record says");
}
