//! A log that is never written again, read for its recovery: as far as its tree holds together.
//!
//! Everything is checked as at a start, but what anchors and people hold is asked for and not demanded: that the tree does not
//! extend it is why there is a recovery. Connections only read; nothing is written, no anchor either.
//!
//! A store that does not hold together is refused: there is no signed head that what is left of it ends at. An older copy of it
//! has one.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use ceremonies::transcript::{Files, Governs};
use proto::hash::Hash;
use proto::operation::OperationId;
use proto::proof::checkpoint::Checkpoint;
use proto::proof::keys::LogKeys;
use proto::proof::note::{self, Verifier};
use proto::proof::receipt::Receipt;
use proto::record::{Actor, ActorKind, Body, StopTarget};
use proto::term::Term;
use proto::time::Time;

use super::anchor::{Anchor, OffHost};
use super::error::{LoadError, LogError};
use super::judge::{self, Relation};
use super::keys;
use super::load::{self, broken};
use super::settings::Settings;
use super::stops::StopFile;
use super::transcript::{self, Forebear};
use super::tree::{EdgeTiles, detailed};
use super::{Control, ControlDraft, Fresh, Stored};
use crate::clock::Clock;
use crate::store::{Readers, Store, StoreLock, View};

/// What people bring who have seen more of a log than is left of it.
#[derive(Debug, Default)]
pub struct Brought {
    /// Who holds it, and a signed checkpoint.
    pub checkpoints: Vec<(String, String)>,
    /// Ends of log keys, as clients keep them.
    pub ends: Vec<Receipt>,
}

/// The newest checkpoint that anyone is known to hold and that the tree does not extend, or its own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Known {
    /// The signed note.
    pub text: String,
    /// How many records it has.
    pub size: u64,
    /// Root of its tree.
    pub root: Hash,
    /// Who holds it.
    pub held_by: String,
    /// What leads from the keys of what is left to its key; empty where that is one of them.
    pub ends: Vec<Receipt>,
}

/// What is left of a log. Nobody writes it while this is there.
#[derive(Debug)]
pub struct Remains {
    /// Its newest signed head.
    pub checkpoint: String,
    /// How many records that has.
    pub size: u64,
    /// Root of its tree.
    pub root: Hash,
    /// When the newest record was sealed.
    pub sealed: Time,
    /// Its control records, from the first on.
    pub history: Vec<Control>,
    /// Its keys, by these.
    pub keys: LogKeys,
    /// The newest checkpoint that the tree does not extend; none where it extends everything that was found.
    pub behind: Option<Known>,
    /// Operations that had begun and have no record: what came of them is in nobody's log.
    pub open: usize,
    /// How many operations some anchor saw begin of which the store knows nothing.
    pub unknown: u64,
    /// Places that were to keep a checkpoint and did not answer, each with why.
    pub silent: Vec<(String, String)>,
    readers: Readers,
    _lock: StoreLock,
}

/// The leaf of record 0, which names the log's key; nothing of it is believed yet.
///
/// # Errors
/// [`LoadError`].
pub fn first(state_directory: &Path) -> Result<Vec<u8>, LoadError> {
    let record = Store::readers_of(state_directory).read(|view| view.record(0))?;
    Ok(record.ok_or_else(|| broken("record 0 is missing"))?.leaf)
}

/// The detail of record 0.
///
/// # Errors
/// [`LoadError`].
pub fn first_detail(state_directory: &Path) -> Result<Vec<u8>, LoadError> {
    let record = Store::readers_of(state_directory).read(|view| view.record(0))?;
    record.and_then(|record| record.detail).ok_or_else(|| broken("record 0 has no detail"))
}

impl Remains {
    /// Reads what is left of a log that began with this key, and asks anchors, and whoever has brought something, what they know
    /// of it. A checkpoint by a key that nothing has put in force, neither what is left nor ends that were brought, is none of
    /// this log.
    ///
    /// # Errors
    /// [`LoadError`]; where a daemon runs on it, where it does not hold together, and where something that is said to be a
    /// checkpoint of it is none.
    pub fn read(
        settings: &Settings,
        first: &Verifier,
        brought: Brought,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, LoadError> {
        let lock = StoreLock::take(&settings.state_directory)?;
        let (mut held, mut silent, mut number) = (Vec::new(), Vec::new(), 0);
        for path in settings.files() {
            match Anchor::open(path) {
                Ok((_, kept)) => {
                    number = number.max(kept.number);
                    held.push((format!("the anchor {}", path.display()), kept.checkpoint));
                }
                Err(error) => silent.push((format!("file:{}", path.display()), error.to_string())),
            }
        }
        if let Some(path) = settings.presented_file()
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            held.push((format!("what was presented ({})", path.display()), text));
        }
        let off_host = OffHost::start(settings, clock)?;
        for (name, answer) in off_host.read().wait(load::PATIENCE) {
            match answer {
                Ok(kept) => {
                    number = number.max(kept.number);
                    held.push((format!("the anchor {name}"), kept.checkpoint));
                }
                Err(failure) => silent.push((name.to_string(), failure.to_string())),
            }
        }
        off_host.close();
        held.extend(brought.checkpoints);
        let readers = Store::readers_of(&settings.state_directory);
        let found = readers.read(|view| Ok(looked_at(view, first, &held, &brought.ends)))??;
        let Found { checkpoint, size, root, sealed, history, keys, behind, open, counter } = found;
        let unknown = number.saturating_sub(counter);
        Ok(Self {
            checkpoint,
            size,
            root,
            sealed,
            history,
            keys,
            behind,
            open,
            unknown,
            silent,
            readers,
            _lock: lock,
        })
    }

    /// A record with its detail.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn record(&self, index: u64) -> Result<Stored, LogError> {
        self.readers.read(|view| Ok(transcript::stored(view, index))).map_err(LogError::unavailable)?
    }

    /// What leads from each of its keys to the next: the receipt of each end, by the checkpoint that both have signed.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn key_ends(&self) -> Result<Vec<Receipt>, LogError> {
        let edge = EdgeTiles::default();
        let ends = self.readers.read(|view| Ok(keys::ends(view, &edge, &self.keys, self.size)));
        ends.map_err(LogError::unavailable)?
    }

    /// The transcripts of the ceremonies that made its rosters, guardrails and log keys.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn made(&self, forebears: &[Forebear]) -> Result<BTreeMap<Governs, Files>, LogError> {
        let edge = EdgeTiles::default();
        let made = self.readers.read(|view| Ok(transcript::made(view, &edge, forebears)));
        made.map_err(LogError::unavailable)?
    }
}

/// Where a checkpoint is believed by no key of what is left.
const LATER: &str =
    "where the log's key was changed after what is left, give --log-keys FILE, which clients keep as *.keys";

impl Known {
    /// A checkpoint that was verified by `led`, which ends lead to from `keys`; with the signatures of the keys in force at its
    /// size and no other.
    fn of(
        text: &str,
        known: &Checkpoint,
        held_by: &str,
        keys: &LogKeys,
        led: &LogKeys,
        ends: &[Receipt],
    ) -> Result<Self, LoadError> {
        let note = note::parse(text).map_err(|error| broken(format!("{held_by}: {error}")))?;
        let beyond = |end: &&Receipt| end.index < known.size && keys.ends().all(|own| own.index != end.index);
        Ok(Self {
            text: note.of(led.at(known.size)).to_string(),
            size: known.size,
            root: known.root,
            held_by: held_by.to_owned(),
            ends: ends.iter().filter(beyond).cloned().collect(),
        })
    }
}

struct Found {
    checkpoint: String,
    size: u64,
    root: Hash,
    sealed: Time,
    history: Vec<Control>,
    keys: LogKeys,
    behind: Option<Known>,
    open: usize,
    counter: u64,
}

fn looked_at(
    view: View<'_>,
    first: &Verifier,
    held: &[(String, String)],
    ends: &[Receipt],
) -> Result<Found, LoadError> {
    let keys = keys::named(view, first)?;
    let (head, checkpoint) = load::signed_head(view, first.name(), &keys)?;
    let _frontier = load::edge(view, &head, &checkpoint)?;
    let control =
        checkpoint.control.ok_or_else(|| broken("the newest checkpoint names no control record"))?;
    let history = load::chain(view, control, head.control)?;
    keys::proven(&keys, &history, view, first)?;
    let led = keys.led_on(ends).map_err(|error| broken(format!("--log-keys: {}", detailed(&error))))?;
    let stored = judge::Stored { view, head: &head, counter: view.counter()?, keys: &led };
    let mut behind: Option<Known> = None;
    for (held_by, text) in held {
        if let Err(error) = led.verify(text) {
            let why = detailed(&error);
            return Err(broken(format!("{held_by} holds no checkpoint of this log: {why}; {LATER}")));
        }
        let (known, relation) = stored.relation(text, held_by)?;
        let newer = behind.as_ref().is_none_or(|newest| known.size > newest.size);
        if relation != Relation::Extended && newer {
            behind = Some(Known::of(text, &known, held_by, &keys, &led, ends)?);
        }
    }
    Ok(Found {
        sealed: load::newest_time(view, head.size)?,
        open: view.intents(0, u32::MAX)?.len(),
        counter: stored.counter,
        size: head.size,
        root: checkpoint.root,
        checkpoint: head.checkpoint,
        history,
        keys,
        behind,
    })
}

/// Stops that the stop file of a log holds and the log does not, as records of another one: `logged` says what it has, `known`
/// whether a stop's target means something there; where it does not, everything is stopped. None where there is no stop file.
///
/// # Errors
/// [`LoadError`], where it cannot be read.
pub fn pending(
    settings: &Settings,
    at: Time,
    logged: &HashSet<OperationId>,
    known: impl Fn(&StopTarget) -> bool,
) -> Result<Option<Vec<ControlDraft>>, LoadError> {
    let path = settings.stop_file().ok_or_else(|| broken("no anchor is configured that is a file"))?;
    let found = match StopFile::open(&path) {
        Ok((_, found)) => found,
        Err(LoadError::Gone { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut drafts = Vec::new();
    let fresh = || Fresh::at(at).map_err(LoadError::from);
    for entry in found.entries.into_iter().filter(|entry| !logged.contains(&entry.record.operation)) {
        let record = entry.record;
        let draft = match &record.body {
            Body::Stopped { target, .. } if known(target) => ControlDraft {
                stops: record.stops,
                detail: entry.detail,
                ..ControlDraft::new(fresh()?, record.actor, record.body)
            },
            _ => everything(fresh()?, record.actor),
        };
        drafts.push(draft);
    }
    if found.damaged {
        let actor = Actor { id: "stop-file".into(), kind: ActorKind::Daemon };
        drafts.push(everything(fresh()?, actor));
    }
    Ok(Some(drafts))
}

fn everything(fresh: Fresh, actor: Actor) -> ControlDraft {
    let body = Body::Stopped { act: None, target: StopTarget::All };
    ControlDraft { stops: vec![Term::All], ..ControlDraft::new(fresh, actor, body) }
}
