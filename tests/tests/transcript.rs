//! A transcript checked by hand: the steps of its own README with `sha256sum`, `jq`, `ssh-keygen` and `openssl`, as somebody
//! does who does not have our program. They take the golden transcript, that of a ceremony held by commands, and nothing that was
//! changed in one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use ceremonies::transcript::README;
use proto::hash::Hash;
use tests::PATIENCE;
use tests::binaries::{VARIABLE, program};
use tests::process::Process;
use tests::strace::{Trace, watched};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ceremonies/tests/golden/transcript")
}

/// Programs of the recipe, with the Debian packages that hold them.
const TOOLS: [(&str, &str); 4] =
    [("jq", "jq"), ("openssl", "openssl"), ("sha256sum", "coreutils"), ("ssh-keygen", "openssh-client")];

fn tools() {
    for (program, package) in TOOLS {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .any(|directory| directory.join(program).is_file());
        assert!(found, "{program} is missing: install it (Debian: apt-get install {package})");
    }
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

/// The blocks of shell in the text, one after the other.
fn recipe() -> String {
    let blocks = README.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.collect()
}

/// What the recipe says about a directory, with everything that it wrote.
fn by_hand(directory: &Path, genesis: &str) -> Result<String, String> {
    let mut command = Command::new("sh");
    command.arg("-c").arg(recipe()).current_dir(directory).env("GENESIS_SHA256", genesis);
    command.env_remove("SSH_AUTH_SOCK");
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[test]
fn the_steps_of_the_readme_take_the_golden_transcript() {
    tools();
    let genesis = Hash::of(&std::fs::read(golden().join("genesis.json")).unwrap()).to_string();
    let said = by_hand(&golden(), &genesis).unwrap();
    assert!(said.contains("acts/000000000002-approve-ada.json: accept"), "{said}");
    assert!(said.ends_with("Verified OK\n"), "{said}");
    assert_eq!(std::fs::read_to_string(golden().join("README.md")).unwrap(), README);
}

#[test]
fn the_steps_of_the_readme_take_a_ceremony_under_later_guardrails_and_the_one_that_made_them() {
    tools();
    let directory = golden().with_file_name("transcript-second-guardrails");
    let genesis = Hash::of(&std::fs::read(directory.join("genesis.json")).unwrap()).to_string();
    let said = by_hand(&directory, &genesis).unwrap();
    assert!(said.ends_with("Verified OK\n"), "{said}");
    by_hand(&directory.join("guardrails/2"), &genesis).unwrap();
    // A file beside the next guardrails that is another one.
    let place = tempfile::tempdir().unwrap();
    copy(&directory.join("guardrails/2"), place.path());
    let files = std::fs::read_dir(place.path().join("documents")).unwrap();
    let file = files
        .map(|file| file.unwrap().path())
        .find(|path| path.to_string_lossy().contains("/file."))
        .unwrap();
    std::fs::write(file, "permit").unwrap();
    assert!(by_hand(place.path(), &genesis).is_err());
}

#[test]
fn the_steps_of_the_readme_take_a_ceremony_under_a_later_log_key_and_the_one_that_made_it() {
    tools();
    let directory = golden().with_file_name("transcript-second-log-key");
    let genesis = Hash::of(&std::fs::read(directory.join("genesis.json")).unwrap()).to_string();
    let said = by_hand(&directory, &genesis).unwrap();
    assert!(said.ends_with("Verified OK\n"), "{said}");
    by_hand(&directory.join("log-keys/2"), &genesis).unwrap();
    // A completion that brings another key than the statement: its receipt is listed nowhere, and the step sees it.
    let place = tempfile::tempdir().unwrap();
    copy(&directory.join("log-keys/2"), place.path());
    let receipt = place.path().join("completed.receipt");
    let text = std::fs::read_to_string(&receipt).unwrap();
    let extra = text.lines().find_map(|line| line.strip_prefix("extra ")).unwrap();
    let engine = &base64::engine::general_purpose::STANDARD;
    let leaf = String::from_utf8(base64::Engine::decode(engine, extra).unwrap()).unwrap();
    let other = base64::Engine::encode(engine, leaf.replacen("+A", "+B", 1));
    std::fs::write(&receipt, text.replace(extra, &other)).unwrap();
    assert!(by_hand(place.path(), &genesis).is_err());
}

#[test]
fn the_steps_of_the_readme_take_a_ceremony_of_a_log_that_took_the_place_of_a_lost_one() {
    tools();
    let directory = golden().with_file_name("transcript-recovered");
    let genesis = Hash::of(&std::fs::read(directory.join("genesis.json")).unwrap()).to_string();
    let said = by_hand(&directory, &genesis).unwrap();
    assert!(said.ends_with("Verified OK\n"), "{said}");
    // By the lost log's genesis it is another instance's.
    let statement = std::fs::read(directory.join("genesis.json")).unwrap();
    let statement: serde_json::Value = serde_json::from_slice(&statement).unwrap();
    assert!(by_hand(&directory, statement["target"]["genesis"].as_str().unwrap()).is_err());
}

/// `cargo xtask rehearse`, as somebody runs it: seven people, a token, a daemon, a dozen commands.
#[test]
fn a_rehearsal_leaves_a_transcript_that_the_steps_take_too() {
    tools();
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("rehearsal");
    let rehearse = || {
        let toolbox = program("xtask");
        let mut command = Command::new(&toolbox);
        command.arg("rehearse").arg(&directory).env(VARIABLE, toolbox.parent().unwrap());
        command
    };
    let said = Process::output(rehearse());
    for line in ["ada$ countersign approve", "wanda$ countersign attest", "\nVALID key.generate "] {
        assert!(said.contains(line), "{line:?} is not in:\n{said}");
    }
    let genesis = std::fs::read(directory.join("instance/genesis.json")).unwrap();
    let genesis = Hash::of(&genesis).to_string();
    assert!(said.contains(&genesis), "how to verify it again is not said:\n{said}");
    let transcript = directory.join("transcript");
    let steps = by_hand(&transcript, &genesis).unwrap();
    assert!(steps.ends_with("Verified OK\n"), "{steps}");
    // What the officers read is there to be read again.
    let paper = std::fs::read_to_string(directory.join("ceremony/03-approve-ada.txt")).unwrap();
    assert!(paper.contains("Who decides, by which rules") && paper.contains("approved in record"), "{paper}");
    // A second one in the same place would mix the two.
    let again = rehearse().output().unwrap();
    assert!(!again.status.success());
    let why = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(why.contains("is not empty"), "{why}");
}

/// What is done to the text of a file.
type Change = Box<dyn Fn(String) -> String>;

#[test]
fn the_steps_of_the_readme_notice_what_was_changed() {
    tools();
    let genesis = Hash::of(&std::fs::read(golden().join("genesis.json")).unwrap()).to_string();
    by_hand(&golden(), &Hash::ZERO.to_string()).unwrap_err();
    let swap = |from: &'static str, to: &'static str| move |text: String| text.replacen(from, to, 1);
    let changes: [(&str, Change, bool); 7] = [
        ("statement.json", Box::new(swap("release team", "release tean")), false),
        ("statement.json", Box::new(swap("release team", "release tean")), true),
        ("outputs.json", Box::new(swap("SN-0123", "SN-0124")), true),
        ("acts/000000000002-approve-ada.json", Box::new(swap("\"nonce\":\"0", "\"nonce\":\"1")), true),
        ("genesis/acts/bob.json", Box::new(swap("\"nonce\":\"0", "\"nonce\":\"1")), true),
        ("genesis/roster.json", Box::new(swap("\"approvals\":3", "\"approvals\":2")), true),
        // A control record is left out.
        (
            "control.jsonl",
            Box::new(|text| {
                text.split_inclusive('\n')
                    .enumerate()
                    .filter(|(at, _)| *at != 3)
                    .map(|(_, line)| line)
                    .collect()
            }),
            true,
        ),
    ];
    for (path, change, listed_again) in changes {
        let place = tempfile::tempdir().unwrap();
        copy(&golden(), place.path());
        let file = place.path().join(path);
        let before = std::fs::read_to_string(&file).unwrap();
        let after = change(before.clone());
        assert_ne!(after, before, "{path}");
        std::fs::write(&file, &after).unwrap();
        if listed_again {
            // Somebody has put the new digest into the manifest, too: then another step must notice.
            let manifest = place.path().join("manifest.json");
            let text = std::fs::read_to_string(&manifest).unwrap();
            let [old, new] = [&before, &after].map(|text| Hash::of(text.as_bytes()).to_string());
            std::fs::write(
                &manifest,
                text.replacen(
                    &format!("\"{path}\",\"sha256\":\"{old}\""),
                    &format!("\"{path}\",\"sha256\":\"{new}\""),
                    1,
                ),
            )
            .unwrap();
        }
        assert!(by_hand(place.path(), &genesis).is_err(), "{path}");
    }
    // A file that no manifest lists.
    let place = tempfile::tempdir().unwrap();
    copy(&golden(), place.path());
    std::fs::write(place.path().join("NOTES.txt"), "believe me").unwrap();
    by_hand(place.path(), &genesis).unwrap_err();
}

/// What `countersign ceremony verify` says of the golden transcript from somewhere, with what it opened and called meanwhile.
fn verified(from: &Path, directory: &str, environment: &[(&str, &str)]) -> (String, Trace) {
    let genesis = Hash::of(&std::fs::read(golden().join("genesis.json")).unwrap()).to_string();
    let mut command = Command::new(program("countersign"));
    command.args(["ceremony", "verify", directory, "--genesis-sha256", &genesis]).current_dir(from);
    let notes = tempfile::tempdir().unwrap();
    let trace = notes.path().join("trace");
    let mut watching = watched(&command, &["openat", "open", "socket", "connect"], &trace);
    // Nothing of what cargo or a person has set; strace itself is found.
    watching
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .envs(environment.iter().copied());
    let mut watched = Process::start(watching);
    assert!(watched.finished(PATIENCE).success(), "{}", watched.said());
    (watched.said(), Trace::read(&trace))
}

/// C9, of the program: neither a daemon nor a network, neither settings nor a home, neither time zone nor language have a say.
#[test]
fn a_verdict_depends_on_nothing_but_the_directory_and_the_genesis() {
    let here = golden();
    let elsewhere = tempfile::tempdir().unwrap();
    copy(&here, &elsewhere.path().join("transcript"));
    // Settings that say something else, of another instance.
    let settings = elsewhere.path().join(".config/countersign");
    std::fs::create_dir_all(&settings).unwrap();
    let other = format!("genesis_sha256 = \"{}\"\nperson = \"mallory\"\n", Hash::ZERO);
    std::fs::write(settings.join("config.toml"), other).unwrap();
    let home = elsewhere.path().display().to_string();
    let absolute = here.display().to_string();
    let (first, trace) = verified(&here, &absolute, &[]);
    assert!(first.contains("VALID"), "{first}");
    // It opens no socket, and no file but the transcript's, the settings and the system's own libraries.
    for (_, call, arguments) in &trace.calls {
        assert!(call != "socket" && call != "connect", "{call}({arguments}");
        let system = ["\"/etc/ld.so", "\"/lib", "\"/usr/lib", "\"/proc/", "\"/sys/", "\"/dev/"];
        let settings = "/.config/countersign/config.toml\"";
        let known = arguments.contains(&format!("\"{absolute}")) || arguments.contains(settings);
        let known = known || system.iter().any(|place| arguments.contains(place));
        assert!(known, "{call}({arguments}");
    }
    let words = |said: &str| said.replace(&absolute, "DIR").replace("transcript", "DIR");
    for (from, directory, environment) in [
        (
            here.parent().unwrap(),
            absolute.as_str(),
            &[("TZ", "Pacific/Kiritimati"), ("LC_ALL", "tr_TR.UTF-8")][..],
        ),
        (
            elsewhere.path(),
            "transcript",
            &[("HOME", home.as_str()), ("COUNTERSIGN_ADDRESS", "https://127.0.0.1:1")][..],
        ),
        (
            Path::new("/"),
            absolute.as_str(),
            &[("COUNTERSIGN_STATE", "/nowhere"), ("COUNTERSIGN_PERSON", "mallory")][..],
        ),
    ] {
        let (said, _) = verified(from, directory, environment);
        assert_eq!(words(&said), words(&first), "{environment:?}");
    }
}
