//! Anchors: places outside the database that keep the newest released checkpoint and the highest operation number.
//!
//! A [`mod@file`] is written with each commit, before anything of it is released; at least one is configured. A place
//! [`off the host`](off_host) is told beside the commits and may fail: then a person is told, and signing goes on.
//!
//! Nothing here judges: [`super::judge`] compares.

mod address;
mod client;
mod file;
mod https;
mod off_host;
mod tls;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use address::{Address, NotAnAddress};
pub(super) use client::Client;
pub use client::{AnchorFailure, Exchange, Reach, Remote};
pub(super) use file::Anchor;
use https::Https;
pub use https::{Access, Authorization};
pub use off_host::AnchorHealth;
pub(super) use off_host::{OffHost, Reading};
pub(super) use proto::proof::anchor::Kept;

/// A place outside the database that keeps the newest released checkpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AnchorPlace {
    /// A file, best on another disk.
    File(PathBuf),
    /// An object that an HTTPS server keeps.
    Https(Arc<Access>),
    /// An object that something outside the log reaches ([`Reach`]), by its name: a data object in a token.
    Object(Arc<str>),
}

impl AnchorPlace {
    /// Its path, if it is a file.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Https(_) | Self::Object(_) => None,
        }
    }

    /// Whether it is off the host.
    pub fn is_off_host(&self) -> bool {
        self.file().is_none()
    }
}

/// As `log.anchor` records name it.
impl fmt::Display for AnchorPlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(out, "file:{}", path.display()),
            Self::Https(access) => write!(out, "{}", access.address),
            Self::Object(name) => out.write_str(name),
        }
    }
}
