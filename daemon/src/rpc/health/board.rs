//! The conditions of all that has a health.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

/// Whether something serves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Condition {
    /// It does.
    Serving,
    /// It does not, and why: a sentence without secrets.
    Refusing(String),
}

/// Names and their conditions, shared by the health service and those who report.
#[derive(Clone, Debug)]
pub struct Board(Arc<RwLock<BTreeMap<String, watch::Sender<Condition>>>>);

impl Board {
    /// A board on which the whole (the empty name) and these services serve.
    pub fn new(services: &[&str]) -> Self {
        let names = services.iter().copied().chain([""]);
        let conditions = names.map(|name| (name.to_owned(), watch::Sender::new(Condition::Serving)));
        Self(Arc::new(RwLock::new(conditions.collect())))
    }

    /// Reports a condition; a name that is new is added.
    pub fn report(&self, name: &str, condition: Condition) {
        let mut conditions = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match conditions.get(name) {
            Some(known) => {
                if known.send_if_modified(|now| std::mem::replace(now, condition.clone()) != condition) {
                    tracing::info!(name, ?condition, "health changed");
                }
            }
            None => {
                conditions.insert(name.to_owned(), watch::Sender::new(condition));
            }
        }
    }

    /// The condition of a name.
    pub fn condition(&self, name: &str) -> Option<Condition> {
        let conditions = self.0.read().unwrap_or_else(PoisonError::into_inner);
        conditions.get(name).map(|sender| sender.borrow().clone())
    }

    /// Every change of a name's condition, beginning with the present one.
    pub fn watch(&self, name: &str) -> Option<watch::Receiver<Condition>> {
        let conditions = self.0.read().unwrap_or_else(PoisonError::into_inner);
        conditions.get(name).map(watch::Sender::subscribe)
    }

    /// Every name but the empty one, sorted.
    pub fn names(&self) -> Vec<String> {
        let conditions = self.0.read().unwrap_or_else(PoisonError::into_inner);
        conditions.keys().filter(|name| !name.is_empty()).cloned().collect()
    }

    /// Reports every value of a watched thing, as this function reads it, until its sender is gone.
    pub fn follow<T: Clone + Send + Sync + 'static>(
        &self,
        names: &[&str],
        mut watched: watch::Receiver<T>,
        read: impl Fn(&T) -> Condition + Send + 'static,
    ) {
        let (board, names) = (self.clone(), names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        let tell = move |value: &T| names.iter().for_each(|name| board.report(name, read(value)));
        // The present value is reported before anybody can ask.
        let present = watched.borrow_and_update().clone();
        tell(&present);
        tokio::spawn(async move {
            while watched.changed().await.is_ok() {
                let value = watched.borrow_and_update().clone();
                tell(&value);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[tokio::test]
    async fn what_is_followed_is_reported_at_once_and_at_each_change() {
        let board = Board::new(&[]);
        let sender = watch::Sender::new(false);
        board.follow(&["", "log"], sender.subscribe(), |&up| {
            if up { Condition::Serving } else { Condition::Refusing("down".into()) }
        });
        assert_eq!(board.condition("log"), Some(Condition::Refusing("down".into())));
        let mut watched = board.watch("").unwrap();
        sender.send_replace(true);
        watched.wait_for(|condition| *condition == Condition::Serving).await.unwrap();
        assert_eq!(board.names(), ["log"]);
        assert_eq!(board.condition("other"), None);
    }
}
