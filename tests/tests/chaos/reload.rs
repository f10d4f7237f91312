//! SIGHUP and SIGTERM: certificates and policy change under a connection that goes on; a drain loses nothing.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use tests::PATIENCE;
use tests::ask;
use tests::load::{Callers, Load, Received, request, sign};
use tests::process::Process;
use tests::world::World;
use tokio::runtime::Runtime;

use super::{KEY, OTHER, accounted, hsm, software};

fn openssl(directory: &Path, arguments: &[&str]) -> String {
    let mut openssl = Command::new("openssl");
    openssl.args(arguments).current_dir(directory);
    Process::output(openssl)
}

/// A new server certificate of the instance's own CA, in place of the old one. Returns its serial number.
fn renew(world: &World) -> String {
    let tls = world.place().join("tls");
    std::fs::write(
        tls.join("names"),
        "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n",
    )
    .unwrap();
    let request = "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=renewed -keyout new.key -out new.csr";
    let issue = "x509 -req -in new.csr -CA ca.pem -CAkey ca.key -set_serial 4711 -days 30 -extfile names -out new.pem";
    for line in [request, issue] {
        let _said = openssl(&tls, &line.split(' ').collect::<Vec<_>>());
    }
    std::fs::rename(tls.join("new.pem"), tls.join("server.pem")).unwrap();
    std::fs::rename(tls.join("new.key"), tls.join("server.key")).unwrap();
    openssl(&tls, &["x509", "-in", "server.pem", "-noout", "-serial"])
}

/// The serial number of the certificate that a new connection sees.
fn shown(world: &World) -> String {
    let address = world.address();
    let address = address.trim_start_matches("https://");
    let script = format!(
        "openssl s_client -connect {address} -cert client.pem -key client.key </dev/null 2>/dev/null | openssl x509 -noout -serial"
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(world.place().join("tls"));
    Process::output(shell)
}

#[test]
fn renewed_certificates_are_shown_and_an_old_connection_goes_on() {
    let mut world = software().start();
    let runtime = Runtime::new().unwrap();
    let mut received = Received::default();
    let old = runtime.block_on(async { world.channel() });
    received.replies.push(runtime.block_on(sign(&old, request(KEY, b"before"))).unwrap());
    let renewed = renew(&world);
    assert_ne!(shown(&world), renewed);
    world.process().signal(Signal::HUP);
    let _said = world.process().says("certificates are reloaded", PATIENCE);
    assert_eq!(shown(&world), renewed);
    received.replies.push(runtime.block_on(sign(&old, request(KEY, b"after"))).unwrap());
    received.replies.push(ask::sign(&world, request(KEY, b"after, anew")).unwrap());
    assert!(world.stop().success());
    accounted(&world, [&received], "renewed certificates");
}

#[test]
fn changed_grants_are_recorded_before_they_are_used() {
    let mut world = software().start();
    let mut received = Received::from(ask::sign(&world, request(KEY, b"before")).unwrap());
    let grants = world.place().join("grants.cedar");
    let text = std::fs::read_to_string(&grants).unwrap();
    std::fs::write(&grants, text.replace("@id(\"first-client\")", "@id(\"renamed\")")).unwrap();
    world.process().signal(Signal::HUP);
    let _said = world.process().says("changed policy files are recorded and in force", PATIENCE);
    received.replies.push(ask::sign(&world, request(KEY, b"after")).unwrap());
    // One that cannot be used changes nothing.
    std::fs::write(&grants, "permit (everything);").unwrap();
    world.process().signal(Signal::HUP);
    let _said = world.process().says("the policy in force stays in force", PATIENCE);
    received.replies.push(ask::sign(&world, request(KEY, b"still")).unwrap());
    assert!(world.stop().success());
    let ledger = accounted(&world, [&received], "changed grants");
    let grant: Vec<usize> =
        (0..ledger.records.len()).filter(|at| ledger.records[*at].body["kind"] == "grant").collect();
    let [grant] = grant[..] else { panic!("one grant record: {grant:?}") };
    let rule = |reply: usize| {
        let index = received.replies[reply].receipt.as_ref().unwrap().log_index;
        let record = &ledger.records[usize::try_from(index).unwrap()];
        let detail: serde_json::Value = serde_json::from_slice(record.detail.as_ref().unwrap()).unwrap();
        (index, detail["policy"]["grants"].as_u64().unwrap(), detail["policy"]["rule"].clone())
    };
    let (before, after, still) = (rule(0), rule(1), rule(2));
    assert!(before.0 < grant as u64 && before.1 < grant as u64, "{before:?}");
    for decided in [after, still] {
        assert!(decided.0 > grant as u64 && decided.1 == grant as u64, "{decided:?}");
        assert_eq!(decided.2, "renamed");
    }
}

#[test]
fn a_drain_under_load_loses_nothing() {
    let mut world = hsm().start();
    let mut loads = [
        Load::start(&world, 4, Callers { single: 8, batches: 2 }, KEY),
        Load::start(&world, 2, Callers { single: 4, batches: 2 }, OTHER),
    ];
    loads.iter_mut().for_each(|load| load.reach(20));
    assert!(world.stop().success());
    let received = loads.map(Load::end);
    let ledger = accounted(&world, &received, "a drain");
    let recorded: HashSet<String> = ledger
        .records
        .iter()
        .filter_map(|record| serde_json::from_slice::<serde_json::Value>(record.detail.as_deref()?).ok())
        .filter_map(|detail| detail["request"].as_str().map(str::to_owned))
        .collect();
    assert!(!recorded.is_empty());
    let unanswered = received.iter().flat_map(|received| &received.lost);
    let unanswered: Vec<&str> =
        unanswered.map(|asked| asked.request_id.as_str()).filter(|id| recorded.contains(*id)).collect();
    assert_eq!(unanswered, Vec::<&str>::new(), "what was taken is answered");
    let unknown = ledger.records.iter().filter(|record| record.body["signatures"][0]["outcome"] == "unknown");
    assert_eq!(unknown.count(), 0, "a drain waits for what is under way");
    world.start();
    let again = ask::sign(&world, request(KEY, b"after")).unwrap();
    assert!(again.receipt.unwrap().log_index >= ledger.size);
    assert!(world.stop().success());
}
