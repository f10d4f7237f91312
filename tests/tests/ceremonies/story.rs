//! The whole story by the real program: from a template to a key that signs, and a transcript that needs nobody.

use std::path::Path;
use std::process::Command;

use softhsm::Token;
use tests::process::Process;
use tests::world::{Plan, World};

use crate::room::{new_key, private_keys};

const KEY: &str = "release/linux";

/// What somebody's own command line does: with a key of his own, and what his machine has seen.
fn by(world: &World, person: &str, arguments: &[&str]) -> Command {
    let mut command = world.countersign(arguments);
    command.args(["--person", person, "--signing-key"]).arg(world.place().join("people").join(person));
    command.arg("--state").arg(world.scratch().join(format!("seen-{person}")));
    command.env_remove("SSH_AUTH_SOCK").stdin(std::process::Stdio::null());
    command
}

#[track_caller]
fn done(world: &World, person: &str, arguments: &[&str]) -> String {
    Process::output(by(world, person, arguments))
}

fn refused(mut command: Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success(), "{said}");
    said
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

#[test]
fn a_key_is_born_on_a_token_by_people_with_the_program_and_signs() {
    let mut world = Plan::new().token(Token::create().unwrap(), None).start();
    std::fs::write(world.scratch().join("new-key.toml"), new_key(KEY, "hsm")).unwrap();

    done(&world, "oskar", &["ceremony", "new", "new-key.toml", "--out", "statement.json"]);
    let statement = std::fs::read(world.scratch().join("statement.json")).unwrap();
    let statement = ceremonies::statement::Statement::parse(&statement).unwrap();
    let id = statement.common().ceremony.to_string();
    let words = ceremonies::words::Words::of(&statement.digest()).lines();
    done(&world, "oskar", &["ceremony", "propose", "statement.json", "--yes"]);
    for officer in ["ada", "bob"] {
        let said = done(&world, officer, &["approve", &id, "--template", "new-key.toml", "--yes"]);
        assert!(words.iter().all(|line| said.contains(line)), "{said}");
    }
    for witness in ["wanda", "walter"] {
        done(&world, witness, &["attest", &id, "--yes"]);
    }
    assert_eq!(private_keys(world.token().unwrap()), [], "nothing is made before it is started");

    // It leads until the ceremony has ended, so witnesses act while it runs.
    let lead = Process::start(by(&world, "oskar", &["ceremony", "run", &id, "--yes", "--output", "json"]));
    let _executed = lead.says("\"executed\"", tests::PATIENCE);
    assert_eq!(private_keys(world.token().unwrap()).len(), 1);
    std::fs::write(world.scratch().join("app.tar"), "the real file").unwrap();
    let (code, _, said) = world.run(&["sign", KEY, "app.tar"]);
    assert_eq!(code, 1, "nothing is in force before it is attested: {said}");
    for witness in ["wanda", "walter"] {
        done(&world, witness, &["attest", &id, "--yes"]);
    }
    let mut lead = lead;
    assert!(lead.finished(tests::PATIENCE).success(), "{}", lead.said());

    world.done(&["sign", KEY, "app.tar"]);
    std::fs::write(world.scratch().join("key.pem"), world.done(&["keys", "public", KEY])).unwrap();
    let shown: serde_json::Value =
        serde_json::from_str(&world.done(&["keys", "show", KEY, "--output", "json"])).unwrap();
    assert_eq!(shown["versions"][0]["ceremony"], id.as_str(), "{shown}");
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", "-sha256", "-verify", "key.pem", "-signature", "app.tar.sig", "app.tar"]);
    openssl.current_dir(world.scratch());
    assert!(Process::output(openssl).contains("Verified OK"));

    done(&world, "wanda", &["ceremony", "transcript", &id, "--out", "transcript"]);
    assert!(world.stop().success());
    // Elsewhere, with the genesis digest on paper and nothing else.
    let elsewhere = tempfile::tempdir().unwrap();
    copy(&world.scratch().join("transcript"), &elsewhere.path().join("carried"));
    let genesis = std::fs::read(world.place().join("genesis.json")).unwrap();
    let genesis = proto::hash::Hash::of(&genesis).to_string();
    let verify = |genesis: &str| {
        let mut command = Command::new(tests::binaries::program("countersign"));
        command.args(["ceremony", "verify", "carried", "--genesis-sha256", genesis]);
        command.current_dir(elsewhere.path()).env_clear();
        command
    };
    let said = Process::output(verify(&genesis));
    assert!(said.contains("VALID") && !said.contains("DEVIATIONS") && said.contains(&id), "{said}");
    let said = refused(verify(&proto::hash::Hash::of(b"another").to_string()));
    assert!(said.contains("INVALID"), "{said}");
    let outputs = elsewhere.path().join("carried/outputs.json");
    let text = std::fs::read_to_string(&outputs).unwrap();
    std::fs::write(&outputs, text.replacen("\"version\":1", "\"version\":2", 1)).unwrap();
    let said = refused(verify(&genesis));
    assert!(said.contains("INVALID"), "{said}");

    let ledger = world.ledger();
    assert_eq!(ledger.complaints(), Vec::<String>::new());
    assert_eq!(ledger.open, Vec::<u64>::new());
}
