//! Making an instance, playing the ceremonies of its keys and starting it: what does not fit is refused, and what is there stays as it is.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use daemon::log::{AnchorPlace, ControlDraft, Fresh, LogKey, Settings, create};
use proto::canonical;
use proto::hash::Hash;
use proto::record::{Actor, ActorKind, ControlDetail};
use softhsm::{Shape, Token};
use tests::PATIENCE;
use tests::binaries::program;
use tests::process::Process;
use tests::world::{Plan, World};

use crate::site::{BLOB, fails, says, standing};

/// The daemon must end by itself before it serves, leaving the log as it was. What it said.
fn does_not_start(world: &World) -> String {
    let before = standing(world);
    let mut daemon = Process::start(world.daemon());
    assert!(!daemon.finished(PATIENCE).success(), "{}", daemon.said());
    assert_eq!(standing(world), before);
    assert!(!daemon.said().contains("ready:"), "{}", daemon.said());
    assert!(!daemon.said().contains("panicked"), "{}", daemon.said());
    daemon.said()
}

fn init(arguments: &[&str], directory: &Path) -> Command {
    let mut command = Command::new(program("countersignd"));
    command.arg("init").args(arguments).arg("--directory").arg(directory);
    command
}

fn rehearse(world: &World, words: &[&str]) -> Command {
    let mut command = world.countersignd("rehearse-key");
    command.args(words).arg("--config").arg(world.config());
    command
}

/// What a ceremony could leave behind: files, and records of the log.
fn left(world: &World) -> (Vec<std::path::PathBuf>, (u64, u64, Vec<u64>)) {
    let files = files(&world.place()).into_iter().map(|(path, _)| path);
    // The search index is made from the log whenever that is opened, and so are what SQLite keeps beside it, and locks.
    let made_by_opening =
        |name: &str| name.starts_with("index.db") || name.starts_with("log.db-") || name.ends_with(".lock");
    let named = |path: &std::path::PathBuf| !made_by_opening(&path.file_name().unwrap().to_string_lossy());
    (files.filter(named).collect(), standing(world))
}

/// Names and bytes of all files below a directory.
fn files(directory: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let kind = std::fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() {
            found.extend(files(&path));
        } else if kind.is_file() {
            found.push((path.clone(), std::fs::read(path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn init_without_a_word_says_how_instances_begin_and_makes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("instance");
    let (code, said) = fails(init(&[], &place));
    assert_eq!(code, 1);
    says(&said, &["sign", "production", "--draft", "--complete", "--rehearsal"]);
    assert!(!place.exists());
}

#[test]
fn init_over_anything_is_refused_and_leaves_it() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("mine"), "mine").unwrap();
    let before = files(directory.path());
    let (code, said) = fails(init(&["--rehearsal"], directory.path()));
    assert_eq!(code, 1);
    says(&said, &[&directory.path().display().to_string(), "not empty", "empty or not there"]);
    assert_eq!(files(directory.path()), before);
    // An instance is not made over an instance either.
    let world = Plan::new().make();
    let before = files(&world.place());
    says(&fails(init(&["--rehearsal"], &world.place())).1, &["not empty"]);
    assert_eq!(files(&world.place()), before);
}

#[test]
fn init_with_a_name_that_is_none_makes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("instance");
    for name in ["Upper.example.org", "a b", "", "a..b", "https://example.org"] {
        let (code, said) = fails(init(&["--rehearsal", "--name", name], &place));
        assert_eq!(code, 1, "{said}");
        says(&said, &["--name", "expected"]);
        assert!(!place.exists(), "{name:?} made {}", place.display());
    }
}

#[test]
fn an_unknown_algorithm_is_refused_with_those_that_are_known() {
    let world = Plan::new().make();
    let before = left(&world);
    let (code, said) = fails(rehearse(&world, &[BLOB, "--purpose", "blob", "--algorithm", "rsa-md5"]));
    assert_eq!(code, 2, "{said}");
    says(&said, &["rsa-md5", "expected one of", "ecdsa-p256-sha256", "ed25519"]);
    // One that is known and that this backend does not have.
    let words = [BLOB, "--purpose", "blob", "--algorithm", "rsa-pss-2048-sha256"];
    let (code, said) = fails(rehearse(&world, &words));
    assert_eq!(code, 1, "{said}");
    says(&said, &["`software` has no keys for rsa-pss-2048-sha256"]);
    assert_eq!(left(&world), before);
}

#[test]
fn purposes_names_and_places_that_are_none_are_refused_with_what_was_expected() {
    let world = Plan::new().make();
    let before = left(&world);
    let with = |name: &str, more: &[&str], purposes: &[&str]| {
        let mut words = vec![name];
        words.extend(more);
        words.extend(purposes.iter().flat_map(|purpose| ["--purpose", purpose]));
        fails(rehearse(&world, &words)).1
    };
    says(&with(BLOB, &[], &["image"]), &["`image`", "digest, blob, oci"]);
    says(&with(BLOB, &[], &["digest", "blob"]), &["`digest` stands alone"]);
    says(&with(BLOB, &[], &["tuf"]), &["cannot be reached through Sign"]);
    says(&with("Release", &[], &["blob"]), &["Release", "lower-case"]);
    says(&with(BLOB, &["--backend", "hsm"], &["blob"]), &["no backend `hsm`", "software"]);
    let adopted = |uri: &str| with(BLOB, &["--adopt", uri], &["blob"]);
    says(&adopted("awskms://x"), &["awskms://x", "software:", "pkcs11:"]);
    says(&adopted("pkcs11:object=linux"), &["pkcs11:object=linux", "software:<key id>"]);
    says(&adopted("pkcs11:slot-id=1;object=linux"), &["slot-id", "`token` and `serial`"]);
    // Whoever has no keys of the people plays nobody.
    let nowhere = world.scratch().join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    says(&with(BLOB, &["--people", nowhere], &["blob"]), &["cannot read the people's keys", nowhere]);
    std::fs::create_dir(nowhere).unwrap();
    let said = with(BLOB, &["--people", nowhere], &["blob"]);
    says(&said, &["too few people of role operator have a key at hand"]);
    assert_eq!(left(&world), before);
}

#[test]
fn a_place_in_a_token_that_is_not_one_key_is_not_adopted() {
    let token = Token::create().unwrap();
    token.generate("linux", &[1], Shape::P256).unwrap();
    token.generate("twice", &[2], Shape::P256).unwrap();
    token.generate("twice", &[3], Shape::P256).unwrap();
    let uris = ["linux", "twice", "nothing"].map(|label| token.key_uri(label));
    let world = Plan::new().token(token, None).make();
    let before = left(&world);
    let refused = |uri: Option<&str>, more: &[&str]| {
        let mut words = vec![BLOB, "--purpose", "blob"];
        words.extend(more);
        words.extend(uri.into_iter().flat_map(|uri| ["--adopt", uri]));
        fails(rehearse(&world, &words)).1
    };
    let [linux, twice, nothing] = &uris;
    let hsm = ["--backend", "hsm"];
    says(&refused(None, &[]), &["say --backend", "hsm and software"]);
    says(&refused(Some(nothing), &hsm), &["there is no key at", "object=nothing"]);
    says(&refused(Some(twice), &hsm), &["2 keys are at", "object=twice", "name one by `id`"]);
    let other = [&hsm[..], &["--algorithm", "rsa-pss-2048-sha256"]].concat();
    says(&refused(Some(linux), &other), &["does not sign with rsa-pss-2048-sha256"]);
    assert_eq!(left(&world), before);
}

#[test]
fn one_key_pair_has_one_name_and_one_name_one_key() {
    let world = Plan::new().key(BLOB, "ecdsa-p256-sha256", &["blob"]).make();
    let ledger = world.ledger();
    let born = &ledger.records.last().unwrap().body["body"]["effect"]["key"];
    let place = born["locator"].as_str().unwrap().to_owned();
    assert!(place.starts_with("software:") && place.len() > 64, "{place}");
    let before = left(&world);
    let (code, said) =
        fails(rehearse(&world, &["release/other", "--adopt", place.as_str(), "--purpose", "blob"]));
    assert_eq!(code, 1);
    says(&said, &[&place, &format!("{BLOB}@1 already"), "one name"]);
    // A second key of that name is refused before a key pair is made for it.
    let (_, said) = fails(rehearse(&world, &[BLOB, "--purpose", "blob"]));
    says(&said, &[&format!("`{BLOB}` exists already"), "choose another name"]);
    assert_eq!(left(&world), before, "a key pair that nobody knows, or a record, was left behind");
}

#[test]
fn another_genesis_than_the_configured_one_does_not_start() {
    let mut world = Plan::new().make();
    let named = genesis(&world);
    let other = Hash::of(b"another instance").to_string();
    world.configure(&named, &other);
    says(&does_not_start(&world), &[&named, &other, "another instance"]);
    world.configure(&other, &named[..63]);
    says(&does_not_start(&world), &["genesis_sha256", "64 lower-case hexadecimal digits"]);
    world.configure(&named[..63], &named);
    world.start();
}

fn genesis(world: &World) -> String {
    let config: toml::Table = std::fs::read_to_string(world.config()).unwrap().parse().unwrap();
    config["instance"]["genesis_sha256"].as_str().unwrap().to_owned()
}

#[test]
fn a_missing_anchor_does_not_start() {
    let mut world = Plan::new().make();
    for name in ["countersign.anchor", "countersign.anchor.stops"] {
        let (here, away) = (world.place().join("anchor").join(name), world.scratch().join(name));
        std::fs::rename(&here, &away).unwrap();
        says(&does_not_start(&world), &[&here.display().to_string(), "missing", "put it back"]);
        assert!(!here.exists(), "{name} was made anew");
        std::fs::rename(&away, &here).unwrap();
    }
    world.start();
}

#[test]
fn a_key_file_that_everybody_can_read_does_not_start() {
    let mut world = Plan::new().make();
    let rights =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    for name in ["state/log.key", "tls/server.key", "state/software.identity"] {
        let path = world.place().join(name);
        rights(&path, 0o604);
        says(&does_not_start(&world), &[&path.display().to_string(), "everybody", "0604", "chmod o="]);
        rights(&path, 0o600);
    }
    world.start();
}

#[test]
fn a_genesis_that_not_all_have_signed_does_not_start_and_takes_no_key() {
    let world = Plan::new().make();
    let first = &world.ledger().records[0];
    let (statement, detail) = (first.body["body"]["statement"].clone(), first.detail.clone().unwrap());
    let detail: ControlDetail = canonical::from_slice(&detail).unwrap();
    let asked = statement["not_before"].as_str().unwrap().parse().unwrap();
    let state = world.state();
    let anchor = world.place().join("anchor/countersign.anchor");
    let stops = world.place().join("anchor/countersign.anchor.stops");
    for path in
        [state.join("log.db"), state.join("log.db-wal"), state.join("log.db-shm"), anchor.clone(), stops]
    {
        // Some of them are there only while somebody reads.
        std::fs::remove_file(path).ok();
    }
    let key = std::fs::read_to_string(state.join("log.key")).unwrap();
    let mut parts = key.trim_end().strip_prefix("PRIVATE+KEY+").unwrap().splitn(3, '+');
    let origin = parts.next().unwrap();
    let seed = STANDARD.decode(parts.nth(1).unwrap()).unwrap();
    let key = LogKey::from_seed(origin, &seed[1..]).unwrap();
    let actor = Actor { id: "unix:0".into(), kind: ActorKind::Operator };
    let documents = detail.documents.iter().filter(|(name, _)| !name.ends_with(".carol"));
    let documents = documents.map(|(name, text)| (name.to_owned(), text.clone())).collect();
    let draft = ControlDraft::genesis(Fresh::at(asked).unwrap(), actor, statement, documents).unwrap();
    create(&Settings::new(state, vec![AnchorPlace::File(anchor)]), &key, vec![draft]).unwrap();
    let words = ["record 0", "not signed by all", "approval of `carol` is missing"];
    says(&does_not_start(&world), &words);
    let (_, said) = fails(rehearse(&world, &[BLOB, "--algorithm", "ed25519", "--purpose", "blob"]));
    says(&said, &words);
    assert_eq!(world.ledger().size, 1);
}
