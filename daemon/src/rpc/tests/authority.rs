//! A certificate authority and an edge that trusts it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tonic::service::{Routes, RoutesBuilder};

use crate::clock::{Clock, SystemClock};
use crate::rpc::edge::Edge;
use crate::rpc::health::{Board, Service};
use crate::rpc::limit::Limits;
use crate::rpc::listen::{Inherited, Local, Network, Settings};
use crate::rpc::paths::Paths;
use crate::rpc::reflection;
use crate::rpc::tls::ClientCertificate;
use crate::secret::SecretReference;

static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

/// An authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub certificate: CertificateDer<'static>,
}

/// A certificate with its key.
pub struct Identity {
    pub certificate: CertificateDer<'static>,
    pub key: KeyPair,
}

impl Identity {
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two authorities of one name would be told apart by their signatures alone.
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("authority {number}"));
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    fn issue(&self, names: Vec<SanType>, usage: ExtendedKeyUsagePurpose, end_year: i32) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.extended_key_usages = vec![usage];
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(end_year, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Identity { certificate, key }
    }

    pub fn client(&self, uris: &[&str]) -> Identity {
        let names = uris.iter().map(|uri| SanType::URI(Ia5String::try_from(*uri).unwrap())).collect();
        self.issue(names, ExtendedKeyUsagePurpose::ClientAuth, 2100)
    }

    pub fn expired_client(&self) -> Identity {
        let name = SanType::URI(Ia5String::try_from("spiffe://example.org/old").unwrap());
        self.issue(vec![name], ExtendedKeyUsagePurpose::ClientAuth, 2021)
    }

    /// Writes a fresh server certificate for `localhost` and its key into a directory.
    pub fn write_server(&self, directory: &Path) -> CertificateDer<'static> {
        use std::os::unix::fs::PermissionsExt as _;
        let name = SanType::DnsName(Ia5String::try_from("localhost").unwrap());
        let made = self.issue(vec![name], ExtendedKeyUsagePurpose::ServerAuth, 2100);
        let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &made.certificate);
        let pem = format!("-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n");
        std::fs::write(directory.join("tls.pem"), pem).unwrap();
        std::fs::write(directory.join("tls.key"), made.key.serialize_pem()).unwrap();
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(directory.join("tls.key"), private).unwrap();
        made.certificate
    }
}

/// An edge in a directory of its own.
pub struct Running {
    pub edge: Edge,
    pub authority: Authority,
    pub directory: tempfile::TempDir,
    pub board: Board,
}

/// Limits under which a connection does not outlive a failing test.
pub fn limits() -> Limits {
    Limits { grace: Duration::from_secs(5), ..Limits::default() }
}

pub fn health_routes(board: &Board) -> Routes {
    let mut routes = RoutesBuilder::default();
    routes.add_service(Service::server(board.clone()));
    reflection::add(&mut routes).unwrap();
    routes.routes()
}

pub async fn start(client_certificate: ClientCertificate, limits: Limits) -> Running {
    let board = Board::new(&["countersign.v1.SigningService"]);
    let routes = health_routes(&board);
    start_with(client_certificate, limits, routes, board).await
}

pub async fn start_with(
    client_certificate: ClientCertificate,
    limits: Limits,
    paths: impl Into<Paths>,
    board: Board,
) -> Running {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    authority.write_server(directory.path());
    let settings = Settings {
        network: Some(Network {
            address: "127.0.0.1:0".parse().unwrap(),
            certificate: SecretReference::file(directory.path().join("tls.pem")),
            key: SecretReference::file(directory.path().join("tls.key")),
            client_certificate,
        }),
        local: Some(Local { socket: directory.path().join("sign.sock") }),
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let authorities = [authority.certificate.clone()];
    let edge =
        Edge::bind(&settings, &mut Inherited::default(), &authorities, paths, board.clone(), limits, clock)
            .await
            .unwrap()
            .serve();
    Running { edge, authority, directory, board }
}
