//! TLS 1.3 towards the daemon: our certificate, where we have one, and their pinned authority.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::settings::{Identity, TlsFiles};

/// A certificate or key file that cannot be used, and what was expected in it.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read or is not PEM.
    #[error("{path}: expected {expected} as PEM: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
        /// What was found instead.
        cause: String,
    },
    /// Certificate and key do not belong together, or are of a kind that TLS does not know.
    #[error("{certificate} and {key} cannot be used together: {cause}")]
    Pair {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// Why.
        #[source]
        cause: rustls::Error,
    },
    /// The name that the server must prove is neither a DNS name nor an IP address.
    #[error("`{0}` is neither a DNS name nor an IP address, so no certificate can prove it")]
    Name(String),
    /// TLS 1.3 is not available.
    #[error("TLS 1.3 is not available: {0}")]
    Version(#[source] rustls::Error),
}

/// Dials and shakes hands.
#[derive(Clone)]
pub struct Connector {
    tls: TlsConnector,
    name: ServerName<'static>,
}

impl Connector {
    /// Reads the files.
    ///
    /// # Errors
    /// Where a file cannot be used; the message names it.
    pub fn new(files: &TlsFiles, host: &str) -> Result<Self, TlsError> {
        let name = files.server_name.as_deref().unwrap_or(host);
        Ok(Self {
            tls: TlsConnector::from(Arc::new(configuration(files)?)),
            name: ServerName::try_from(name.to_owned())
                .map_err(|rustls::pki_types::InvalidDnsNameError { .. }| TlsError::Name(name.to_owned()))?,
        })
    }

    /// One connection, ready for HTTP/2.
    ///
    /// # Errors
    /// As TCP and TLS give them.
    pub async fn dial(&self, host: &str, port: u16) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect((host, port))
            .await
            .map_err(|cause| io::Error::new(cause.kind(), format!("{host}:{port}: {cause}")))?;
        stream.set_nodelay(true)?;
        self.tls.connect(self.name.clone(), stream).await
    }
}

/// TLS 1.3 alone, aws-lc-rs alone, one trusted authority file, our certificate where there is one.
fn configuration(files: &TlsFiles) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca, "certificates of the authority")? {
        roots.add(certificate).map_err(|cause| TlsError::File {
            path: files.ca.clone(),
            expected: "certificates of the authority",
            cause: cause.to_string(),
        })?;
    }
    let builder =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(TlsError::Version)?
            .with_root_certificates(roots);
    let mut config = match &files.own {
        None => builder.with_no_client_auth(),
        Some(Identity { certificate, key }) => {
            let chain = certificates(certificate, "a client certificate")?;
            let private =
                PrivateKeyDer::from_pem_file(key).map_err(|cause| not_pem(key, "a private key", &cause))?;
            builder.with_client_auth_cert(chain, private).map_err(|cause| TlsError::Pair {
                certificate: certificate.clone(),
                key: key.clone(),
                cause,
            })?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// Every certificate of a PEM file; at least one.
fn certificates(path: &Path, expected: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let refuse = |cause: pem::Error| not_pem(path, expected, &cause);
    let certificates: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(refuse)?.collect::<Result<_, _>>().map_err(refuse)?;
    if certificates.is_empty() {
        return Err(TlsError::File {
            path: path.to_owned(),
            expected,
            cause: "there is none in the file".to_owned(),
        });
    }
    Ok(certificates)
}

fn not_pem(path: &Path, expected: &'static str, cause: &pem::Error) -> TlsError {
    let cause = match cause {
        pem::Error::Io(cause) => cause.to_string(),
        pem::Error::NoItemsFound => "there is none in the file".to_owned(),
        other => other.to_string(),
    };
    TlsError::File { path: path.to_owned(), expected, cause }
}

#[cfg(test)]
mod tests;
