//! What births of a lost log left, whose place this log takes: kept out for good, as far as that log knew.

use std::collections::BTreeSet;

use ceremonies::birth::BirthNames;
use ceremonies::recovery::Carried;
use proto::key_id::KeyId;

use super::Sessions;

/// Key pairs and names that nothing of this log accounts for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Before {
    births: Vec<BirthNames>,
    key_ids: BTreeSet<KeyId>,
}

impl Before {
    /// Whether a key pair, at this place, is what such a birth made or would have made.
    pub(super) fn keeps_out(&self, key: KeyId, place: &str) -> bool {
        self.key_ids.contains(&key) || self.births.iter().any(|names| names.touch(place))
    }
}

impl Sessions {
    /// No ceremonies yet, after those of a lost log, if there was one.
    pub fn after(carried: Option<&Carried>) -> Self {
        let Some(carried) = carried else { return Self::default() };
        let names = carried.births.iter().map(|own| BirthNames::from_digest(own.ceremony, own.statement));
        let before = Before { births: names.collect(), key_ids: carried.key_ids.iter().copied().collect() };
        Self { before, ..Self::default() }
    }

    /// Whether the lost log has seen this key pair, as none of its keys.
    pub fn was_seen(&self, key: KeyId) -> bool {
        self.before.key_ids.contains(&key)
    }

    /// Key pairs that were seen and are no keys: made by births that ended without one, destroyed, or known to a lost log.
    pub fn seen(&self) -> BTreeSet<KeyId> {
        let own = self.held.values().filter(|held| held.completion.is_none()).filter_map(|held| held.made());
        let destroyed = self.held.values().filter_map(|held| held.destroys());
        own.map(|(id, _)| id).chain(destroyed).chain(self.before.key_ids.iter().copied()).collect()
    }
}
