//! What the bytes are: every kind, every refusal, and no panic on anything.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use proptest::prelude::*;
use proto::purpose::COSIGN_SIGN;

use super::*;

const STATEMENT: &str = r#"{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://slsa.dev/provenance/v1","subject":[{"name":"a","digest":{"sha256":"00ff"}}],"predicate":{}}"#;

fn message(bytes: impl AsRef<[u8]>) -> Result<Reading, Refusal> {
    read(&Input::Message(Bytes::copy_from_slice(bytes.as_ref())))
}

fn kind(bytes: impl AsRef<[u8]>) -> Kind {
    message(bytes).unwrap().kind
}

fn refusal(bytes: impl AsRef<[u8]>) -> String {
    let refusal = message(bytes).unwrap_err();
    assert_eq!(refusal.reason, Reason::InvalidInput);
    refusal.message
}

fn image() -> Digest {
    Digest::of(HashAlgorithm::Sha256, b"manifest")
}

fn simple_signing() -> Vec<u8> {
    let input = Input::Oci {
        reference: "registry.example.org/app".into(),
        digest: image(),
        annotations: Default::default(),
    };
    read(&input).unwrap().built.to_vec()
}

#[test]
fn a_message_is_what_its_bytes_are() {
    let encoding = dsse::encode(dsse::IN_TOTO, STATEMENT.as_bytes()).unwrap();
    let reading = message(&encoding).unwrap();
    assert_eq!(reading.kind, Kind::Dsse("https://slsa.dev/provenance/v1".into()));
    assert_eq!(reading.subjects, ["sha256:00ff"]);
    assert_eq!(kind(dsse::encode("text/plain", b"hello").unwrap()), Kind::Dsse("text/plain".into()));
    assert_eq!(kind(simple_signing()), Kind::Oci);
    assert_eq!(kind(b"any bytes\n"), Kind::Blob);
    assert_eq!(kind(b"{\"a\":1}"), Kind::Blob);
    assert_eq!(kind(STATEMENT), Kind::Blob);
    assert_eq!(kind(br#"{"_type":"root","spec_version":"1.0.0","signed":1}"#), Kind::Tuf);
    // Nobody gets a signature that could pass for the proof of a key's birth.
    assert_eq!(kind(b"countersign-pop-v1\nsigning.example.org\n"), Kind::Possession);
    assert_eq!(kind("log.example.org\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"), Kind::Note);
    assert_eq!(kind("cosignature/v1\ntime 1\n"), Kind::Note);
}

#[test]
fn documents_that_verifiers_read_leniently_are_no_blobs() {
    for evasion in [
        br#"{"Critical":{}}"#.to_vec(),
        br#"{"\u0063ritical":{}}"#.to_vec(),
        b"{\"critical\":{},\"x\":\"\xff\"}".to_vec(),
        br#"{"critical":{},"x":"\ud800"}"#.to_vec(),
        br#"{"\ud800":1,"critical":{}}"#.to_vec(),
        format!("{{\"optional\":{}{},\"critical\":{{}}}}", "[".repeat(5000), "]".repeat(5000)).into_bytes(),
        b" \n{\"critical\":{}}".to_vec(),
    ] {
        refusal(evasion);
    }
}

#[test]
fn a_certificate_to_be_signed_is_x509() {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["example.org".into()]).unwrap().self_signed(&key).unwrap();
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate.der()).unwrap();
    assert_eq!(kind(parsed.tbs_certificate.as_ref()), Kind::X509);
    let request =
        rcgen::CertificateParams::new(vec!["example.org".into()]).unwrap().serialize_request(&key).unwrap();
    let (_, body) = der_sequence(request.der());
    assert_eq!(kind(body), Kind::X509);
    assert_eq!(kind(certificate.der()), Kind::Blob);
}

/// Header of the outer sequence, and the first element inside, whole.
fn der_sequence(der: &[u8]) -> (&[u8], &[u8]) {
    let header = |der: &[u8]| match der[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        0x81 => (3, usize::from(der[2])),
        _ => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
    };
    let (outer, _) = header(der);
    let (begin, length) = header(&der[outer..]);
    (&der[..outer], &der[outer..outer + begin + length])
}

#[test]
fn notation_signing_inputs_are_read_in_both_envelopes() {
    use base64::Engine;
    let b64 = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let payload = r#"{"targetArtifact":{"digest":"sha256:aa","mediaType":"m","size":1}}"#;
    let header = r#"{"alg":"PS256","cty":"application/vnd.cncf.notary.payload.v1+json"}"#;
    let jws = format!("{}.{}", b64(header), b64(payload));
    let reading = message(&jws).unwrap();
    assert_eq!((reading.kind, reading.subjects), (Kind::Notation, vec!["sha256:aa".to_owned()]));
    assert!(read(&Input::Notation(jws.into())).is_ok());
    let protected = b"\xa1\x03\x78\x2bapplication/vnd.cncf.notary.payload.v1+json";
    let mut cose = b"\x84\x6aSignature1\x58".to_vec();
    cose.push(u8::try_from(protected.len()).unwrap());
    cose.extend_from_slice(protected);
    cose.extend_from_slice(b"\x40\x58");
    cose.push(u8::try_from(payload.len()).unwrap());
    cose.extend_from_slice(payload.as_bytes());
    assert_eq!(kind(&cose), Kind::Notation);
    cose.push(0);
    assert!(refusal(&cose).contains("nothing after"));
    let twice =
        format!("{}.{}", b64(header), b64(r#"{"targetArtifact":{"digest":"a"},"TargetArtifact":{}}"#));
    assert!(refusal(twice).contains("no single reading"));
    let other = read(&Input::Notation(Bytes::from_static(b"hello"))).unwrap_err();
    assert!(other.message.contains("Notation's signing input"));
}

#[test]
fn statements_with_two_readings_are_refused() {
    let pae = |text: &str| dsse::encode(dsse::IN_TOTO, text.as_bytes()).unwrap();
    for (from, to, why) in [
        ("\"predicate\":{}", "\"predicate\":{},\"predicate\":{}", "given twice"),
        ("\"predicate\":{}", "\"predicate\":{},\"Subject\":[]", "given twice"),
        ("\"predicate\":{}", "\"predicate\":{},\"extra\":1", "no field"),
        ("\"predicate\":{}}", "\"predicate\":{}} x", "trailing"),
        ("\"predicate\":{}", "\"predicate\":{\"a\":{\"k\":1,\"K\":2}}", "given twice"),
        ("Statement/v1", "Statement/v2", "_type"),
        ("[{\"name\":\"a\",\"digest\":{\"sha256\":\"00ff\"}}]", "[]", "at least one"),
        ("{\"sha256\":\"00ff\"}", "{}", "at least one entry"),
    ] {
        let changed = STATEMENT.replace(from, to);
        assert_ne!(changed, STATEMENT, "{from}");
        let why_not = refusal(pae(&changed));
        assert!(why_not.contains(why), "{changed}: {why_not}");
    }
    let deep =
        STATEMENT.replace("\"predicate\":{}", &format!("\"predicate\":{}{}", "[".repeat(70), "]".repeat(70)));
    assert!(refusal(pae(&deep)).contains("deeper"));
    assert!(refusal(b"DSSEv1 1 a 5 hello!").contains("is none"));
    assert!(refusal(b"DSSEv1 01 a 5 hello").contains("is none"));
}

#[test]
fn images_are_named_by_repository_and_digest_alone() {
    let build = |reference: &str| {
        read(&Input::Oci { reference: reference.into(), digest: image(), annotations: Default::default() })
    };
    let reading = build("registry.example.org:5000/team/app").unwrap();
    assert_eq!(reading.repository.as_deref(), Some("registry.example.org:5000/team/app"));
    assert_eq!(reading.subjects, [image().to_string()]);
    assert_eq!(
        String::from_utf8(reading.built.to_vec()).unwrap(),
        format!(
            r#"{{"critical":{{"identity":{{"docker-reference":"registry.example.org:5000/team/app"}},"image":{{"docker-manifest-digest":"{}"}},"type":"cosign container image signature"}},"optional":null}}"#,
            image()
        )
    );
    assert!(build("registry.example.org/app:latest").unwrap_err().message.contains("tag"));
    assert!(build("registry.example.org/app@sha256:00").unwrap_err().message.contains("digest"));
    for bad in ["app", "", "/app", "registry.example.org/App", "r.example.org/a//b", "r.example.org/a b"] {
        assert!(build(bad).is_err(), "{bad}");
    }
    let statement = STATEMENT.replace("https://slsa.dev/provenance/v1", COSIGN_SIGN);
    assert!(kind(dsse::encode(dsse::IN_TOTO, statement.as_bytes()).unwrap()).is_image());
}

#[test]
fn what_is_too_long_is_refused_with_the_limit() {
    let refusal = message(vec![0; 5 * 1024 * 1024]).unwrap_err();
    assert_eq!(refusal.reason, Reason::InputTooLarge);
    assert!(refusal.message.contains("4194304"));
}

#[test]
fn the_digest_is_the_one_that_the_algorithm_needs() {
    let reading = read(&Input::Digest(image().into())).unwrap();
    assert_eq!(reading.body.digest(Algorithm::EcdsaP256Sha256).unwrap(), image());
    let refusal = reading.body.digest(Algorithm::EcdsaP384Sha384).unwrap_err();
    assert!(refusal.message.contains("sha384 digest of 48 bytes"), "{refusal}");
    assert!(reading.body.digest(Algorithm::Ed25519).unwrap_err().message.contains("message itself"));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, begin in prop::sample::select(vec!["", "DSSEv1 ", "{\"critical\":", "\u{84}"])) {
        let _ = message([begin.as_bytes(), &bytes].concat());
        let _ = read(&Input::Notation(bytes.into()));
    }

    #[test]
    fn encodings_are_decoded(payload_type in "[a-z/+.]{1,40}", payload: Vec<u8>) {
        let encoding = dsse::encode(&payload_type, &payload).unwrap();
        prop_assert_eq!(dsse::decode(&encoding), Some((payload_type.as_str(), payload.as_slice())));
    }
}
