//! A signature that is withheld is left nowhere.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proto::reason::Reason;
use zeroize::Zeroizing;

use super::support::*;
use crate::log::{Seal, Sealed};
use crate::secret::remains::Sought;

/// The seal with a signature that nobody else has: it, and how to find its bytes and their text in a leaf.
fn signed_anew(mut seal: Seal) -> (Seal, Sought, Sought) {
    let mut value = Zeroizing::new(vec![0; 256]);
    aws_lc_rs::rand::fill(&mut value).unwrap();
    let text = Zeroizing::new(STANDARD.encode(&value[66..114]));
    let (bytes, text) = (Sought::of(&value[66..114]), Sought::of(text.as_bytes()));
    Arc::make_mut(&mut seal.released).signatures[0].value = Some(value);
    (seal, bytes, text)
}

#[tokio::test]
async fn a_signature_that_is_withheld_is_left_nowhere_in_memory() {
    let site = Site::unhurried();
    let log = site.open().log;
    let stopped = intend(&log, site.draft("a", None)).await;
    log.stop(site.stop_of("a")).await.unwrap();
    let (what, bytes, text) = signed_anew(site.seal(stopped, "a", 0));
    // As the pipeline does, which may have to decide again.
    let kept = Arc::clone(&what.released);
    assert_eq!(bytes.places(), 1);
    match seal(&log, what).await {
        Sealed::Withheld { reasons, .. } => assert_eq!(reasons, [(0, Reason::KeySuspended)]),
        other => panic!("{other:?}"),
    }
    drop(kept);
    bytes.gone();
    // A debug build writes each record a second time, to compare, and does not wipe that.
    if !cfg!(debug_assertions) {
        text.gone();
    }
}

#[tokio::test]
async fn a_signature_that_a_full_disk_cost_is_left_nowhere_in_memory() {
    let site = Site::new();
    let log = site.open().log;
    let intent = intend(&log, site.draft("a", None)).await;
    site.settings.faults.pages.store(1, Ordering::SeqCst);
    let (mut what, bytes, _text) = signed_anew(site.seal(intent, "a", 0));
    // Longer than a page, so that it cannot go where there happens to be room.
    what.detail = vec![b'x'; 20_000].into();
    assert_eq!(bytes.places(), 1);
    let refused = log.seal(vec![what]).await.pop().unwrap().unwrap_err();
    assert_eq!(refused.reason(), Reason::LogFull);
    bytes.gone();
}
