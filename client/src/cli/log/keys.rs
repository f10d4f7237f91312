//! `countersign log keys`: the keys of the log, one after the other, and what proves that they are.

use proto::proof::keys::write_ends;
use proto::proof::note::Verifier;
use serde_json::json;

use crate::cli::args::log::Keys;
use crate::cli::complaint::Complaint;
use crate::cli::screen::{Screen, Tone};
use crate::connection::Connection;
use crate::files::{self, Planned};

/// Follows the log to the key in force, shows every key, and writes what leads from each to the next.
///
/// # Errors
/// What is wrong with the command, or why the log cannot be followed.
pub async fn run(
    arguments: &Keys,
    connection: &mut Connection,
    screen: &mut Screen,
) -> Result<(), Complaint> {
    let names: Vec<_> = arguments.out.iter().cloned().collect();
    files::look_ahead(&names, arguments.force)?;
    connection.follow(connection.patience()).await?;
    let trail = connection.trail()?;
    let (followed, trusted) = (trail.followed(), trail.key());
    if let Some(path) = &arguments.out {
        let content = write_ends(&followed.ends).into_bytes();
        files::write(&[Planned { path: path.clone(), content }], arguments.force)?;
    }
    let keys: Vec<(&Verifier, Option<u64>)> =
        followed.keys.iter().map(|key| (key, followed.keys.end_of(key))).collect();
    if screen.is_json() {
        let all: Vec<serde_json::Value> = keys
            .iter()
            .map(|(key, end)| {
                let mut document = json!({ "log_key": key.to_string(), "trusted": *key == trusted });
                if let Some(end) = end {
                    document["until"] = json!(end);
                }
                document
            })
            .collect();
        return Ok(screen.json(&json!({ "origin": trusted.name(), "keys": all }))?);
    }
    let count = match keys.len() {
        1 => "one key".to_owned(),
        many => format!("{many} keys"),
    };
    screen.headline(Tone::Strong, trusted.name(), &count)?;
    let mut facts = Vec::new();
    for (key, end) in keys {
        let signs = end.map_or("in force".to_owned(), |end| format!("ended with the tree of {end} records"));
        let known = if key == trusted { "; the trusted one" } else { "" };
        facts.push(("log key", key.to_string()));
        facts.push(("", format!("{signs}{known}")));
    }
    if !followed.ends.is_empty() {
        let proven = "each key and the next one have signed the tree that the old key ended with";
        facts.push(("proven", proven.to_owned()));
    }
    facts.extend(arguments.out.as_ref().map(|path| ("written", path.display().to_string())));
    Ok(screen.facts(&facts)?)
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use proto::proof::note;

    use crate::cli::tests::trusting as run;
    use crate::exit::Exit;
    use crate::fake::Daemon;
    use crate::fixture::{Key, Log};
    use crate::seen::{Followed, Memory};

    fn grow(log: &mut Log, records: usize) {
        let key = Key::new();
        for number in 0..records {
            log.sign(&key, format!("artefact {number}").as_bytes());
        }
    }

    #[test]
    fn a_log_with_another_key_is_followed_from_the_trusted_one_and_remembered() {
        let daemon = Daemon::start();
        let trusted = daemon.state().log.key();
        assert_eq!(run(&daemon, &trusted, "log head").0, Exit::Done);
        let (exit, out, _) = run(&daemon, &trusted, "log keys");
        assert!(exit == Exit::Done && out.contains("one key") && out.contains("in force"), "{out}");
        for seed in [2, 3] {
            let mut state = daemon.state();
            grow(&mut state.log, 3);
            state.log.rekey(seed);
            // At its end both have signed, and who trusts the old one needs nothing yet.
            drop(state);
            assert_eq!(run(&daemon, &trusted, "log head").0, Exit::Done);
            grow(&mut daemon.state().log, 2);
            let (exit, out, err) = run(&daemon, &trusted, "log head");
            assert_eq!(exit, Exit::Done, "{err}");
            let newest = daemon.state().log.key().to_string();
            let later = format!("{newest}, {} after the trusted one", seed - 1);
            let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains(&later), "{out}");
        }
        let memory = Memory::at(&daemon.directory.path().join("state"));
        assert_eq!(memory.followed(&trusted).unwrap().keys, daemon.state().log.keys());
        // What is remembered is not asked for again.
        daemon.calls();
        assert_eq!(run(&daemon, &trusted, "log head").0, Exit::Done);
        assert!(!daemon.calls().contains(&"log keys".to_owned()));
        // Whoever trusts a later key is led back, too.
        let newest = daemon.state().log.key();
        let (exit, out, err) = run(&daemon, &newest, "log keys --out @ends");
        assert_eq!(exit, Exit::Done, "{err}");
        assert!(out.contains("3 keys") && out.contains("the trusted one"), "{out}");
        let text = std::fs::read_to_string(daemon.path("ends")).unwrap();
        assert_eq!(Followed::read(&trusted, &text).unwrap().keys, daemon.state().log.keys());
    }

    #[test]
    fn a_key_that_the_old_one_has_not_signed_is_not_followed() {
        let daemon = Daemon::start();
        let trusted = daemon.state().log.key();
        {
            let mut state = daemon.state();
            grow(&mut state.log, 3);
            state.log.rekey(2);
            grow(&mut state.log, 1);
            let new = state.log.key();
            let end = &mut state.log.ends[0];
            end.checkpoint = note::parse(&end.checkpoint).unwrap().only(&new).to_string();
        }
        let (exit, _, err) = run(&daemon, &trusted, "log head");
        assert_eq!(exit, Exit::Failed);
        assert!(err.contains("THE LOG KEY DID NOT SIGN") && err.contains("end 1 of the log's keys"), "{err}");
        // None at all: then it is just another key.
        daemon.state().log.ends.clear();
        let (exit, _, err) = run(&daemon, &trusted, "log head");
        assert!(exit == Exit::Failed && err.contains("is not signed by"), "{err}");
        let memory = Memory::at(&daemon.directory.path().join("state"));
        assert_eq!(memory.followed(&trusted).unwrap(), Followed::none(&trusted));
    }

    #[test]
    fn keys_of_a_fork_are_an_alarm() {
        let daemon = Daemon::start();
        let trusted = daemon.state().log.key();
        grow(&mut daemon.state().log, 6);
        assert_eq!(run(&daemon, &trusted, "log head").0, Exit::Done);
        // Another log from the same key on, whose key was changed before what was seen.
        {
            let mut state = daemon.state();
            state.log = Log::new();
            grow(&mut state.log, 2);
            state.log.rekey(2);
            grow(&mut state.log, 9);
        }
        let (exit, _, err) = run(&daemon, &trusted, "log keys");
        assert_eq!(exit, Exit::Failed);
        assert!(err.contains("CONTRADICTS ITSELF"), "{err}");
        let memory = Memory::at(&daemon.directory.path().join("state"));
        assert_eq!(memory.followed(&trusted).unwrap(), Followed::none(&trusted), "nothing is remembered");
    }
}
