//! Certificates as files: what both ends of mTLS read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Whom to trust, and who one is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The authority's certificates.
    pub ca: PathBuf,
    /// One's own chain.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Identity {
    /// Of files `NAME.pem` and `NAME.key`, beside the authority's `ca.pem`.
    pub fn within(directory: &Path, name: &str) -> Self {
        Self {
            ca: directory.join("ca.pem"),
            certificate: directory.join(format!("{name}.pem")),
            key: directory.join(format!("{name}.key")),
        }
    }
}

/// An authority with one server and one client, in this directory.
pub fn issue(directory: &Path) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    std::fs::write(directory.join("ca.pem"), ca.self_signed(&ca_key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    for (name, usage) in
        [("server", ExtendedKeyUsagePurpose::ServerAuth), ("client", ExtendedKeyUsagePurpose::ClientAuth)]
    {
        let mut leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        leaf.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let files = Identity::within(directory, name);
        std::fs::write(files.certificate, leaf.signed_by(&key, &issuer).unwrap().pem()).unwrap();
        std::fs::write(files.key, key.serialize_pem()).unwrap();
    }
}

/// One more client, by the authority whose key lies in this directory and whose common name is `authority`.
pub fn invite(directory: &Path, authority: &str, name: &str, spiffe: &str) {
    let files = Identity::within(directory, name);
    let ca_key = KeyPair::from_pem(&std::fs::read_to_string(directory.join("ca.key")).unwrap()).unwrap();
    let mut ca = CertificateParams::default();
    ca.distinguished_name = DistinguishedName::new();
    ca.distinguished_name.push(DnType::CommonName, authority);
    let issuer = Issuer::new(ca, ca_key);
    let mut leaf = CertificateParams::default();
    leaf.subject_alt_names = vec![SanType::URI(spiffe.try_into().unwrap())];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    std::fs::write(files.certificate, leaf.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    std::fs::write(files.key, key.serialize_pem()).unwrap();
}

/// TLS 1.3 that asks for a client certificate.
pub fn server(identity: &Identity) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(identity)), Arc::clone(&provider));
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(chain(&identity.certificate), PrivateKeyDer::from_pem_file(&identity.key).unwrap())
        .unwrap();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    tls
}

/// TLS 1.3 with a client certificate.
pub fn client(identity: &Identity) -> ClientConfig {
    let mut tls =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots(identity))
            .with_client_auth_cert(
                chain(&identity.certificate),
                PrivateKeyDer::from_pem_file(&identity.key).unwrap(),
            )
            .unwrap();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    tls
}

fn roots(identity: &Identity) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in chain(&identity.ca) {
        roots.add(certificate).unwrap();
    }
    roots
}

fn chain(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path).unwrap().map(Result::unwrap).collect()
}
