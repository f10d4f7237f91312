//! Rosters, guardrails and log keys that follow each other: what their changes must bring, and the ceremonies that later
//! transcripts stand on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ceremonies::session::{Seats, Session};
use ceremonies::statement::{CeremonyId, Statement};
use ceremonies::succession::proof;
use proto::proof::keys::LogKeys;
use proto::proof::receipt::Receipt;
use proto::reason::Reason;
use proto::record::ceremony::{Effect, document};
use proto::refusal::Refusal;

use super::complete::internal;
use super::propose::{invalid, text};
use super::{Brought, Council, refused, unlogged};
use crate::keyring::Snapshot;
use crate::keys::fold::{Made, State};
use crate::keys::sessions::Held;
use crate::log::{Forebear, Material};

/// Where a transcript ends.
#[derive(Clone, Debug)]
pub struct Ending {
    /// The newest control record that belongs to it, by index.
    pub newest: u64,
    /// The size of the checkpoint's tree.
    pub size: u64,
    /// A signed checkpoint that names that record.
    pub checkpoint: Arc<str>,
}

/// What the transcript of a ceremony is made of that ends there, without proofs of possession and the changes before it.
/// `words` are the records in which officers spoke of people.
pub(super) fn material(id: CeremonyId, held: &Held, words: &[u64], end: Ending) -> Material {
    let completion = held.completion.map(|completion| completion.index);
    let own = held.records.iter().copied().filter(|index| Some(*index) != completion);
    let words = words.iter().copied().filter(|index| *index <= end.newest);
    let details = own.chain(words).collect();
    Material {
        ceremony: id,
        newest: end.newest,
        details,
        possessions: Vec::new(),
        checkpoint: end.checkpoint,
        size: end.size,
        made: Vec::new(),
    }
}

/// What came with a statement, as texts: of documents that are `ours` to take, and no others.
fn texts(
    statement: &Statement,
    brought: &BTreeMap<String, Vec<u8>>,
    ours: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, String>, Refusal> {
    let read = |(name, bytes): (&String, &Vec<u8>)| {
        if !ours(name) {
            let message = format!("a `{}` names no document `{name}`, and it came with it", statement.kind());
            return Err(invalid(message));
        }
        Ok((name.clone(), text(name, bytes)?))
    };
    brought.iter().map(read).collect()
}

impl Council {
    /// The next roster and the proofs of possession, as they came, if they make one of the roster in force.
    pub(super) fn roster_brought(
        &self,
        snapshot: &Snapshot,
        statement: &Statement,
        brought: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Brought, Refusal> {
        let ours = |name: &str| name == document::ROSTER || name.starts_with(proof::PREFIX);
        let texts = texts(statement, brought, ours)?;
        let documents = texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let next = snapshot.state().successor(statement, documents).map_err(|error| {
            Refusal::new(Reason::StatementRefused, error.to_string()).with("guard", "no-successor")
        })?;
        let guardrails = &snapshot.in_force().ok_or_else(super::propose::no_rules)?.loaded.text;
        let in_force = snapshot.state().in_force(guardrails).map_err(|_other| super::propose::no_rules())?;
        let seats = Some(Seats::from(&next));
        Session::open(statement.clone(), &in_force, seats, self.provisional(None))
            .map_err(|refusal| refused(Reason::StatementRefused, &refusal))?;
        Ok(texts.into_iter().collect())
    }

    /// Whether a roster, guardrails or a log key would follow some that are not in force any more: two ceremonies made them,
    /// and the other one's came first. Whatever was decided about this one has no effect.
    pub(super) fn is_overtaken(&self, effect: &Effect) -> bool {
        let snapshot = self.keyring.snapshot();
        let (in_force, version) = match effect {
            Effect::Roster { version, .. } => (snapshot.state().roster_version().version, *version),
            Effect::Guardrails { version, .. } => (snapshot.state().guardrails_version().version, *version),
            Effect::LogKey { key, replaces } => {
                return snapshot.state().log_keys().may_follow(replaces, key).is_err();
            }
            _ => return false,
        };
        in_force.checked_add(1) != Some(version)
    }

    /// The next guardrails with the files that they name, as they came, if they make a version of those in force. The rules
    /// that the present ones forbid by are put beside them, so that the log holds what the two are compared by.
    pub(super) fn guardrails_brought(
        &self,
        snapshot: &Snapshot,
        statement: &Statement,
        brought: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Brought, Refusal> {
        let ours = |name: &str| name == document::NEXT_GUARDRAILS || name.starts_with(document::FILE);
        let loaded = &snapshot.in_force().ok_or_else(super::propose::no_rules)?.loaded;
        let mut texts: BTreeMap<String, String> = loaded.forbidding().into_iter().collect();
        texts.extend(self::texts(statement, brought, ours)?);
        let documents = texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let documents = documents.chain([(document::GUARDRAILS, loaded.text.as_str())]);
        let no = |error: &dyn std::fmt::Display| {
            Refusal::new(Reason::StatementRefused, error.to_string()).with("guard", "no-amendment")
        };
        snapshot.state().amendment(statement, documents).map_err(|error| no(&error))?;
        // With the grants in force they must make rules: ids are given once.
        let next = texts.get(document::NEXT_GUARDRAILS).map(String::as_str).unwrap_or_default();
        loaded.with_guardrails(next, &texts).map_err(|error| no(&error))?;
        Ok(texts.into_iter().collect())
    }

    /// Where the transcript of a completed ceremony ends, as the record of its completion keeps it.
    pub(super) async fn ending(&self, completion: u64) -> Result<Ending, Refusal> {
        let (_, documents) = self.stored(completion).await?;
        let checkpoint = documents
            .get(document::CHECKPOINT)
            .ok_or_else(|| internal(format!("record {completion} has no checkpoint")))?;
        Ending::at(checkpoint, &self.log.keys())
            .ok_or_else(|| internal("a checkpoint that is not this log's, or names no control record"))
    }

    /// The ceremonies that made the rosters, guardrails and log keys before this end, in their order.
    ///
    /// The receipt of each is by the checkpoint of the first completion after it, of whatever ceremony, and that of a
    /// `log.rekey` by the one that both keys have signed: so it has the same bytes in every transcript, and the manifest of each
    /// later change's transcript names them.
    pub(super) async fn earlier(&self, snapshot: &Snapshot, end: &Ending) -> Result<Vec<Forebear>, Refusal> {
        let ends = self.log.key_ends().await.map_err(|error| unlogged(&error))?;
        let mut endings = BTreeMap::new();
        for index in endings_of(snapshot.state(), end) {
            endings.insert(index, self.ending(index).await?);
        }
        forebears(snapshot.state(), end, &ends, |index| endings.get(&index).cloned()).ok_or_else(|| {
            internal("a ceremony that made a roster, guardrails or a log key, and is not known")
        })
    }
}

/// The first completion after this one, of whatever ceremony.
fn next_completion(state: &State, index: u64) -> Option<u64> {
    let all = state.sessions().iter();
    let completions = all.filter_map(|(_, held)| held.completion.map(|completion| completion.index));
    completions.filter(|next| *next > index).min()
}

/// The completions whose endings [`forebears`] asks for.
pub fn endings_of(state: &State, end: &Ending) -> BTreeSet<u64> {
    let made = state.made().iter().map(|made| made.index).filter(|index| *index <= end.newest);
    let next = |index| next_completion(state, index).filter(|next| *next <= end.newest);
    made.flat_map(|index| [Some(index), next(index)]).flatten().collect()
}

/// What the transcripts of the ceremonies are made of that made the rosters, guardrails and log keys before this end. `ends` are
/// the receipts by which log keys ended, `ending` says where the transcript of a completion ends. None where one is not known.
pub fn forebears(
    state: &State,
    end: &Ending,
    ends: &[Receipt],
    ending: impl Fn(u64) -> Option<Ending>,
) -> Option<Vec<Forebear>> {
    let one = |made: &Made| {
        let held = state.sessions().find(made.ceremony)?;
        let (proven, proven_size) = match ends.iter().find(|own| own.index == made.index) {
            Some(own) => (Arc::from(own.checkpoint.as_str()), own.index + 1),
            None => {
                // It may be after this end, where that is the first completion since.
                let next = next_completion(state, made.index).filter(|next| *next <= end.newest);
                let proven = next.map_or_else(|| Some(end.clone()), &ending)?;
                (proven.checkpoint, proven.size)
            }
        };
        Some(Forebear {
            what: made.what,
            material: material(made.ceremony, held, state.words(), ending(made.index)?),
            completion: made.index,
            proven,
            proven_size,
        })
    };
    state.made().iter().filter(|made| made.index <= end.newest).map(one).collect()
}

impl Ending {
    /// Where the transcript ends whose last checkpoint this is; none where these keys have not signed it, or it names no control
    /// record.
    pub fn at(checkpoint: &str, keys: &LogKeys) -> Option<Self> {
        let head = keys.verify(checkpoint).ok()?;
        Some(Self { newest: head.control?.0, size: head.size, checkpoint: Arc::from(checkpoint) })
    }
}
