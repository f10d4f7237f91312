//! Who gets a certificate, for what, and who does not.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, SanType};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use super::*;
use crate::keyring::trial::{Trial, everything};
use crate::secret::SecretReference;

const CI: &str = "spiffe://example.org/ci/linux";

/// The files of a CA.
struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn new(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.distinguished_name.push(DnType::CommonName, "a small CA");
        params.distinguished_name.push(DnType::OrganizationName, "of an organisation");
        change(&mut params);
        let pem = params.self_signed(&key).unwrap().pem();
        std::fs::write(directory.path().join("ca.pem"), pem).unwrap();
        std::fs::write(directory.path().join("ca.key"), key.serialize_pem()).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(directory.path().join("ca.key"), mode).unwrap();
        Self { directory }
    }

    fn ca(&self) -> Result<Ca, CaError> {
        let file = |name: &str| SecretReference::file(self.directory.path().join(name));
        let validity = Duration::from_secs(90 * 86_400);
        Ca::read(&Settings { ca: file("ca.pem"), key: file("ca.key"), validity })
    }
}

fn now() -> Time {
    "2026-11-29T06:00:00.000000Z".parse().unwrap()
}

/// A request that asks for everything that it must not get.
fn greedy(key: &KeyPair) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "root");
    params.subject_alt_names = vec![
        SanType::URI(Ia5String::try_from("spiffe://example.org/ci/other").unwrap()),
        SanType::DnsName(Ia5String::try_from("signing.example.org").unwrap()),
    ];
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.serialize_request(key).unwrap().der().to_vec()
}

#[test]
fn nothing_is_taken_of_a_request_but_its_key() {
    let ca = Files::new(|_| {}).ca().unwrap();
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let issued = ca.issue(&Caller::parse(CI).unwrap(), &greedy(&key), now()).unwrap();
        let (_, made) = X509Certificate::from_der(&issued.certificate).unwrap();
        let names = &made.subject_alternative_name().unwrap().unwrap().value.general_names;
        assert!(matches!(names.as_slice(), [GeneralName::URI(CI)]), "{names:?}");
        assert_eq!(made.subject().iter().count(), 0);
        assert!(!made.is_ca());
        let usage = made.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth && !usage.any);
        let (_, authority) = X509Certificate::from_der(ca.certificate()).unwrap();
        assert_eq!(made.issuer(), authority.subject());
        made.verify_signature(Some(authority.public_key())).unwrap();
        assert_eq!(made.public_key().subject_public_key.data.as_ref(), key.public_key_raw());
        let ends = made.validity().not_after.timestamp();
        assert_eq!(ends, now().microseconds() / 1_000_000 + 90 * 86_400);
        assert_eq!(issued.not_after.microseconds(), ends * 1_000_000);
    }
    let key = KeyPair::generate().unwrap();
    let issued = ca.issue(&Caller::parse("dns:build.example.org").unwrap(), &greedy(&key), now()).unwrap();
    let (_, made) = X509Certificate::from_der(&issued.certificate).unwrap();
    let names = &made.subject_alternative_name().unwrap().unwrap().value.general_names;
    assert!(matches!(names.as_slice(), [GeneralName::DNSName("build.example.org")]), "{names:?}");
}

#[test]
fn a_request_that_its_key_did_not_sign_is_refused() {
    let ca = Files::new(|_| {}).ca().unwrap();
    let caller = Caller::parse(CI).unwrap();
    let good = greedy(&KeyPair::generate().unwrap());
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut longer = good.clone();
    longer.push(0);
    for bad in [flipped, longer, good[..good.len() - 1].to_vec(), vec![], vec![0; 20_000]] {
        let refusal = ca.issue(&caller, &bad, now()).unwrap_err();
        assert_eq!(refusal.reason, Reason::MalformedRequest);
        assert!(refusal.message.starts_with("csr: expected"), "{refusal}");
    }
    ca.issue(&caller, &good, now()).unwrap();
}

#[test]
fn no_certificate_outlives_its_ca_and_no_other_key_or_leaf_is_a_ca() {
    let ends = Files::new(|params| params.not_after = rcgen::date_time_ymd(2026, 12, 1));
    let ca = ends.ca().unwrap();
    let csr = greedy(&KeyPair::generate().unwrap());
    let caller = Caller::parse(CI).unwrap();
    let issued = ca.issue(&caller, &csr, now()).unwrap();
    assert_eq!(issued.not_after.to_string(), "2026-12-01T00:00:00.000000Z");
    let over = ca.issue(&caller, &csr, "2026-12-01T00:00:00.000000Z".parse().unwrap()).unwrap_err();
    assert_eq!(over.reason, Reason::Unimplemented);
    std::fs::write(ends.directory.path().join("ca.key"), KeyPair::generate().unwrap().serialize_pem())
        .unwrap();
    assert!(ends.ca().err().unwrap().to_string().contains("not the key of the certificate"));
    let leaf = Files::new(|params| params.is_ca = IsCa::NoCa);
    assert!(leaf.ca().err().unwrap().to_string().contains("not that of a CA"));
}

#[tokio::test]
async fn each_token_that_is_no_good_says_why() {
    let trial = Trial::new("private", &everything()).await;
    let denials = Denials::new(trial.log.clone(), Arc::clone(&trial.keyring), Arc::clone(&trial.clock));
    let ca = Files::new(|_| {}).ca().unwrap();
    let (log, keyring, clock) = (trial.log.clone(), Arc::clone(&trial.keyring), Arc::clone(&trial.clock));
    let enroller = Enroller::new(log, keyring, denials, clock, Some(ca));
    let invited = |token: &str, expires: Time| Body::Invited {
        caller: CI.to_owned(),
        expires,
        token: Hash::of(token.as_bytes()),
    };
    let soon = trial.clock.wall().later(Duration::from_secs(600));
    enroller.append("unix:0", invited("over", trial.clock.wall())).await.unwrap();
    enroller.append("unix:0", invited("used", soon)).await.unwrap();
    enroller.append("unix:0", invited("good", soon)).await.unwrap();
    let used = Body::Enrolled {
        caller: CI.to_owned(),
        certificate: Hash::ZERO,
        key: Hash::ZERO,
        not_after: soon,
        token: Hash::of(b"used"),
    };
    enroller.append(CI, used).await.unwrap();
    let size = trial.log.head().size;
    let csr = greedy(&KeyPair::generate().unwrap());
    let reason = async |token: &str| enroller.enroll(token, &csr).await.unwrap_err().reason;
    assert_eq!(reason("over").await, Reason::InvitationExpired);
    assert_eq!(reason("used").await, Reason::InvitationUsed);
    // The guardrails of this instance believe no CA.
    assert_eq!(reason("good").await, Reason::Unimplemented);
    for _ in 0..MISSES {
        assert_eq!(reason("none").await, Reason::InvitationUnknown);
    }
    let refusal = enroller.enroll("none", &csr).await.unwrap_err();
    assert!(refusal.reason == Reason::RateLimited && refusal.retry_after.is_some(), "{refusal}");
    // A good one is not refused because of them.
    assert_eq!(reason("good").await, Reason::Unimplemented);
    assert_eq!(trial.log.head().size, size, "what is refused leaves no record");
}
