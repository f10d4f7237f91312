//! The rosters after the first: each was made by a ceremony whose transcript is valid, in the order of the log.

use std::collections::BTreeSet;

use proto::record::Body;
use proto::record::ceremony::{Ceremony, Effect};

use super::Judged;
use super::genesis::Instance;
use crate::roster::Roster;
use crate::statement::Kind;
use crate::succession;
use crate::transcript::control::Control;
use crate::transcript::course::Course;
use crate::transcript::invalid::{At, hold};
use crate::transcript::{Deviation, Files, Invalid, Step};

const DIRECTORY: &str = "rosters/";

/// Most roster changes of a transcript.
const MOST: usize = 1000;

/// A roster that a ceremony made.
pub(super) struct Made {
    pub(super) version: u64,
    /// Index of the completion that put it in force.
    pub(super) index: u64,
    /// Index of the proposal of its ceremony.
    pub(super) proposed: u64,
    pub(super) leaf: Vec<u8>,
    pub(super) roster: Roster,
    pub(super) deviations: Vec<Deviation>,
}

impl Made {
    pub(super) fn of(version: u64, judged: &Judged, next: Option<Roster>) -> Result<Self, Invalid> {
        let roster = next.filter(|roster| roster.version() == version);
        let roster =
            roster.at(Step::Rosters, format_args!("rosters/{version} does not make roster {version}"))?;
        let own =
            judged.verified.deviations.iter().filter(|found| !matches!(found, Deviation::Roster { .. }));
        Ok(Self {
            version,
            index: judged.end.index,
            proposed: judged.proposed,
            leaf: judged.end.leaf.clone(),
            roster,
            deviations: own.cloned().collect(),
        })
    }
}

/// The versions whose transcripts are in here, from 2 without gaps.
pub(super) fn versions(files: &Files) -> Result<Vec<u64>, Invalid> {
    let mut found = BTreeSet::new();
    for path in files.keys() {
        let Some(rest) = path.strip_prefix(DIRECTORY) else { continue };
        let version = rest.split_once('/').and_then(|(version, _)| version.parse::<u64>().ok());
        let one_form = version.filter(|version| rest.starts_with(&format!("{version}/")));
        found.insert(one_form.at(Step::Files, format_args!("{path} does not belong to any transcript"))?);
    }
    hold(found.len() <= MOST, Step::Files, || format!("more than {MOST} rosters"))?;
    hold(found.iter().copied().eq((2..).take(found.len())), Step::Rosters, || {
        "the transcripts under rosters/ are not those of the versions from 2 on without gaps".to_owned()
    })?;
    Ok(found.into_iter().collect())
}

/// The files of one of them: its own, and the rosters before it, which it shares with this transcript.
pub(super) fn nested(files: &Files, version: u64) -> Files {
    let own = format!("{DIRECTORY}{version}/");
    let earlier = |path: &str| {
        let rest = path.strip_prefix(DIRECTORY)?.split_once('/')?;
        rest.0.parse::<u64>().ok().filter(|found| *found < version)
    };
    let place = |path: &str| match path.strip_prefix(&own) {
        Some(inner) => Some(inner.to_owned()),
        None => earlier(path).map(|_version| path.to_owned()),
    };
    files.iter().filter_map(|(path, bytes)| Some((place(path)?, bytes.clone()))).collect()
}

/// Those of the rosters that were put in force before the end of this control chain: all of them, each by the very record
/// whose transcript was judged.
pub(super) fn before<'m>(made: &'m [Made], control: &Control) -> Result<&'m [Made], Invalid> {
    let mut known = made.iter();
    for line in control.lines() {
        let Body::Ceremony(Ceremony::Completed(completed)) = &line.record.body else { continue };
        let Effect::Roster { version, .. } = &completed.effect else { continue };
        let next = known.next().filter(|made| made.version == *version);
        let next = next.at(Step::Rosters, format_args!("the transcript of roster {version} is missing"))?;
        hold(next.index == line.index && next.leaf == line.leaf, Step::Rosters, || {
            format!("rosters/{version} is not the ceremony of record {}", line.index)
        })?;
    }
    let more = known.next();
    hold(more.is_none(), Step::Rosters, || {
        "a roster's transcript is of no record before the completion".to_owned()
    })?;
    Ok(made)
}

/// The roster that a `roster.change` makes of the one that its statement names, each new key of which has signed for it;
/// none where it makes none.
pub(super) fn next(course: &Course, instance: &Instance, pinned: &Roster) -> Result<Option<Roster>, Invalid> {
    if course.statement.kind() != Kind::RosterChange {
        return Ok(None);
    }
    let brought = course.proposal().detail.iter().flat_map(|detail| detail.documents.iter());
    let brought = brought.map(|(name, text)| (name, text.as_str()));
    succession::next(&course.statement, pinned, instance.setting(), instance.terms, brought)
        .at(Step::Rosters, "the next roster")
        .map(Some)
}

/// The roster in force when the record with this index was written.
pub(super) fn in_force<'r>(made: &'r [Made], instance: &'r Instance, index: u64) -> &'r Roster {
    made.iter().rev().find(|made| made.index < index).map_or(instance.genesis.roster(), |made| &made.roster)
}
