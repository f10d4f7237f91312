//! The clock: whoever vouched for one that was not believed was an officer, and said that time.

use proto::record::{Body, Vouched};

use super::{SLACK, Scene, changes};
use crate::act::{Deed, VerifiedAct};
use crate::session::RECENT;
use crate::transcript::invalid::{At, hold};
use crate::transcript::{Deviation, Invalid, Step};

/// Every record by which times went on from a wall clock that was not believed. Those of while the ceremony was held are
/// deviations.
pub(super) fn check(scene: &Scene<'_>) -> Result<Vec<Deviation>, Invalid> {
    let Scene { control, course, instance, made, suspended, .. } = *scene;
    let mut deviations = Vec::new();
    for line in control.lines() {
        let (Body::Clock(body), index) = (&line.record.body, line.index) else { continue };
        let roster = changes::in_force(made, instance, index);
        let word = course.words.iter().find(|word| word.index == index);
        let paper = &word.at(Step::Acts, format_args!("record {index} has no act"))?.paper;
        let act = VerifiedAct::verify(paper.document.as_bytes(), &paper.armor, instance.setting(), roster)
            .at(Step::Acts, format_args!("the act of record {index}"))?;
        let Deed::AcceptClock { clock } = act.act().deed else {
            return Err(Invalid::new(Step::Acts, format!("record {index} vouches for no clock by its act")));
        };
        let said = Vouched {
            act: act.digest(),
            by: act.person().to_string(),
            clock,
            expires: act.act().expires,
            key: act.key().id(),
            nonce: act.act().nonce.into(),
        };
        hold(said == **body, Step::Acts, || format!("record {index} does not say what its act says"))?;
        let seats = suspended.seats(roster, index);
        hold(!seats.suspended.contains(act.person()), Step::Acts, || {
            format!("record {index}: `{}` was suspended", act.person())
        })?;
        let time = line.record.time;
        let near = time.sealed.later(SLACK) >= clock && time.sealed <= clock.later(RECENT).later(SLACK);
        hold(time.clock.is_some() || near && time.sealed < said.expires.later(SLACK), Step::Acts, || {
            format!("record {index}: it was another time, or too late, when somebody vouched for {clock}")
        })?;
        if index > course.proposal().index {
            deviations.push(Deviation::ClockAccepted { index, person: act.person().clone() });
        }
    }
    Ok(deviations)
}
