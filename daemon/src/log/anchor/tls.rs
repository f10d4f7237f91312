//! TLS to an anchor: 1.3, and nothing older. Everything is read anew for each connection, so what was renewed is used.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore, version};

use super::https::Access;
use crate::clock::{Clock, TlsTime};
use crate::secret::{PrivateKey, SecretReference};

/// A client's configuration, or a sentence that says what cannot be read or used.
pub(super) fn client(access: &Access, clock: &Arc<dyn Clock>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    // A system's bundle may hold certificates that nobody can use any more: those are passed over.
    let (usable, _passed_over) = roots.add_parsable_certificates(certificates(&access.ca)?);
    if usable == 0 {
        return Err(format!("{}: no certificate in it can be used as an authority", access.ca));
    }
    let builder = ClientConfig::builder_with_details(
        Arc::new(aws_lc_rs::default_provider()),
        Arc::new(TlsTime(Arc::clone(clock))),
    )
    .with_protocol_versions(&[&version::TLS13])
    .map_err(|why| format!("TLS cannot be set up: {why}"))?
    .with_root_certificates(roots);
    let mut config = match &access.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let secret = key.read().map_err(|why| why.to_string())?;
            let private = PrivateKey::read(&secret)
                .map_err(|why| format!("{key}: expected a private key in PEM: {why}"))?;
            let certified = private.certified(certificates(certificate)?).map_err(|why| {
                format!("the key ({key}) does not fit the certificate ({certificate}): {why}")
            })?;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The certificates of a file that everybody may read.
fn certificates(place: &SecretReference) -> Result<Vec<CertificateDer<'static>>, String> {
    let path = place.path().map_err(|why| why.to_string())?;
    let pem = std::fs::read(&path).map_err(|why| format!("cannot read {}: {why}", path.display()))?;
    let all: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|why| format!("{place}: expected certificates in PEM: {why}"))?;
    if all.is_empty() {
        Err(format!("{place}: expected certificates in PEM, there is none"))
    } else {
        Ok(all)
    }
}
