//! The end: the checkpoint that everything is in, and the completion that the log holds.

use std::str::FromStr;

use proto::hash::Hash;
use proto::proof::checkpoint::Checkpoint;
use proto::proof::keys::LogKeys;
use proto::proof::note;
use proto::proof::receipt::Receipt;
use proto::record::ceremony::{Ceremony, Completed, Effect, document};
use proto::record::{Arrived, Body, ControlRecord, Lift};
use proto::term::Term;

use super::files;
use super::genesis::Instance;
use crate::outputs::effect;
use crate::statement::Target;
use crate::statement::target::KeyResume;
use crate::transcript::control::Control;
use crate::transcript::course::Course;
use crate::transcript::invalid::{At, hold};
use crate::transcript::{Deviation, Files, Invalid, Manifest, Step, name};

/// A checkpoint with the signatures of the log keys in force at its size and no other: further lines would be bytes that
/// nothing covers.
pub(super) fn bare(text: &str, keys: &LogKeys, step: Step, what: &str) -> Result<Checkpoint, Invalid> {
    let checkpoint = keys.verify(text).at(step, what)?;
    let note = note::parse(text).at(step, what)?;
    hold(keys.are_the_lines_of(&note, checkpoint.size) && note.to_string() == text, step, || {
        format!(
            "{what} carries more than the signature of the log key in force, or less, or is written in another form"
        )
    })?;
    Ok(checkpoint)
}

/// A checkpoint of the instance's log in a file, by the keys in force at its size, and nothing else in it.
pub(super) fn signed(
    files: &Files,
    path: &str,
    instance: &Instance,
    keys: &LogKeys,
) -> Result<Checkpoint, Invalid> {
    let step = Step::Checkpoint;
    let text = files::text(files, path, step)?;
    let checkpoint = bare(text, keys, step, path)?;
    hold(checkpoint.origin == instance.genesis.origin().as_str(), step, || {
        format!("{path} is another log's")
    })?;
    hold(checkpoint.body() == note::parse(text).at(step, path)?.text(), step, || {
        format!("{path} has lines that this version does not know")
    })?;
    Ok(checkpoint)
}

/// The checkpoint of a tree that holds every control record of the transcript, and none after them.
pub(super) fn checkpoint(
    files: &Files,
    control: &Control,
    instance: &Instance,
    keys: &LogKeys,
) -> Result<Checkpoint, Invalid> {
    let step = Step::Checkpoint;
    let checkpoint = signed(files, name::CHECKPOINT, instance, keys)?;
    let last = control.last();
    hold(checkpoint.control == Some((last.index, last.hash)) && last.index < checkpoint.size, step, || {
        format!("the checkpoint does not name record {} as the newest control record", last.index)
    })?;
    Ok(checkpoint)
}

/// The completion, as the log holds it.
pub(super) struct End {
    pub(super) leaf: Vec<u8>,
    pub(super) index: u64,
    pub(super) record: ControlRecord,
    pub(super) completed: Completed,
}

impl End {
    pub(super) fn read(
        files: &Files,
        control: &Control,
        course: &Course,
        manifest: &Manifest,
        checkpoint: &Checkpoint,
        keys: &LogKeys,
    ) -> Result<Self, Invalid> {
        let step = Step::Completion;
        let text = files::text(files, name::COMPLETED, step)?;
        let receipt = Receipt::from_str(text).at(step, name::COMPLETED)?;
        // What was read is written again, so that no byte of it is free.
        hold(receipt.to_string() == text, step, || "the receipt is not written in its one form".to_owned())?;
        let keys = after(keys, course.statement.target(), receipt.index)?;
        let proven = receipt.verify_by(&keys).at(step, name::COMPLETED)?;
        let head = bare(&receipt.checkpoint, &keys, step, "the receipt's checkpoint")?;
        if matches!(course.statement.target(), Target::LogRekey(_)) {
            hold(receipt.index.checked_add(1) == Some(head.size), step, || {
                "the receipt is not by the checkpoint with which the log key ended".to_owned()
            })?;
        }
        let (leaf, index) = (proven.leaf().to_vec(), proven.index());
        let record = ControlRecord::parse(&leaf).at(step, "the record of the receipt")?;
        let completed = match &record.body {
            Body::Ceremony(Ceremony::Completed(completed)) => completed.as_ref().clone(),
            other => {
                return Err(Invalid::new(step, format!("the receipt is of a `{}` record", other.kind())));
            }
        };
        let last = control.last();
        hold(record.previous == last.hash, step, || {
            format!("the completion does not follow record {}: a control record was left out", last.index)
        })?;
        hold(index > last.index && index >= checkpoint.size, step, || {
            "the completion is not after the transcript's checkpoint".to_owned()
        })?;
        let (_, outputs) = course.outputs()?;
        let outputs = outputs.digest(&course.statement).at(Step::Outputs, "outputs.json")?;
        let same = [
            ("ceremony", completed.ceremony == course.ceremony),
            ("statement", completed.statement == course.statement.digest()),
            ("outputs", completed.outputs == outputs),
            ("manifest", completed.manifest == manifest.digest()),
        ];
        match same.into_iter().find(|(_, same)| !same) {
            Some((what, _)) => Err(Invalid::new(step, format!("the completion names another {what}"))),
            None => Ok(Self { leaf, index, record, completed }),
        }
    }

    /// Index of the completion, where the clock was untrusted.
    pub(super) fn untrusted(&self) -> Option<u64> {
        self.record.time.clock.map(|_untrusted| self.index)
    }

    /// Whether what is put in force is what statement and outputs say; gives what deviates.
    pub(super) fn effect(&self, control: &Control, course: &Course) -> Result<Option<Deviation>, Invalid> {
        let step = Step::Effect;
        let (_, outputs) = course.outputs()?;
        let expected = effect(&course.statement, &outputs).at(step, "what the ceremony puts in force")?;
        hold(self.completed.effect == expected, step, || {
            "the completion puts something else in force than statement and outputs say".to_owned()
        })?;
        if let Effect::Key(born) = &expected {
            let before = keys(control).find(|known| known.key == born.key && known.version >= born.version);
            hold(before.is_none(), step, || format!("the key {} was there before", born.key))?;
        }
        if let Target::GrantChange(change) = course.statement.target() {
            let text =
                course.proposal().document(document::GRANTS).at(step, "the proposal brings no grants")?;
            hold(Hash::of(text.as_bytes()) == change.grants, step, || {
                "the grants that the proposal brings are not those that the statement names".to_owned()
            })?;
            hold(self.record.touches.contains(&Term::All), step, || {
                "other grants touch everything, and the completion does not say so".to_owned()
            })?;
        }
        if let Target::RosterChange(_) | Target::PolicyChange(_) = course.statement.target() {
            hold(self.record.touches.contains(&Term::All), step, || {
                "another roster and other guardrails touch everything, and the completion does not say so"
                    .to_owned()
            })?;
        }
        if let Target::BackendRebind(rebind) = course.statement.target() {
            let backend = Term::Backend(rebind.backend.as_str().to_owned());
            hold(self.record.touches.contains(&backend), step, || {
                "another device touches its backend, and the completion does not say so".to_owned()
            })?;
        }
        let asked = match course.statement.target() {
            Target::KeyResume(resume) => Some(Lift { index: resume.stop, terms: resumed(control, resume)? }),
            Target::StopLift(lift) => Some(Lift { index: lift.stop, terms: lift.terms.clone() }),
            _ => None,
        };
        let (lifts, deviation) = match asked {
            Some(lift) if stands(control, &lift) => (vec![lift], None),
            // Another ceremony over the same stop was completed first.
            Some(lift) => (Vec::new(), Some(Deviation::NothingLifted { stop: lift.index })),
            None => (Vec::new(), None),
        };
        hold(self.record.lifts == lifts, step, || {
            "the completion ends other stops than the statement says".to_owned()
        })?;
        hold(self.record.stops.is_empty(), step, || "the completion stops something".to_owned())?;
        Ok(deviation)
    }
}

/// The log keys after the completion of a ceremony with this target, which has this index.
fn after(keys: &LogKeys, target: &Target, index: u64) -> Result<LogKeys, Invalid> {
    let mut keys = keys.clone();
    if let Target::LogRekey(rekey) = target {
        let (next, replaces) = rekey.keys().at(Step::LogKeys, "the statement names no verifier keys")?;
        keys.follow(index, &replaces, next).at(Step::LogKeys, "the next log key")?;
    }
    Ok(keys)
}

/// Whether a stop with these terms was in force up to the completion: it is in the log, and nothing has lifted one of them.
fn stands(control: &Control, asked: &Lift) -> bool {
    let has = |terms: &[Term]| asked.terms.iter().all(|term| terms.contains(term));
    let lifted =
        |lift: &Lift| lift.index == asked.index && lift.terms.iter().any(|term| asked.terms.contains(term));
    let lines = control.lines();
    lines.iter().any(|line| line.index == asked.index && has(&line.record.stops))
        && !lines.iter().any(|line| line.record.lifts.iter().any(lifted))
}

/// The keys that were put in force before, or came over from a lost log.
pub(super) fn keys(control: &Control) -> impl Iterator<Item = &Arrived> {
    control.lines().iter().filter_map(|line| match &line.record.body {
        Body::Carried(carried) => Some(&carried.key),
        Body::Ceremony(Ceremony::Completed(completed)) => match &completed.effect {
            Effect::Key(known) => Some(&**known),
            _ => None,
        },
        _ => None,
    })
}

/// The term of a stop that ends when a key resumes: the whole ring's, or that of one version.
fn resumed(control: &Control, resume: &KeyResume) -> Result<Vec<Term>, Invalid> {
    let Some(version) = resume.version else { return Ok(vec![Term::Key(resume.key.clone())]) };
    let known = keys(control).find(|known| known.key == resume.key && known.version == version);
    let known = known.at(Step::Effect, format_args!("there is no version {version} of {}", resume.key))?;
    Ok(vec![Term::KeyId(known.key_id)])
}
