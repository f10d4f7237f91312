//! TLS 1.3, and nothing older.
//!
//! One configuration holds the server's certificate and the certificate authorities of clients; [`Tls::reload`] makes
//! a new one and swaps it in. A connection keeps the configuration that it began with, so a new certificate drops none; new
//! connections get the new certificate and the new authorities, and can resume no session of the old configuration. Where
//! an authority is gone, whoever it may have vouched for is nobody any more: connections of before end.
//!
//! What this does not do: give a certificate a name that means something (`identity`), or revoke one: there is no
//! list of revoked clients, `stop --caller` is instant.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::{NoServerSessionStorage, ServerConfig, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, version};
use serde::Deserialize;
use tokio::sync::watch;

use crate::clock::{Clock, TlsTime};
use crate::secret::{PrivateKey, SecretError, SecretReference};

/// Whether a client must show a certificate.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificate {
    /// It may: without one, health, reflection, checkpoints and proofs are open to it.
    #[default]
    Optional,
    /// It must, or the handshake fails.
    Required,
}

/// Where the server's certificate and key are, and what is asked of clients.
#[derive(Clone, Debug)]
pub struct Source {
    /// PEM, leaf first.
    pub certificate: SecretReference,
    /// PEM: PKCS#8, SEC1 or PKCS#1.
    pub key: SecretReference,
    /// What is asked of clients.
    pub client_certificate: ClientCertificate,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file or credential cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The certificate's file cannot be read.
    #[error("cannot read the certificate {}: {cause}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's word.
        cause: std::io::Error,
    },
    /// Not PEM, or not what was expected in it.
    #[error("{place}: expected {expected} in PEM: {cause}")]
    Pem {
        /// Where it was looked for.
        place: String,
        /// What was expected.
        expected: &'static str,
        /// What was found.
        cause: String,
    },
    /// The key is of a kind that TLS 1.3 has no signature for, or another certificate's.
    #[error("the TLS key ({key}) does not fit the certificate ({certificate}): {cause}")]
    Mismatch {
        /// Where the key is.
        key: String,
        /// Where the certificate is.
        certificate: String,
        /// What does not fit.
        cause: rustls::Error,
    },
    /// An authority that cannot be used.
    #[error("a client certificate authority of the guardrails cannot be used: {0}")]
    Authority(rustls::Error),
    /// Required certificates that nobody could show.
    #[error(
        "client_certificate = \"required\" needs at least one client certificate authority in the guardrails; name one \
         there, or use \"optional\""
    )]
    NoAuthority,
    /// rustls refuses the whole.
    #[error("TLS cannot be set up: {0}")]
    Refused(String),
}

/// The certificates of these texts, each in PEM: the client authorities that the guardrails name.
///
/// # Errors
/// [`TlsError::Pem`], with the number of the text.
pub fn authorities<T: AsRef<[u8]>>(texts: &[T]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let mut all = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let bad = |cause: String| TlsError::Pem {
            place: format!("client certificate authority {} of the guardrails", number + 1),
            expected: "a certificate",
            cause,
        };
        let before = all.len();
        for certificate in CertificateDer::pem_slice_iter(text.as_ref()) {
            all.push(certificate.map_err(|why| bad(why.to_string()))?);
        }
        if all.len() == before {
            return Err(bad("there is none".to_owned()));
        }
    }
    Ok(all)
}

/// The current TLS configuration of a listener.
pub struct Tls {
    source: Source,
    time: Arc<dyn TimeProvider>,
    current: ArcSwap<Current>,
}

/// What a new connection begins with.
pub struct Current {
    /// The configuration; none where the authorities that are in force cannot be used, and nobody is let in.
    pub config: Option<Arc<ServerConfig>>,
    authorities: Vec<CertificateDer<'static>>,
    withdrawn: watch::Sender<bool>,
}

impl Current {
    /// Told when one of the authorities is gone.
    pub fn withdrawn(&self) -> watch::Receiver<bool> {
        self.withdrawn.subscribe()
    }
}

impl Tls {
    /// Reads certificate and key, and takes the client authorities.
    ///
    /// # Errors
    /// [`TlsError`], which says which file and what was expected in it.
    pub fn new(
        source: Source,
        authorities: &[CertificateDer<'static>],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TlsError> {
        let time: Arc<dyn TimeProvider> = Arc::new(TlsTime(clock));
        let current = ArcSwap::from_pointee(Current {
            config: Some(Arc::new(load(&source, authorities, &time)?)),
            authorities: authorities.to_vec(),
            withdrawn: watch::Sender::new(false),
        });
        Ok(Self { source, time, current })
    }

    /// Reads everything again. If that fails, the old configuration stays in use, unless an authority of it is gone: then
    /// nobody is let in until it can be read.
    ///
    /// # Errors
    /// As [`Tls::new`].
    pub fn reload(&self, authorities: &[CertificateDer<'static>]) -> Result<(), TlsError> {
        let before = self.current.load_full();
        let gone = before.authorities.iter().any(|authority| !authorities.contains(authority));
        let (config, failed) = match load(&self.source, authorities, &self.time) {
            Ok(config) => (Some(Arc::new(config)), None),
            Err(why) if gone || before.config.is_none() => (None, Some(why)),
            Err(why) => return Err(why),
        };
        // Connections go on to be told by the sender that they know, as long as whoever vouched for them still does.
        let withdrawn = if gone { watch::Sender::new(false) } else { before.withdrawn.clone() };
        self.current.store(Arc::new(Current { config, authorities: authorities.to_vec(), withdrawn }));
        if gone {
            before.withdrawn.send_replace(true);
        }
        failed.map_or(Ok(()), Err)
    }

    /// What a new connection begins with.
    pub fn current(&self) -> Arc<Current> {
        self.current.load_full()
    }
}

fn load(
    source: &Source,
    authorities: &[CertificateDer<'static>],
    time: &Arc<dyn TimeProvider>,
) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let certified = certified(source)?;
    let builder = ServerConfig::builder_with_details(Arc::clone(&provider), Arc::clone(time))
        .with_protocol_versions(&[&version::TLS13])
        .map_err(|why| TlsError::Refused(why.to_string()))?;
    let builder = if authorities.is_empty() {
        if source.client_certificate == ClientCertificate::Required {
            return Err(TlsError::NoAuthority);
        }
        builder.with_no_client_auth()
    } else {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority.clone()).map_err(TlsError::Authority)?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let verifier = match source.client_certificate {
            ClientCertificate::Optional => verifier.allow_unauthenticated(),
            ClientCertificate::Required => verifier,
        };
        builder.with_client_cert_verifier(verifier.build().map_err(|why| TlsError::Refused(why.to_string()))?)
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A resumed session skips the verification of the client's certificate. Connections are long here; a full
    // handshake each keeps one rule for all.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn certified(source: &Source) -> Result<CertifiedKey, TlsError> {
    // A certificate is public: its file may be readable by everybody, which a secret's may not.
    let path = source.certificate.path()?;
    let pem = std::fs::read(&path).map_err(|cause| TlsError::Unreadable { path, cause })?;
    let bad = |place: &SecretReference, expected: &'static str, cause: String| TlsError::Pem {
        place: place.to_string(),
        expected,
        cause,
    };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|why| bad(&source.certificate, "certificates", why.to_string()))?;
    if chain.is_empty() {
        return Err(bad(&source.certificate, "a certificate", "there is none".to_owned()));
    }
    let secret = source.key.read()?;
    let key = PrivateKey::read(&secret).map_err(|why| bad(&source.key, "a private key", why.to_string()))?;
    key.certified(chain).map_err(|cause| TlsError::Mismatch {
        key: source.key.to_string(),
        certificate: source.certificate.to_string(),
        cause,
    })
}
