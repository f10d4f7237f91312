//! What births left that ended without a key: in quarantine for good. Nothing adopts it, and a `key.destroy` alone touches it.
//!
//! What was made under the names of a statement is known by its outputs where there were any, and by those names where not.
//!
//! Invariant: what a birth left without completing never comes into force
//! (`what_a_birth_left_is_adopted_by_nobody_and_destroyed_by_a_ceremony`).

use std::sync::Arc;

use ceremonies::birth::BirthNames;
use ceremonies::outputs::Outputs;
use ceremonies::session::Step;
use ceremonies::statement::CeremonyId;
use ceremonies::statement::target::{KeyDestroy, KeyGenerate, Target};
use proto::key_id::KeyId;

use super::{Held, Sessions};

impl Held {
    /// The birth that it is; none of other kinds.
    fn birth(&self) -> Option<&KeyGenerate> {
        match self.session.statement().target() {
            Target::KeyGenerate(birth) => Some(birth),
            _ => None,
        }
    }

    /// The key pair that it made and where, as far as the log knows.
    pub(super) fn made(&self) -> Option<(KeyId, String)> {
        match self.read_outputs()? {
            Outputs::Key(born) => Some((KeyId::of_spki(&born.public_key), born.locator)),
            _ => None,
        }
    }

    /// Whether this birth has ended without a key, and may have left the one that is to be destroyed.
    fn has_left(&self, destroy: &KeyDestroy) -> bool {
        let Some(birth) = self.birth() else { return false };
        let ended = matches!(self.session.state().step(), Step::Failed | Step::Aborted);
        let same = birth.key == destroy.key
            && birth.version == destroy.version
            && birth.backend == destroy.backend
            && destroy
                .serial
                .as_ref()
                .is_none_or(|serial| birth.serial.as_ref().is_none_or(|own| own == serial));
        let place = destroy.locator.as_str();
        ended
            && same
            && match self.made() {
                Some(made) => made == (destroy.key_id, place.to_owned()),
                None if place.starts_with("pkcs11:") => {
                    BirthNames::of(self.session.statement()).are_in(place)
                }
                None => place == format!("software:{}", destroy.key_id),
            }
    }

    /// The key pair that it destroys, or has destroyed, from the moment of its start.
    pub(super) fn destroys(&self) -> Option<KeyId> {
        let Target::KeyDestroy(destroy) = self.session.statement().target() else { return None };
        let step = self.session.state().step();
        matches!(step, Step::Executing | Step::Executed | Step::Completed).then_some(destroy.key_id)
    }
}

impl Sessions {
    /// The birth that has left the key pair which is to be destroyed; none where no birth can have.
    pub fn quarantined(&self, destroy: &KeyDestroy) -> Option<&Arc<Held>> {
        self.held.values().find(|held| held.has_left(destroy))
    }

    /// Whether another ceremony is destroying this key pair now, or adopting it.
    pub fn is_at_work_on(&self, key: KeyId, but: CeremonyId) -> bool {
        self.iter().filter(|(id, _)| *id != but).any(|(_, held)| {
            let adopts = held.brings().is_some_and(|arrival| arrival.adopts == Some(key));
            adopts || held.destroys() == Some(key) && held.session.state().step() != Step::Completed
        })
    }

    /// Whether a key pair, at this place, is what a birth made or would make that is not completed, or is destroyed. Such a
    /// key pair is never adopted.
    pub fn keeps_out(&self, key: KeyId, place: &str) -> bool {
        self.before.keeps_out(key, place)
            || self.held.values().any(|held| {
                let own = held.completion.is_none() && held.birth().is_some();
                own && (held.made().is_some_and(|(made, _)| made == key)
                    || BirthNames::of(held.session.statement()).touch(place))
                    || held.destroys() == Some(key)
            })
    }
}
