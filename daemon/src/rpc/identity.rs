//! Who is at the other end of a connection.
//!
//! Over TLS it is the client certificate's name: exactly one URI in its subject alternative names, which must be a
//! SPIFFE ID (DNS names beside it are then ignored), or else exactly one DNS name without wildcard. The common name
//! is never looked at. On the Unix socket it is the peer's user id, which the kernel vouches for.
//!
//! A connection whose certificate is valid but has no usable name is let in and every call on it is refused with the
//! reason, because a failed handshake could not say it.
//!
//! What this does not do: verify chains (`tls`), or decide what a caller may do (`policy`).

use std::sync::Arc;

use proto::reason::Reason;
use proto::refusal::Refusal;
use rustls::pki_types::CertificateDer;
use spiffe::SpiffeId;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::keyring::Snapshot;
use crate::measure;
use crate::policy::caller::Caller;

/// What is known of the other end of a connection.
#[derive(Clone, Debug)]
pub enum Identity {
    /// A caller with a name.
    Caller(Arc<Caller>),
    /// No certificate was shown. Health, reflection, checkpoints and proofs are open to it.
    Anonymous,
    /// A valid certificate without a usable name.
    Misnamed(Misnamed),
}

/// Why a valid certificate names nobody.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Misnamed {
    /// Two or more URIs: which one is meant cannot be known.
    #[error(
        "the certificate has {0} URI names; expected exactly one, a SPIFFE ID like spiffe://example.org/ci/linux"
    )]
    Uris(usize),
    /// One URI, of another form.
    #[error(
        "the certificate's URI name is no SPIFFE ID ({why}); expected one like spiffe://example.org/ci/linux"
    )]
    NotSpiffe {
        /// What is wrong with it.
        why: String,
    },
    /// Two or more DNS names and no URI.
    #[error("the certificate has {0} DNS names; expected exactly one, or one SPIFFE ID")]
    DnsNames(usize),
    /// A wildcard or something else that names no single host.
    #[error(
        "the certificate's DNS name does not name one host; expected one like build.example.org, without wildcard"
    )]
    DnsName,
    /// Neither.
    #[error(
        "the certificate has no URI and no DNS name; expected exactly one SPIFFE ID or DNS name among its subject \
         alternative names (the common name is never used)"
    )]
    Nameless,
    /// It cannot be read.
    #[error("the certificate's names cannot be read: {0}")]
    Unreadable(String),
}

/// A certificate's name and the end of its validity, in seconds since the epoch.
#[derive(Debug)]
pub struct Named {
    /// Who it names.
    pub name: Result<Caller, Misnamed>,
    /// When it ends, if that can be read.
    pub not_after: Option<i64>,
}

/// Reads the name of a certificate whose chain has been verified.
pub fn of_certificate(certificate: &CertificateDer<'_>) -> Named {
    match X509Certificate::from_der(certificate) {
        Ok((_, parsed)) => {
            Named { name: name(&parsed), not_after: Some(parsed.validity().not_after.timestamp()) }
        }
        Err(why) => Named { name: Err(Misnamed::Unreadable(why.to_string())), not_after: None },
    }
}

fn name(certificate: &X509Certificate<'_>) -> Result<Caller, Misnamed> {
    let names = match certificate.subject_alternative_name() {
        Ok(Some(extension)) => extension.value.general_names.as_slice(),
        Ok(None) => &[],
        Err(why) => return Err(Misnamed::Unreadable(why.to_string())),
    };
    let mut uris = Vec::new();
    let mut hosts = Vec::new();
    for name in names {
        match name {
            GeneralName::URI(uri) => uris.push(*uri),
            GeneralName::DNSName(host) => hosts.push(*host),
            _ => {}
        }
    }
    match (uris.as_slice(), hosts.as_slice()) {
        ([uri], _) => spiffe(uri),
        ([], [host]) => Caller::dns(host).map_err(|_form_is_in_the_message| Misnamed::DnsName),
        ([], []) => Err(Misnamed::Nameless),
        ([], many) => Err(Misnamed::DnsNames(many.len())),
        (many, _) => Err(Misnamed::Uris(many.len())),
    }
}

/// A SPIFFE ID with a path, exactly as it is written: what the parser would normalise is refused, so that no two
/// spellings are one caller.
fn spiffe(uri: &str) -> Result<Caller, Misnamed> {
    let refused = |why: &dyn std::fmt::Display| Misnamed::NotSpiffe { why: why.to_string() };
    let id = SpiffeId::new(uri).map_err(|why| refused(&why))?;
    if id.path().is_empty() {
        return Err(refused(&"it names a trust domain, not a workload"));
    }
    if id.to_string() != uri {
        return Err(refused(&"its trust domain has upper-case letters"));
    }
    Caller::spiffe(uri).map_err(|why| refused(&why))
}

impl Identity {
    /// The user behind a Unix socket.
    pub fn of_user(uid: u32) -> Self {
        Self::Caller(Arc::new(Caller::unix(uid)))
    }

    /// The caller that a verified certificate names.
    pub fn of_name(name: Result<Caller, Misnamed>) -> Self {
        match name {
            Ok(caller) => Self::Caller(Arc::new(caller)),
            Err(why) => Self::Misnamed(why),
        }
    }

    /// The caller, if it has a name and a grant admits it.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`, which is counted and not recorded: anyone can come by a name.
    pub fn admitted(&self, snapshot: &Snapshot) -> Result<Arc<Caller>, Refusal> {
        let message = match self {
            Self::Caller(caller) if snapshot.admits(caller) => return Ok(Arc::clone(caller)),
            Self::Caller(caller) => format!(
                "no grant admits {}: ask the owners of the access policy for a grant whose principal scope does",
                caller.id
            ),
            Self::Anonymous => {
                "this call needs a caller: connect with a client certificate, or over the local \
                                socket"
                    .to_owned()
            }
            Self::Misnamed(why) => why.to_string(),
        };
        measure::unauthenticated();
        Err(Refusal::new(Reason::Unauthenticated, message))
    }

    /// The stable id, for traces.
    pub fn id(&self) -> &str {
        match self {
            Self::Caller(caller) => &caller.id,
            Self::Anonymous => "anonymous",
            Self::Misnamed(_) => "misnamed",
        }
    }
}

#[cfg(test)]
mod tests;
