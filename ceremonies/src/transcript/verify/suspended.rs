//! Whose acts counted no more: what officers said of people, each by an act of his, folded as the daemon folds it.

use std::collections::BTreeSet;

use proto::record::Body;

use super::SLACK;
use super::changes::{self, Made};
use super::genesis::Instance;
use crate::act::VerifiedAct;
use crate::person::PersonId;
use crate::record;
use crate::roster::Roster;
use crate::session::Seats;
use crate::suspension::{Said, Suspensions};
use crate::transcript::control::Control;
use crate::transcript::course::Word;
use crate::transcript::invalid::{At, hold};
use crate::transcript::{Invalid, Step};

/// Who was suspended, from each record on that changed it.
pub(super) struct Suspended {
    changes: Vec<(u64, BTreeSet<PersonId>)>,
    /// After the last record.
    pub(super) newest: Suspensions,
}

impl Suspended {
    /// Reads them from the first record on. `made` are the rosters and guardrails after the first.
    pub(super) fn read(
        control: &Control,
        words: &[Word],
        instance: &Instance,
        made: &[Made],
    ) -> Result<Self, Invalid> {
        let carried = instance.genesis.carried().map_or(&[][..], |carried| &carried.suspended);
        let mut now = Suspensions::carried(carried);
        let mut changes = vec![(0, now.people())];
        for line in control.lines() {
            let index = line.index;
            let next = match &line.record.body {
                Body::Suspend(body) => {
                    let word = words.iter().find(|word| word.index == index);
                    let word = word.at(Step::Acts, format_args!("record {index} has no act"))?;
                    let (paper, roster) = (&word.paper, changes::in_force(made, instance, index));
                    let (document, armor) = (paper.document.as_bytes(), &paper.armor);
                    let act = VerifiedAct::verify(document, armor, instance.setting(), roster)
                        .at(Step::Acts, format_args!("the act of record {index}"))?;
                    let said = Said::of(&act).filter(|said| said.record() == **body);
                    let said =
                        said.at(Step::Acts, format_args!("record {index} does not say what its act says"))?;
                    hold(act.act().head.size <= index, Step::Acts, || {
                        format!("record {index}: the act names a head that the log did not have yet")
                    })?;
                    // Suspending works whatever the clock is worth; times of one that nobody trusted say nothing.
                    let time = line.record.time;
                    let good = time.clock.is_some() || time.asked < said.expires.later(SLACK);
                    hold(good, Step::Acts, || {
                        format!("record {index}: the act's time was over, by its own word")
                    })?;
                    let after = now.after(&said, &roster.into(), record::stamp(index, &line.record));
                    // What has no effect stays in the log, today as on the day.
                    after.unwrap_or_else(|_refused| now.clone())
                }
                _ => {
                    let made = made.iter().find(|made| made.index == index);
                    match made.and_then(|made| Some((made.roster.as_ref()?, made.proposed))) {
                        Some((roster, proposed)) => now.succeeded(&roster.into(), proposed),
                        None => continue,
                    }
                }
            };
            if next.people() != now.people() {
                changes.push((index, next.people()));
            }
            now = next;
        }
        Ok(Self { changes, newest: now })
    }

    /// A roster as a ceremony sees it after the record with this index.
    pub(super) fn seats(&self, roster: &Roster, index: u64) -> Seats {
        let newest = self.changes.iter().rev().find(|(at, _)| *at <= index);
        Seats::from(roster).with_suspended(newest.map(|(_, people)| people.clone()).unwrap_or_default())
    }

    /// Who is suspended since this record, if that is another set of people than before.
    pub(super) fn changed_by(&self, index: u64) -> Option<&BTreeSet<PersonId>> {
        self.changes.iter().find(|(at, _)| *at == index).map(|(_, people)| people)
    }
}
