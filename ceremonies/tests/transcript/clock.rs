//! Who vouched for a clock that was not believed: an officer, for that time, by an act of his.

use ceremonies::act::Deed;
use ceremonies::genesis::Mode;
use ceremonies::transcript::{Deviation, Files, Step};
use proto::record::ceremony::document;
use proto::record::{Body, Vouched};
use proto::term::Term;
use proto::time::Time;
use std::time::Duration;

use super::stage::Stage;
use super::valid::valid;
use crate::invalid;

const HOUR: Duration = Duration::from_secs(3600);

/// An armed ceremony, an officer who vouches for a clock that shows this, and the rest of the ceremony.
fn vouched(by: &str, clock: impl Fn(Time) -> Time, writes: impl FnOnce(&mut Vouched)) -> (Stage, Files, u64) {
    let mut stage = Stage::begin(Mode::Rehearsal);
    stage.armed();
    stage.log.now = stage.log.now.later(HOUR);
    let clock = clock(stage.log.now);
    let (act, signature) = stage.sign(by, Deed::AcceptClock { clock }, "the machine was off");
    let verified = stage.verified(&(act.clone(), signature.clone()));
    let mut body = Vouched {
        act: verified.digest(),
        by: by.into(),
        clock,
        expires: verified.act().expires,
        key: verified.key().id(),
        nonce: verified.act().nonce.into(),
    };
    writes(&mut body);
    let documents = vec![(document::ACT, act), (document::SIGNATURE, signature)];
    let index = stage
        .log
        .control_with(Body::Clock(Box::new(body)), documents, |record| record.touches = vec![Term::All]);
    let files = stage.rest_armed();
    (stage, files, index)
}

#[test]
fn a_clock_that_somebody_vouched_for_is_a_deviation() {
    let (stage, files, index) = vouched("dan", |now| now, |_| {});
    let person = "dan".parse().unwrap();
    assert_eq!(valid(&stage, &files).deviations, [Deviation::ClockAccepted { index, person }]);
    assert!(files.contains_key(&format!("beside/{index:012}-accept-clock-dan.json")));
}

#[test]
fn nobody_makes_it_up() {
    let (stage, files, _) = vouched("dan", |now| now, |body| body.by = "eve".into());
    invalid(&stage, &files, Step::Acts, "does not say what its act says");
    for clock in [|now: Time| now.earlier(HOUR), |now: Time| now.later(HOUR)] {
        let (stage, files, _) = vouched("dan", clock, |_| {});
        invalid(&stage, &files, Step::Acts, "it was another time");
    }
}
