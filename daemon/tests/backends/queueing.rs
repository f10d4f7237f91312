//! Deadlines and fairness in front of a slow HSM.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use daemon::backend::{Backend as _, Failure, Turn};

use crate::rig::{self, Rig};

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_requests_with_deadlines_of_a_millisecond_restart_no_host() {
    let rig = Arc::new(Rig::new());
    let mut settings = rig.settings();
    settings.call_limit = Duration::from_secs(5);
    let (backend, key, public) = rig.with_key(settings).await;
    rig.wire.delay(Duration::from_millis(10)).unwrap();
    let tasks: Vec<_> = (0..10_000)
        .map(|number| {
            let (rig, key, public) = (rig.clone(), key.clone(), public.clone());
            tokio::spawn(async move {
                let turn = rig.turn(&format!("caller {}", number % 10), Duration::from_millis(1));
                rig::sign(&key, &public, number, turn).await.err()
            })
        })
        .collect();
    let mut late = 0;
    for task in tasks {
        match task.await.unwrap() {
            None => {}
            Some(Failure::Late { .. } | Failure::Busy { .. }) => late += 1,
            Some(other) => panic!("{other:?}"),
        }
    }
    assert!(late > 9_000, "{late}");
    assert_eq!(backend.starts(), 1);
    rig.wire.clear().unwrap();
    rig::sign(&key, &public, 0, Turn::of("a")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_light_caller_waits_for_what_is_in_flight_and_not_for_the_heavy_ones_queue() {
    let rig = Rig::new();
    let (backend, key, public) = rig.with_key(rig.settings()).await;
    rig.wire.delay(Duration::from_millis(3)).unwrap();
    let done = Arc::new(AtomicUsize::new(0));
    let heavy: Vec<_> = (0..500)
        .map(|number| {
            let (key, public, done) = (key.clone(), public.clone(), done.clone());
            tokio::spawn(async move {
                rig::sign(&key, &public, number, Turn::of("heavy")).await.unwrap();
                done.fetch_add(1, Ordering::Relaxed);
            })
        })
        .collect();
    while done.load(Ordering::Relaxed) < 10 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let in_flight = backend.capabilities().in_flight;
    for number in 0..5 {
        let before = done.load(Ordering::Relaxed);
        rig::sign(&key, &public, number, Turn::of("light")).await.unwrap();
        let overtaken = done.load(Ordering::Relaxed) - before;
        assert!(overtaken <= 3 * in_flight, "{overtaken} calls of the heavy caller went before a light one");
    }
    assert!(done.load(Ordering::Relaxed) < 500, "the heavy caller still waits");
    for task in heavy {
        task.await.unwrap();
    }
}
