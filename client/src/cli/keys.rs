//! `countersign keys list | show | public | watch`.

use proto::proof::public_key::PublicKey;
use proto::time::Time;
use proto::wire::{time, v1, value};
use serde_json::{Value, json};

use super::args::KeysCommand;
use super::complaint::Complaint;
use super::input;
use super::screen::{Screen, Tone};
use super::table::{Entry, Rows};
use crate::clock;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::keys;
use crate::refused::NoAnswer;
use crate::retry::pause;

/// Runs the command.
///
/// # Errors
/// What is wrong with it, or why there is no answer.
pub async fn run(
    command: &KeysCommand,
    connection: Connection,
    screen: &mut Screen,
) -> Result<Exit, Complaint> {
    let patience = connection.patience();
    match command {
        KeysCommand::List { prefix } => {
            let keys = keys::list(&connection, prefix, patience).await?;
            list(&keys, prefix, screen)?;
        }
        KeysCommand::Show { key } => {
            let key = keys::show(&connection, input::key(key)?.as_str(), patience).await?;
            show(&key, screen)?;
        }
        KeysCommand::Public { key } => {
            let (name, version) = input::key_or_version(key)?;
            let found = keys::public(&connection, name.as_str(), version.unwrap_or(0), patience).await?;
            public(&found, screen)?;
        }
        KeysCommand::Watch { prefix } => watch(&connection, prefix, screen).await?,
    }
    Ok(Exit::Done)
}

/// The lower-case name of an enumeration's value, without what all of them share.
fn name(full: &str, shared: &str) -> String {
    full.strip_prefix(shared).unwrap_or(full).to_lowercase().replace('_', "-")
}

fn ring_state(number: i32) -> String {
    v1::RingState::try_from(number).map_or_else(
        |unknown| format!("state {}", unknown.0),
        |state| name(state.as_str_name(), "RING_STATE_"),
    )
}

fn version_state(number: i32) -> String {
    v1::VersionState::try_from(number).map_or_else(
        |unknown| format!("state {}", unknown.0),
        |state| name(state.as_str_name(), "VERSION_STATE_"),
    )
}

fn algorithm(number: i32) -> String {
    value::algorithm("algorithm", number)
        .map_or_else(|_unknown| format!("algorithm {number}"), |algorithm| algorithm.name().to_owned())
}

fn tone(state: &str) -> Tone {
    match state {
        "active" | "steady" => Tone::Good,
        "suspended" | "halted" | "compromised" => Tone::Bad,
        "retiring" | "overlap" | "rolling" => Tone::Warn,
        _ => Tone::Dim,
    }
}

fn moment(stamp: Option<&prost_types::Timestamp>) -> Option<Time> {
    stamp.and_then(|stamp| time::of_wire("time", stamp).ok())
}

/// The versions that sign now.
fn signing(key: &v1::Key) -> Vec<&v1::KeyVersion> {
    let signs = |version: &&v1::KeyVersion| {
        matches!(
            v1::VersionState::try_from(version.state),
            Ok(v1::VersionState::Active | v1::VersionState::Retiring)
        )
    };
    key.versions.iter().filter(signs).collect()
}

fn list(keys: &[v1::Key], prefix: &str, screen: &mut Screen) -> Result<(), Complaint> {
    if screen.is_json() {
        screen.json(&json!({ "keys": keys.iter().map(document).collect::<Vec<_>>() }))?;
        return Ok(());
    }
    if keys.is_empty() {
        let which =
            if prefix.is_empty() { String::new() } else { format!(" whose name begins with `{prefix}`") };
        screen.line(&format!("There is no key{which} that this caller may list."))?;
        return Ok(());
    }
    let mut rows = Rows::new(&["key", "state", "signs", "algorithm", "backend", "purpose~"]);
    for key in keys {
        let state = ring_state(key.state);
        let signing = signing(key);
        let shown = signing.first().copied().or(key.versions.first());
        let join = |words: Vec<String>| if words.is_empty() { "-".to_owned() } else { words.join(" ") };
        rows.push(vec![
            Entry::toned(&key.name, Tone::Strong),
            Entry::toned(state.clone(), tone(&state)),
            join(signing.iter().map(|version| format!("@{}", version.version)).collect()).into(),
            shown.map_or_else(|| "-".to_owned(), |version| algorithm(version.algorithm)).into(),
            shown.map_or_else(|| "-".to_owned(), |version| version.backend.clone()).into(),
            key.purpose.join(", ").into(),
        ]);
    }
    screen.table(&rows)?;
    Ok(())
}

fn show(key: &v1::Key, screen: &mut Screen) -> Result<(), Complaint> {
    if screen.is_json() {
        screen.json(&document(key))?;
        return Ok(());
    }
    let state = ring_state(key.state);
    screen.headline(tone(&state), &key.name, &state)?;
    screen.facts(&[("purpose", key.purpose.join(", ")), ("owner", key.owner.clone())])?;
    let mut rows = Rows::new(&["version", "state", "since record", "algorithm", "backend", "key id"]);
    for version in &key.versions {
        let mut state = version_state(version.state);
        let colour = tone(&state);
        if version.standby {
            state.push_str(" (standby)");
        }
        rows.push(vec![
            format!("@{}", version.version).into(),
            Entry::toned(state, colour),
            version.state_log_index.to_string().into(),
            algorithm(version.algorithm).into(),
            version.backend.clone().into(),
            short(&hex::encode(&version.key_id)).into(),
        ]);
    }
    screen.table(&rows)?;
    for version in &key.versions {
        let (from, until) = (moment(version.valid_from.as_ref()), moment(version.valid_until.as_ref()));
        if from.is_some() || until.is_some() {
            let word = |time: Option<Time>| time.map_or_else(|| "open".to_owned(), |time| time.to_string());
            screen.facts(&[(
                "valid",
                format!("@{} from {} until {}", version.version, word(from), word(until)),
            )])?;
        }
    }
    Ok(())
}

/// The first twelve digits: enough to compare by eye, the whole is in the JSON.
fn short(hex: &str) -> String {
    hex.get(..12).map_or_else(|| hex.to_owned(), |head| format!("{head}…"))
}

fn public(found: &keys::Found, screen: &mut Screen) -> Result<(), Complaint> {
    let pem = PublicKey::to_pem(&found.key);
    if screen.is_json() {
        let mut document = version_document(&found.version);
        document["pem"] = json!(pem);
        screen.json(&document)?;
        return Ok(());
    }
    screen.raw(pem.as_bytes())?;
    let version = &found.version;
    screen.note(&format!(
        "{}@{} is {}; key id {}. Compare the key id with one that you have from elsewhere before you trust it",
        version.key,
        version.version,
        version_state(version.state),
        found.key.key_id()
    ))?;
    Ok(())
}

fn version_document(version: &v1::KeyVersion) -> Value {
    let mut document = json!({
        "key": version.key,
        "version": version.version,
        "key_id": hex::encode(&version.key_id),
        "algorithm": algorithm(version.algorithm),
        "state": version_state(version.state),
        "standby": version.standby,
        "backend": version.backend,
        "state_log_index": version.state_log_index,
    });
    for (name, stamp) in [("valid_from", &version.valid_from), ("valid_until", &version.valid_until)] {
        if let Some(time) = moment(stamp.as_ref()) {
            document[name] = json!(time.to_string());
        }
    }
    if !version.ceremony_id.is_empty() {
        document["ceremony"] = json!(version.ceremony_id);
    }
    document
}

fn document(key: &v1::Key) -> Value {
    json!({
        "key": key.name,
        "state": ring_state(key.state),
        "purpose": key.purpose,
        "owner": key.owner,
        "versions": key.versions.iter().map(version_document).collect::<Vec<_>>(),
    })
}

/// Prints each change as it happens, and takes the stream up again where it broke.
async fn watch(connection: &Connection, prefix: &str, screen: &mut Screen) -> Result<(), Complaint> {
    let mut failures = 0;
    loop {
        let broken = match keys::watch(connection, prefix).await {
            Ok(mut stream) => loop {
                match stream.message().await {
                    Ok(Some(message)) => {
                        failures = 0;
                        change(&message, screen)?;
                    }
                    Ok(None) => break NoAnswer::Unreachable("the daemon ended the stream".to_owned()),
                    Err(status) => break NoAnswer::of(&status),
                }
            },
            Err(crate::connection::CallError::NoAnswer(answer)) => answer,
            Err(other) => return Err(other.into()),
        };
        let Some(pause) = pause(&broken, failures) else { return Err(Complaint::from(&broken)) };
        if failures == 0 {
            screen.note(&format!("{broken}; trying again"))?;
        }
        failures = failures.saturating_add(1);
        clock::pause(pause).await;
    }
}

fn change(message: &v1::WatchKeysResponse, screen: &mut Screen) -> Result<(), Complaint> {
    let Some(key) = &message.key else { return Ok(()) };
    if screen.is_json() {
        let mut line = document(key);
        line["log_index"] = json!(message.log_index);
        line["synced"] = json!(message.synced);
        screen.json_line(&line)?;
        return Ok(());
    }
    let state = ring_state(key.state);
    let versions: Vec<String> = key
        .versions
        .iter()
        .map(|version| format!("@{} {}", version.version, version_state(version.state)))
        .collect();
    let painted = screen.paint(tone(&state), &state);
    screen.line(&format!("{:>8}  {}  {painted}  {}", message.log_index, key.name, versions.join(", ")))?;
    Ok(())
}

#[cfg(test)]
mod tests;
