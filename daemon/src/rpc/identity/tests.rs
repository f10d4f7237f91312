#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DnType, KeyPair, SanType};

use super::*;

fn certificate(names: &[SanType], common: &str) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common);
    params.subject_alt_names = names.to_vec();
    params.self_signed(&key).unwrap().der().clone()
}

fn uri(text: &str) -> SanType {
    SanType::URI(Ia5String::try_from(text).unwrap())
}

fn dns(text: &str) -> SanType {
    SanType::DnsName(Ia5String::try_from(text).unwrap())
}

fn id(names: &[SanType]) -> Result<String, Misnamed> {
    of_certificate(&certificate(names, "common.example.org")).name.map(|caller| caller.id)
}

#[test]
fn one_spiffe_id_is_the_name_and_dns_names_beside_it_are_ignored() {
    let workload = "spiffe://example.org/ci/linux";
    assert_eq!(id(&[uri(workload)]).unwrap(), workload);
    assert_eq!(id(&[dns("a.example.org"), uri(workload), dns("b.example.org")]).unwrap(), workload);
}

#[test]
fn one_dns_name_is_the_name_in_lower_case() {
    assert_eq!(id(&[dns("Build.example.org")]).unwrap(), "dns:build.example.org");
}

#[test]
fn two_uris_are_refused_with_what_was_expected() {
    let refused = id(&[uri("spiffe://example.org/a"), uri("spiffe://example.org/b")]).unwrap_err();
    assert_eq!(refused, Misnamed::Uris(2));
    assert!(refused.to_string().contains("expected exactly one"), "{refused}");
    assert_eq!(id(&[uri("spiffe://example.org/a"), uri("https://example.org")]), Err(Misnamed::Uris(2)));
}

#[test]
fn a_uri_that_is_no_workload_is_refused_even_beside_a_dns_name() {
    for bad in [
        "https://example.org/ci",
        "spiffe://example.org",
        "spiffe://Example.org/ci",
        "spiffe://example.org/ci/",
        "spiffe://example.org/a/../b",
        "spiffe://user@example.org/ci",
        "spiffe://example.org/ci?x=1",
        "SPIFFE://example.org/ci",
    ] {
        let refused = id(&[uri(bad), dns("build.example.org")]);
        assert!(matches!(refused, Err(Misnamed::NotSpiffe { .. })), "{bad}: {refused:?}");
    }
}

#[test]
fn wildcards_several_dns_names_and_none_are_refused() {
    assert_eq!(id(&[dns("*.example.org")]), Err(Misnamed::DnsName));
    assert_eq!(id(&[dns("a b")]), Err(Misnamed::DnsName));
    assert_eq!(id(&[dns("example.org.")]), Err(Misnamed::DnsName));
    assert_eq!(id(&[dns("a.example.org"), dns("b.example.org")]), Err(Misnamed::DnsNames(2)));
    let nameless = id(&[]).unwrap_err();
    assert_eq!(nameless, Misnamed::Nameless);
    assert!(nameless.to_string().contains("common name is never used"));
}

#[test]
fn an_address_or_a_mail_box_is_no_name() {
    let address = SanType::IpAddress([127, 0, 0, 1].into());
    let mail = SanType::Rfc822Name(Ia5String::try_from("a@example.org").unwrap());
    assert_eq!(id(&[address, mail]), Err(Misnamed::Nameless));
}

#[test]
fn bytes_that_are_no_certificate_name_nobody() {
    for bytes in [&b""[..], b"\x30", b"not a certificate", &[0x30, 0x82, 0xff, 0xff, 0x00]] {
        let named = of_certificate(&CertificateDer::from(bytes));
        assert!(matches!(named.name, Err(Misnamed::Unreadable(_))), "{bytes:?}");
    }
}

#[test]
fn a_user_of_the_socket_is_named_by_the_kernel() {
    assert_eq!(Identity::of_user(1000).id(), "unix:1000");
}
