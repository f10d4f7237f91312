//! Everything that can be signed, on a software key and on an HSM's: verified with its receipt, found in the log,
//! stopped, refused, and stopped still after a restart.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proto::algorithm::{Algorithm, HashAlgorithm};
use proto::digest::Digest;
use proto::key_id::KeyId;
use proto::proof::encoding::SignatureEncoding;
use proto::proof::note::Verifier;
use proto::proof::receipt::{Expected, Receipt, check};
use proto::proof::signature::{Over, verify};
use proto::reason::Reason;
use proto::wire::v1::log_service_client::LogServiceClient;
use proto::wire::v1::sign_request::Input;
use proto::wire::v1::signing_service_client::SigningServiceClient;
use proto::wire::v1::stop_target::Target;
use proto::wire::v1::{
    DigestInput, DsseInput, GetPublicKeyRequest, NotationInput, OciInput, SearchRecordsRequest, SignRequest,
    SignResponse,
};
use softhsm::{Shape, Token};
use tests::ask;
use tests::load::{Received, request, sign};
use tests::world::{Plan, World};
use tokio::runtime::Runtime;
use tonic::transport::Channel;

use super::{KEY, P256, accounted};

const SLSA: &str = "https://slsa.dev/provenance/v1";
const ATTESTATIONS: &str = "release/attestations";
const NOTATION: &str = "release/notation";
const DIGESTS: &str = "release/digests";
const COMMIT: &str = "9f1d7a3c0b5e4d2a8f6e1c3b5a7d9e0f1a2b3c4d";
const REPOSITORY: &str = "registry.example.org/app";
const FILE: &[u8] = b"the real file";

/// The signature and its receipt, by what anyone can compute.
fn verified(world: &World, reply: &SignResponse, spki: &[u8], signed: &[u8], key: &str) {
    let [signature] = reply.signatures.as_slice() else { panic!("one signature: {reply:?}") };
    let algorithm = Algorithm::EcdsaP256Sha256;
    // As the input's ecosystem has it: Notation takes r ‖ s, everybody else DER.
    let fixed = signature.encoding() == proto::wire::v1::SignatureEncoding::Fixed;
    assert_eq!(fixed, key == NOTATION);
    let encoding = if fixed { SignatureEncoding::Fixed } else { SignatureEncoding::Der };
    verify(algorithm, spki, Over::Message(signed), &signature.value, encoding).unwrap();
    let receipt = reply.receipt.clone().unwrap();
    let receipt = Receipt {
        leaf: receipt.record.to_vec(),
        index: receipt.log_index,
        path: receipt.inclusion_path.iter().map(|hash| hash[..].try_into().unwrap()).collect(),
        checkpoint: receipt.checkpoint,
    };
    let log_key: Verifier =
        std::fs::read_to_string(world.place().join("log.pub")).unwrap().trim().parse().unwrap();
    let expected = Expected {
        signature: &signature.value,
        key_id: KeyId::of_spki(spki),
        algorithm,
        digests: &Digest::of(HashAlgorithm::Sha256, signed).into(),
        key: Some(&key.parse().unwrap()),
    };
    check(&receipt.verify(&log_key).unwrap(), &expected).unwrap();
}

async fn public_key(channel: &Channel, key: &str) -> Vec<u8> {
    let request = GetPublicKeyRequest { key: key.to_owned(), version: 0 };
    let answer = SigningServiceClient::new(channel.clone()).get_public_key(request).await.unwrap();
    answer.into_inner().version.unwrap().public_key
}

/// Indices of the records that match, as soon as the index has reached them.
async fn search(channel: &Channel, request: SearchRecordsRequest, reach: u64) -> Vec<u64> {
    for _ in 0..600 {
        let mut client = LogServiceClient::new(channel.clone());
        let mut stream = client.search_records(request.clone()).await.unwrap().into_inner();
        let (mut found, mut reached) = (Vec::new(), 0);
        while let Some(answer) = stream.message().await.unwrap() {
            reached = answer.indexed_to;
            found.extend(answer.record.map(|record| record.log_index));
        }
        if reached > reach {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the index never reached {reach}");
}

/// What Notation hands to its plug-in: a JWS signing input.
fn notation() -> String {
    let b64 = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let header = r#"{"alg":"ES256","cty":"application/vnd.cncf.notary.payload.v1+json"}"#;
    let payload = r#"{"targetArtifact":{"digest":"sha256:aa","mediaType":"m","size":1}}"#;
    format!("{}.{}", b64(header), b64(payload))
}

/// An in-toto statement to be signed.
fn statement() -> SignRequest {
    let statement = serde_json::json!({
        "_type": "https://in-toto.io/Statement/v1", "predicate": {}, "predicateType": SLSA,
        "subject": [{"digest": {"gitCommit": COMMIT, "sha256": "07".repeat(32)}, "name": "app"}],
    });
    let payload = statement.to_string().into_bytes();
    let dsse = DsseInput { payload_type: "application/vnd.in-toto+json".into(), payload: payload.into() };
    SignRequest { input: Some(Input::Dsse(dsse)), ..request(ATTESTATIONS, b"") }
}

async fn everything(world: &World, channel: &Channel) -> Received {
    let oci = OciInput {
        reference: REPOSITORY.to_owned(),
        digest: Some(proto::wire::v1::Digest { algorithm: 1, value: vec![7; 32] }),
        ..OciInput::default()
    };
    let mut received = Received::default();
    let digest = Digest::of(HashAlgorithm::Sha256, FILE).value().to_vec();
    let digest = Some(proto::wire::v1::Digest { algorithm: 1, value: digest });
    for (key, input) in [
        (KEY, Input::Message(FILE.into())),
        (DIGESTS, Input::Digest(DigestInput { digests: digest.into_iter().collect() })),
        (NOTATION, Input::Notation(NotationInput { payload: notation().into() })),
        (KEY, Input::Oci(oci)),
        (ATTESTATIONS, statement().input.unwrap()),
    ] {
        let spki = public_key(channel, key).await;
        let asked = SignRequest { input: Some(input.clone()), ..request(key, b"") };
        let reply = sign(channel, asked).await.unwrap_or_else(|status| panic!("{input:?}: {status:?}"));
        let payload = notation();
        let signed = match input {
            Input::Message(_) | Input::Digest(_) => FILE,
            Input::Notation(_) => payload.as_bytes(),
            _ => &reply.signed_bytes[..],
        };
        verified(world, &reply, &spki, signed, key);
        received.replies.push(reply);
    }
    let index = |reply: &SignResponse| reply.receipt.as_ref().unwrap().log_index;
    let last = index(received.replies.last().unwrap());
    let digest = Digest::of(HashAlgorithm::Sha256, FILE);
    let any = SearchRecordsRequest::default;
    let [blob, image, statement] = [0, 3, 4].map(|at| index(&received.replies[at]));
    for (what, found, not) in [
        (
            SearchRecordsRequest { digest: digest.value().to_vec(), ..any() },
            &[blob][..],
            &[image, statement][..],
        ),
        (SearchRecordsRequest { digest: vec![7; 32], ..any() }, &[image, statement], &[blob]),
        (
            SearchRecordsRequest { subject: format!("sha256:{}", "07".repeat(32)), ..any() },
            &[image, statement],
            &[blob],
        ),
        (SearchRecordsRequest { subject: COMMIT.to_uppercase(), ..any() }, &[statement], &[blob, image]),
        (
            SearchRecordsRequest { subject: format!("gitCommit:{COMMIT}"), ..any() },
            &[statement],
            &[blob, image],
        ),
        (SearchRecordsRequest { repository: REPOSITORY.into(), ..any() }, &[image], &[blob, statement]),
        (SearchRecordsRequest { predicate_type: SLSA.into(), ..any() }, &[statement], &[blob, image]),
        (
            SearchRecordsRequest { predicate_type: SLSA.into(), repository: REPOSITORY.into(), ..any() },
            &[],
            &[image, statement],
        ),
    ] {
        let indices = search(channel, what.clone(), last).await;
        assert!(found.iter().all(|index| indices.contains(index)), "{what:?}: {indices:?}");
        assert!(!not.iter().any(|index| indices.contains(index)), "{what:?}: {indices:?}");
    }
    received
}

fn walk(mut world: World) {
    let runtime = Runtime::new().unwrap();
    let mut received = runtime.block_on(async { everything(&world, &world.channel()).await });
    received.replies.extend(runtime.block_on(async { everything(&world, &world.local()).await }).replies);
    let mut replayed = request(KEY, FILE);
    replayed.request_id = "build-1".to_owned();
    received.replies.push(ask::sign(&world, replayed.clone()).unwrap());
    let stopped = ask::stop(&world, Target::Key(KEY.to_owned())).unwrap();
    assert!(stopped.still_signing.is_empty(), "{stopped:?}");
    received.replies.push(ask::sign(&world, statement()).expect("another key signs on"));
    for restarted in [false, true] {
        for asked in [request(KEY, FILE), replayed.clone()] {
            let refused = ask::sign(&world, asked).unwrap_err();
            assert_eq!(ask::reason(&refused), Reason::KeySuspended, "{refused:?}");
            ask::explained(&refused);
        }
        if !restarted {
            assert!(world.stop().success());
            world.start();
        }
    }
    assert!(world.stop().success());
    let ledger = accounted(&world, [&received], "a story");
    assert_eq!(ledger.released().len(), 12);
}

const STATEMENTS: &str = "dsse:https://slsa.dev/provenance/v1";

#[test]
fn everything_that_a_software_key_signs_is_proven_and_stopped() {
    let plan = Plan::new().key(KEY, P256, &["blob", "oci"]).key(ATTESTATIONS, P256, &[STATEMENTS]);
    walk(plan.key(NOTATION, P256, &["notation"]).key(DIGESTS, P256, &["digest"]).start());
}

#[test]
fn everything_that_an_hsm_signs_is_proven_and_stopped() {
    let token = Token::create().unwrap();
    token.generate("linux", &[1], Shape::P256).unwrap();
    token.generate("attestations", &[2], Shape::P256).unwrap();
    token.generate("notation", &[3], Shape::P256).unwrap();
    token.generate("digests", &[4], Shape::P256).unwrap();
    let plan = Plan::new().token(token, None).token_key(KEY, "linux", P256, &["blob", "oci"]);
    let plan = plan.token_key(ATTESTATIONS, "attestations", P256, &[STATEMENTS]);
    let plan = plan.token_key(NOTATION, "notation", P256, &["notation"]);
    walk(plan.token_key(DIGESTS, "digests", P256, &["digest"]).start());
}
