//! The live keys: who may do what with which opened key, as one immutable snapshot.
//!
//! Many readers share a snapshot; `follow` alone makes the next one, from control records in the order of the log. A
//! snapshot holds the state that these records fold to, the rules that they put in force, and the opened keys.
//!
//! Promises: a reader sees state, rules and keys of one moment; a snapshot is never older than the control record that it
//! names; rules are used only if the log holds the digests of their files.
//!
//! Does not: decide, sign, or write to the log.
//!
//! Invariant: without rules that the log put in force nothing is permitted (`nothing_is_permitted_without_rules`).

mod account;
mod approved;
mod follow;
mod open;
mod rules;
mod snapshot;
#[cfg(test)]
pub(crate) mod trial;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use proto::hash::Hash;
use tokio::sync::watch;

use crate::backend::Backend;
use crate::clock::Clock;
use crate::keys::fold::State;

pub use account::Account;
pub use approved::{approved, from_details};
pub use follow::{Unfoldable, follow};
pub use rules::{Adopted, Loaded, RulesError, load};
pub use snapshot::{InForce, Refused, Snapshot};

/// The live keys of this daemon.
pub struct Keyring {
    current: ArcSwap<Snapshot>,
    newest: watch::Sender<u64>,
    backends: BTreeMap<String, Arc<dyn Backend>>,
    clock: Arc<dyn Clock>,
    /// Held from looking for offered rules to their snapshot, so that what is offered meanwhile is missed by nobody.
    settling: Mutex<()>,
    offered: Mutex<Vec<Arc<Loaded>>>,
}

impl Keyring {
    /// The keys after these control records, none of them opened yet.
    pub fn new(
        state: State,
        backends: BTreeMap<String, Arc<dyn Backend>>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let snapshot = Snapshot::new(state);
        let (newest, _nobody_yet) = watch::channel(snapshot.control());
        Arc::new(Self {
            current: ArcSwap::from_pointee(snapshot),
            newest,
            backends,
            clock,
            settling: Mutex::default(),
            offered: Mutex::default(),
        })
    }

    /// The present.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// A snapshot at least as new as this control record.
    pub async fn at_least(&self, control: u64) -> Arc<Snapshot> {
        let mut newest = self.newest.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _reached = newest.wait_for(|index| *index >= control).await;
        self.snapshot()
    }

    /// Told of every new snapshot, by the index of its newest control record.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// The backend of this name.
    pub fn backend(&self, name: &str) -> Option<&Arc<dyn Backend>> {
        self.backends.get(name)
    }

    /// All backends by name.
    pub fn backends(&self) -> impl Iterator<Item = (&str, &Arc<dyn Backend>)> {
        self.backends.iter().map(|(name, backend)| (name.as_str(), backend))
    }

    /// Makes rules known before the log puts them in force.
    fn offer(&self, loaded: Arc<Loaded>) {
        let mut offered = self.offered.lock().unwrap_or_else(PoisonError::into_inner);
        offered.push(loaded);
        // Those in force, those on their way, and one that lost a race are enough.
        let surplus = offered.len().saturating_sub(4);
        offered.drain(..surplus);
    }

    fn offered(&self, guardrails: &Hash, grants: &Hash) -> Option<Arc<Loaded>> {
        let offered = self.offered.lock().unwrap_or_else(PoisonError::into_inner);
        offered
            .iter()
            .rev()
            .find(|loaded| loaded.guardrails == *guardrails && loaded.grants == *grants)
            .cloned()
    }

    /// The only place where a snapshot is replaced.
    fn replace(&self, change: impl Fn(&Snapshot) -> Snapshot) {
        self.current.rcu(|current| change(current));
        self.newest.send_replace(self.current.load().control());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::trial::{Trial, everything};
    use super::*;
    use crate::policy::caller::Caller;
    use crate::policy::facts::Action;

    #[tokio::test]
    async fn nothing_is_permitted_without_rules() {
        let trial = Trial::new("private", &everything()).await;
        let snapshot = trial.keyring.snapshot();
        let caller = Arc::new(Caller::unix(rustix::process::getuid().as_raw()));
        assert!(snapshot.admits(&caller));
        assert!(snapshot.decide(&caller, &Action::ReadLog, None, None).is_ok());
        let bare = Snapshot::new(snapshot.state().clone());
        assert!(!bare.admits(&caller));
        assert!(matches!(bare.decide(&caller, &Action::ReadLog, None, None), Err(Refused::NoRules)));
        let key = "release/linux".parse().unwrap();
        assert!(bare.take_quota(&caller, &key).is_err());
    }

    #[tokio::test]
    async fn records_that_change_no_rules_keep_those_in_force() {
        let trial = Trial::new("private", &everything()).await;
        let before = trial.keyring.snapshot();
        trial.bring("release/linux").await;
        let after = trial.keyring.snapshot();
        assert!(after.control() > before.control());
        assert!(Arc::ptr_eq(before.in_force().unwrap(), after.in_force().unwrap()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn adopting_again_loses_no_record_that_comes_meanwhile() {
        let trial = Trial::new("private", &everything()).await;
        let place = trial.state().parent().unwrap().to_owned();
        let (guardrails, grants) = (place.join("guardrails.toml"), place.join("grants.cedar"));
        for number in 0..100 {
            let actor =
                proto::record::Actor { id: "unix:0".into(), kind: proto::record::ActorKind::Operator };
            let body = proto::record::Body::Anchor { place: format!("place {number}") };
            let draft = crate::log::ControlDraft::new(trial.log.fresh().unwrap(), actor, body);
            let loaded = super::load(&guardrails, &grants).unwrap();
            let (adopted, appended) =
                tokio::join!(trial.keyring.adopt(&trial.log, loaded, None), trial.log.control(draft));
            assert!(!adopted.unwrap().changed);
            let index = appended.unwrap().index;
            let waited = trial.keyring.at_least(index);
            let snapshot = tokio::time::timeout(std::time::Duration::from_secs(30), waited).await.unwrap();
            assert_eq!((snapshot.control(), snapshot.in_force().is_some()), (index, true));
        }
    }
}
