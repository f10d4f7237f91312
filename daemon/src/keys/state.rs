//! Versions and their states (NIST SP 800-57 part 1, 7; RFC 7583).
//!
//! ```text
//! PreActive ─► Published ─► Ready ─► Active ─► Retiring ─► Deactivated ─► Removed ─► Destroyed
//!                                       │ ▲        │             any of them ─► Compromised ─► Destroyed
//!                                  stop ▼ ┆ lift   ▼ stop
//!                                     Suspended
//! ```
//!
//! This version makes [`Active`] (by its birth) and [`Suspended`] (by a stop); the others are names so far, because
//! clients show them. One struct per state: a [`KeyVersion`] cannot be active and suspended, and only the transitions here
//! change its state.

use std::fmt;

use proto::algorithm::Algorithm;
use proto::ceremony_id::CeremonyId;
use proto::key_id::KeyId;
use proto::name::{KeyName, VersionName};
use proto::record::Arrived;
use proto::term::Term;
use proto::time::Time;

/// What a version may do, and what verifiers make of it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum VersionState {
    /// Made, and nobody outside knows it.
    PreActive,
    /// In the trust bundle, waiting for its publish window to pass.
    Published,
    /// Published long enough to sign.
    Ready,
    /// Signs.
    Active,
    /// Signs beside its successor, during the overlap.
    Retiring,
    /// Stopped. What it signed before stays good.
    Suspended,
    /// Signs no more; what it signed stays good.
    Deactivated,
    /// Out of the trust bundle.
    Removed,
    /// Nothing it signed is good, but what a grace period lists.
    Compromised,
    /// The private key is gone.
    Destroyed,
}

impl VersionState {
    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreActive => "pre-active",
            Self::Published => "published",
            Self::Ready => "ready",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Suspended => "suspended",
            Self::Deactivated => "deactivated",
            Self::Removed => "removed",
            Self::Compromised => "compromised",
            Self::Destroyed => "destroyed",
        }
    }
}

impl fmt::Display for VersionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One key pair of a key: what never changes of it, and its state.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyVersion {
    /// The key.
    pub key: KeyName,
    /// From 1, without gaps.
    pub version: u32,
    /// SHA-256 of `public_key`.
    pub key_id: KeyId,
    /// How it signs, for life.
    pub algorithm: Algorithm,
    /// DER SubjectPublicKeyInfo (RFC 5280, 4.1.2.7).
    pub public_key: Vec<u8>,
    /// Where the private key lives, by the backend's name in the configuration.
    pub backend: String,
    /// Where in the backend: a URI without secrets.
    pub locator: String,
    /// Serial number of the token that it was found on, where the backend has one.
    pub serial: Option<String>,
    /// From when verifiers accept it; absent where that is not settled.
    pub valid_from: Option<Time>,
    /// Until when; absent while it has no end.
    pub valid_until: Option<Time>,
    /// The ceremony of this log that put it in force; none where it came over from a lost one.
    pub ceremony: Option<CeremonyId>,
    state: VersionState,
    state_index: u64,
}

impl KeyVersion {
    /// What it may do.
    pub const fn state(&self) -> VersionState {
        self.state
    }

    /// Index of the record that made its state.
    pub const fn state_index(&self) -> u64 {
        self.state_index
    }

    /// The same key pair on another device.
    fn rebind(&mut self, locator: String, serial: String) {
        (self.locator, self.serial) = (locator, Some(serial));
    }

    /// As people write it: `release/linux@3`.
    pub fn name(&self) -> VersionName {
        VersionName { key: self.key.clone(), version: self.version }
    }

    /// What a stop can name that ends this version: what every seal of its signatures requires, beside the caller's
    /// terms.
    pub fn terms(&self) -> [Term; 3] {
        [Term::Key(self.key.clone()), Term::KeyId(self.key_id), Term::Backend(self.backend.clone())]
    }
}

/// A version that signs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Active(KeyVersion);

/// A version that is stopped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Suspended(KeyVersion);

impl Active {
    /// Put in force by the completion of a ceremony, the record at this index, sealed at this time: from then on it signs.
    pub(super) fn brought(arrived: &Arrived, ceremony: CeremonyId, index: u64, sealed: Time) -> Self {
        Self::begun(arrived, Some(ceremony), index, sealed)
    }

    fn begun(arrived: &Arrived, ceremony: Option<CeremonyId>, index: u64, sealed: Time) -> Self {
        Self(KeyVersion {
            key: arrived.key.clone(),
            version: arrived.version,
            key_id: arrived.key_id,
            algorithm: arrived.algorithm,
            public_key: arrived.public_key.clone(),
            backend: arrived.backend.clone(),
            locator: arrived.locator.clone(),
            serial: arrived.serial.clone(),
            valid_from: Some(sealed),
            valid_until: None,
            ceremony,
            state: VersionState::Active,
            state_index: index,
        })
    }

    /// Come over from a lost log by the record at this index, where it has signed since this time.
    pub(super) fn carried(arrived: &Arrived, index: u64, since: Time) -> Self {
        Self::begun(arrived, None, index, since)
    }

    /// On another device.
    pub(super) fn rebind(&mut self, locator: String, serial: String) {
        self.0.rebind(locator, serial);
    }

    /// Stopped by the record at this index.
    pub(super) fn suspend(self, index: u64) -> Suspended {
        Suspended(KeyVersion { state: VersionState::Suspended, state_index: index, ..self.0 })
    }

    /// The version.
    pub const fn version(&self) -> &KeyVersion {
        &self.0
    }
}

impl Suspended {
    /// On another device.
    pub(super) fn rebind(&mut self, locator: String, serial: String) {
        self.0.rebind(locator, serial);
    }

    /// Its stops were lifted by the record at this index.
    pub(super) fn resume(self, index: u64) -> Active {
        Active(KeyVersion { state: VersionState::Active, state_index: index, ..self.0 })
    }

    /// The version.
    pub const fn version(&self) -> &KeyVersion {
        &self.0
    }
}
