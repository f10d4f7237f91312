//! Fields of requests that are outside their bounds.

use proto::reason::Reason;
use proto::wire::v1::{self, HashAlgorithm};

use crate::site::{BLIND, BLOB, IMAGES, Site, digest, message, request, says};

const MIB: usize = 1024 * 1024;

#[test]
fn a_digest_of_the_wrong_length_or_hash_is_refused_with_the_right_one() {
    let site = Site::with(BLIND);
    let refusal = site.sign(Reason::InvalidDigest, digest(BLIND, HashAlgorithm::Sha256, vec![7; 20]));
    says(&refusal.message, &["digest", "sha256", "32 bytes", "20"]);
    let refusal = site.sign(Reason::InvalidDigest, digest(BLIND, HashAlgorithm::Sha384, vec![7; 48]));
    says(&refusal.message, &["ecdsa-p256-sha256", "sha256 digest of 32 bytes"]);
    let refusal = site.sign(Reason::InvalidDigest, digest(BLIND, HashAlgorithm::Unspecified, vec![7; 32]));
    says(&refusal.message, &["digest", "expected a hash algorithm", "sha256, sha384 or sha512"]);
    site.serves(digest(BLIND, HashAlgorithm::Sha256, vec![7; 32]));
}

#[test]
fn a_message_of_five_mebibytes_is_refused_with_the_limit() {
    let site = Site::with(BLOB);
    let refusal = site.sign(Reason::InputTooLarge, message(BLOB, vec![7; 5 * MIB]));
    says(&refusal.message, &["message", "4 MiB", &(5 * MIB).to_string()]);
    // Beyond what the transport takes: said by the same reason.
    let refusal = site.sign(Reason::InputTooLarge, message(BLOB, vec![7; 9 * MIB]));
    says(&refusal.message, &["at most", &(8 * MIB).to_string()]);
    site.serves(message(BLOB, vec![7; 4 * MIB]));
}

#[test]
fn an_unknown_key_is_named_and_a_name_that_is_none_is_explained() {
    let site = Site::with(BLOB);
    let refusal = site.sign(Reason::UnknownKey, message("release/linus", "hello"));
    says(&refusal.message, &["release/linus"]);
    says(refusal.reason.advice(), &["countersign keys list"]);
    for name in ["Release", "a/../b", "a//b", "/a", "a b"] {
        let refusal = site.sign(Reason::MalformedRequest, message(name, "hello"));
        says(&refusal.message, &["key: ", "no segment of a key name", "lower-case letters"]);
    }
    for name in ["", &"a".repeat(129)] {
        let refusal = site.sign(Reason::MalformedRequest, message(name, "hello"));
        says(&refusal.message, &["key: ", "1 to 128 bytes", &name.len().to_string()]);
    }
    site.serves(message(BLOB, "hello"));
}

#[test]
fn a_batch_of_too_many_items_or_bytes_is_refused_as_a_whole() {
    let site = Site::with(BLOB);
    let refusal = site.batch(Reason::InputTooLarge, vec![message(BLOB, "x"); 1001]);
    says(&refusal.message, &["requests", "1 to 1,000", "1001"]);
    let refusal = site.batch(Reason::InputTooLarge, vec![message(BLOB, vec![7; 2 * MIB + 1]); 2]);
    says(&refusal.message, &["requests", "together", "4 MiB"]);
    let refusal = site.batch(Reason::MalformedRequest, vec![]);
    says(&refusal.message, &["requests", "1 to 1,000"]);
    let twice = v1::SignRequest { request_id: "build-1".into(), ..message(BLOB, "x") };
    let refusal = site.batch(Reason::MalformedRequest, vec![twice; 2]);
    says(&refusal.message, &["requests[1].request_id", "same id"]);
    site.serves(message(BLOB, "hello"));
}

#[test]
fn a_request_id_of_other_characters_is_refused_with_those_that_are_taken() {
    let site = Site::with(BLOB);
    for id in ["build 4711", "build/4711", "b\u{fc}ild", "a\nb", "\0", &"a".repeat(129)] {
        let bad = v1::SignRequest { request_id: id.into(), ..message(BLOB, "hello") };
        let refusal = site.sign(Reason::MalformedRequest, bad);
        says(&refusal.message, &["request_id", "1 to 128", "A-Z"]);
    }
    site.serves(v1::SignRequest { request_id: "A-z0.9_:-".into(), ..message(BLOB, "hello") });
}

#[test]
fn annotations_too_many_or_too_long_are_refused_with_the_bounds() {
    let site = Site::with(BLOB);
    let with = |annotations: Vec<(String, String)>| v1::SignRequest {
        annotations: annotations.into_iter().collect(),
        ..message(BLOB, "hello")
    };
    let numbered = |count: usize| (0..count).map(|number| (number.to_string(), "x".into())).collect();
    let refusal = site.sign(Reason::MalformedRequest, with(numbered(17)));
    says(&refusal.message, &["annotations", "at most 16", "17"]);
    for (name, value) in [("n", "x".repeat(256)), ("", "x".into())] {
        let refusal = site.sign(Reason::MalformedRequest, with(vec![(name.into(), value)]));
        says(&refusal.message, &["annotations", "256 bytes", "not empty"]);
    }
    site.serves(with(numbered(16)));
    site.serves(with(vec![("n".into(), "x".repeat(255))]));
}

#[test]
fn numbers_and_inputs_that_this_version_does_not_know_are_refused() {
    let site = Site::with(BLOB);
    let refusal = site.sign(Reason::MalformedRequest, v1::SignRequest { input: None, ..message(BLOB, "x") });
    says(&refusal.message, &["input", "digest, message, dsse, oci, notation"]);
    type Change = fn(&mut v1::SignRequest);
    let changes: [(&str, Change); 3] = [
        ("encoding", |request| request.encoding = 77),
        ("receipt", |request| request.receipt = 77),
        ("versions", |request| request.versions = -1),
    ];
    for (field, change) in changes {
        let mut bad = message(BLOB, "hello");
        change(&mut bad);
        says(&site.sign(Reason::MalformedRequest, bad).message, &[field]);
    }
    site.serves(message(BLOB, "hello"));
}

#[test]
fn an_image_by_its_tag_is_refused_at_the_door_and_on_the_command_line() {
    let site = Site::with(IMAGES);
    let image = |reference: &str| {
        let digest = v1::Digest { algorithm: HashAlgorithm::Sha256.into(), value: vec![7; 32] };
        let input =
            v1::OciInput { reference: reference.into(), digest: Some(digest), annotations: Default::default() };
        request(IMAGES, v1::sign_request::Input::Oci(input))
    };
    let refusal = site.sign(Reason::InvalidInput, image("registry.example.org/app:latest"));
    says(&refusal.message, &["tag", "digest", "registry/repository"]);
    let refusal = site.sign(Reason::InvalidInput, image("registry.example.org/app@sha256:00"));
    says(&refusal.message, &["digest", "apart"]);
    let before = crate::site::standing(&site.world);
    let (code, _, said) = site.world.run(&["sign", IMAGES, "--image", "registry.example.org/app:latest"]);
    assert_ne!(code, 0);
    says(&said, &["registry.example.org/app:latest", "tag", "@sha256:"]);
    assert_eq!(crate::site::standing(&site.world), before);
    site.serves(image("registry.example.org/app"));
}
