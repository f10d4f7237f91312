//! What is another instance, and what a statement may name.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use serde_json::json;

use super::*;
use crate::fake::council::Council;
use crate::fixture::{Log, at};

type Change = fn(&mut serde_json::Value);

struct Room {
    _directory: tempfile::TempDir,
    council: Council,
    log: Log,
}

fn room() -> Room {
    let (directory, log) = (tempfile::tempdir().unwrap(), Log::new());
    let council = Council::new(directory.path(), &log);
    Room { council, log, _directory: directory }
}

impl Room {
    fn answer(&self) -> v1::GetInstanceResponse {
        let common = self.council.genesis.common();
        v1::GetInstanceResponse {
            genesis: self.council.genesis.encode(),
            roster: self.council.roster.encode(),
            guardrails_version: common.guardrails.version,
            guardrails_sha256: common.guardrails.sha256.as_bytes().to_vec(),
            grants_sha256: Hash::of(b"grants").as_bytes().to_vec(),
            checkpoint: self.log.checkpoint(),
            suspensions: vec![],
            clock: None,
            guardrails: b"guardrails".to_vec(),
            guardrail_files: [("what it is called".to_owned(), b"a file".to_vec())].into(),
        }
    }

    fn read(&self, answer: &v1::GetInstanceResponse) -> Result<Instance, Foreign> {
        let seen = Seen::read(&self.log.checkpoint(), &self.log.key().into()).unwrap();
        Instance::read(answer, self.council.genesis.digest(), &seen)
    }

    /// A statement that fits, changed.
    fn statement(&self, change: impl FnOnce(&mut serde_json::Value)) -> Statement {
        let template = "kind = \"grant.change\"\nmode = \"rehearsal\"\nenvironment = \"sandbox\"\nlives = \"24h\"\n\
                        purpose = \"more\"\njustification = \"because\"\nticket = \"OPS-2\"\n[target]\n\
                        grants = \"73e665dc07cdc36defdebe087a6ad95b9f9761b1db81e3b2b83c0a5eab37f6e5\"\n";
        let template = format!("{template}replaces = \"{}\"\n", Hash::of(b"grants"));
        let request =
            v1::DraftStatementRequest { template, initiator: "ada".to_owned(), ..Default::default() };
        let mut value = self.council.draft(&request, &self.log).unwrap().to_value();
        change(&mut value);
        Statement::parse(&proto::canonical::to_vec(&value).unwrap()).unwrap()
    }
}

#[test]
fn an_instance_is_the_one_whose_genesis_is_pinned() {
    let room = room();
    let instance = room.read(&room.answer()).unwrap();
    assert_eq!((instance.head.size, instance.setting().instance), (1, "signing.example.org"));
    let other = Hash::of(b"another genesis");
    let seen = Seen::read(&room.log.checkpoint(), &room.log.key().into()).unwrap();
    let error = Instance::read(&room.answer(), other, &seen).unwrap_err();
    assert!(matches!(error, Foreign::Genesis { pinned, .. } if pinned == other), "{error}");
    assert!(error.to_string().contains("ANOTHER INSTANCE"));
}

#[test]
fn what_does_not_belong_to_the_genesis_is_refused() {
    let room = room();
    let refused = |change: fn(&mut v1::GetInstanceResponse)| {
        let mut answer = room.answer();
        change(&mut answer);
        room.read(&answer).unwrap_err()
    };
    assert!(matches!(refused(|answer| answer.roster.truncate(9)), Foreign::Roster(_)));
    assert!(matches!(
        refused(|answer| answer.guardrails_sha256.truncate(9)),
        Foreign::Digest("guardrails_sha256")
    ));
    assert!(matches!(refused(|answer| answer.grants_sha256.clear()), Foreign::Digest("grants_sha256")));
    assert!(matches!(refused(|answer| answer.guardrails.push(b'?')), Foreign::Guardrails));
    // Files have the names of what they are, whatever they are called; a daemon that shows no guardrails shows nothing.
    let mut answer = room.answer();
    let shown = room.read(&answer).unwrap().guardrail_documents;
    let file = ceremonies::amendment::name(&Hash::of(b"a file"));
    assert_eq!(shown.keys().map(String::as_str).collect::<Vec<_>>(), [file.as_str(), "guardrails"]);
    answer.guardrails.clear();
    assert!(room.read(&answer).unwrap().guardrail_documents.is_empty());
    // A roster of version 1 with other keys.
    let other = self::room();
    let error = {
        let mut answer = room.answer();
        answer.roster = other.council.roster.encode();
        room.read(&answer).unwrap_err()
    };
    assert!(matches!(error, Foreign::FirstRoster), "{error}");
}

#[test]
fn everything_that_a_statement_has_otherwise_is_said() {
    let room = room();
    let instance = room.read(&room.answer()).unwrap();
    let unfit = |change: fn(&mut serde_json::Value), now| {
        instance
            .unfit(&room.statement(change), Stage::Before, now)
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(unfit(|_| {}, at(5)), Vec::<String>::new());
    let cases: [(Change, &[&str]); 7] = [
        (
            |value| {
                value["mode"] = json!("production");
                value["log"]["origin"] = json!("log.example.org");
            },
            &["is for mode production, and this instance is a rehearsal", "log origin is `log.example.org`"],
        ),
        (|value| value["instance"] = json!("other.example.org"), &["instance is `other.example.org`"]),
        (|value| value["environment"] = json!("staging"), &["environment is `staging`"]),
        (|value| value["roster"]["version"] = json!(2), &["names roster 2"]),
        (
            |value| value["guardrails"]["sha256"] = json!("0".repeat(64)),
            &["names guardrails 1 (000000000000)"],
        ),
        (|value| value["target"]["replaces"] = json!("0".repeat(64)), &["replaces the grants 000000000000"]),
        (|value| value["log"]["size"] = json!(99), &["a log of 99 records, and the log has 1"]),
    ];
    for (change, words) in cases {
        let found = unfit(change, at(5));
        assert_eq!(found.len(), words.len(), "{found:?}");
        for (found, words) in found.iter().zip(words) {
            assert!(found.contains(words), "{found}");
        }
    }
    let late = at(25 * 3600);
    assert!(unfit(|_| {}, late)[0].contains("expired at 2026-11-22"));
    let other_roster = room.statement(|value| value["roster"]["version"] = json!(2));
    assert_eq!(instance.unfit(&other_roster, Stage::After, late), [], "what was seen was seen");
}
