//! Client certificates by invitation, from outside: the real programs, and a daemon that is killed while a token is used.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use proto::reason::Reason;
use proto::wire::v1;
use proto::wire::v1::enrollment_service_client::EnrollmentServiceClient;
use rcgen::{CertificateParams, KeyPair};
use rustix::process::Signal;
use tests::process::{Process, killed};
use tests::strace::{Attached, Fault, Point};
use tests::world::{Plan, World};
use tests::{PATIENCE, ask};

const CI: &str = "spiffe://countersign.example.org/ci/team4";
const ACTIONS: &str = "[Action::\"sign\", Action::\"get-public-key\"]";
const KEY: &str = "release/linux";

fn started() -> World {
    Plan::new().key(KEY, "ecdsa-p256-sha256", &["blob"]).start()
}

fn invite(world: &World, caller: &str) -> String {
    let said = world.done(&["invite", caller, "--output", "json"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["caller"], caller);
    said["token"].as_str().unwrap().to_owned()
}

/// Somebody on another machine, who has an address, the CA and nothing else.
fn stranger(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(tests::binaries::program("countersign"));
    command
        .args(arguments)
        .arg("--address")
        .arg(world.address())
        .arg("--ca")
        .arg(world.place().join("tls/ca.pem"));
    command.current_dir(world.scratch()).env_clear().env("HOME", world.scratch().join("elsewhere"));
    command
}

/// What a command says that does not do it.
fn refused(mut command: Command) -> String {
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success(), "{said}");
    said
}

/// As the one who has enrolled.
fn enrolled(world: &World, arguments: &[&str]) -> Command {
    let mut command = stranger(world, arguments);
    command.args(["--client-certificate", "team4.pem", "--client-key", "team4.key", "--state", "seen-team4"]);
    command.arg("--log-key").arg(world.place().join("log.pub"));
    command
}

/// Whether any file below holds these bytes.
fn holds(directory: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return holds(&path, bytes);
        }
        let content = if path.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[test]
fn who_is_invited_comes_by_a_certificate_with_exactly_that_name_once() {
    let mut world = started();
    let said = world.done(&["invite", CI, "--valid-for", "5m"]);
    assert!(said.contains(&format!("invited {CI}")) && said.contains("once, until"), "{said}");
    let token = said.split_whitespace().find(|word| word.starts_with("csinvite_")).unwrap().to_owned();
    let said = Process::output(stranger(&world, &["enroll", &token, "--out", "team4", "--expect", CI]));
    assert!(said.contains(&format!("enrolled as {CI}")) && said.contains("certificate = \""), "{said}");
    let mode = |name: &str| world.scratch().join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("team4.key"), 0o600);

    // It is somebody, and may do nothing before a grant says so.
    std::fs::write(world.scratch().join("app.tar"), "a file").unwrap();
    let said = refused(enrolled(&world, &["sign", KEY, "app.tar"]));
    assert!(said.contains("UNAUTHENTICATED") && said.contains(CI), "{said}");
    let grants = world.place().join("grants.cedar");
    let text = std::fs::read_to_string(&grants).unwrap();
    let grant = format!(
        "{text}\n@id(\"team4\")\npermit (principal == Caller::\"{CI}\", action in {ACTIONS}, resource);\n"
    );
    std::fs::write(&grants, grant).unwrap();
    world.process().signal(Signal::HUP);
    let _in_force = world.process().says("changed policy files are recorded", PATIENCE);
    let _said = Process::output(enrolled(&world, &["sign", KEY, "app.tar"]));
    // Who may sign may not invite.
    let said = refused(enrolled(&world, &["invite", "spiffe://countersign.example.org/ci/team5"]));
    assert!(said.contains("POLICY_DENIED"), "{said}");

    // Whoever may invite some may not invite others.
    let some = "spiffe://countersign.example.org/ci/team5";
    let text = std::fs::read_to_string(&grants).unwrap();
    let grant = format!(
        "{text}\n@id(\"team5\")\npermit (principal == Caller::\"{CI}\", action == Action::\"invite\",\n  \
         resource in Callers::\"{some}\");\n"
    );
    std::fs::write(&grants, grant).unwrap();
    world.process().signal(Signal::HUP);
    let end = std::time::Instant::now() + PATIENCE;
    while !enrolled(&world, &["invite", &format!("{some}/build")]).output().unwrap().status.success() {
        assert!(std::time::Instant::now() < end, "the grant is never in force");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let said = refused(enrolled(&world, &["invite", CI]));
    assert!(said.contains("POLICY_DENIED"), "{said}");

    // Once, and no other.
    let said = refused(stranger(&world, &["enroll", &token, "--out", "again"]));
    assert!(said.contains("INVITATION_USED"), "{said}");
    let said = refused(stranger(&world, &["enroll", "csinvite_none", "--out", "again"]));
    assert!(said.contains("INVITATION_UNKNOWN"), "{said}");
    let said = refused(stranger(&world, &["enroll", &invite(&world, CI), "--out", "team4"]));
    assert!(said.contains("exists"), "{said}");
    let said =
        refused(stranger(&world, &["enroll", &invite(&world, CI), "--out", "again", "--expect", "dns:a.b"]));
    assert!(said.contains("you expected `dns:a.b`"), "{said}");
    for name in ["again.pem", "again.key"] {
        assert!(!world.scratch().join(name).exists(), "{name}");
    }
    for (caller, words) in
        [("unix:0", "needs no certificate"), ("release", "no caller"), ("dns:*.b.c", "no caller")]
    {
        let (code, _, said) = world.run(&["invite", caller]);
        assert!(code == 1 && said.contains("MALFORMED_REQUEST") && said.contains(words), "{caller}: {said}");
    }
    let (code, _, said) = world.run(&["invite", CI, "--valid-for", "2d"]);
    assert!(code == 1 && said.contains("1 minute to 24 hours"), "{said}");

    // The log says who invited whom, and nobody finds the token.
    let said = world.done(&["log", "tail", "--lines", "100"]);
    assert!(
        said.contains("caller.invited invites") && said.contains("caller.enrolled a certificate for"),
        "{said}"
    );
    let heard = world.process().said();
    assert!(world.stop().success());
    let said = refused(stranger(&world, &["enroll", &token, "--out", "again", "--deadline", "1s"]));
    assert!(said.contains("cannot be reached") && said.contains("the answer was lost on its way"), "{said}");
    assert!(!world.scratch().join("again.key").exists());
    assert!(!holds(&world.place(), token.as_bytes()) && !heard.contains(&token));
    let ledger = world.ledger();
    assert_eq!(ledger.complaints(), Vec::<String>::new());
    let count = |kind: &str| ledger.records.iter().filter(|record| record.body["kind"] == kind).count();
    assert_eq!((count("caller.invited"), count("caller.enrolled")), (4, 2));
}

#[test]
fn an_instance_without_a_ca_that_it_believes_invites_nobody() {
    let world = Plan::new().make();
    let config = std::fs::read_to_string(world.config()).unwrap();
    let (without, _) = config.split_once("[enrollment]").unwrap();
    std::fs::write(world.config(), without).unwrap();
    let mut world = world;
    world.start();
    let (code, _, said) = world.run(&["invite", CI]);
    assert!(code == 1 && said.contains("UNIMPLEMENTED") && said.contains("no [enrollment]"), "{said}");
    world.stop();
    // A CA of whom the guardrails know nothing.
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]);
    openssl
        .args(["-subj", "/CN=other", "-keyout", "other.key", "-out", "other.pem"])
        .current_dir(world.scratch());
    let _said = Process::output(openssl);
    let here = world.scratch().display();
    let section = format!(
        "[enrollment]\nca = {{ file = \"{here}/other.pem\" }}\nkey = {{ file = \"{here}/other.key\" }}\n"
    );
    std::fs::write(world.config(), format!("{without}{section}")).unwrap();
    world.start();
    let (code, _, said) = world.run(&["invite", CI]);
    assert!(code == 1 && said.contains("[[client_ca]]"), "{said}");
    assert!(world.stop().success());
}

#[test]
fn an_invitation_is_used_once_whatever_is_killed() {
    let mut world = started();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let csr =
        CertificateParams::default().serialize_request(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
    let mut seen = BTreeSet::new();
    for (call, nth) in
        [("pwrite64", 1), ("fdatasync", 1), ("fdatasync", 2), ("fdatasync", 3), ("fdatasync", 4)]
    {
        let token = invite(&world, CI);
        let request = v1::EnrollRequest { token, csr: csr.clone() };
        let enroll = |world: &World| {
            let request = request.clone();
            let channel = {
                let _entered = runtime.enter();
                world.local()
            };
            runtime.block_on(async { EnrollmentServiceClient::new(channel).enroll(request).await })
        };
        let count = |world: &World| {
            let records = world.ledger().records;
            records.iter().filter(|record| record.body["kind"] == "caller.enrolled").count()
        };
        let before = count(&world);
        let point = Point { call: call.to_owned(), nth, path: Some(world.state().join("log.db-wal")) };
        let attached =
            Attached::strike(world.process().number(), &point, Fault::Kill, &world.scratch().join("trace"));
        let answer = enroll(&world);
        drop(attached);
        let mut daemon = world.release();
        if answer.is_err() {
            assert!(killed(daemon.ended(PATIENCE)), "{point}");
        } else {
            daemon.kill();
        }
        daemon.silent(PATIENCE);
        world.start();
        let recorded = count(&world) - before;
        tests::tell(&format!("{call} {nth}: answered {}, recorded {recorded}", answer.is_ok()));
        assert!(recorded <= 1 && (answer.is_err() || recorded == 1));
        // Whoever tries it again gets the one certificate if the record is not there, and none if it is.
        match enroll(&world) {
            Ok(_) => assert_eq!(recorded, 0),
            Err(status) => assert_eq!((ask::reason(&status), recorded), (Reason::InvitationUsed, 1)),
        }
        assert_eq!(ask::reason(&enroll(&world).unwrap_err()), Reason::InvitationUsed);
        assert_eq!(count(&world) - before, 1);
        seen.insert((answer.is_ok(), recorded));
        if answer.is_ok() {
            break;
        }
    }
    assert!(seen.contains(&(false, 0)) && seen.contains(&(false, 1)), "both moments must be met: {seen:?}");
    assert!(world.stop().success());
    assert_eq!(world.ledger().complaints(), Vec::<String>::new());
}
