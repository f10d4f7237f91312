//! The `sign` story in one process: a software key, a real log, real rules; no network.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ceremonies::act::Act;
use ceremonies::cast::{Beginning, Begun, Cast};
use ceremonies::genesis::Mode;
use ceremonies::person::PersonId;
use daemon::backend::Backend;
use daemon::backend::software::{self, Admission, Software};
use daemon::clock::{Clock, ManualClock};
use daemon::council::Council;
use daemon::denials::Denials;
use daemon::incident::Responder;
use daemon::keyring::{self, Keyring};
use daemon::keys::fold::State;
use daemon::keys::signed::Signed;
use daemon::log::{self, AnchorPlace, ControlDraft, Fresh, Log, LogKey};
use daemon::policy::caller::Caller;
use daemon::secret::SecretReference;
use daemon::sign::{Encoding, Input, ReceiptDetail, Reply, SignRequest, Signer, VersionChoice};
use proto::action::ActionName;
use proto::algorithm::Algorithm;
use proto::canonical::Map;
use proto::proof::checkpoint::Checkpoint;
use proto::proof::encoding::SignatureEncoding;
use proto::proof::{inclusion, leaf, signature};
use proto::purpose::Kind;
use proto::reason::Reason;
use proto::record::{Actor, ActorKind, Outcome, Record, StopTarget};
use proto::refusal::Refusal;

const GRANTS: &str = "\
@id(\"builders\")
permit (principal in Callers::\"spiffe://example.org/ci\", action == Action::\"sign\", resource in Keys::\"release\");
@id(\"responder\")
permit (principal == Caller::\"unix:0\", action, resource);
";

const GUARDRAILS: &str = "\
[quota.caller.\"spiffe://example.org/ci/slow\"]
total = 2
window = \"1h\"
";

/// An instance in one process.
struct World {
    _directory: tempfile::TempDir,
    clock: Arc<ManualClock>,
    log: Log,
    keyring: Arc<Keyring>,
    signer: Arc<Signer>,
    responder: Responder,
    spki: Vec<u8>,
}

/// The template of the one key.
fn template(algorithm: Algorithm, purpose: &[Kind]) -> String {
    let purpose: Vec<String> = purpose.iter().map(|kind| format!("{:?}", kind.to_string())).collect();
    format!(
        "kind = \"key.generate\"\nmode = \"rehearsal\"\nenvironment = \"test\"\nlives = \"1h\"\npurpose = \"a test\"\n\
         justification = \"to sign with\"\nticket = \"none\"\n[target]\nactivation = \"at-completion\"\n\
         algorithm = \"{algorithm}\"\nbackend = \"software\"\nextractable = false\nkey = \"release/linux\"\n\
         owner = \"release\"\npurpose = [{}]\nretirement = \"never\"\nstandby = false\nversion = 1\n",
        purpose.join(", ")
    )
}

impl World {
    async fn new(algorithm: Algorithm, purpose: &[Kind]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-21T05:00:00.000000Z".parse().unwrap()));
        let at = |name: &str| directory.path().join(name);
        std::fs::create_dir(at("state")).unwrap();
        std::fs::write(at("guardrails.toml"), GUARDRAILS).unwrap();
        std::fs::write(at("grants.cedar"), GRANTS).unwrap();
        software::create_identity(&at("identity")).unwrap();
        let settings: software::Settings =
            toml::from_str(&format!("identity = {{ file = {:?} }}", at("identity"))).unwrap();
        let identity: &SecretReference = &settings.identity;
        assert!(identity.read().is_ok());
        let software = Software::open(
            "software",
            &settings,
            Admission::Admitted,
            at("state/software"),
            Arc::clone(&clock) as Arc<dyn Clock>,
        )
        .unwrap();
        let key = LogKey::from_seed("rehearsal.example.org", &[7; 32]).unwrap();
        let cast = Cast::new([9; 32], Mode::Rehearsal);
        let begun = cast.begin(Beginning {
            allow_software_backend: false,
            at: clock.wall(),
            environment: &"test".parse().unwrap(),
            grants: GRANTS,
            guardrails: GUARDRAILS,
            instance: &"example.org".parse().unwrap(),
            log_key: &key.verifier().to_string().parse().unwrap(),
            origin: &"rehearsal.example.org".parse().unwrap(),
        });
        let Begun { genesis, documents } = begun.unwrap();
        let statement = genesis.statement().to_value();
        let actor = || Actor { id: "unix:0".into(), kind: ActorKind::Operator };
        let fresh = || Fresh::at(clock.wall()).unwrap();
        let first = vec![ControlDraft::genesis(fresh(), actor(), statement, documents).unwrap()];
        let mut settings = log::Settings::new(at("state"), vec![AnchorPlace::File(at("anchor"))]);
        settings.limits.reserve = 0;
        // On a busy machine the record of a stop may be late; these tests are not about that.
        settings.limits.stop_patience = Duration::from_secs(60);
        log::create(&settings, &key, first).unwrap();
        let opened = log::open(settings, Arc::clone(&clock) as Arc<dyn Clock>, key).unwrap();
        let mut history = opened.history.iter();
        let genesis = history.next().unwrap();
        let mut state = State::genesis(genesis.hash, &genesis.record, genesis.detail.as_deref()).unwrap();
        for control in history {
            state.apply(control.index, control.hash, &control.record, control.detail.as_deref()).unwrap();
        }
        let backends = BTreeMap::from([("software".to_owned(), Arc::new(software) as Arc<dyn Backend>)]);
        let log = opened.log;
        let keyring = Keyring::new(state, backends, Arc::clone(&clock) as Arc<dyn Clock>);
        tokio::spawn(keyring::follow(Arc::clone(&keyring), log.controls()));
        let loaded = keyring::load(&at("guardrails.toml"), &at("grants.cedar")).unwrap();
        assert!(!keyring.adopt(&log, loaded, None).await.unwrap().changed, "the genesis names these files");
        let shared = || Arc::clone(&clock) as Arc<dyn Clock>;
        let denials = Denials::new(log.clone(), Arc::clone(&keyring), shared());
        let signer = Signer::new(log.clone(), Arc::clone(&keyring), shared(), Arc::clone(&denials));
        let responder = Responder::new(log.clone(), Arc::clone(&keyring), denials, shared());
        let council = Council::new(log.clone(), Arc::clone(&keyring), Arc::clone(&signer), shared());
        let sign = |person: &PersonId, act: &Act| {
            let signed = cast.sign(person.as_str(), act).unwrap();
            Ok(signed.map(|(document, signature)| Signed { document: document.into_bytes(), signature }))
        };
        council.play(template(algorithm, purpose), &sign).await.unwrap();
        assert_eq!(keyring.open_all().await, 0);
        let spki = keyring.snapshot().signing().next().unwrap().public_key.clone();
        Self { _directory: directory, clock, log, keyring, signer, responder, spki }
    }

    async fn images() -> Self {
        Self::new(Algorithm::EcdsaP256Sha256, &[Kind::Oci, Kind::Blob]).await
    }

    async fn sign(&self, caller: &str, request: SignRequest) -> Result<Reply, Refusal> {
        self.signer.sign(&Arc::new(Caller::parse(caller).unwrap()), request, None).await
    }

    async fn record(&self, index: u64) -> proto::record::SignRecord {
        match Record::parse(&self.log.record(index).await.unwrap().leaf).unwrap() {
            Record::Sign(record) => record,
            other => panic!("{other:?}"),
        }
    }
}

const CALLER: &str = "spiffe://example.org/ci/linux";

fn request(input: Input) -> SignRequest {
    SignRequest {
        key: "release/linux".parse().unwrap(),
        input,
        request_id: None,
        annotations: Map::from_iter([("commit".to_owned(), "abc".to_owned())]),
        encoding: Encoding::Ecosystem,
        receipt: ReceiptDetail::Full,
        versions: VersionChoice::All,
        validate_only: false,
    }
}

fn message(text: &'static str) -> SignRequest {
    request(Input::Message(Bytes::from_static(text.as_bytes())))
}

fn named(id: &str, text: &'static str) -> SignRequest {
    SignRequest { request_id: Some(id.into()), ..message(text) }
}

#[tokio::test]
async fn a_signature_verifies_and_its_receipt_proves_it() {
    let world = World::images().await;
    let reply = world.sign(CALLER, message("hello")).await.unwrap();
    let [signed] = &reply.signatures[..] else { panic!("one signature") };
    let verified = signature::verify(
        Algorithm::EcdsaP256Sha256,
        &world.spki,
        signature::Over::Message(b"hello"),
        &signed.value,
        SignatureEncoding::Der,
    );
    assert!(verified.is_ok(), "{verified:?}");
    let receipt = reply.receipt.unwrap();
    let full = receipt.full.unwrap();
    let checkpoint = Checkpoint::verify(&full.checkpoint, &world.log.verifier()).unwrap();
    assert_eq!(leaf::leaf_hash(&full.leaf), receipt.leaf_hash);
    inclusion::verify(&receipt.leaf_hash, receipt.index, checkpoint.size, &full.path, &checkpoint.root)
        .unwrap();
    let record = world.record(receipt.index).await;
    assert_eq!((record.number, record.signatures[0].outcome), (None, Outcome::Released));
    assert_eq!(record.signatures[0].value.as_deref(), Some(&signed.value));
    assert_eq!(&*reply.rule, "builders");
}

#[tokio::test]
async fn the_same_request_id_gives_the_same_signature_and_another_input_is_refused() {
    let world = World::images().await;
    let first = world.sign(CALLER, named("build-1", "hello")).await.unwrap();
    let again = world.sign(CALLER, named("build-1", "hello")).await.unwrap();
    assert!(again.replayed && !first.replayed);
    assert_eq!(first.signatures[0].value, again.signatures[0].value);
    assert_eq!(first.operation, again.operation);
    let size = world.log.head().size;
    let other = world.sign(CALLER, named("build-1", "other")).await.unwrap_err();
    assert_eq!(other.reason, Reason::RequestIdReused);
    assert_eq!(world.log.head().size, size, "a replay leaves no record");
    assert!(world.sign("unix:0", named("build-1", "other")).await.is_ok(), "ids are the caller's own");
}

#[tokio::test]
async fn two_items_of_a_batch_with_one_request_id_are_refused_apart_from_the_others() {
    let world = World::images().await;
    let caller = Arc::new(Caller::parse(CALLER).unwrap());
    let requests = vec![named("a", "one"), message("two"), named("a", "three")];
    let answers = world.signer.sign_batch(&caller, requests, None).await;
    assert!(answers[0].is_ok() && answers[1].is_ok());
    assert_eq!(answers[2].as_ref().unwrap_err().reason, Reason::RequestIdReused);
}

#[tokio::test]
async fn strangers_are_not_recorded_and_denials_are() {
    let world = World::images().await;
    let size = world.log.head().size;
    let stranger = world.sign("spiffe://elsewhere.org/x", message("hello")).await.unwrap_err();
    assert_eq!(stranger.reason, Reason::Unauthenticated);
    assert_eq!(world.log.head().size, size);
    let mut other_key = message("hello");
    other_key.key = "release/none".parse().unwrap();
    assert_eq!(world.sign(CALLER, other_key).await.unwrap_err().reason, Reason::UnknownKey);
    let blind =
        Input::Digest(proto::digest::Digest::of(proto::algorithm::HashAlgorithm::Sha256, b"x").into());
    let denied = world.sign(CALLER, request(blind)).await.unwrap_err();
    assert_eq!(denied.reason, Reason::PurposeMismatch);
    let Ok(Record::Denied(record)) = Record::parse(&world.log.record(size).await.unwrap().leaf) else {
        panic!("the refusal by purpose is the first record")
    };
    assert_eq!((record.action, denied.operation), (ActionName::Sign, Some(record.operation)));
    assert_eq!(record.key.unwrap().as_str(), "release/linux");
}

#[tokio::test]
async fn a_stop_refuses_new_requests_and_replays_and_lies_above_every_release() {
    let world = World::images().await;
    let signed = world.sign(CALLER, named("a", "hello")).await.unwrap();
    let index = signed.receipt.as_ref().unwrap().index;
    drop(signed);
    let responder = Arc::new(Caller::unix(0));
    let key = StopTarget::Key("release/linux".parse().unwrap());
    let stopped = world.responder.stop(&responder, key, "drill".into()).await.unwrap();
    assert!(stopped.index.unwrap() > index && !stopped.pending && stopped.still_signing.is_empty());
    for request in [message("hello"), named("a", "hello"), named("b", "hello")] {
        let refused = world.sign(CALLER, request).await.unwrap_err();
        assert_eq!(refused.reason, Reason::KeySuspended);
    }
    assert_eq!(world.keyring.snapshot().control(), stopped.index.unwrap());
}

#[tokio::test]
async fn a_stopped_caller_is_refused_and_others_go_on() {
    let world = World::images().await;
    let responder = Arc::new(Caller::unix(0));
    let stopped =
        world.responder.stop(&responder, StopTarget::Caller(CALLER.into()), "stolen".into()).await.unwrap();
    assert_eq!(stopped.still_signing, ["release/linux@1"]);
    assert_eq!(world.sign(CALLER, message("hello")).await.unwrap_err().reason, Reason::CallerStopped);
    assert!(world.sign("unix:0", message("hello")).await.is_ok());
}

#[tokio::test]
async fn a_stop_of_nothing_is_refused_and_stops_nothing() {
    let world = World::images().await;
    let responder = Arc::new(Caller::unix(0));
    let size = world.log.head().size;
    let stop = |target, reason: &'static str| world.responder.stop(&responder, target, reason.into());
    let unknown = stop(StopTarget::Key("release/linus".parse().unwrap()), "x").await.unwrap_err();
    assert_eq!(unknown.reason, Reason::UnknownKey);
    let version = StopTarget::Version { key: "release/linux".parse().unwrap(), version: 9 };
    assert_eq!(stop(version, "x").await.unwrap_err().reason, Reason::UnknownVersion);
    assert_eq!(
        stop(StopTarget::Backend("hsm".into()), "x").await.unwrap_err().reason,
        Reason::UnknownBackend
    );
    assert_eq!(stop(StopTarget::All, " ").await.unwrap_err().reason, Reason::MalformedRequest);
    let stranger = Arc::new(Caller::parse(CALLER).unwrap());
    let denied = world.responder.stop(&stranger, StopTarget::All, "x".into()).await.unwrap_err();
    assert_eq!(denied.reason, Reason::PolicyDenied);
    let mut head = world.log.watch_head();
    head.wait_for(|head| head.size == size + 1).await.unwrap();
    let leaf = world.log.record(size).await.unwrap().leaf;
    assert!(matches!(Record::parse(&leaf), Ok(Record::Denied(_))), "refused, and nothing stopped");
    assert!(world.sign(CALLER, message("hello")).await.is_ok());
}

#[tokio::test]
async fn quotas_end_and_say_so() {
    let world = World::images().await;
    let slow = "spiffe://example.org/ci/slow";
    assert!(world.sign(slow, message("one")).await.is_ok());
    assert!(world.sign(slow, message("two")).await.is_ok());
    let refused = world.sign(slow, message("three")).await.unwrap_err();
    assert_eq!(refused.reason, Reason::QuotaExhausted);
    assert!(refused.retry_after.is_some());
    world.clock.advance(Duration::from_secs(2 * 3600));
    assert!(world.sign(slow, message("four")).await.is_ok());
}

#[tokio::test]
async fn a_signature_that_was_made_is_fetched_without_a_quota() {
    let world = World::images().await;
    let slow = "spiffe://example.org/ci/slow";
    let first = world.sign(slow, named("build-1", "one")).await.unwrap();
    for _ in 0..3 {
        let again = world.sign(slow, named("build-1", "one")).await.unwrap();
        assert!(again.replayed, "and its total is given back");
    }
    assert!(world.sign(slow, message("two")).await.is_ok());
    assert_eq!(world.sign(slow, message("three")).await.unwrap_err().reason, Reason::QuotaExhausted);
    let size = world.log.head().size;
    // The total is used up, and by this signature too: whoever lost it on the way may have it.
    let again = world.sign(slow, named("build-1", "one")).await.unwrap();
    assert!(again.replayed);
    assert_eq!((again.operation, &again.signatures[0].value), (first.operation, &first.signatures[0].value));
    let other = world.sign(slow, named("build-1", "other")).await.unwrap_err();
    assert_eq!(other.reason, Reason::RequestIdReused);
    let new = world.sign(slow, named("build-2", "one")).await.unwrap_err();
    assert_eq!(new.reason, Reason::QuotaExhausted, "an id that led to nothing gives no right");
    assert_eq!(world.log.head().size, size, "nothing was signed");
    let key = StopTarget::Key("release/linux".parse().unwrap());
    drop(world.responder.stop(&Arc::new(Caller::unix(0)), key, "drill".into()).await.unwrap());
    let stopped = world.sign(slow, named("build-1", "one")).await.unwrap_err();
    assert_eq!(stopped.reason, Reason::KeySuspended);
}

#[tokio::test]
async fn a_dry_run_touches_nothing() {
    let world = World::images().await;
    let size = world.log.head().size;
    let reply = world.sign(CALLER, SignRequest { validate_only: true, ..message("hello") }).await.unwrap();
    assert!(reply.signatures.is_empty() && reply.operation.is_none());
    assert_eq!(&*reply.rule, "builders");
    assert_eq!(world.log.head().size, size);
}

#[tokio::test]
async fn ed25519_signs_the_message_and_refuses_digests() {
    let world = World::new(Algorithm::Ed25519, &[Kind::Blob]).await;
    let reply = world.sign(CALLER, message("hello")).await.unwrap();
    let signed = signature::Over::Message(b"hello");
    let value = &reply.signatures[0].value;
    assert!(
        signature::verify(Algorithm::Ed25519, &world.spki, signed, value, SignatureEncoding::Der).is_ok()
    );
}
