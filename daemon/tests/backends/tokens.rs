//! Tokens that go away, come back, are replaced, and refuse their PIN.

use ceremonies::genesis::Mode;
use daemon::backend::pkcs11::Settings;
use daemon::backend::{Backend as _, Failure, GenerateSpec, Health, KeyReference, Turn};
use daemon::secret::SecretReference;
use softhsm::{Shape, Token};

use crate::rig::{self, ALGORITHM, FAR, Rig};

#[tokio::test]
async fn a_token_put_back_signs_again_by_itself() {
    let rig = Rig::new();
    let (backend, key, public) = rig.with_key(rig.settings()).await;
    for _ in 0..2 {
        rig.token.remove().unwrap();
        let down = rig::until(&backend, |health| !health.is_ready()).await;
        let Health::Down { cause } = &down else { panic!("{down:?}") };
        assert!(cause.contains("C_GetTokenInfo") || cause.contains(rig.token.serial()), "{cause}");
        let failure = rig::sign(&key, &public, 0, Turn::of("a")).await.unwrap_err();
        assert!(matches!(failure, Failure::Unavailable { .. }), "{failure:?}");
        rig.token.put_back().unwrap();
        rig::ready(&backend).await;
        rig::sign(&key, &public, 0, Turn::of("a")).await.unwrap();
    }
    assert_eq!(backend.starts(), 1, "the same host, initialised again");
}

#[tokio::test]
async fn a_token_that_goes_away_under_load_costs_errors_that_say_how_to_try_again() {
    let rig = Rig::new();
    let (backend, key, public) = rig.with_key(rig.settings()).await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let load: Vec<_> = (0..8)
        .map(|caller| {
            let (key, public, stop) = (key.clone(), public.clone(), stop.clone());
            tokio::spawn(async move {
                let mut failures = Vec::new();
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    if let Err(failure) =
                        rig::sign(&key, &public, caller, Turn::of(&caller.to_string())).await
                    {
                        failures.push(failure);
                        tokio::task::yield_now().await;
                    }
                }
                failures
            })
        })
        .collect();
    rig.token.remove().unwrap();
    rig::until(&backend, |health| !health.is_ready()).await;
    rig.token.put_back().unwrap();
    rig::ready(&backend).await;
    rig::sign_again(&key, &public).await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for task in load {
        for failure in task.await.unwrap() {
            assert!(matches!(failure, Failure::Unavailable { .. }), "{failure:?}");
        }
    }
}

#[tokio::test]
async fn another_key_under_the_same_label_is_a_mismatch() {
    let mut rig = Rig::new();
    rig.token.generate("linux", &[1, 2, 3], Shape::P256).unwrap();
    // Configured by label alone, so that the other token is accepted as the token.
    let mut settings = rig.settings();
    settings.token = format!("pkcs11:token={}", rig.token.label()).parse().unwrap();
    let backend = rig.start_with(settings);
    rig::ready(&backend).await;
    let by_label = "pkcs11:object=linux;type=private".parse().unwrap();
    let found = backend.find(&by_label).await.unwrap().remove(0);
    let by_serial = KeyReference { locator: found.locator, algorithm: ALGORITHM };
    let by_label = KeyReference { locator: by_label, algorithm: ALGORITHM };
    let keys = [
        backend.open(&by_serial, &found.public_key, FAR).await.unwrap(),
        backend.open(&by_label, &found.public_key, FAR).await.unwrap(),
    ];
    for key in &keys {
        rig::sign(key, &found.public_key, 0, Turn::of("a")).await.unwrap();
    }

    rig.token.replace().unwrap();
    rig.token.generate("linux", &[1, 2, 3], Shape::P256).unwrap();
    for key in &keys {
        // The first attempts may meet the moment of change.
        let failure = loop {
            match rig::sign(key, &found.public_key, 0, Turn::of("a")).await.unwrap_err() {
                Failure::Unavailable { retry_after, .. } => tokio::time::sleep(retry_after).await,
                failure => break failure,
            }
        };
        assert!(matches!(failure, Failure::Mismatch { .. }), "{failure:?}");
    }
    for reference in [by_serial, by_label] {
        let refused = backend.open(&reference, &found.public_key, FAR).await.err().unwrap();
        assert!(matches!(refused, Failure::Mismatch { .. }), "{refused:?}");
    }
}

#[tokio::test]
async fn another_serial_than_the_configured_one_is_down_by_name() {
    let mut rig = Rig::new();
    let settings = rig.settings();
    let configured = rig.token.serial().to_owned();
    rig.token.replace().unwrap();
    let backend = rig.start_with(settings);
    let down = rig::until(&backend, |health| matches!(health, Health::Down { .. })).await;
    let cause = down.cause().unwrap();
    assert!(cause.contains(&configured) && cause.contains(rig.token.serial()), "{cause}");
}

#[tokio::test]
async fn a_bad_pin_is_tried_once_over_three_restarts() {
    let rig = Rig::new();
    rig.token.write_pin("000000").unwrap();
    for _restart in 0..3 {
        let backend = rig.start_with(rig.settings());
        let down = rig::until(&backend, |health| matches!(health, Health::Down { .. })).await;
        let cause = down.cause().unwrap();
        assert!(cause.contains("not tried again") && cause.contains("backends unlock"), "{cause}");
        assert!(!cause.contains("000000"));
        // Several probes, each of which would log in if it could.
        for _ in 0..2 {
            tokio::time::timeout(rig::LONG, async {
                let before = rig.wire.calls("GetTokenInfo").unwrap();
                while rig.wire.calls("GetTokenInfo").unwrap() == before {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            })
            .await
            .unwrap();
        }
        assert_eq!(rig.wire.calls("Login").unwrap(), 1, "one attempt, ever");
        backend.close().await;
    }
    assert!(daemon::backend::pkcs11::latch(rig.state.path(), "hsm-a").is_latched().unwrap());

    // The right PIN in the file is noticed by itself.
    let backend = rig.start_with(rig.settings());
    rig::until(&backend, |health| matches!(health, Health::Down { .. })).await;
    rig.token.write_pin(rig.token.pin()).unwrap();
    rig::ready(&backend).await;
    assert_eq!(rig.wire.calls("Login").unwrap(), 2);
    backend.close().await;
    // And the wrong one stays known.
    assert!(daemon::backend::pkcs11::latch(rig.state.path(), "hsm-a").is_latched().unwrap());
    rig.token.write_pin("000000").unwrap();
    let backend = rig.start_with(rig.settings());
    rig::until(&backend, |health| matches!(health, Health::Down { .. })).await;
    assert_eq!(rig.wire.calls("Login").unwrap(), 2);
}

#[tokio::test]
async fn keys_that_nobody_supports_are_refused_by_name() {
    let rig = Rig::new();
    rig.token.generate("short", &[9], Shape::Rsa(1024)).unwrap();
    let backend = rig.start().await;
    let refused = backend.find(&"pkcs11:object=short".parse().unwrap()).await.unwrap_err();
    assert!(matches!(&refused, Failure::Unsupported { what } if what.contains("1024")), "{refused}");
    rig.token.generate("twin", &[7], Shape::P256).unwrap();
    rig.token.generate("twin", &[8], Shape::P256).unwrap();
    let twins = backend.find(&"pkcs11:object=twin".parse().unwrap()).await.unwrap();
    assert_eq!(twins.len(), 2, "two keys under one label are two candidates");
    assert_ne!(twins[0].public_key, twins[1].public_key);
    for twin in twins {
        let named = KeyReference { locator: "pkcs11:object=twin".parse().unwrap(), algorithm: ALGORITHM };
        let key = backend.open(&named, &twin.public_key, FAR).await.unwrap();
        rig::sign(&key, &twin.public_key, 0, Turn::of("a")).await.unwrap();
    }
}

#[tokio::test]
async fn a_pin_refused_while_running_takes_the_token_down_until_it_is_unlocked() {
    const USER_NOT_LOGGED_IN: u64 = 0x101;
    const PIN_INCORRECT: u64 = 0xa0;
    let rig = Rig::new();
    let (backend, key, public) = rig.with_key(rig.settings()).await;
    assert_eq!(rig.wire.calls("Login").unwrap(), 1);
    rig.wire.fail("Login", PIN_INCORRECT).unwrap();
    rig.wire.fail("SignInit", USER_NOT_LOGGED_IN).unwrap();
    let failure = rig::sign(&key, &public, 0, Turn::of("a")).await.unwrap_err();
    assert!(matches!(failure, Failure::Unavailable { .. }), "{failure:?}");
    let down = rig::until(&backend, |health| matches!(health, Health::Down { .. })).await;
    assert!(down.cause().unwrap().contains("PIN"), "{down:?}");
    assert_eq!(rig.wire.calls("Login").unwrap(), 2, "refused once, not tried again");
    rig.wire.clear().unwrap();
    let failure = rig::sign(&key, &public, 0, Turn::of("a")).await.unwrap_err();
    assert!(matches!(failure, Failure::Unavailable { .. }), "{failure:?}");
    assert_eq!(rig.wire.calls("Login").unwrap(), 2, "the same PIN is not tried again");

    assert!(daemon::backend::pkcs11::latch(rig.state.path(), "hsm-a").unlock().unwrap());
    rig::ready(&backend).await;
    rig::sign(&key, &public, 0, Turn::of("a")).await.unwrap();
}

#[tokio::test]
async fn a_token_serves_rehearsals_or_production_and_its_label_says_which() {
    for (label, for_it, other) in
        [("rehearsal", Mode::Rehearsal, Mode::Production), ("release", Mode::Production, Mode::Rehearsal)]
    {
        let directory = tempfile::tempdir().unwrap();
        let rig = Rig::of(Token::create_in(directory.path(), label, "746251").unwrap());
        let mut settings = rig.settings();
        // A wrong PIN, which nobody is to try on a token that is not for him.
        let pin = directory.path().join("wrong");
        std::fs::write(&pin, "0000").unwrap();
        settings.pin = Some(SecretReference::file(&pin));
        let before = rig.wire.calls("Login").unwrap();
        let backend = rig.start_in(Some(other), settings);
        let down = rig::until(&backend, |health| matches!(health, Health::Down { .. })).await;
        let cause = down.cause().unwrap();
        let said = format!("this is a {other} instance");
        assert!(
            cause.contains(&format!("the token `{label}` is not used")) && cause.contains(&said),
            "{cause}"
        );
        let spec = GenerateSpec { algorithm: ALGORITHM, label: "linux".to_owned(), id: vec![1] };
        let failure = backend.generate(spec, FAR).await.unwrap_err();
        assert!(matches!(failure, Failure::Unavailable { .. }), "{failure:?}");
        backend.close().await;
        assert_eq!(rig.wire.calls("Login").unwrap(), before);

        let backend = rig.start_in(Some(for_it), rig.settings());
        rig::ready(&backend).await;
        backend.close().await;
    }
}

#[tokio::test]
async fn a_new_key_that_may_do_more_than_sign_is_destroyed_and_refused() {
    let rig = Rig::new();
    let backend = rig.start().await;
    let make = |name: &str| {
        let spec =
            GenerateSpec { algorithm: ALGORITHM, label: name.to_owned(), id: name.as_bytes().to_vec() };
        backend.generate(spec, FAR)
    };
    let made = make("first").await.unwrap();
    let says =
        |what: &str| made.attributes.iter().find(|(name, _)| name == what).map(|(_, value)| value.as_str());
    for use_ in ["decrypt", "derive", "sign-recover", "unwrap"] {
        assert_eq!(says(use_), Some("false"), "{use_}");
    }

    rig.wire.terse().unwrap();
    let destroyed = rig.wire.calls("DestroyObject").unwrap();
    let refused = make("second").await.unwrap_err();
    assert!(
        matches!(&refused, Failure::Refused { cause } if cause.contains("`decrypt` = true")),
        "{refused:?}"
    );
    assert_eq!(rig.wire.calls("DestroyObject").unwrap(), destroyed + 2);
    let place = "pkcs11:object=second".parse().unwrap();
    assert!(backend.find(&place).await.unwrap().is_empty());

    rig.wire.clear().unwrap();
    make("second").await.unwrap();
}

#[tokio::test]
async fn a_bad_pin_is_tried_once_whatever_the_backend_is_called_and_however_the_token_is_named() {
    let rig = Rig::new();
    let by_label = || {
        let mut settings = rig.settings();
        settings.token = format!("pkcs11:token={}", rig.token.label()).parse().unwrap();
        settings
    };
    let refused = async |name: &str, settings: Settings| {
        let backend = rig.start_named(name, settings);
        let down = rig::until(&backend, |health| matches!(health, Health::Down { .. })).await;
        assert!(down.cause().unwrap().contains("not tried again"), "{down:?}");
        backend.close().await;
        rig.wire.calls("Login").unwrap()
    };
    rig.token.write_pin("000000").unwrap();
    assert_eq!(refused("hsm-a", rig.settings()).await, 1, "nobody knows it yet");
    assert_eq!(refused("hsm-b", rig.settings()).await, 1, "another name");
    assert_eq!(refused("hsm-a", by_label()).await, 1, "another URI");
    let together = [rig.start_named("hsm-c", rig.settings()), rig.start_named("hsm-d", by_label())];
    for backend in &together {
        let known = |health: &Health| health.cause().is_some_and(|cause| cause.contains("not tried again"));
        rig::until(backend, known).await;
    }
    assert_eq!(rig.wire.calls("Login").unwrap(), 1, "two more backends at the token");
    for backend in together {
        backend.close().await;
    }

    // Another PIN is another attempt, and makes nobody forget the first.
    rig.token.write_pin("111111").unwrap();
    assert_eq!(refused("hsm-b", by_label()).await, 2);
    assert_eq!(refused("hsm-a", rig.settings()).await, 2);
    rig.token.write_pin(rig.token.pin()).unwrap();
    let backend = rig.start_named("hsm-a", by_label());
    rig::ready(&backend).await;
    backend.close().await;
    for wrong in ["000000", "111111"] {
        rig.token.write_pin(wrong).unwrap();
        assert_eq!(refused("hsm-z", rig.settings()).await, 3, "nor does a log-in");
    }
}
