//! Keys and versions as messages.

use proto::wire::{time, v1};

use crate::keys::ring::{Phase, Ring};
use crate::keys::state::{KeyVersion, VersionState};

/// A key with all its versions, newest first.
pub fn key(ring: &Ring) -> v1::Key {
    let state = match ring.phase() {
        Phase::Steady { .. } => v1::RingState::Steady,
        Phase::Halted { .. } => v1::RingState::Halted,
    };
    let mut versions: Vec<_> = ring.versions().map(version).collect();
    versions.reverse();
    v1::Key {
        name: ring.name().to_string(),
        state: state as i32,
        versions,
        purpose: ring.purpose().kinds().map(ToString::to_string).collect(),
        owner: ring.owner().to_owned(),
    }
}

/// A version.
pub fn version(version: &KeyVersion) -> v1::KeyVersion {
    v1::KeyVersion {
        key: version.key.to_string(),
        version: version.version,
        key_id: version.key_id.as_bytes().to_vec(),
        algorithm: v1::Algorithm::from(version.algorithm) as i32,
        public_key: version.public_key.clone(),
        state: state(version.state()) as i32,
        standby: false,
        backend: version.backend.clone(),
        valid_from: version.valid_from.map(time::to_wire),
        valid_until: version.valid_until.map(time::to_wire),
        state_log_index: version.state_index(),
        ceremony_id: version.ceremony.map_or_else(String::new, |ceremony| ceremony.to_string()),
        certificate_chain: Vec::new(),
    }
}

fn state(state: VersionState) -> v1::VersionState {
    match state {
        VersionState::PreActive => v1::VersionState::PreActive,
        VersionState::Published => v1::VersionState::Published,
        VersionState::Ready => v1::VersionState::Ready,
        VersionState::Active => v1::VersionState::Active,
        VersionState::Retiring => v1::VersionState::Retiring,
        VersionState::Suspended => v1::VersionState::Suspended,
        VersionState::Deactivated => v1::VersionState::Deactivated,
        VersionState::Removed => v1::VersionState::Removed,
        VersionState::Compromised => v1::VersionState::Compromised,
        VersionState::Destroyed => v1::VersionState::Destroyed,
    }
}
