//! An anchor's data object in a token: made once, replaced, and there whatever cuts a write off.

use std::time::Duration;

use daemon::backend::Health;
use daemon::backend::pkcs11::uri::Uri;
use daemon::backend::pkcs11::{DataObject, ObjectError, Place, Settings};
use proto::hash::Hash;
use proto::proof::anchor::{Kept, LONGEST};
use proto::proof::checkpoint::Checkpoint;
use proto::proof::note::{Ed25519Signer, NoteSigner as _};
use rustix::process::{Pid, Signal, kill_process};

use crate::rig::{self, Rig};

const LABEL: &str = "countersign-anchor";
const APPLICATION: &str = "countersign";

/// An anchor's text of a log with so many records.
fn text(size: u64) -> String {
    let signer = Ed25519Signer::from_seed("log.example.org", &[7; 32]).unwrap();
    let origin = signer.verifier().name().to_owned();
    let checkpoint = Checkpoint { origin, size, root: Hash::of(&size.to_be_bytes()), control: None };
    Kept { checkpoint: checkpoint.sign(&signer).unwrap(), number: 2 * size }.to_string()
}

fn uri(rig: &Rig) -> Uri {
    format!("{};object={LABEL}", rig.token.uri()).parse().unwrap()
}

fn start_with(rig: &Rig, settings: Settings) -> DataObject {
    let place = Place { program: rig::program(), state_directory: rig.state.path().to_owned(), mode: None };
    DataObject::start("hsm-a", settings, place, uri(rig), rig.clock.clone()).unwrap()
}

fn start(rig: &Rig) -> DataObject {
    start_with(rig, rig.settings())
}

/// How many objects with the label there are.
fn versions(rig: &Rig) -> usize {
    rig.token.data_labels().unwrap().iter().filter(|label| *label == LABEL).count()
}

/// Asks until there is an answer about the object.
async fn again<T>(mut ask: impl AsyncFnMut() -> Result<T, ObjectError>) -> T {
    let mut causes = Vec::new();
    let trying = async {
        loop {
            match ask().await {
                Ok(answer) => break answer,
                Err(ObjectError::Away { cause }) => causes.push(cause),
                Err(other) => panic!("{other}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(rig::LONG, trying).await {
        Ok(answer) => answer,
        Err(_elapsed) => panic!("it stays away: {:?}", causes.last()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_made_once_read_back_and_replaced() {
    let rig = Rig::new();
    let mut object = start(&rig);
    assert_eq!(object.read().await, Err(ObjectError::Missing));
    assert_eq!(
        object.replace(text(1).as_bytes()).await,
        Err(ObjectError::Missing),
        "only `create` makes one"
    );
    assert_eq!(versions(&rig), 0);
    object.create(text(1).as_bytes()).await.unwrap();
    assert_eq!(object.create(text(2).as_bytes()).await, Err(ObjectError::Taken));
    assert_eq!(object.read().await.unwrap(), text(1).into_bytes());
    for size in 2..12 {
        object.replace(text(size).as_bytes()).await.unwrap();
        assert_eq!(object.read().await.unwrap(), text(size).into_bytes());
    }
    assert_eq!(versions(&rig), 1);
    object.close().await;
    // Another process reads the same, and so does another program, which sees nothing without the PIN.
    let mut object = start(&rig);
    assert_eq!(object.read().await.unwrap(), text(11).into_bytes());
    assert_eq!(rig.token.data(APPLICATION, LABEL).unwrap().unwrap(), text(11));
    object.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_put_there_is_read_as_it_is_and_not_written_over() {
    let rig = Rig::new();
    let mut object = start(&rig);
    // Another application's object under the same label is nobody's business.
    rig.token.put_data("another", LABEL, Some("mine")).unwrap();
    assert_eq!(object.read().await, Err(ObjectError::Missing));
    object.create(text(3).as_bytes()).await.unwrap();
    object.replace(text(4).as_bytes()).await.unwrap();
    assert_eq!(versions(&rig), 2);
    for (there, read) in [("<html>".to_owned(), 6), ("x".repeat(LONGEST + 900), LONGEST + 1)] {
        rig.token.put_data(APPLICATION, LABEL, Some(&there)).unwrap();
        assert_eq!(object.read().await.unwrap(), there.as_bytes()[..read]);
        let refused = object.replace(text(5).as_bytes()).await.unwrap_err().to_string();
        assert!(refused.contains("not written over"), "{refused}");
    }
    rig.token.put_data(APPLICATION, LABEL, Some(&text(4))).unwrap();
    object.replace(text(5).as_bytes()).await.unwrap();
    assert_eq!(object.read().await.unwrap(), text(5).into_bytes());
    object.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_cuts_a_write_off_leaves_an_object_that_is_read() {
    let rig = Rig::new();
    let mut object = start(&rig);
    object.create(text(1).as_bytes()).await.unwrap();
    let mut size = 1;
    for (function, newer) in [("OpenSession", 0), ("CreateObject", 0), ("DestroyObject", 1)] {
        // The host crashes on the way into the function.
        rig.wire.crash(function).unwrap();
        let cut = object.replace(text(size + 1).as_bytes()).await.unwrap_err();
        assert!(
            matches!(&cut, ObjectError::Away { cause } if cause.contains("the host process ended")),
            "{cut}"
        );
        let found = again(async || object.read().await).await;
        assert_eq!(found, text(size + newer).into_bytes(), "{function}");
        assert_eq!(versions(&rig), 1 + usize::try_from(newer).unwrap(), "{function}");
        size += 2;
        object.replace(text(size).as_bytes()).await.unwrap();
        assert_eq!(
            (object.read().await.unwrap(), versions(&rig)),
            (text(size).into_bytes(), 1),
            "{function}"
        );

        // The host is killed inside it, and so is everything that would have cleaned up.
        let later = text(size + 1);
        rig.wire.hang(function).unwrap();
        let waiting = object.replace(later.as_bytes());
        assert!(tokio::time::timeout(Duration::from_millis(300), waiting).await.is_err());
        let host = i32::try_from(object.host_process().unwrap()).unwrap();
        kill_process(Pid::from_raw(host).unwrap(), Signal::KILL).unwrap();
        rig.wire.clear().unwrap();
        let found = again(async || object.read().await).await;
        assert_eq!(found, text(size + newer).into_bytes(), "{function}");
        size += 2;
        object.replace(text(size).as_bytes()).await.unwrap();
        assert_eq!(
            (object.read().await.unwrap(), versions(&rig)),
            (text(size).into_bytes(), 1),
            "{function}"
        );
    }
    // An object that cannot be destroyed costs an alarm, and not one more object with each attempt.
    const ACTION_PROHIBITED: u64 = 0x1b;
    rig.wire.fail("DestroyObject", ACTION_PROHIBITED).unwrap();
    for _ in 0..3 {
        let refused = object.replace(text(size + 1).as_bytes()).await.unwrap_err().to_string();
        assert!(refused.contains("CKR_ACTION_PROHIBITED"), "{refused}");
        assert_eq!(object.read().await.unwrap(), text(size + 1).into_bytes());
    }
    assert_eq!(versions(&rig), 2);
    rig.wire.clear().unwrap();
    object.replace(text(size + 2).as_bytes()).await.unwrap();
    assert_eq!(versions(&rig), 1);
    object.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_away_is_not_an_object_that_is_missing() {
    let rig = Rig::new();
    let mut object = start(&rig);
    object.create(text(1).as_bytes()).await.unwrap();
    rig.token.remove().unwrap();
    for _ in 0..3 {
        for answer in [object.read().await.map(drop), object.replace(text(2).as_bytes()).await] {
            assert!(matches!(&answer, Err(ObjectError::Away { .. })), "{answer:?}");
        }
    }
    rig.token.put_back().unwrap();
    assert_eq!(again(async || object.read().await).await, text(1).into_bytes());
    object.close().await;

    rig.token.remove().unwrap();
    let mut object = start(&rig);
    let away = object.read().await.unwrap_err();
    assert!(matches!(&away, ObjectError::Away { cause } if cause.contains("no token")), "{away}");
    rig.token.put_back().unwrap();
    assert_eq!(again(async || object.read().await).await, text(1).into_bytes());
    object.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_hangs_costs_its_own_host_and_no_signature() {
    let rig = Rig::new();
    let mut settings = rig.settings();
    settings.call_limit = Duration::from_millis(700);
    let (backend, key, public) = rig.with_key(settings.clone()).await;
    let mut object = start_with(&rig, settings);
    object.create(text(1).as_bytes()).await.unwrap();
    assert_ne!(object.host_process(), backend.host_process());
    rig.wire.hang("CreateObject").unwrap();
    for _ in 0..2 {
        // Whoever stops waiting leaves nothing behind that the next one would take for its own answer.
        let given_up = text(2);
        let waiting = object.replace(given_up.as_bytes());
        assert!(tokio::time::timeout(Duration::from_millis(50), waiting).await.is_err());
        for number in 0..20 {
            rig::sign(&key, &public, number, daemon::backend::Turn::of("a")).await.unwrap();
        }
    }
    let cut = object.replace(text(2).as_bytes()).await.unwrap_err();
    assert!(matches!(&cut, ObjectError::Away { .. }), "{cut}");
    // A host that has not ended yet may write now what it was given: nobody waits for it, and it is an anchor's text.
    rig.wire.clear().unwrap();
    again(async || object.replace(text(3).as_bytes()).await).await;
    assert_eq!(object.read().await.unwrap(), text(3).into_bytes());
    assert_eq!(backend.starts(), 1, "the host that signs was left alone");
    object.close().await;
    backend.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_pin_is_tried_once_by_all_hosts_together() {
    let rig = Rig::new();
    rig.token.write_pin("000000").unwrap();
    for _restart in 0..2 {
        let (backend, mut object) = (rig.start_with(rig.settings()), start(&rig));
        let away = object.read().await.unwrap_err().to_string();
        let down = rig::until(&backend, |health| matches!(health, Health::Down { .. })).await;
        assert!(away.contains("PIN") || away.contains("another host"), "{away}");
        assert!(!away.contains("000000") && !down.cause().unwrap().contains("000000"));
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(rig.wire.calls("Login").unwrap(), 1, "one attempt, ever");
        object.close().await;
        backend.close().await;
    }
    // The right PIN is noticed by both.
    let (backend, mut object) = (rig.start_with(rig.settings()), start(&rig));
    rig.token.write_pin(rig.token.pin()).unwrap();
    rig::ready(&backend).await;
    let trying = async {
        while object.read().await != Err(ObjectError::Missing) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(rig::LONG, trying).await.unwrap();
    object.close().await;
    backend.close().await;
}
