//! With which configuration the daemon runs is in the log before anything is signed by it: at every start and every reload,
//! killed, on a full disk and on one that cannot be written.

use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use proto::reason::Reason;
use proto::wire::v1::stop_target::Target;
use rustix::process::Signal;
use serde_json::Value;
use tests::disk::SmallDisk;
use tests::ledger::Ledger;
use tests::load::{Callers, Load, Received, request};
use tests::process::killed;
use tests::strace::{Failing, Fault, Point, struck};
use tests::world::World;
use tests::{PATIENCE, ask, tell};

use super::disk::{sign_again, unavailable};
use super::{KEY, OTHER, accounted, hsm, software};

/// The `config` records, each with its detail.
fn configured(ledger: &Ledger) -> Vec<(Value, Value)> {
    let config = ledger.records.iter().filter(|record| record.body["kind"] == "config");
    let detail = |bytes: &Vec<u8>| serde_json::from_slice(bytes).unwrap();
    config.map(|record| (record.body.clone(), record.detail.as_ref().map(detail).unwrap())).collect()
}

/// Their causes, in the order of the log.
fn causes(ledger: &Ledger) -> Vec<String> {
    configured(ledger).iter().map(|(body, _)| body["cause"].as_str().unwrap().to_owned()).collect()
}

fn sha256(path: &std::path::Path) -> String {
    hex::encode(digest(&SHA256, &std::fs::read(path).unwrap()))
}

/// Tells the daemon to read its files again, and waits until it says what came of it, once more than before.
fn reload(world: &mut World, words: &str) {
    let said = |world: &mut World| world.process().said().matches(words).count();
    let before = said(world);
    world.process().signal(Signal::HUP);
    let end = Instant::now() + PATIENCE;
    while said(world) == before {
        assert!(Instant::now() < end, "{words:?} is not said:\n{}", world.process().said());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Another grants file of the same meaning: its one rule has another name.
fn rename(world: &World, from: &str, to: &str) {
    let grants = world.place().join("grants.cedar");
    let text = std::fs::read_to_string(&grants).unwrap();
    std::fs::write(&grants, text.replace(&format!("@id(\"{from}\")"), &format!("@id(\"{to}\")"))).unwrap();
}

#[test]
fn every_start_and_reload_says_with_what_the_daemon_runs() {
    let mut world = hsm().start();
    let before = causes(&world.ledger()).len();
    let mut received = Received::from(ask::sign(&world, request(KEY, b"before")).unwrap());
    reload(&mut world, "the policy files are unchanged");
    rename(&world, "first-client", "renamed");
    reload(&mut world, "changed policy files are recorded and in force");
    received.replies.push(ask::sign(&world, request(KEY, b"after")).unwrap());
    // A reload that is refused changes nothing, and nothing is said of it.
    let grants = world.place().join("grants.cedar");
    let good = std::fs::read_to_string(&grants).unwrap();
    std::fs::write(&grants, "permit (everything);").unwrap();
    reload(&mut world, "the policy in force stays in force");
    std::fs::write(&grants, good).unwrap();
    let first = sha256(&world.config());
    assert!(world.stop().success());
    world.configure("[web]", "# another configuration\n[web]");
    world.start();
    received.replies.push(ask::sign(&world, request(KEY, b"again")).unwrap());
    let shown = world.done(&["log", "search", "--kind", "config", "--since", "1h", "--limit", "0"]);
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("with another policy.grants: roster 1, guardrails 1, grants 2"), "{shown}");
    let fed = world.done(&["log", "export", "--out", "all.jsonl"]);
    let log_key = world.place().join("log.pub").display().to_string();
    let checked = world.done(&["log", "verify", "all.jsonl", "--log-key", &log_key]);
    assert!(checked.contains(&format!("{} config", before + 3)), "{fed}{checked}");
    assert!(world.stop().success());
    let ledger = accounted(&world, [&received], "starts and reloads");
    let all = configured(&ledger);
    assert_eq!(causes(&ledger)[before - 1..], ["start", "reload", "reload", "start"]);
    let last = &all[before - 1..];
    let of = |at: usize, name: &str| last[at].0[name].clone();
    assert_eq!([of(0, "file"), of(1, "file"), of(2, "file")], [first.as_str(); 3]);
    assert_eq!(of(3, "file"), sha256(&world.config()));
    assert_eq!((of(0, "changed"), of(1, "changed")), (Value::Null, Value::Null));
    assert_eq!(of(2, "changed"), serde_json::json!(["policy.grants"]));
    let grants = serde_json::json!({"sha256": sha256(&grants), "version": 2});
    assert_eq!([of(2, "grants"), of(3, "grants")], [grants.clone(), grants]);
    let guardrails = world.place().join("guardrails.toml");
    assert_eq!(of(3, "guardrails"), serde_json::json!({"sha256": sha256(&guardrails), "version": 1}));
    assert_eq!((of(3, "roster")["version"].as_u64(), of(3, "software").as_str()), (Some(1), Some("0.1.0")));
    let text: toml::Table = std::fs::read_to_string(&guardrails).unwrap().parse().unwrap();
    let mut named: Vec<&str> =
        text["client_ca"].as_array().unwrap().iter().map(|ca| ca["sha256"].as_str().unwrap()).collect();
    named.sort_unstable();
    assert_eq!(of(3, "client_ca"), serde_json::json!(named));
    let backends = &last[3].1["backends"];
    assert_eq!(backends["software"], serde_json::json!({"kind": "software"}), "{backends}");
    let module = backends.as_object().unwrap().values().find(|backend| backend["kind"] == "pkcs11").unwrap();
    assert_eq!(module["module"].as_str().map(str::len), Some(64), "{backends}");
    for (body, mut detail) in all {
        // Random bytes in base64, which begin with a slash as often as with anything else.
        assert!(detail.as_object_mut().unwrap().remove("salt").is_some());
        let text = format!("{body}{detail}");
        assert!(!text.contains("\"/") && !text.contains(&world.scratch().display().to_string()), "{text}");
        assert!(!["\"ada\"", "oskar", "wanda", "localhost"].iter().any(|name| text.contains(name)), "{text}");
    }
}

#[test]
fn a_daemon_killed_as_soon_as_it_is_ready_has_said_with_what_it_ran() {
    let mut world = software().make();
    let before = causes(&world.ledger()).len();
    for _ in 0..5 {
        world.start();
        assert!(killed(world.kill()));
    }
    let ledger = accounted(&world, [], "killed when ready");
    assert_eq!(causes(&ledger).len(), before + 5, "{:?}", causes(&ledger));
}

#[test]
fn under_load_no_signature_by_other_rules_comes_before_the_record_of_their_reload() {
    let mut world = hsm().start();
    let mut loads = [
        Load::start(&world, 4, Callers { single: 8, batches: 2 }, KEY),
        Load::start(&world, 2, Callers { single: 4, batches: 2 }, OTHER),
    ];
    let mut name = "first-client".to_owned();
    for nth in 0..6 {
        loads.iter_mut().for_each(|load| load.reach(10 * (nth + 1)));
        let next = format!("renamed-{nth}");
        rename(&world, &name, &next);
        reload(&mut world, "changed policy files are recorded and in force");
        name = next;
    }
    loads.iter_mut().for_each(|load| load.reach(80));
    assert!(world.stop().success());
    let received = loads.map(Load::end);
    let ledger = accounted(&world, &received, "reloads under load");
    let kinds: Vec<&str> = ledger.records.iter().filter_map(|record| record.body["kind"].as_str()).collect();
    let grants: Vec<usize> = (0..kinds.len()).filter(|at| kinds[*at] == "grant").collect();
    assert_eq!(grants.len(), 6);
    for at in grants {
        assert_eq!(
            kinds[at + 1],
            "config",
            "the record of a reload is in the commit of what it put in force"
        );
    }
}

#[test]
fn on_a_full_disk_a_reload_is_recorded_as_soon_as_there_is_room_and_no_stop_waits() {
    let disk = SmallDisk::mount(64 * 1024);
    let mut world = software().on(disk.path()).start();
    let mut received = sign_again(&mut world, KEY);
    let before = causes(&world.ledger()).len();
    disk.fill();
    unavailable(&ask::sign(&world, request(KEY, b"a file")).unwrap_err());
    reload(&mut world, "the policy files are unchanged");
    let answer = ask::stop(&world, Target::Key(OTHER.to_owned())).unwrap();
    tell(&format!("a stop while the record of a reload waits: {answer:?}"));
    disk.empty();
    received.replies.extend(sign_again(&mut world, KEY).replies);
    let stopped = ask::sign(&world, request(OTHER, b"a file")).unwrap_err();
    assert_eq!(ask::reason(&stopped), Reason::KeySuspended, "{stopped:?}");
    assert!(world.stop().success());
    let ledger = accounted(&world, [&received], "a reload on a full disk");
    assert_eq!(causes(&ledger)[before..], ["reload"]);
    order(&ledger, "reload");
}

#[test]
fn on_a_nearly_full_disk_a_start_serves_stops_and_nothing_is_signed_before_its_record() {
    let disk = SmallDisk::mount(64 * 1024);
    let mut world = software().on(disk.path()).start();
    let received = sign_again(&mut world, KEY);
    assert!(killed(world.kill()));
    let before = causes(&world.ledger()).len();
    disk.fill();
    disk.leave(128 * 1024);
    world.start();
    unavailable(&ask::sign(&world, request(KEY, b"a file")).unwrap_err());
    assert!(ask::stop(&world, Target::Key(OTHER.to_owned())).is_ok());
    assert!(killed(world.kill()));
    disk.empty();
    world.start();
    let mut received = vec![received];
    received.push(sign_again(&mut world, KEY));
    assert!(world.stop().success());
    let ledger = accounted(&world, &received, "starts on a nearly full disk");
    assert_eq!(causes(&ledger)[before..], ["start", "start"]);
    order(&ledger, "start");
}

#[test]
fn on_a_store_that_cannot_be_written_a_reload_is_recorded_when_it_can_once() {
    let mut world = software().start();
    let mut received = sign_again(&mut world, KEY);
    let before = causes(&world.ledger()).len();
    let failing = Failing::attach(world.process().number(), &["pwrite64", "fdatasync"], "EROFS");
    reload(&mut world, "the policy files are unchanged");
    unavailable(&ask::sign(&world, request(KEY, b"a file")).unwrap_err());
    let answer = ask::stop(&world, Target::Key(OTHER.to_owned())).unwrap();
    assert!(answer.pending, "{answer:?}");
    drop(failing);
    received.replies.extend(sign_again(&mut world, KEY).replies);
    assert!(world.stop().success());
    let ledger = accounted(&world, [&received], "a reload on a store that cannot be written");
    assert_eq!(causes(&ledger)[before..], ["reload"]);
    order(&ledger, "reload");
}

#[test]
fn a_start_whose_sync_fails_has_one_record_before_its_first_signature() {
    let mut world = software().make();
    let mut received = vec![];
    for nth in 1..=4 {
        let before = causes(&world.ledger()).len();
        let wal = world.state().join("log.db-wal");
        let point = Point { call: "fdatasync".to_owned(), nth, path: Some(wal) };
        let trace = world.scratch().join("trace");
        let command = struck(&world.daemon(), &point, Fault::Error("EIO"), &trace);
        if let Err(why) = world.start_as(command) {
            // Before the log is open there is nothing to serve: the start says why it ends.
            assert!(why.contains("log"), "{why}");
            continue;
        }
        received.push(sign_again(&mut world, KEY));
        assert!(world.stop().success());
        let ledger = accounted(&world, &received, "a start whose sync fails");
        assert_eq!(causes(&ledger)[before..], ["start"], "sync {nth}");
    }
    assert!(!received.is_empty());
}

/// After the newest `config` record something is signed, and nothing lies between it and the start or reload before but what
/// was signed until then.
#[track_caller]
fn order(ledger: &Ledger, cause: &str) {
    let newest = ledger.records.iter().rposition(|record| record.body["kind"] == "config").unwrap();
    assert_eq!(ledger.records[newest].body["cause"], cause);
    let signed = |record: &tests::ledger::Record| record.body["signatures"][0]["outcome"] == "released";
    assert_eq!(ledger.records[newest..].iter().filter(|record| signed(record)).count(), 1);
}
