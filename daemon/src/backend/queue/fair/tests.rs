#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const CALLERS: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Clone, Debug)]
enum Step {
    Offer { caller: usize, priority: Priority, wait: Option<u64> },
    Next,
    Advance(u64),
    RemoveEven,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let priority = prop_oneof![4 => Just(Priority::Normal), 1 => Just(Priority::Urgent), 1 => Just(Priority::Background)];
    let step = prop_oneof![
        5 => (0..CALLERS.len(), priority, proptest::option::of(0..20_u64))
            .prop_map(|(caller, priority, wait)| Step::Offer { caller, priority, wait }),
        4 => Just(Step::Next),
        1 => (0..10_u64).prop_map(Step::Advance),
        1 => Just(Step::RemoveEven),
    ];
    proptest::collection::vec(step, 0..200)
}

/// The same, slow and obvious: one list in order of arrival, and when each caller was last served.
#[derive(Debug, Default)]
struct Model {
    waiting: Vec<(usize, Priority, Option<Deadline>, u64)>,
}

proptest! {
    #[test]
    fn nothing_is_lost_served_twice_or_late_and_bounds_hold(steps in steps()) {
        let bounds = Bounds { total: 12, per_caller: 5 };
        let mut fair = Fair::new(bounds);
        let mut model = Model::default();
        let mut now = Monotonic::START;
        let mut number = 0;
        // Of each call that waits, by its number: how many older ones may be served before it, and how many were.
        let mut before = std::collections::BTreeMap::new();
        for step in steps {
            match step {
                Step::Offer { caller, priority, wait } => {
                    let deadline = wait.map(|wait| Deadline::after(now, Duration::from_millis(wait)));
                    let turn = Turn { caller: CALLERS[caller].into(), deadline, priority };
                    number += 1;
                    let own = model.waiting.iter().filter(|w| w.0 == caller).count();
                    let expected = match () {
                        () if model.waiting.len() >= bounds.total => Err((number, Full::Total)),
                        () if own >= bounds.per_caller => Err((number, Full::Caller)),
                        () => Ok(()),
                    };
                    let bound = fair.before(&turn);
                    prop_assert_eq!(fair.offer(&turn, number), expected);
                    if expected.is_ok() {
                        before.insert(number, (bound, 0));
                        model.waiting.push((caller, priority, deadline, number));
                    }
                }
                Step::Advance(by) => now = now.after(Duration::from_millis(by)),
                Step::RemoveEven => {
                    fair.remove(|item| item % 2 == 0);
                    model.waiting.retain(|w| w.3 % 2 == 1);
                }
                Step::Next => {
                    let mut late = Vec::new();
                    let served = fair.next(now, &mut late);
                    let find = |item: u64| model.waiting.iter().position(|w| w.3 == item);
                    for item in &late {
                        let at = find(*item).expect("a late call was waiting");
                        prop_assert!(model.waiting[at].2.is_some_and(|deadline| deadline.0 <= now));
                    }
                    match served {
                        Some(item) => {
                            let (bound, count) = before.remove(&item).unwrap();
                            prop_assert!(count <= bound, "{count} older calls were served before it, not {bound} at most");
                            before.range_mut(item..).for_each(|(_, (_, count))| *count += 1);
                            let (caller, priority, deadline, _) = model.waiting[find(item).expect("a served call was waiting")];
                            prop_assert!(deadline.is_none_or(|deadline| deadline.0 > now));
                            let live = |w: &&(usize, Priority, Option<Deadline>, u64)| w.2.is_none_or(|d| d.0 > now);
                            prop_assert!(model.waiting.iter().filter(live).all(|w| w.1 >= priority), "a more urgent call waits");
                            let first = model.waiting.iter().filter(live).find(|w| w.0 == caller && w.1 == priority).unwrap();
                            prop_assert_eq!(first.3, item, "a caller's own calls keep their order");
                        }
                        None => prop_assert!(model.waiting.iter().all(|w| w.2.is_some_and(|d| d.0 <= now))),
                    }
                    model.waiting.retain(|w| Some(w.3) != served && !late.contains(&w.3));
                }
            }
            prop_assert_eq!(fair.len(), model.waiting.len());
        }
    }

    #[test]
    fn every_caller_that_waits_gets_one_turn_before_anybody_gets_two(loads in proptest::collection::vec(1..30_usize, 4)) {
        let mut fair = Fair::new(Bounds { total: 1000, per_caller: 1000 });
        for (caller, load) in loads.iter().enumerate() {
            for _ in 0..*load {
                fair.offer(&Turn::of(CALLERS[caller]), caller).unwrap();
            }
        }
        let mut left = loads.clone();
        let mut since = vec![vec![0_usize; 4]; 4];
        while let Some(caller) = fair.next(Monotonic::START, &mut Vec::new()) {
            left[caller] -= 1;
            for other in (0..4).filter(|other| *other != caller && left[*other] > 0) {
                since[other][caller] += 1;
                prop_assert!(since[other][caller] <= 1, "{other} waited while {caller} had two turns");
            }
            since[caller] = vec![0; 4];
        }
        prop_assert!(left.iter().all(|left| *left == 0));
    }
}

#[test]
fn a_heavy_caller_costs_a_light_one_a_single_turn() {
    let mut fair = Fair::new(Bounds { total: 2000, per_caller: 1000 });
    for _ in 0..1000 {
        fair.offer(&Turn::of("heavy"), "heavy").unwrap();
    }
    assert_eq!(fair.offer(&Turn::of("heavy"), "heavy"), Err(("heavy", Full::Caller)));
    fair.offer(&Turn::of("light"), "light").unwrap();
    let order: Vec<_> = std::iter::from_fn(|| fair.next(Monotonic::START, &mut Vec::new())).take(3).collect();
    assert_eq!(order, ["heavy", "light", "heavy"]);
}
