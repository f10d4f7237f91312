//! Random interleavings against what the log promises.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use proto::record::{Body, Outcome, Record};
use proto::term::Term;

use super::support::*;
use crate::log::*;

const KEYS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Step {
    /// An intent and its seal.
    Operation(usize),
    /// An intent whose task ends without a seal.
    Lost(usize),
    /// A key of this process, in a batch of so many.
    Software(usize, usize),
    /// A request id is used (again).
    Request(u8),
    Stop(usize),
    Touch,
    /// The log is killed and opened again.
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..KEYS.len();
    prop_oneof![
        6 => key.clone().prop_map(Step::Operation),
        2 => key.clone().prop_map(Step::Lost),
        4 => (key.clone(), 1..40usize).prop_map(|(key, count)| Step::Software(key, count)),
        2 => (0..4u8).prop_map(Step::Request),
        1 => key.prop_map(Step::Stop),
        1 => Just(Step::Touch),
        1 => Just(Step::Kill),
    ]
}

/// Seals, deciding again as often as it is told to.
async fn decide(log: &Log, mut what: Seal) -> Sealed {
    loop {
        match seal(log, what).await {
            Sealed::Touched { seal, control } => {
                what = *seal;
                what.saw = control;
            }
            other => return other,
        }
    }
}

async fn play(site: Arc<Site>, log: Log, step: Step) -> Vec<Released> {
    let mut got = Vec::new();
    match step {
        Step::Operation(key) => {
            let intent = intend(&log, site.draft(KEYS[key], None)).await;
            if let Sealed::Released(done) = decide(&log, site.seal(intent, KEYS[key], 0)).await {
                got.push(*done);
            }
        }
        Step::Lost(key) => drop(intend(&log, site.draft(KEYS[key], None)).await),
        Step::Software(key, count) => {
            let saw = log.head().control.0;
            for sealed in log.seal((0..count).map(|_| site.software(KEYS[key], None, saw)).collect()).await {
                match sealed.unwrap() {
                    Sealed::Released(done) => got.push(*done),
                    Sealed::Touched { seal, control } => {
                        let again = decide(&log, Seal { saw: control, ..*seal }).await;
                        if let Sealed::Released(done) = again {
                            got.push(*done);
                        }
                    }
                    _ => {}
                }
            }
        }
        Step::Request(id) => {
            let id = format!("request-{id}");
            if let Sealed::Released(done) = decide(&log, site.software("c", Some(&id), 0)).await {
                got.push(*done);
            }
        }
        Step::Stop(key) => drop(log.stop(site.stop_of(KEYS[key])).await.unwrap()),
        Step::Touch => {
            let mut grant = site.control(Body::Grant { sha256: proto::hash::Hash::ZERO }, vec![]);
            grant.touches = vec![Term::All];
            log.control(grant).await.unwrap();
        }
        Step::Kill => {}
    }
    got
}

async fn run(steps: Vec<Step>) {
    let mut site = Arc::new(Site::new());
    let mut log = site.open().log;
    let mut received: BTreeMap<u64, Released> = BTreeMap::new();
    let mut at_once = Vec::new();
    let last = steps.len();
    for (place, step) in steps.into_iter().enumerate() {
        let kill = matches!(step, Step::Kill);
        at_once.push(tokio::spawn(play(Arc::clone(&site), log.clone(), step)));
        if kill || at_once.len() == 5 || place + 1 == last {
            for task in at_once.drain(..) {
                for done in task.await.unwrap() {
                    check(&site, &done);
                    assert!(received.insert(done.index, done).is_none(), "one index was given twice");
                }
            }
        }
        if kill {
            let next = Arc::new(site.killed());
            drop(log);
            site = next;
            log = site.open().log;
        }
    }
    log.close().await;
    drop(log);
    holds(&site.open().log, &received).await;
}

/// What the log promises, of everything in it.
async fn holds(log: &Log, received: &BTreeMap<u64, Released>) {
    let (mut operations, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    let mut stopped: BTreeSet<String> = BTreeSet::new();
    let mut sealed = proto::time::Time::from_microseconds(0);
    let mut requests = 0;
    for (index, record) in (0u64..).zip(leaves(log).await) {
        let (operation, time) = match &record {
            Record::Sign(sign) => {
                let entry = &sign.signatures[0];
                if entry.outcome == Outcome::Released {
                    assert!(!stopped.contains(sign.key.as_str()), "released above a stop");
                } else {
                    assert!(!received.contains_key(&index), "received and not released");
                    assert!(entry.reason.is_some() && entry.value.is_none());
                }
                if let Some(number) = sign.number {
                    assert!(numbers.insert(number), "a number was given twice");
                }
                requests += 1;
                (sign.operation, sign.time)
            }
            Record::Control(control) => {
                for term in &control.stops {
                    if let Term::Key(key) = term {
                        stopped.insert(key.as_str().to_owned());
                    }
                }
                (control.operation, control.time)
            }
            other => panic!("{other:?}"),
        };
        assert!(operations.insert(operation), "two leaves of one operation");
        assert!(time.sealed >= sealed, "time went back");
        sealed = time.sealed;
    }
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "numbers have gaps: {numbers:?}");
    assert!(requests >= received.len());
    for (index, done) in received {
        assert_eq!(log.record(*index).await.unwrap().leaf, done.leaf, "what was received is in the log");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 64, ..ProptestConfig::default() })]
    #[test]
    fn every_interleaving_keeps_what_the_log_promises(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
