//! Stops against callers that sign flat out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proto::record::{Outcome, Record};

use super::support::*;
use crate::log::*;

/// Callers sign flat out; one stop at a moment of its own. Nothing above its index is released, what was received lies
/// below it, and once the stop has answered nobody receives anything more.
async fn storm(callers: usize, before: usize) {
    let mut site = Site::unhurried();
    // The bound is for connections that stand still; a busy machine is no reason to give up earlier.
    site.settings.limits.hand_over = std::time::Duration::from_secs(60);
    let site = Arc::new(site);
    let log = site.open().log;
    let answered = Arc::new(AtomicBool::new(false));
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let (site, log) = (Arc::clone(&site), log.clone());
            let (answered, count) = (Arc::clone(&answered), Arc::clone(&count));
            tokio::spawn(async move {
                let mut received = Vec::new();
                loop {
                    let sealed = if caller % 2 == 0 {
                        seal(&log, site.software("a", None, 0)).await
                    } else {
                        let intent = intend(&log, site.draft("a", None)).await;
                        seal(&log, site.seal(intent, "a", 0)).await
                    };
                    match sealed {
                        Sealed::Released(done) => {
                            assert!(!answered.load(Ordering::SeqCst), "handed out after the stop answered");
                            received.push(done.index);
                            count.fetch_add(1, Ordering::SeqCst);
                        }
                        Sealed::Withheld { .. } => return received,
                        // A stop touches too, but stopping comes first.
                        other => panic!("{other:?}"),
                    }
                }
            })
        })
        .collect();
    while count.load(Ordering::SeqCst) < before {
        tokio::task::yield_now().await;
    }
    let stopped = log.stop(site.stop_of("a")).await.unwrap();
    assert!(stopped.handed_over);
    answered.store(true, Ordering::SeqCst);
    let stop = stopped.index.unwrap();
    for task in tasks {
        assert!(task.await.unwrap().into_iter().all(|index| index < stop));
    }
    for (index, record) in (0..).zip(leaves(&log).await) {
        if let Record::Sign(sign) = record {
            assert!(
                index < stop || sign.signatures[0].outcome != Outcome::Released,
                "released above the stop"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_released_above_a_stop_nor_handed_out_after_its_answer() {
    for round in 0..20 {
        storm(16, round * 7).await;
    }
}
