//! A person at a terminal: the program runs on a pseudo-terminal of its own, `ssh-keygen` asks for the passphrase there,
//! and `yes` is typed.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ceremonies::act::Act;
use ceremonies::genesis::Mode;
use ceremonies::nonce::Nonce;
use ceremonies::ssh::signature::SshSignature;
use ceremonies::statement::{CeremonyId, Common, Log, Quorum, Statement, Target, Version, target};
use proto::hash::Hash;
use proto::time::Time;

fn statement(now: Time) -> Statement {
    let version = |of: &[u8]| Version { sha256: Hash::of(of), version: 1 };
    Statement::new(
        Common {
            ceremony: CeremonyId::from([7; 16]),
            environment: "sandbox".parse().unwrap(),
            expires: now.later(std::time::Duration::from_secs(3_600)),
            guardrails: version(b"guardrails"),
            initiator: "bob".parse().unwrap(),
            instance: "signing.example.org".parse().unwrap(),
            justification: "A new repository signs its images.".parse().unwrap(),
            log: Log { origin: "log.example.org".parse().unwrap(), root: Hash::of(b"root"), size: 42 },
            mode: Mode::Production,
            nonce: Nonce::from([7; 32]),
            not_before: now,
            purpose: "images of team 3".parse().unwrap(),
            quorum: Quorum { approvals: 2, officers: 3, witnesses: 0 },
            roster: version(b"roster"),
            ticket: "OPS-7".parse().unwrap(),
        },
        Target::GrantChange(target::GrantChange {
            grants: Hash::of(b"grants"),
            replaces: Hash::of(b"old grants"),
        }),
    )
    .unwrap()
}

/// The program on a terminal of 80 columns, in this directory.
fn on_a_terminal(directory: &Path, arguments: &str) -> Child {
    let program = env!("CARGO_BIN_EXE_countersign");
    let command = format!("stty cols 80; '{program}' {arguments}");
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).current_dir(directory).env_clear();
    script.env("PATH", std::env::var("PATH").unwrap()).env("HOME", directory).env("TERM", "xterm");
    script.env("TMPDIR", directory).env("SSH_AUTH_SOCK", directory.join("agent"));
    let child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    child.expect("`script` is needed: apt install bsdutils")
}

/// Reads until this was shown, and gives everything so far.
fn until(out: &mut impl Read, shown: &mut String, words: &str) {
    let mut bytes = [0; 1024];
    while !shown.contains(words) {
        let read = out.read(&mut bytes).unwrap();
        assert_ne!(read, 0, "`{words}` was never shown:\n{shown}");
        shown.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
}

#[test]
fn yes_is_typed_and_the_passphrase_goes_to_ssh_keygen() {
    let directory = tempfile::tempdir().unwrap();
    let now = Time::from_microseconds(client::clock::wall_micros());
    let made = statement(now);
    std::fs::write(directory.path().join("s.json"), made.encode()).unwrap();
    let key = directory.path().join("ada");
    let keygen = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "a passphrase", "-C", "ada", "-f"])
        .arg(&key)
        .status();
    assert!(keygen.expect("ssh-keygen is needed: apt install openssh-client").success());

    let mut child = on_a_terminal(directory.path(), "approve s.json --person ada --signing-key ada");
    let (mut keyboard, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = String::new();
    until(&mut out, &mut shown, "or anything else to leave it:");
    for words in ["(PRODUCTION)", "images of team 3", &Hash::of(b"grants").to_string(), "in 59 min"] {
        assert!(shown.contains(words), "{words}:\n{shown}");
    }
    for line in ceremonies::words::Words::of(&made.digest()).lines() {
        assert!(shown.contains(&line), "{line}:\n{shown}");
    }
    assert!(!directory.path().join("s.ada.act.json").exists(), "before it was typed");
    keyboard.write_all(b"yes\n").unwrap();
    until(&mut out, &mut shown, "passphrase");
    keyboard.write_all(b"a passphrase\n").unwrap();
    until(&mut out, &mut shown, "nothing is sent yet");
    drop(keyboard);
    assert!(child.wait().unwrap().success(), "{shown}");

    let document = std::fs::read(directory.path().join("s.ada.act.json")).unwrap();
    let signature = std::fs::read_to_string(directory.path().join("s.ada.act.json.sig")).unwrap();
    assert_eq!(Act::parse(&document).unwrap().deed.statement(), Some(made.digest()));
    SshSignature::parse(&signature).unwrap().verify("countersign.act.production.v1", &document).unwrap();
    // Stock tools say the same.
    let public = std::fs::read_to_string(directory.path().join("ada.pub")).unwrap();
    std::fs::write(directory.path().join("allowed"), format!("ada {public}")).unwrap();
    let stock = Command::new("ssh-keygen")
        .current_dir(directory.path())
        .args(["-Y", "verify", "-f", "allowed", "-I", "ada", "-n", "countersign.act.production.v1"])
        .args(["-s", "s.ada.act.json.sig"])
        .stdin(std::fs::File::open(directory.path().join("s.ada.act.json")).unwrap())
        .output()
        .unwrap();
    assert!(stock.status.success(), "{}", String::from_utf8_lossy(&stock.stderr));
    let left: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("countersign-")), "{left:?}");
}

#[test]
fn anything_else_signs_nothing_and_yes_cannot_be_given_before() {
    let directory = tempfile::tempdir().unwrap();
    let now = Time::from_microseconds(client::clock::wall_micros());
    std::fs::write(directory.path().join("s.json"), statement(now).encode()).unwrap();
    std::fs::write(directory.path().join("ada"), "never read").unwrap();
    let mut child = on_a_terminal(directory.path(), "approve s.json --person ada --signing-key ada");
    let (mut keyboard, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = String::new();
    until(&mut out, &mut shown, "or anything else to leave it:");
    keyboard.write_all(b"ja\n").unwrap();
    until(&mut out, &mut shown, "the answer was not `yes`");
    drop(keyboard);
    assert_eq!(child.wait().unwrap().code(), Some(1), "{shown}");
    let said = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .current_dir(directory.path())
        .env_clear()
        .env("HOME", directory.path())
        .args(["approve", "s.json", "--person", "ada", "--signing-key", "ada", "--yes"])
        .output()
        .unwrap();
    assert_eq!(said.status.code(), Some(2));
    assert!(String::from_utf8(said.stderr).unwrap().contains("--yes is for rehearsals"));
    assert!(!directory.path().join("s.ada.act.json").exists());
}

/// An agent that ends with the test.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        // One that has ended already needs no end.
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[test]
fn a_key_that_only_an_agent_has_signs_by_its_public_key() {
    let directory = tempfile::tempdir().unwrap();
    let now = Time::from_microseconds(client::clock::wall_micros());
    std::fs::write(directory.path().join("s.json"), statement(now).encode()).unwrap();
    let (key, socket) = (directory.path().join("ada"), directory.path().join("agent"));
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).arg(&key).env("SSH_AUTH_SOCK", &socket).stderr(Stdio::null());
        command.status().expect("apt install openssh-client").success()
    };
    assert!(run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f"]));
    let agent = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn();
    let _agent = Agent(agent.expect("apt install openssh-client"));
    while !socket.exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(run("ssh-add", &["-q"]));
    std::fs::remove_file(&key).unwrap();

    let mut child = on_a_terminal(directory.path(), "approve s.json --person ada --signing-key ada.pub");
    let (mut keyboard, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = String::new();
    until(&mut out, &mut shown, "or anything else to leave it:");
    keyboard.write_all(b"yes\n").unwrap();
    until(&mut out, &mut shown, "nothing is sent yet");
    drop(keyboard);
    assert!(child.wait().unwrap().success(), "{shown}");
    let signature = std::fs::read_to_string(directory.path().join("s.ada.act.json.sig")).unwrap();
    let public = std::fs::read_to_string(directory.path().join("ada.pub")).unwrap();
    let key = SshSignature::parse(&signature).unwrap().key().clone();
    assert_eq!(key, public.trim_end().parse().unwrap());
}
