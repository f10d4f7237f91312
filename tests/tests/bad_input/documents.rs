//! Documents that are something else than the key signs, or that two verifiers would read differently.

use proto::reason::Reason;
use proto::wire::v1::{self, sign_request};

use crate::site::{BLOB, IMAGES, PROVENANCE, SLSA, Site, message, request, says};

const IN_TOTO: &str = "application/vnd.in-toto+json";

fn statement(predicate_type: &str) -> String {
    format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","predicateType":"{predicate_type}","subject":[{{"name":"a","digest":{{"sha256":"00ff"}}}}],"predicate":{{}}}}"#
    )
}

/// The DSSE pre-authentication encoding, made here.
fn encoded(payload: &str) -> String {
    format!("DSSEv1 {} {IN_TOTO} {} {payload}", IN_TOTO.len(), payload.len())
}

fn dsse(payload: &str) -> v1::SignRequest {
    let input = v1::DsseInput { payload_type: IN_TOTO.into(), payload: payload.as_bytes().to_vec().into() };
    request(PROVENANCE, sign_request::Input::Dsse(input))
}

#[test]
fn a_dsse_encoding_sent_as_a_message_is_dsse() {
    let site = Site::with(BLOB);
    let refusal = site.denied(Reason::PurposeMismatch, message(BLOB, encoded(&statement(SLSA))));
    says(&refusal.message, &[&format!("dsse:{SLSA}"), "blob"]);
    // One that only begins like one is refused, not taken for a blob.
    let refusal = site.sign(Reason::InvalidInput, message(BLOB, "DSSEv1 1 a 5 hello!"));
    says(&refusal.message, &["DSSE"]);
    // So is what verifiers of images would take for an image.
    let refusal = site.sign(Reason::InvalidInput, message(BLOB, r#"{"Critical":{}}"#));
    says(&refusal.message, &["critical"]);
    site.serves(message(BLOB, statement(SLSA)));
}

#[test]
fn another_predicate_type_than_the_keys_is_refused() {
    let site = Site::with(PROVENANCE);
    let refusal = site.denied(Reason::PurposeMismatch, dsse(&statement("https://cyclonedx.org/bom")));
    says(&refusal.message, &["dsse:https://cyclonedx.org/bom", &format!("dsse:{SLSA}")]);
    let refusal = site.denied(Reason::PurposeMismatch, message(PROVENANCE, "hello"));
    says(&refusal.message, &["blob"]);
    site.serves(dsse(&statement(SLSA)));
}

#[test]
fn duplicate_keys_of_a_statement_are_refused() {
    let site = Site::with(PROVENANCE);
    let good = statement(SLSA);
    for (from, to) in [
        (r#""predicate":{}"#, r#""predicate":{},"predicate":{}"#),
        (r#""predicate":{}"#, r#""predicate":{"a":{"k":1,"k":2}}"#),
        (r#""predicate":{}"#, r#""predicate":{},"\u0070redicate":{}"#),
        (r#"{"sha256":"00ff"}"#, r#"{"sha256":"00ff","sha256":"11"}"#),
    ] {
        let refusal = site.sign(Reason::InvalidInput, dsse(&good.replace(from, to)));
        says(&refusal.message, &["no single reading", "given twice"]);
    }
    site.serves(dsse(&good));
}

#[test]
fn keys_of_a_statement_that_differ_in_case_only_are_refused() {
    let site = Site::with(PROVENANCE);
    let good = statement(SLSA);
    for (from, to) in [
        (r#""predicate":{}"#, r#""predicate":{},"Subject":[]"#),
        (r#""predicate":{}"#, r#""predicate":{},"PREDICATETYPE":"x""#),
        (r#""predicate":{}"#, r#""predicate":{"builder":1,"Builder":2}"#),
        (r#"{"sha256":"00ff"}"#, r#"{"sha256":"00ff","SHA256":"11"}"#),
    ] {
        let refusal = site.sign(Reason::InvalidInput, dsse(&good.replace(from, to)));
        says(&refusal.message, &["given twice", "upper and lower case"]);
    }
    // A field that no reader knows is refused too, with those that are.
    let refusal = site.sign(Reason::InvalidInput, dsse(&good.replace(r#""predicate":{}"#, r#""predicate":{},"x":1"#)));
    says(&refusal.message, &["`x`", "_type, subject, predicateType and predicate"]);
    site.serves(dsse(&good));
}

#[test]
fn simple_signing_with_two_readings_is_refused() {
    let site = Site::with(IMAGES);
    let image = format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"registry.example.org/app"}},"image":{{"docker-manifest-digest":"sha256:{}"}},"type":"cosign container image signature"}},"optional":null}}"#,
        "ab".repeat(32)
    );
    for to in [r#""optional":null,"optional":{}"#, r#""optional":null,"Critical":{}"#] {
        let refusal = site.sign(Reason::InvalidInput, message(IMAGES, image.replace(r#""optional":null"#, to)));
        says(&refusal.message, &["no single reading", "given twice"]);
    }
    let refusal = site.sign(Reason::InvalidInput, message(IMAGES, image.replace("sha256:", "sha1:")));
    says(&refusal.message, &["docker-manifest-digest", "sha256:<64 lower-case hex digits>"]);
    site.serves(message(IMAGES, image));
}
