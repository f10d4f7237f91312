//! The signing path from outside, whole: a real client, a real daemon, real keys, other people's tools as witnesses.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "whole/dev.rs"]
mod dev;
#[path = "whole/redact.rs"]
mod redact;

use std::process::Command;

use proto::wire::v1::sign_request::Input;
use proto::wire::v1::{DsseInput, OciInput, SignRequest};
use softhsm::{Shape, Token};
use tests::ask;
use tests::binaries::{VARIABLE, program};
use tests::load::{Callers, Load, request, sign};
use tests::process::Process;
use tests::world::{Plan, World};

const KEY: &str = "release/linux";

/// Sign, verify by two tools, see it in the log, stop, be refused.
fn walk(world: &mut World) {
    let file = world.scratch().join("app.tar");
    let tampered = world.scratch().join("other.tar");
    std::fs::write(&file, "the real file").unwrap();
    std::fs::write(&tampered, "another file").unwrap();

    world.done(&["sign", KEY, "app.tar"]);
    let pem = world.scratch().join("key.pem");
    std::fs::write(&pem, world.done(&["keys", "public", KEY])).unwrap();
    let openssl = |file: &str| {
        let mut openssl = Command::new("openssl");
        openssl.args(["dgst", "-sha256", "-verify", "key.pem", "-signature", "app.tar.sig", file]);
        openssl.current_dir(world.scratch());
        openssl
    };
    assert!(Process::output(openssl("app.tar")).contains("Verified OK"));
    assert!(!openssl("other.tar").output().unwrap().status.success());

    let proof = [
        "--key",
        "key.pem",
        "--signature",
        "app.tar.sig",
        "--receipt",
        "app.tar.receipt",
        "--expect-key",
        KEY,
    ];
    world.done(&[&["verify", "app.tar"], &proof[..]].concat());
    let (code, _, said) = world.run(&[&["verify", "other.tar"], &proof[..]].concat());
    assert_eq!(code, 1, "{said}");

    world.done(&["log", "head"]);
    world.done(&["stop", KEY, "--reason", "a drill"]);
    let (code, _, said) = world.run(&["sign", KEY, "other.tar"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("stop"), "{said}");
    assert!(!world.scratch().join("other.tar.sig").exists());

    assert!(world.stop().success());
    let ledger = world.ledger();
    assert_eq!(ledger.complaints(), Vec::<String>::new());
    assert_eq!(ledger.released().len(), 1);
}

#[test]
fn a_file_is_signed_by_a_software_key_verified_and_the_key_stopped() {
    walk(&mut Plan::new().key(KEY, "ecdsa-p256-sha256", &["blob"]).start());
}

#[test]
fn a_file_is_signed_by_an_hsm_verified_and_the_key_stopped() {
    let token = Token::create().unwrap();
    token.generate("linux", &[1], Shape::P256).unwrap();
    let plan = Plan::new().token(token, None).token_key(KEY, "linux", "ecdsa-p256-sha256", &["blob"]);
    walk(&mut plan.start());
}

/// `cargo xtask demo`, as somebody runs it who has never seen this.
#[test]
fn the_demo_goes_from_an_empty_directory_to_a_stop_and_a_valid_transcript() {
    let toolbox = program("xtask");
    let mut demo = Command::new(&toolbox);
    demo.arg("demo").env(VARIABLE, toolbox.parent().unwrap());
    let said = Process::output(demo);
    let steps =
        ["approved in record", "signed artefact", "Verified OK", "KEY_SUSPENDED", "\nVALID key.generate "];
    for step in steps {
        assert!(said.contains(step), "{step:?} is not in:\n{said}");
    }
}

/// The daemon that `--keep` leaves running, ended with the test.
struct Kept(rustix::process::Pid);

impl Drop for Kept {
    fn drop(&mut self) {
        // It is no child of this process; that it is gone is what is wanted.
        let _gone = rustix::process::kill_process(self.0, rustix::process::Signal::KILL);
    }
}

#[test]
fn a_demo_that_is_kept_goes_on_and_its_commands_work() {
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().join("kept");
    let toolbox = program("xtask");
    let mut demo = Command::new(&toolbox);
    demo.args(["demo", "--keep"]).arg(&kept).env(VARIABLE, toolbox.parent().unwrap());
    let said = Process::output(demo);
    let pid = std::fs::read_to_string(kept.join("countersignd.pid")).unwrap();
    let _kept = Kept(rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap());

    let config = kept.join("client.toml");
    let (_, next) = said.split_once("Commands to try next").unwrap();
    let with = format!("--config {} ", config.display());
    let commands: Vec<&str> =
        next.lines().filter_map(|line| Some(line.split_once(&with)?.1)).take(3).collect();
    assert!(commands[0].starts_with("sign release/linux FILE"), "{said}");
    assert!(commands[1].starts_with("log tail") && commands[2].starts_with("stop release/linux"), "{said}");
    let client = |line: &str| {
        let mut client = Command::new(program("countersign"));
        client.arg("--config").arg(&config).args(line.split(' ')).current_dir(&kept);
        client
    };
    std::fs::write(kept.join("FILE"), "a file").unwrap();
    let signed = Process::output(client(commands[0]));
    assert!(signed.contains("signed FILE"), "{signed}");
    let mut stop = client(commands[2].split_once(" --reason").unwrap().0);
    stop.arg("--reason=over");
    let stopped = Process::output(stop);
    assert!(stopped.contains("stopped"), "{stopped}");
}

/// The lines of a JSON listing of records.
fn listed(world: &World, arguments: &[&str]) -> Vec<serde_json::Value> {
    let listing = world.done(&[arguments, &["--output", "json"]].concat());
    listing.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_policy_refuses_one_caller_is_found_by_another() {
    let mut world = Plan::new().key(KEY, "ecdsa-p256-sha256", &["blob"]).make();
    let grants = world.place().join("grants.cedar");
    let local = format!("unix:{}", rustix::process::getuid().as_raw());
    let (any, only) =
        (format!("\"{local}\", action,"), format!("\"{local}\", action == Action::\"redact\","));
    let text = std::fs::read_to_string(&grants).unwrap();
    assert!(text.contains(&any), "{text}");
    std::fs::write(&grants, text.replace(&any, &only)).unwrap();
    world.start();
    let socket = world.socket();
    std::fs::write(world.scratch().join("app.tar"), "the real file").unwrap();
    for refused in [
        &["sign", KEY, "app.tar"][..],
        &["stop", KEY, "--reason", "a drill"],
        &["stop", "--all", "--reason", "a drill"],
        &["keys", "public", KEY],
        &["keys", "show", KEY],
        &["log", "tail"],
        &["log", "search", "--key", KEY],
        &["log", "prove", "0"],
    ] {
        let (code, _, said) = world.run(&[refused, &["--address", &socket]].concat());
        assert_eq!(code, 1, "{refused:?}: {said}");
        assert!(said.contains("POLICY_DENIED"), "{refused:?}: {said}");
    }
    world.done(&["sign", KEY, "app.tar"]);
    // A proof by leaf hash waits until the index has everything that came before.
    let last = listed(&world, &["log", "tail", "-n", "1"]).remove(0);
    let hash = last["leaf_hash"].as_str().unwrap();
    let said = world.done(&["log", "prove", hash]);
    assert!(said.contains(&format!("record {} is in", last["index"])) && said.contains(hash), "{said}");
    let denied = |term: &[&str]| -> Vec<String> {
        let search = [&["log", "search", "--kind", "denied", "--oldest-first"], term].concat();
        let action = |line: serde_json::Value| line["record"]["action"].as_str().unwrap().to_owned();
        listed(&world, &search).into_iter().map(action).collect()
    };
    let key = ["sign", "stop", "get-public-key", "get-key"];
    assert_eq!(denied(&["--key", KEY]), key);
    let all = ["sign", "stop", "stop", "get-public-key", "get-key", "read-log", "search-log", "get-receipt"];
    assert_eq!(denied(&["--caller", &local]), all);

    assert!(world.stop().success());
    let ledger = world.ledger();
    assert_eq!(ledger.complaints(), Vec::<String>::new());
    assert_eq!(ledger.records.iter().filter(|record| record.body["kind"] == "denied").count(), all.len());
}

#[test]
fn records_are_found_by_what_they_speak_of_and_by_when_they_were_made() {
    const SLSA: &str = "https://slsa.dev/provenance/v1";
    const COMMIT: &str = "9f1d7a3c0b5e4d2a8f6e1c3b5a7d9e0f1a2b3c4d";
    let (images, attestations) = ("release/images", "release/attestations");
    let purpose = format!("dsse:{SLSA}");
    let plan = Plan::new().key(images, "ecdsa-p256-sha256", &["oci"]);
    let mut world = plan.key(attestations, "ecdsa-p256-sha256", &[&purpose]).start();
    let statement = serde_json::json!({
        "_type": "https://in-toto.io/Statement/v1", "predicate": {}, "predicateType": SLSA,
        "subject": [{"digest": {"gitCommit": COMMIT}, "name": "source"}],
    });
    let dsse = DsseInput {
        payload_type: "application/vnd.in-toto+json".into(),
        payload: statement.to_string().into_bytes().into(),
    };
    let oci = OciInput {
        reference: "registry.example.org/app".to_owned(),
        digest: Some(proto::wire::v1::Digest { algorithm: 1, value: vec![7; 32] }),
        ..OciInput::default()
    };
    for (key, input) in [(images, Input::Oci(oci)), (attestations, Input::Dsse(dsse))] {
        ask::sign(&world, SignRequest { input: Some(input), ..request(key, b"") }).unwrap();
    }
    let found = |term: &[&str]| -> Vec<String> {
        let search = [&["log", "search", "--kind", "sign", "--oldest-first"], term].concat();
        let key = |line: serde_json::Value| line["record"]["key"].as_str().unwrap().to_owned();
        listed(&world, &search).into_iter().map(key).collect()
    };
    let all = listed(&world, &["log", "search", "--kind", "sign", "--since", "1h"]);
    let times = |line: &serde_json::Value| line["record"]["time"]["sealed"].as_str().unwrap().to_owned();
    let (newest, oldest) = (times(&all[0]), times(all.last().unwrap()));
    for (term, keys) in [
        (&["--subject", COMMIT][..], &[attestations][..]),
        (&["--subject", &format!("gitCommit:{COMMIT}")], &[attestations]),
        (&["--subject", "sha256:00"], &[]),
        (&["--predicate-type", SLSA], &[attestations]),
        (&["--repository", "registry.example.org/app"], &[images]),
        (&["--repository", "registry.example.org/ap"], &[]),
        (&["--repository", "registry.example.org/app", "--predicate-type", SLSA], &[]),
    ] {
        assert_eq!(found(term), keys, "{term:?}");
    }
    // The end is exclusive: everything before the newest record, and nothing before the oldest.
    assert_eq!(found(&["--until", &newest]).len(), all.len() - 1);
    assert_eq!(found(&["--until", &oldest]), [] as [&str; 0]);
    assert_eq!(found(&["--since", &oldest, "--until", "2999-01-01"]).len(), all.len());
    let (code, _, said) = world.run(&["log", "search", "--subject", "source"]);
    assert!(code != 0 && said.contains("digest of a subject"), "{code}: {said}");
    assert!(world.stop().success());
}

#[test]
fn asked_to_end_under_load_it_loses_nothing_and_starts_where_it_was() {
    let mut world = Plan::new().key(KEY, "ecdsa-p256-sha256", &["blob"]).start();
    let mut load = Load::start(&world, 4, Callers { single: 4, batches: 1 }, KEY);
    load.reach(20);
    assert!(world.stop().success());
    let received = load.end();
    let ledger = world.ledger();
    assert_eq!(ledger.complaints(), Vec::<String>::new());
    assert_eq!(ledger.open, Vec::<u64>::new());
    assert_eq!(received.unaccounted(&ledger), Vec::<String>::new());
    world.start();
    let again = tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(async { sign(&world.channel(), request(KEY, b"after")).await.unwrap() });
    assert!(again.receipt.unwrap().log_index >= ledger.size);
}

#[test]
fn a_daemon_that_is_not_there_is_unavailable_and_not_a_refusal() {
    let mut world = Plan::new().key(KEY, "ecdsa-p256-sha256", &["blob"]).start();
    std::fs::write(world.scratch().join("app.tar"), "x").unwrap();
    let address = world.address();
    assert!(world.stop().success());
    let (code, _, said) = world.run(&["sign", KEY, "app.tar", "--address", &address, "--deadline", "1s"]);
    assert_eq!(code, 3, "{said}");
}
