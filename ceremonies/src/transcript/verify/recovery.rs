//! Recoveries: that a log takes the place of a lost one is shown by the old log's own beginning.
//!
//! ```text
//! README.md                         what this is
//! begins.json  begins.detail.json   record 0 of the new log, and its detail: the statement, what it names, who signed
//! control.jsonl                     every control record that was left of the old log
//! details/<index>.json              the details of its record 0 and of what officers signed outside of ceremonies
//! checkpoint.txt                    the signed head at which what is left ends
//! known.txt                         the newest signed head that anyone knows
//! known.keys.txt                    where a key came after what is left: the ends that lead to the one that signed it
//! rosters/<version>/…               the transcript of each `roster.change`
//! guardrails/<version>/…            that of each `policy.change`
//! log-keys/<number>/…               that of each `log.rekey`
//! ```
//!
//! What is promised: [`verify`] is a function of the files and of the *old* log's `genesis_sha256` alone. The roster whose quorum
//! signed is the one in force where the old log breaks off, proven from its genesis on; so are guardrails, grants and
//! suspensions, and the log keys by which its checkpoints are believed; keys and stops are those of its control records. [`lost`]
//! shows the same before anybody has signed.
//!
//! What it does not show: that there is no newer checkpoint than `known.txt` (whoever keeps one shows that there is), and that
//! the births of the old log's keys are borne out (their own transcripts do that).

use std::collections::BTreeMap;

use proto::canonical::{self, Map};
use proto::hash::Hash;
use proto::key_id::KeyId;
use proto::operation::OperationId;
use proto::proof::checkpoint::Checkpoint;
use proto::proof::keys::{LogKeys, read_ends, write_ends};
use proto::proof::receipt::Receipt;
use proto::record::{Body, CarriedKey, ControlRecord};
use proto::time::Time;

use super::end;
use super::files;
use super::genesis::Instance;
use super::suspended::Suspended;
use super::{changes, made};
use crate::genesis::{Draft, Genesis};
use crate::recovery::{self, Carried, Survey};
use crate::roster::{Roster, Terms};
use crate::statement::{Head, Log, Name, Statement, Target, Version};
use crate::transcript::control::Control;
use crate::transcript::course::{detail_bytes, words};
use crate::transcript::invalid::{At, hold};
use crate::transcript::{Files, Governs, Invalid, Step, name};

/// Record 0 of the new log.
pub const BEGINS: &str = "begins.json";

/// Its detail.
pub const BEGINS_DETAIL: &str = "begins.detail.json";

/// The newest signed head of the old log that anyone knows.
pub const KNOWN: &str = "known.txt";

/// What leads from the keys of what is left to the one that signed [`KNOWN`]; there only where that is none of them.
pub const KNOWN_KEYS: &str = "known.keys.txt";

/// How to read a recovery; the same text in every one of this version.
pub const README: &str = include_str!("recovery.md");

/// What is left of a lost log, proven from its genesis on.
#[derive(Clone, Debug)]
pub struct Lost {
    /// SHA-256 of the statement that it began with.
    pub genesis: Hash,
    /// What the instance is.
    pub instance: Name,
    /// For instance `production`.
    pub environment: Name,
    /// What is said of every roster.
    pub terms: Terms,
    /// Whether production keys may live in the software backend.
    pub allow_software_backend: bool,
    /// Its name, and the head at which what is left ends.
    pub log: Log,
    /// Its key in force where it breaks off, as a signed-note verifier key.
    pub log_key: String,
    /// The newest head that anyone knows.
    pub known: Head,
    /// The roster in force where it breaks off.
    pub roster: Roster,
    /// Whose acts count no more there.
    pub suspended: Vec<recovery::Suspended>,
    /// Keys, stops, guardrails and grants there.
    pub survey: Survey,
    /// Operations of its control records.
    pub operations: Vec<OperationId>,
    /// When the newest control record was sealed.
    newest: Time,
}

/// A recovery that is valid.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// How the new log begins.
    pub genesis: Genesis,
    /// The keys that come over, in the order of their records.
    pub keys: Vec<CarriedKey>,
    /// What was left of the old log.
    pub lost: Lost,
}

/// The files that show what is left of a log: its control records, the details of its record 0 and of what officers signed
/// outside of ceremonies, its signed head, the newest one that anyone knows with the ends of log keys that lead to its key,
/// and the transcripts of the changes of roster, guardrails and log key, with their receipts.
///
/// # Errors
/// [`Invalid`], where the control records are no chain.
pub fn evidence(
    control: Vec<(u64, Vec<u8>)>,
    details: BTreeMap<u64, Vec<u8>>,
    checkpoint: String,
    known: (String, &[Receipt]),
    made: &BTreeMap<Governs, Files>,
) -> Result<Files, Invalid> {
    let mut files = Files::new();
    for (what, of) in made {
        let own = of.iter().filter(|(path, _)| !Governs::is_of_one(path));
        files.extend(own.map(|(path, bytes)| (format!("{}/{path}", what.directory()), bytes.clone())));
    }
    files.extend(details.into_iter().map(|(index, detail)| (format!("details/{index}.json"), detail)));
    files.insert(name::README.to_owned(), README.as_bytes().to_vec());
    files.insert(name::CONTROL.to_owned(), Control::of(control)?.encode());
    files.insert(name::CHECKPOINT.to_owned(), checkpoint.into_bytes());
    let (known, ends) = known;
    files.insert(KNOWN.to_owned(), known.into_bytes());
    if !ends.is_empty() {
        files.insert(KNOWN_KEYS.to_owned(), write_ends(ends).into_bytes());
    }
    Ok(files)
}

/// What is left of a log that began with this statement.
///
/// # Errors
/// The first step at which something does not hold.
pub fn lost(files: &Files, genesis_sha256: Hash) -> Result<Lost, Invalid> {
    files::bounded(files)?;
    let control = Control::parse(files::find(files, name::CONTROL)?)?;
    let first = control.first();
    let Body::Genesis { statement } = &first.record.body else {
        return Err(Invalid::new(Step::Control, "record 0 is no genesis"));
    };
    let bytes = canonical::to_vec(statement).at(Step::Control, "the genesis statement")?;
    let found = Hash::of(&bytes);
    hold(found == genesis_sha256, Step::GenesisDigest, || {
        format!(
            "the old log's genesis statement has SHA-256 {found}, expected {genesis_sha256}: it is another instance's"
        )
    })?;
    let find = |index: u64| files.get(&format!("details/{index}.json")).map(Vec::as_slice);
    let mut details = BTreeMap::new();
    details.insert(0, detail_bytes(first, find(0))?);
    let words = words(&control, find, &mut details)?;
    let instance = Instance::begin(&control, find(0))?;
    let made = made(files, genesis_sha256)?;
    let keys = changes::log_keys(&made, &instance)?;
    let checkpoint = end::checkpoint(files, &control, &instance, &keys)?;
    let known = known(files, &instance, &keys)?;
    let made = changes::before(&made, &control)?;
    let roster = changes::in_force(made, &instance, u64::MAX).clone();
    let suspended = Suspended::read(&control, &words, &instance, made)?;
    nothing_else(files, &details)?;
    let mut survey = Survey::begin(instance.genesis.statement(), instance.genesis.carried(), first.hash)
        .at(Step::Genesis, "record 0 begins no log")?;
    for line in &control.lines()[1..] {
        survey.take(line.index, line.hash, &line.record);
    }
    let genesis = &instance.genesis;
    Ok(Lost {
        genesis: genesis_sha256,
        instance: genesis.instance().clone(),
        environment: genesis.environment().clone(),
        terms: genesis.terms(),
        allow_software_backend: genesis.allow_software_backend(),
        log: Log { origin: genesis.origin().clone(), root: checkpoint.root, size: checkpoint.size },
        log_key: keys.newest().to_string(),
        known: Head { root: known.root, size: known.size },
        roster,
        suspended: suspended.newest.to_carry(),
        survey,
        operations: control.lines().iter().map(|line| line.record.operation).collect(),
        newest: control.last().record.time.sealed,
    })
}

/// The newest head that anyone knows: by the keys of what is left, or by a later one to which ends lead that both of its
/// neighbours have signed, as clients follow a log.
fn known(files: &Files, instance: &Instance, keys: &LogKeys) -> Result<Checkpoint, Invalid> {
    if !files.contains_key(KNOWN_KEYS) {
        return end::signed(files, KNOWN, instance, keys);
    }
    let step = Step::LogKeys;
    let text = files::text(files, KNOWN_KEYS, step)?;
    let ends = read_ends(text).at(step, KNOWN_KEYS)?;
    let led = keys.led_on(&ends).at(step, KNOWN_KEYS)?;
    // No byte of it is free: each end is in its one form, leads further, and is signed by its two keys and nobody else.
    for end in &ends {
        end::bare(&end.checkpoint, &led, step, KNOWN_KEYS)?;
    }
    let known = end::signed(files, KNOWN, instance, &led)?;
    let needed = led.at(known.size).any(|key| key == led.newest());
    hold(needed && write_ends(&ends) == text && led.count() == keys.count() + ends.len(), step, || {
        format!(
            "{KNOWN_KEYS} holds more than what leads to the key of {KNOWN}, or is written in another form"
        )
    })?;
    Ok(known)
}

/// Judges a recovery: by its files, and by the digest of the statement that the *old* log began with.
///
/// # Errors
/// The first step at which something does not hold.
pub fn verify(files: &Files, genesis_sha256: Hash) -> Result<Recovered, Invalid> {
    let lost = lost(files, genesis_sha256)?;
    let leaf = files::find(files, BEGINS)?;
    let record = ControlRecord::parse(leaf).at(Step::Genesis, BEGINS)?;
    let detail = files::find(files, BEGINS_DETAIL)?;
    hold(record.detail == Some(Hash::of(detail)), Step::Details, || {
        format!("{BEGINS_DETAIL} is not the detail that {BEGINS} names")
    })?;
    let Body::Genesis { statement } = &record.body else {
        return Err(Invalid::new(Step::Genesis, format!("{BEGINS} is no genesis")));
    };
    hold(record.previous == Hash::ZERO && record.stops.is_empty(), Step::Genesis, || {
        format!("{BEGINS} is not the first record of a log")
    })?;
    let genesis =
        Genesis::of_record(statement, Some(detail), record.time.sealed).at(Step::Genesis, BEGINS)?;
    let carried = genesis.carried().at(Step::Genesis, format_args!("{BEGINS} recovers nothing"))?;
    lost.bears_out(genesis.statement(), carried)?;
    Ok(Recovered { keys: lost.survey.keys().cloned().collect(), genesis, lost })
}

impl Lost {
    /// Whether a statement says of the old log what is so, and carries over what was there.
    ///
    /// # Errors
    /// The first thing that it says otherwise.
    pub fn bears_out(&self, statement: &Statement, carried: &Carried) -> Result<(), Invalid> {
        let common = statement.common();
        let Target::LogRecover(target) = statement.target() else {
            return Err(Invalid::new(Step::Genesis, "the statement is no log.recover"));
        };
        let roster = Version { sha256: self.roster.digest(), version: self.roster.version() };
        let same = [
            ("instance", common.instance == self.instance),
            ("environment", common.environment == self.environment),
            ("mode", common.mode == self.terms.mode),
            ("log", common.log == self.log),
            ("roster", common.roster == roster),
            ("guardrails", common.guardrails == self.survey.guardrails),
            ("target.allow_software_backend", target.allow_software_backend == self.allow_software_backend),
            (
                "target.allow_software_officer_keys",
                target.allow_software_officer_keys == self.terms.allow_software_officer_keys,
            ),
            ("target.genesis", target.genesis == self.genesis),
            ("target.grants", target.grants == self.survey.grants),
            ("target.last", target.last == self.known),
            ("target.replaces", target.replaces.as_str() == self.log_key),
        ];
        if let Some((field, _)) = same.into_iter().find(|(_, same)| !same) {
            return Err(Invalid::new(Step::Effect, format!("`{field}` is not that of the old log")));
        }
        hold(carried.sealed >= self.newest, Step::Effect, || {
            "`carried.sealed` is before the newest control record of the old log".to_owned()
        })?;
        let expected = self.carried(carried.key_ids.iter().copied(), carried.sealed);
        hold(*carried == expected, Step::Effect, || {
            "keys, stops or suspensions that come over are not those of the old log".to_owned()
        })
    }

    /// What comes over, with these key pairs as seen besides, where the newest record was sealed then.
    pub fn carried(&self, seen: impl IntoIterator<Item = KeyId>, sealed: Time) -> Carried {
        self.survey.carried(seen, self.suspended.clone(), sealed)
    }
}

/// The draft of a recovery before anybody has signed, held against what is left of the old log.
///
/// # Errors
/// The first step at which something does not hold.
pub fn drafted(lost: &Lost, statement: Statement, documents: &Map<String>) -> Result<Draft, Invalid> {
    let draft = Draft::new(statement, documents).at(Step::Genesis, "the statement")?;
    let carried = draft.carried().at(Step::Genesis, "the statement recovers nothing")?;
    lost.bears_out(draft.statement(), carried)?;
    Ok(draft)
}

/// No file is there that was not read.
fn nothing_else(files: &Files, details: &BTreeMap<u64, Vec<u8>>) -> Result<(), Invalid> {
    let detail = |path: &str| {
        let index = path.strip_prefix("details/").and_then(|rest| rest.strip_suffix(".json"));
        let read = index.and_then(|index| index.parse::<u64>().ok());
        read.is_some_and(|read| details.contains_key(&read) && format!("details/{read}.json") == path)
    };
    let known = [name::README, name::CONTROL, name::CHECKPOINT, KNOWN, KNOWN_KEYS, BEGINS, BEGINS_DETAIL];
    let mut all = files.keys();
    let stranger =
        all.find(|path| !known.contains(&path.as_str()) && !detail(path) && !Governs::is_of_one(path));
    hold(stranger.is_none(), Step::Files, || {
        format!("{} does not belong to a recovery", stranger.map_or("", String::as_str))
    })?;
    let readme = files.get(name::README).is_none_or(|text| text == README.as_bytes());
    hold(readme, Step::Copies, || format!("{} is not the one of this version", name::README))
}
