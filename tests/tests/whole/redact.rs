//! A detail is erased: by the daemon's services and the client's program, on a record that is older than a day.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use daemon::clock::{Clock, ManualClock, SystemClock};
use proto::hash::Hash;
use serde_json::Value;
use tests::inside::Inside;
use tests::world::{Plan, World};
use tokio::runtime::Runtime;

use super::KEY;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Who signs over the network, by the certificate that `init` made.
const PERSON: &str = "spiffe://countersign.example.org/client/first";

/// A world whose instance runs inside the test.
struct Site {
    runtime: Runtime,
    clock: Arc<ManualClock>,
    world: World,
    inside: Option<Inside>,
}

impl Site {
    fn new() -> Self {
        let world = Plan::new().key(KEY, "ecdsa-p256-sha256", &["blob"]).make();
        // The certificates are of today.
        let clock = Arc::new(ManualClock::new(SystemClock::start().wall()));
        let mut site = Self { runtime: Runtime::new().unwrap(), clock, world, inside: None };
        site.start();
        site
    }

    fn start(&mut self) {
        let inside = Inside::start(&self.world, Arc::clone(&self.clock));
        self.inside = Some(self.runtime.block_on(inside));
    }

    fn end(&mut self) {
        self.runtime.block_on(self.inside.take().unwrap().end());
    }

    /// A command of the operator: whoever runs the test, over the local socket.
    fn operator(&self, line: &str) -> (i32, String, String) {
        let socket = format!("unix:{}", self.world.state().join("sign.sock").display());
        let words: Vec<&str> = line.split(' ').chain(["--address", &socket]).collect();
        self.world.run(&words)
    }

    fn done(&self, line: &str) -> String {
        let (code, out, err) = self.operator(line);
        assert_eq!(code, 0, "{line}:\n{out}{err}");
        out
    }

    #[track_caller]
    fn refused(&self, (code, out, err): (i32, String, String), words: &str) {
        assert_eq!(code, 1, "{out}{err}");
        assert!(err.contains(words), "{words}: {err}");
    }

    /// Indices that a search of all records finds.
    fn found(&self, terms: &str) -> Vec<u64> {
        let line = format!("log search {terms} --output json");
        // Each try waits for the index; it is a second at most for the few records here, on a machine that does other things.
        let all = (0..60).find_map(|_| {
            let (code, out, err) = self.operator(&line);
            assert_eq!(code, 0, "{out}{err}");
            (!err.contains("not searched yet")).then_some(out)
        });
        let out = all.expect("the index reads the log");
        out.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["index"].as_u64().unwrap())
            .collect()
    }

    /// Files of the state directory in which one of these texts stands.
    fn holding(&self, texts: &[String]) -> Vec<String> {
        let mut holding = Vec::new();
        for file in files(&self.world.state()) {
            let bytes = std::fs::read(&file).unwrap();
            let holds = |text: &&String| bytes.windows(text.len()).any(|window| window == text.as_bytes());
            holding.extend(texts.iter().filter(holds).map(|text| format!("{}: {text}", file.display())));
        }
        holding
    }

    /// How often a text stands in files of the state directory.
    fn times(&self, text: &str) -> usize {
        files(&self.world.state()).iter().map(|file| occurrences(&std::fs::read(file).unwrap(), text)).sum()
    }
}

fn occurrences(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let (below, mut here): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    here.extend(below.iter().flat_map(|path| files(path)));
    // Sockets hold nothing.
    here.retain(|path| path.is_file());
    here
}

#[test]
fn an_erased_detail_is_in_no_answer_and_no_file_and_its_record_is_proven_still() {
    let mut site = Site::new();
    let app = site.world.scratch().join("app.tar");
    std::fs::write(&app, "the real file").unwrap();
    let digest = Hash::of(b"the real file");
    let said = site.world.done(&[
        "sign",
        KEY,
        "app.tar",
        "--annotation",
        "asked-by=a-person-of-flesh",
        "--request-id",
        "build-of-a-person",
        "--output",
        "json",
    ]);
    let signed: Value = serde_json::from_str(&said).unwrap();
    let index = signed["log"]["index"].as_u64().unwrap();
    site.done(&format!("log prove {index} --detail detail --out before"));
    let detail: Value =
        serde_json::from_slice(&std::fs::read(site.world.scratch().join("detail")).unwrap()).unwrap();
    let salt = detail["salt"].as_str().unwrap().to_owned();
    assert_eq!(STANDARD.decode(&salt).unwrap().len(), 16);
    let erased = [salt, "a-person-of-flesh".to_owned(), "build-of-a-person".to_owned()];
    // The first grants name this caller, once more for inviting, and they are in the genesis for good.
    let genesis = site.world.ledger().records[0].detail.clone().unwrap();
    let granted = occurrences(&genesis, PERSON);
    assert_eq!(granted, 2);
    let searches =
        [format!("--caller {PERSON}"), format!("--caller {PERSON} --request-id build-of-a-person")];
    for terms in &searches {
        assert_eq!(site.found(terms), [index], "{terms}");
    }
    let redact = format!("log redact {index} --reason on-request");

    // A record of the last day keeps its detail.
    site.clock.advance(DAY - Duration::from_secs(60));
    site.refused(site.operator(&redact), "younger than a day");
    site.clock.advance(Duration::from_secs(120));
    for text in &erased {
        assert_ne!(
            site.holding(std::slice::from_ref(text)),
            Vec::<String>::new(),
            "{text} is looked for wrongly"
        );
    }
    assert!(site.times(PERSON) > granted, "{PERSON} is looked for wrongly");

    let said: Value = serde_json::from_str(&site.done(&format!("{redact} --output json"))).unwrap();
    assert_eq!(said["erased"], index);
    assert_eq!(site.holding(&erased), Vec::<String>::new());
    assert_eq!(site.times(PERSON), granted);
    for terms in &searches {
        assert_eq!(site.found(terms), Vec::<u64>::new(), "{terms}");
    }
    site.refused(site.operator(&format!("log prove {index} --detail gone")), "was redacted");
    site.refused(site.operator(&redact), "gone already");
    let why = format!("log redact {} --reason why", said["record"]);
    site.refused(site.operator(&why), "control record");

    // The record is there, found by what it is of, and proven by the receipts from before and by one of today.
    assert_eq!(site.found(&format!("--digest sha256:{digest}")), [index]);
    site.done(&format!("log prove {index} --out after"));
    std::fs::write(site.world.scratch().join("key.pem"), site.done(&format!("keys public {KEY}"))).unwrap();
    for receipt in ["app.tar.receipt", "before", "after"] {
        let line = format!(
            "verify app.tar --key key.pem --signature app.tar.sig --receipt {receipt} --expect-key {KEY}"
        );
        site.world.done(&line.split(' ').collect::<Vec<_>>());
    }

    // An index that is made again from the log knows no more.
    site.end();
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        // The last two are there or not.
        std::fs::remove_file(site.world.state().join(name)).ok();
    }
    site.start();
    assert_eq!(site.found(&format!("--digest sha256:{digest}")), [index]);
    for terms in &searches {
        assert_eq!(site.found(terms), Vec::<u64>::new(), "{terms}");
    }
    site.end();
    assert_eq!(site.holding(&erased), Vec::<String>::new());
    assert_eq!(site.times(PERSON), granted);
    let ledger = site.world.ledger();
    assert_eq!(ledger.complaints(), Vec::<String>::new());
    assert_eq!(ledger.records[usize::try_from(index).unwrap()].detail, None);
    let last = ledger.records.iter().rfind(|record| record.body["kind"] == "log.redacted").unwrap();
    assert_eq!(last.body["body"]["indices"], serde_json::json!([index]));

    // Nobody erases from elsewhere; it comes last, because the refusal is a record that names who asked.
    site.start();
    let over_network: Vec<&str> = redact.split(' ').collect();
    site.refused(site.world.run(&over_network), "details-are-erased-on-this-machine");
    assert_eq!(site.found(&searches[0]).len(), 1, "the refusal is recorded");
    site.end();
}
