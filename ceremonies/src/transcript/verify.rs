//! Verifying: the steps in their order, from the files to the verdict.

mod acts;
mod born;
mod changes;
mod clock;
mod destroyed;
mod end;
mod files;
mod genesis;
mod play;
mod rebound;
pub mod recovery;
mod suspended;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use proto::hash::Hash;
use proto::proof::leaf::leaf_hash;

use self::changes::Made;
use self::end::End;
use self::genesis::Instance;
use self::suspended::Suspended;
use super::control::Control;
use super::course::Course;
use super::invalid::hold;
use super::proofs::Proofs;
use super::{Deviation, Files, Governs, Invalid, Manifest, Step, copies, name};
use crate::genesis::Mode;
use crate::roster::Roster;
use crate::statement::{CeremonyId, Kind};

/// How long the daemon may take between looking at an act and the time that its record gives for that: a minute.
const SLACK: Duration = Duration::from_secs(60);

/// A ceremony whose transcript is valid.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verified {
    /// The ceremony.
    pub ceremony: CeremonyId,
    /// What went otherwise than it should, in the order of the log as far as it is in the log.
    pub deviations: Vec<Deviation>,
    /// Its kind.
    pub kind: Kind,
    /// SHA-256 of the manifest, to be compared with what was read aloud.
    pub manifest: Hash,
    /// Whether it counts.
    pub mode: Mode,
    /// SHA-256 of the statement, to be compared with what was read aloud.
    pub statement: Hash,
}

/// What is to be said of a transcript.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Everything holds.
    Valid(Box<Verified>),
    /// Everything holds, and something is to be known.
    ValidWithDeviations(Box<Verified>),
    /// Something does not hold; nothing in it is to be believed.
    Invalid(Invalid),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = |verified: &Verified| match verified.mode {
            Mode::Production => "",
            Mode::Rehearsal => " (rehearsal: it counts for nothing)",
        };
        match self {
            Self::Valid(verified) => write!(f, "VALID{}", mode(verified)),
            Self::ValidWithDeviations(verified) => {
                write!(f, "VALID WITH DEVIATIONS{}", mode(verified))?;
                verified.deviations.iter().try_for_each(|deviation| write!(f, "\n- {deviation}"))
            }
            Self::Invalid(invalid) => write!(f, "INVALID ({}): {}", invalid.step, invalid.reason),
        }
    }
}

/// Judges a transcript: by its files, and by the digest of the genesis statement that whoever asks knows from elsewhere.
pub fn verify(files: &Files, genesis_sha256: Hash) -> Verdict {
    match all(files, genesis_sha256) {
        Ok(verified) if verified.deviations.is_empty() => Verdict::Valid(Box::new(verified)),
        Ok(verified) => Verdict::ValidWithDeviations(Box::new(verified)),
        Err(invalid) => Verdict::Invalid(invalid),
    }
}

fn all(files: &Files, genesis_sha256: Hash) -> Result<Verified, Invalid> {
    files::bounded(files)?;
    let made = made(files, genesis_sha256)?;
    Ok(whole(files, genesis_sha256, &made)?.0.verified)
}

/// The rosters and guardrails that ceremonies made, in their order, each by a transcript that is valid.
fn made(files: &Files, genesis_sha256: Hash) -> Result<Vec<Made>, Invalid> {
    let mut made = Vec::new();
    // Each change's transcript stands on the changes before it, so they are judged in their order, once.
    for what in changes::order(files)? {
        let judged = whole(&changes::nested(files, what, &made), genesis_sha256, &made);
        let (judged, next) =
            judged.map_err(|invalid| Invalid::new(what.step(), format!("{what}: {invalid}")))?;
        made.push(Made::of(what, &judged, next)?);
    }
    Ok(made)
}

/// A transcript that was judged, and where its end is.
struct Judged {
    verified: Verified,
    end: End,
    /// Index of its proposal.
    proposed: u64,
}

/// What is known before acts and course are judged.
#[derive(Clone, Copy)]
struct Scene<'t> {
    control: &'t Control,
    course: &'t Course,
    instance: &'t Instance,
    guardrails: &'t play::Guardrails,
    /// The rosters, guardrails and log keys after the first, in their order.
    made: &'t [Made],
    /// The roster that the ceremony makes.
    next: Option<&'t Roster>,
    /// The roster that the statement names.
    pinned: &'t Roster,
    /// Whose acts counted no more, and since when.
    suspended: &'t Suspended,
}

/// One transcript, on the rosters, guardrails and log keys that were made before it. Gives the roster that it makes, too.
fn whole(files: &Files, genesis_sha256: Hash, made: &[Made]) -> Result<(Judged, Option<Roster>), Invalid> {
    let manifest = files::manifest(files)?;
    let genesis = files::find(files, name::GENESIS)?;
    let digest = Hash::of(genesis);
    hold(digest == genesis_sha256 && manifest.genesis_sha256 == genesis_sha256, Step::GenesisDigest, || {
        format!(
            "the genesis statement has SHA-256 {digest}, expected {genesis_sha256}: it is another instance's"
        )
    })?;
    let control = Control::parse(files::find(files, name::CONTROL)?)?;
    let course = Course::read(&control, manifest.ceremony, |index| {
        files.get(&format!("details/{index}.json")).map(Vec::as_slice)
    })?;
    hold(course.genesis.statement == genesis, Step::GenesisDigest, || {
        "record 0 holds another genesis statement than genesis.json".to_owned()
    })?;
    let instance = Instance::begin(&control, course.details.get(&0).map(Vec::as_slice))?;
    let keys = changes::log_keys(made, &instance)?;
    let checkpoint = end::checkpoint(files, &control, &instance, &keys)?;
    let end = End::read(files, &control, &course, &manifest, &checkpoint, &keys)?;
    proofs(files, &control, &course, &checkpoint)?;
    let made = changes::before(made, &control)?;
    let pinned = changes::in_force(made, &instance, course.proposal().index);
    let next = changes::next(&course, &instance, pinned)?;
    changes::amended(&course, pinned)?;
    let guardrails = play::guardrails(&control, &course, &instance)?;
    let suspended = Suspended::read(&control, &course.words, &instance, made)?;
    let scene = Scene {
        control: &control,
        course: &course,
        instance: &instance,
        guardrails: &guardrails,
        made,
        next: next.as_ref(),
        pinned,
        suspended: &suspended,
    };
    let acts = acts::verify(&scene)?;
    let mut deviations = play::to_the_end(&scene, &acts)?;
    deviations.extend(born::check(files, &course, &instance)?);
    destroyed::check(&control, &course)?;
    rebound::check(files, &control, &course, &instance)?;
    deviations.extend(end.effect(&control, &course)?);
    deviations.extend(clock::check(&scene)?);
    deviations.extend(others(&scene, &end));
    for earlier in made {
        let of = |deviation: &Deviation| Deviation::Of {
            change: earlier.what,
            deviation: Box::new(deviation.clone()),
        };
        deviations.extend(earlier.deviations.iter().map(of));
    }
    copied(files, &control, &course)?;
    let verified = Verified {
        ceremony: course.ceremony,
        deviations,
        kind: course.statement.kind(),
        manifest: manifest.digest(),
        mode: course.statement.common().mode,
        statement: course.statement.digest(),
    };
    Ok((Judged { verified, end, proposed: course.proposal().index }, next))
}

/// Every head and every record of the ceremony is in the checkpoint's tree.
fn proofs(
    files: &Files,
    control: &Control,
    course: &Course,
    checkpoint: &proto::proof::checkpoint::Checkpoint,
) -> Result<(), Invalid> {
    let mut leaves: BTreeMap<u64, Hash> = [(0, control.first().hash)].into();
    for line in control.lines() {
        if course.steps.iter().any(|taken| taken.index == line.index) {
            leaves.insert(line.index, line.hash);
        }
    }
    for (path, index) in super::possession_files(&course.outputs()?.1) {
        leaves.insert(index, leaf_hash(files::find(files, &path)?));
    }
    Proofs::parse(files::find(files, name::PROOFS)?)?.check(&course.heads(), &leaves, checkpoint)
}

/// What deviates beside what was spoken.
fn others(scene: &Scene<'_>, end: &End) -> Vec<Deviation> {
    let Scene { control, course, instance, guardrails, next, pinned, .. } = *scene;
    let mut found: Vec<Deviation> =
        guardrails.changed.iter().map(|index| Deviation::Guardrails { index: *index }).collect();
    let own = |index: u64| course.steps.iter().any(|taken| taken.index == index);
    let untrusted = control.lines().iter().filter(|line| own(line.index) && line.record.time.clock.is_some());
    let untrusted = untrusted.map(|line| line.index).chain(end.untrusted());
    found.extend(untrusted.map(|index| Deviation::UntrustedClock { index }));
    if instance.terms.mode == Mode::Production {
        let mut keys: Vec<_> = [pinned].into_iter().chain(next).flat_map(Roster::software_keys).collect();
        keys.sort_by_key(|(person, key)| (person.id.clone(), key.id()));
        keys.dedup();
        let said = |(person, key): (&crate::roster::Person, &crate::ssh::key::SshKey)| {
            Deviation::SoftwareKey { person: person.id.clone(), kind: key.kind() }
        };
        found.extend(keys.into_iter().map(said));
    }
    found
}

/// Every file that is no source is the copy that its source gives, and there is no other.
fn copied(files: &Files, control: &Control, course: &Course) -> Result<(), Invalid> {
    let mut expected = copies::of(control, course, files)?;
    let possessions = super::possession_files(&course.outputs()?.1).into_iter().map(|(path, _)| path);
    for source in [name::CHECKPOINT, name::PROOFS].map(str::to_owned).into_iter().chain(possessions) {
        let bytes = files::find(files, &source)?.to_vec();
        expected.insert(source, bytes);
    }
    let own = files.iter().filter(|(path, _)| super::manifest::is_listed(path) && !Governs::is_of_one(path));
    let differs = own.clone().find(|(path, bytes)| expected.get(*path) != Some(bytes));
    if let Some((path, _)) = differs {
        return Err(Invalid::new(Step::Copies, format!("{path} is not the copy of what the log holds")));
    }
    let missing = expected.keys().find(|path| !files.contains_key(*path));
    hold(missing.is_none(), Step::Copies, || format!("{} is missing", missing.map_or("", String::as_str)))?;
    // The manifest says nothing that the sources do not say.
    let listed = Manifest::of(course.ceremony, course.genesis_sha256(), course.statement.digest(), files);
    hold(files::find(files, name::MANIFEST)? == listed.encode(), Step::Copies, || {
        "manifest.json is not the manifest of these files".to_owned()
    })
}
