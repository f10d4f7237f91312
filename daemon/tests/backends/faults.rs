//! What modules answer, and what becomes of it.

use daemon::backend::{Failure, Turn};

use crate::rig::{self, Rig};

const GENERAL_ERROR: u64 = 0x05;
const DEVICE_ERROR: u64 = 0x30;
const KEY_FUNCTION_NOT_PERMITTED: u64 = 0x68;
const MECHANISM_INVALID: u64 = 0x70;
const OBJECT_HANDLE_INVALID: u64 = 0x82;
const OPERATION_ACTIVE: u64 = 0x90;
const SESSION_HANDLE_INVALID: u64 = 0xb3;
const USER_NOT_LOGGED_IN: u64 = 0x101;

#[tokio::test]
async fn a_flipped_bit_is_an_error_and_never_a_signature() {
    let rig = Rig::new();
    let (_backend, key, public) = rig.with_key(rig.settings()).await;
    rig.wire.flip().unwrap();
    for number in 0..10 {
        let failure = rig::sign(&key, &public, number, Turn::of("a")).await.unwrap_err();
        assert!(matches!(failure, Failure::Mismatch { .. }), "{failure}");
    }
    rig.wire.clear().unwrap();
    rig::sign(&key, &public, 0, Turn::of("a")).await.unwrap();
}

#[tokio::test]
async fn an_answer_once_is_mended_without_anybody_noticing() {
    let rig = Rig::new();
    let (backend, key, public) = rig.with_key(rig.settings()).await;
    for function in ["SignInit", "Sign"] {
        for code in [
            SESSION_HANDLE_INVALID,
            OPERATION_ACTIVE,
            OBJECT_HANDLE_INVALID,
            USER_NOT_LOGGED_IN,
            DEVICE_ERROR,
            GENERAL_ERROR,
            0x8000_0042,
        ] {
            rig.wire.fail_once(function, code).unwrap();
            let signed = rig::sign(&key, &public, 0, Turn::of("a")).await;
            assert!(signed.is_ok(), "C_{function} 0x{code:x}: {}", signed.unwrap_err());
            let initialised = rig.wire.calls("Initialize").unwrap();
            assert_eq!(initialised, 1, "C_{function} 0x{code:x}: the module was initialised again");
        }
    }
    assert_eq!(backend.starts(), 1, "no host was started again for that");
}

#[tokio::test]
async fn an_answer_that_stays_is_refused_by_name_and_ends_when_it_ends() {
    let rig = Rig::new();
    let (backend, key, public) = rig.with_key(rig.settings()).await;
    for (code, disabled) in [(MECHANISM_INVALID, false), (KEY_FUNCTION_NOT_PERMITTED, true)] {
        rig.wire.fail("SignInit", code).unwrap();
        let failure = rig::sign(&key, &public, 0, Turn::of("a")).await.unwrap_err();
        let named = match &failure {
            Failure::Refused { cause } if !disabled => {
                cause.contains("C_SignInit answered CKR_MECHANISM_INVALID")
            }
            Failure::KeyDisabled { cause } if disabled => cause.contains("CKR_KEY_FUNCTION_NOT_PERMITTED"),
            _ => false,
        };
        assert!(named, "{failure:?}");
        assert_eq!(rig.wire.calls("Initialize").unwrap(), 1, "the token is well, so the request is at fault");
        rig.wire.clear().unwrap();
        rig::sign(&key, &public, 0, Turn::of("a")).await.unwrap();
    }
    // A device error that stays: the module is initialised again, a few times, and then the callers are told.
    rig.wire.fail("Sign", DEVICE_ERROR).unwrap();
    for _ in 0..10 {
        let failure = rig::sign(&key, &public, 0, Turn::of("a")).await.unwrap_err();
        assert!(matches!(failure, Failure::Unavailable { .. } | Failure::Refused { .. }), "{failure:?}");
    }
    let initialised = rig.wire.calls("Initialize").unwrap();
    assert!((2..=6).contains(&initialised), "initialised {initialised} times");
    rig.wire.clear().unwrap();
    rig::ready(&backend).await;
    rig::sign(&key, &public, 0, Turn::of("a")).await.unwrap();
    assert_eq!(backend.starts(), 1);
}

#[tokio::test]
async fn a_module_that_cannot_be_loaded_is_named_and_tried_again() {
    let rig = Rig::new();
    let mut settings = rig.settings();
    settings.module = rig.state.path().join("absent.so");
    let backend = rig.start_with(settings);
    let down =
        rig::until(&backend, |health| health.cause().is_some_and(|cause| cause.contains("absent.so"))).await;
    assert!(!down.is_ready());
    std::fs::copy(rig.wire.module(), rig.state.path().join("absent.so")).unwrap();
    rig::ready(&backend).await;
}
