//! Who is believed, and what is said of the others.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tonic::Status;

use super::*;
use crate::refused::NoAnswer;

/// An authority with a certificate for a name, as files.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn issue(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn files(&self, name: &str, server_name: &str) -> TlsFiles {
        TlsFiles {
            ca: self.path("ca.pem"),
            own: Some(Identity {
                certificate: self.path(&format!("{name}.pem")),
                key: self.path(&format!("{name}.key")),
            }),
            server_name: Some(server_name.to_owned()),
        }
    }
}

/// One connection to a server that wants a client certificate of `clients`: what the client hears.
async fn talk(server: &Authority, clients: &Authority, files: &TlsFiles) -> Result<Vec<u8>, NoAnswer> {
    talk_to(server, clients, false, files).await
}

/// One connection to a server that wants a client certificate of `clients`, or takes one where there is one.
async fn talk_to(
    server: &Authority,
    clients: &Authority,
    optional: bool,
    files: &TlsFiles,
) -> Result<Vec<u8>, NoAnswer> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(clients.path("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let verifier = if optional { verifier.allow_unauthenticated() } else { verifier }.build().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from_pem_file(server.path("server.example.org.pem")).unwrap()],
            PrivateKeyDer::from_pem_file(server.path("server.example.org.key")).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = async {
        let (stream, _) = listener.accept().await.unwrap();
        // A client that is not accepted, or does not accept us, is the test's subject.
        if let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await {
            stream.write_all(b"hello").await.unwrap();
            stream.shutdown().await.unwrap();
        }
    };
    let ask = async {
        let mut heard = Vec::new();
        let mut stream = Connector::new(files, "127.0.0.1").unwrap().dial("127.0.0.1", port).await?;
        stream.read_to_end(&mut heard).await?;
        Ok::<_, io::Error>(heard)
    };
    let ((), heard) = tokio::join!(serve, ask);
    heard.map_err(|cause| NoAnswer::of(&Status::from_error(Box::new(cause))))
}

#[tokio::test]
async fn only_the_pinned_authority_and_the_right_name_are_believed() {
    let (ours, other) = (Authority::new(), Authority::new());
    ours.issue("server.example.org");
    ours.issue("client.example.org");
    other.issue("client.example.org");
    let files = ours.files("client.example.org", "server.example.org");
    assert_eq!(talk(&ours, &ours, &files).await.unwrap(), b"hello");

    let wrong_ca = TlsFiles { ca: other.path("ca.pem"), ..files.clone() };
    let answer = talk(&ours, &ours, &wrong_ca).await.unwrap_err();
    assert!(
        matches!(&answer, NoAnswer::NotTrusted(words) if words.contains("invalid peer certificate")),
        "{answer:?}"
    );

    let wrong_name = ours.files("client.example.org", "other.example.org");
    let answer = talk(&ours, &ours, &wrong_name).await.unwrap_err();
    assert!(
        matches!(&answer, NoAnswer::NotTrusted(words) if words.contains("NotValidForName") || words.contains("not valid for name")),
        "{answer:?}"
    );

    let stranger =
        TlsFiles { ca: ours.path("ca.pem"), ..other.files("client.example.org", "server.example.org") };
    let answer = talk(&ours, &ours, &stranger).await.unwrap_err();
    assert!(
        matches!(&answer, NoAnswer::NotTrusted(words) if words.contains("received fatal alert")),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_client_without_certificate_is_heard_where_none_is_demanded() {
    let ours = Authority::new();
    ours.issue("server.example.org");
    let files =
        TlsFiles { ca: ours.path("ca.pem"), own: None, server_name: Some("server.example.org".into()) };
    assert_eq!(talk_to(&ours, &ours, true, &files).await.unwrap(), b"hello");
    let answer = talk(&ours, &ours, &files).await.unwrap_err();
    assert!(
        matches!(&answer, NoAnswer::NotTrusted(words) if words.contains("CertificateRequired")),
        "{answer:?}"
    );
    // The server is looked at as closely as ever.
    let other = Authority::new();
    let wrong_ca = TlsFiles { ca: other.path("ca.pem"), ..files };
    assert!(matches!(talk_to(&ours, &ours, true, &wrong_ca).await.unwrap_err(), NoAnswer::NotTrusted(_)));
}

#[test]
fn unusable_files_are_named_with_what_was_expected() {
    let authority = Authority::new();
    authority.issue("client.example.org");
    authority.issue("other.example.org");
    let good = authority.files("client.example.org", "server.example.org");
    let empty = authority.path("empty.pem");
    fs::write(&empty, "").unwrap();
    let say = |files: TlsFiles| Connector::new(&files, "host").map(|_| ()).unwrap_err().to_string();
    let own = |change: &dyn Fn(&mut Identity)| {
        let mut files = good.clone();
        change(files.own.as_mut().unwrap());
        files
    };
    let missing = authority.path("none.pem");
    assert!(
        say(TlsFiles { ca: missing.clone(), ..good.clone() })
            .contains("none.pem: expected certificates of the authority")
    );
    assert!(
        say(own(&|own| own.certificate.clone_from(&empty)))
            .contains("empty.pem: expected a client certificate")
    );
    assert!(say(own(&|own| own.key.clone_from(&empty))).contains("expected a private key"));
    let other = authority.path("other.example.org.key");
    assert!(say(own(&|own| own.key.clone_from(&other))).contains("cannot be used together"));
    assert!(say(TlsFiles { server_name: Some("not a name".into()), ..good }).contains("neither a DNS name"));
}
