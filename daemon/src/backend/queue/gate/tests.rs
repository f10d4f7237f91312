#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use proto::time::Time;

use super::*;
use crate::backend::{Deadline, Priority};
use crate::clock::ManualClock;

fn gate(limit: usize) -> (Arc<Gate>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Time::from_microseconds(0)));
    (Gate::new("test", limit, Bounds { total: 8, per_caller: 4 }, clock.clone()), clock)
}

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_at_a_time_in_turn_and_cancelled_callers_cost_nobody_anything() {
    let (gate, _clock) = gate(1);
    let held = gate.enter(&Turn::of("a")).await.unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let tasks: Vec<_> = ["a", "a", "gone", "b"]
        .into_iter()
        .map(|caller| {
            let (gate, order) = (gate.clone(), order.clone());
            tokio::spawn(async move {
                let pass = gate.enter(&Turn::of(caller)).await.unwrap();
                order.lock().unwrap().push(caller);
                drop(pass);
            })
        })
        .collect();
    settle().await;
    assert_eq!(gate.waiting(), 4);
    tasks[2].abort();
    settle().await;
    drop(held);
    for (index, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.is_ok(), index != 2);
    }
    assert_eq!(*order.lock().unwrap(), ["a", "b", "a"]);
    assert_eq!((gate.waiting(), gate.locked().running), (0, 0));
}

#[tokio::test]
async fn a_full_queue_is_busy_for_that_caller_only_and_room_of_the_gone_is_used() {
    let (gate, clock) = gate(1);
    let _held = gate.enter(&Turn::of("a")).await.unwrap();
    let wait = |caller: &'static str| {
        let gate = gate.clone();
        tokio::spawn(async move { gate.enter(&Turn::of(caller)).await })
    };
    let heavy: Vec<_> = (0..4).map(|_| wait("heavy")).collect();
    settle().await;
    let refused = gate.enter(&Turn::of("heavy")).await.unwrap_err();
    assert!(
        matches!(refused, Failure::Busy { retry_after } if retry_after >= Duration::from_millis(10)),
        "{refused}"
    );
    let light = wait("light");
    settle().await;
    assert_eq!(gate.waiting(), 5);
    heavy[0].abort();
    clock.advance(SWEEP);
    settle().await;
    let again = wait("heavy");
    settle().await;
    assert_eq!(gate.waiting(), 5);
    assert!(!again.is_finished() && !light.is_finished());
}

#[tokio::test]
async fn late_calls_are_dropped_before_the_device_is_asked() {
    let (gate, clock) = gate(1);
    let held = gate.enter(&Turn::of("a")).await.unwrap();
    let deadline = Some(Deadline::after(clock.monotonic(), Duration::from_secs(3600)));
    let waiting = {
        let gate = gate.clone();
        tokio::spawn(async move {
            gate.enter(&Turn { caller: "b".into(), deadline, priority: Priority::Normal }).await
        })
    };
    settle().await;
    clock.advance(Duration::from_secs(3601));
    drop(held);
    let failure = waiting.await.unwrap().unwrap_err();
    assert!(matches!(failure, Failure::Late { at_admission: false, .. }), "{failure}");
    assert_eq!(gate.locked().running, 0);
}

#[tokio::test]
async fn a_deadline_shorter_than_the_median_is_refused_at_admission() {
    let (gate, clock) = gate(2);
    for _ in 0..32 {
        let pass = gate.enter(&Turn::of("a")).await.unwrap();
        clock.advance(Duration::from_millis(4));
        drop(pass);
    }
    let turn = |millis| Turn {
        caller: "a".into(),
        deadline: Some(Deadline::after(clock.monotonic(), Duration::from_millis(millis))),
        priority: Priority::Normal,
    };
    let failure = gate.enter(&turn(3)).await.unwrap_err();
    assert!(matches!(failure, Failure::Late { at_admission: true, .. }), "{failure}");
    assert!(failure.to_string().contains("4000 µs"), "{failure}");
    gate.enter(&turn(5)).await.unwrap();
}

#[tokio::test]
async fn a_call_is_delayed_by_the_rounds_before_its_turn_and_a_light_caller_is_not() {
    let (gate, clock) = gate(2);
    let heavy = Turn::of("heavy");
    for _ in 0..24 {
        let pass = gate.enter(&heavy).await.unwrap();
        clock.advance(Duration::from_millis(10));
        drop(pass);
    }
    let _running = [gate.enter(&heavy).await.unwrap(), gate.enter(&heavy).await.unwrap()];
    assert_eq!(gate.delay(&heavy), Duration::ZERO, "it would be the first to wait");
    let wait = |turn: &Turn| {
        let (gate, turn) = (Arc::clone(&gate), turn.clone());
        tokio::spawn(async move { gate.enter(&turn).await })
    };
    let _waiting: Vec<_> = (0..4).map(|_| wait(&heavy)).collect();
    settle().await;
    assert_eq!(gate.waiting(), 4);
    assert_eq!(gate.delay(&heavy), Duration::from_millis(20), "two rounds of two");
    assert_eq!(gate.delay(&Turn::of("light")), Duration::ZERO, "one call has its turn before it");
    let urgent = Turn { priority: Priority::Urgent, ..heavy.clone() };
    assert_eq!(gate.delay(&urgent), Duration::ZERO, "nobody has");
    clock.advance(Duration::from_secs(60));
    assert_eq!(gate.delay(&heavy), Duration::ZERO, "how long a call takes is not known any more");
}
