//! Certificates that prove nobody.

use std::path::{Path, PathBuf};

use client::connect::channel;
use client::connect::tls::Connector;
use client::settings::{Identity, Settings, TlsFiles};
use proto::reason::Reason;
use proto::refusal::Refusal;
use proto::wire::v1::signing_service_client::SigningServiceClient;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, SanType,
};
use tokio::io::AsyncReadExt as _;

use crate::site::{BLOB, Site, message, says, standing};

/// The instance's own authority, from the files that `init` wrote.
fn authority(site: &Site) -> Issuer<'static, KeyPair> {
    let tls = site.world.place().join("tls");
    let key = KeyPair::from_pem(&std::fs::read_to_string(tls.join("ca.key")).unwrap()).unwrap();
    named_authority(key)
}

fn named_authority(key: KeyPair) -> Issuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.distinguished_name = DistinguishedName::new();
    // As `init` names the authority of an instance that was given no name.
    params.distinguished_name.push(DnType::CommonName, "countersign.example.org CA");
    Issuer::new(params, key)
}

fn uri(text: &str) -> SanType {
    SanType::URI(Ia5String::try_from(text).unwrap())
}

fn host(text: &str) -> SanType {
    SanType::DnsName(Ia5String::try_from(text).unwrap())
}

/// Issues a client certificate until the end of a year, and writes it beside its key.
fn issue(at: &Path, issuer: &Issuer<'_, KeyPair>, names: Vec<SanType>, year: i32) -> (PathBuf, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = names;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "spiffe://countersign.example.org/client/first");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(year, 12, 31);
    let files = (at.join("other.pem"), at.join("other.key"));
    std::fs::write(&files.0, params.signed_by(&key, issuer).unwrap().pem()).unwrap();
    std::fs::write(&files.1, key.serialize_pem()).unwrap();
    files
}

/// How a client with this certificate reaches the daemon.
fn settings(site: &Site, (certificate, key): (PathBuf, PathBuf)) -> Settings {
    let settings = site.world.settings();
    let tls = settings.tls.clone().unwrap();
    let own = Some(Identity { certificate, key });
    Settings { tls: Some(TlsFiles { own, ..tls }), ..settings }
}

/// In TLS 1.3 the client has finished before the server has looked at its certificate: the alert is what it reads first.
fn alert(site: &Site, settings: &Settings) -> String {
    let before = standing(&site.world);
    let address = site.world.address();
    let (name, port) = address.strip_prefix("https://").unwrap().rsplit_once(':').unwrap();
    let said = site.runtime.block_on(async {
        let connector = Connector::new(settings.tls.as_ref().unwrap(), name).unwrap();
        match connector.dial(name, port.parse().unwrap()).await {
            Err(why) => why.to_string(),
            Ok(mut stream) => stream.read_u8().await.expect_err("the daemon refuses").to_string(),
        }
    });
    assert_eq!(standing(&site.world), before);
    said
}

/// A call with a certificate that is good and names nobody.
fn misnamed(site: &Site, names: Vec<SanType>) -> Refusal {
    let files = issue(site.world.scratch(), &authority(site), names, 2100);
    let settings = settings(site, files);
    site.refused(Reason::Unauthenticated, async move {
        SigningServiceClient::new(channel(&settings).unwrap()).sign(message(BLOB, "hello")).await
    })
}

#[test]
fn a_certificate_of_another_authority_gets_an_alert() {
    let site = Site::with(BLOB);
    // The same name, another key.
    let stranger = named_authority(KeyPair::generate().unwrap());
    let name = uri("spiffe://countersign.example.org/client/first");
    let files = issue(site.world.scratch(), &stranger, vec![name.clone()], 2100);
    let said = alert(&site, &settings(&site, files));
    assert!(
        ["UnknownCA", "BadCertificate", "DecryptError"].iter().any(|alert| said.contains(alert)),
        "{said}"
    );
    // The control: the instance's own authority, all else equal.
    let files = issue(site.world.scratch(), &authority(&site), vec![name], 2100);
    let good = settings(&site, files);
    let call =
        async { SigningServiceClient::new(channel(&good).unwrap()).sign(message(BLOB, "hello")).await };
    site.runtime.block_on(call).unwrap();
}

#[test]
fn an_expired_certificate_gets_an_alert_that_says_so() {
    let site = Site::with(BLOB);
    let name = uri("spiffe://countersign.example.org/client/first");
    let files = issue(site.world.scratch(), &authority(&site), vec![name], 2021);
    says(&alert(&site, &settings(&site, files)), &["CertificateExpired"]);
    site.serves(message(BLOB, "hello"));
}

#[test]
fn two_uri_names_are_nobody() {
    let site = Site::with(BLOB);
    let first = "spiffe://countersign.example.org/client/first";
    let refusal = misnamed(&site, vec![uri(first), uri("spiffe://countersign.example.org/client/second")]);
    says(&refusal.message, &["2 URI names", "exactly one"]);
    // The same name twice is two names.
    says(&misnamed(&site, vec![uri(first), uri(first)]).message, &["2 URI names"]);
    site.serves(message(BLOB, "hello"));
}

#[test]
fn a_wildcard_is_nobody() {
    let site = Site::with(BLOB);
    says(&misnamed(&site, vec![host("*.example.org")]).message, &["DNS name", "without wildcard"]);
    let two = vec![host("a.example.org"), host("b.example.org")];
    says(&misnamed(&site, two).message, &["2 DNS names", "exactly one"]);
    site.serves(message(BLOB, "hello"));
}

#[test]
fn a_common_name_alone_is_nobody() {
    let site = Site::with(BLOB);
    says(&misnamed(&site, vec![]).message, &["no URI and no DNS name", "common name is never used"]);
    site.serves(message(BLOB, "hello"));
}

#[test]
fn a_uri_that_is_no_spiffe_id_is_nobody_and_a_strangers_needs_a_grant() {
    let site = Site::with(BLOB);
    says(&misnamed(&site, vec![uri("https://example.org/ci")]).message, &["SPIFFE"]);
    says(&misnamed(&site, vec![uri("spiffe://Countersign.example.org/client/first")]).message, &["SPIFFE"]);
    let stranger = misnamed(&site, vec![uri("spiffe://countersign.example.org/client/second")]);
    says(&stranger.message, &["no grant admits spiffe://countersign.example.org/client/second"]);
    site.serves(message(BLOB, "hello"));
}
