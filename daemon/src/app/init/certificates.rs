//! The small CA of an instance that was just made: one certificate for the server, one for the first client.
//!
//! It is enough to try the daemon out and for a small team; SPIRE, cert-manager or step-ca take its place by naming
//! their roots in the guardrails.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use proto::time::Time;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use zeroize::Zeroizing;

/// How long the CA is good.
const CA_DAYS: u32 = 3650;

/// How long the certificates are good. There is no CRL for clients: a stop is instant.
const LEAF_DAYS: u32 = 365;

/// A certificate chain and its private key, both as PEM.
pub(crate) struct Issued {
    /// Leaf first.
    pub(crate) certificate: String,
    /// PKCS#8.
    pub(crate) key: Zeroizing<String>,
}

/// Everything that `init` issues.
pub(crate) struct Certificates {
    /// The CA's own certificate and key.
    pub(crate) ca: Issued,
    /// For the daemon: `localhost`, the instance's name and the loopback addresses.
    pub(crate) server: Issued,
    /// For the first client: its SPIFFE ID alone.
    pub(crate) client: Issued,
}

/// Issues all of them. `spiffe` is the first client's SPIFFE ID.
///
/// # Errors
/// rcgen's word, for names that no certificate can hold.
pub(crate) fn issue(instance: &str, spiffe: &str, now: Time) -> Result<Certificates, rcgen::Error> {
    let ca_key = KeyPair::generate()?;
    let mut ca = valid_for(CertificateParams::default(), now, CA_DAYS);
    ca.distinguished_name = named(&format!("{instance} CA"));
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let ca_certificate = ca.self_signed(&ca_key)?.pem();
    let ca_pem = Zeroizing::new(ca_key.serialize_pem());
    let issuer = Issuer::new(ca, ca_key);

    let mut server =
        valid_for(CertificateParams::new(vec!["localhost".into(), instance.into()])?, now, LEAF_DAYS);
    server.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    server.subject_alt_names.push(SanType::IpAddress(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)));
    server.distinguished_name = named(instance);
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];

    let mut client = valid_for(CertificateParams::default(), now, LEAF_DAYS);
    client.subject_alt_names = vec![SanType::URI(Ia5String::try_from(spiffe)?)];
    client.distinguished_name = DistinguishedName::new();
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    client.key_usages = vec![KeyUsagePurpose::DigitalSignature];

    Ok(Certificates {
        ca: Issued { certificate: ca_certificate, key: ca_pem },
        server: leaf(server, &issuer)?,
        client: leaf(client, &issuer)?,
    })
}

fn leaf(params: CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Result<Issued, rcgen::Error> {
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?.pem();
    Ok(Issued { certificate, key: Zeroizing::new(key.serialize_pem()) })
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn valid_for(mut params: CertificateParams, now: Time, days: u32) -> CertificateParams {
    let day = Duration::from_secs(86_400);
    let (year, month, first) = day_of(now.earlier(day));
    params.not_before = rcgen::date_time_ymd(year, month, first);
    let (year, month, last) = day_of(now.later(day * days));
    params.not_after = rcgen::date_time_ymd(year, month, last);
    params.use_authority_key_identifier_extension = true;
    params
}

/// Year, month and day.
fn day_of(time: Time) -> (i32, u8, u8) {
    let text = time.text();
    let number = |range: std::ops::Range<usize>| {
        text[range].iter().fold(0_u16, |sum, digit| sum * 10 + u16::from(digit.saturating_sub(b'0')))
    };
    let small = |range| u8::try_from(number(range)).unwrap_or(1);
    (i32::from(number(0..4)), small(5..7), small(8..10))
}
