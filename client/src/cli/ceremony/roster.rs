//! Showing what a `roster.change` does: who joins, who leaves, and what is another role, unit or key.
//!
//! Promises: everybody whom the two rosters have otherwise is shown, whatever the statement lists.

use ceremonies::roster::{Person, Roster};
use ceremonies::ssh::key::SshKey;
use proto::hash::Hash;

use super::suspended;
use crate::cli::complaint::Complaint;
use crate::cli::screen::{Screen, Tone};
use crate::people::instance::Instance;
use crate::people::open::Open;

/// Shows the next roster against the one in force; nothing for other kinds.
///
/// # Errors
/// As the output gives them.
pub fn show(open: &Open, instance: &Instance, screen: &mut Screen) -> Result<(), Complaint> {
    let Some(next) = &open.next else { return Ok(()) };
    if next.version() <= instance.roster.version() {
        // It came into force: what it changed is not known here any more.
        return Ok(());
    }
    between(&instance.roster, next, screen)?;
    suspended::restored(instance, next, screen)
}

/// Shows what the next roster changes.
///
/// # Errors
/// As the output gives them.
pub fn between(present: &Roster, next: &Roster, screen: &mut Screen) -> Result<(), Complaint> {
    let changes = changes(present, next);
    screen.headline(
        Tone::Warn,
        "The next roster,",
        &format!("version {}, and whom it has otherwise than version {}:", next.version(), present.version()),
    )?;
    let facts: Vec<(&str, String)> = changes.iter().map(|(label, fact)| (*label, fact.clone())).collect();
    screen.facts(&facts)?;
    Ok(screen.gap()?)
}

/// Everybody whom they have otherwise.
fn changes(present: &Roster, next: &Roster) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    for person in next.people() {
        match present.person(&person.id) {
            None => facts.push(("joins", described(person))),
            Some(before) if before != person => {
                facts.push(("was", described(before)));
                facts.push(("becomes", described(person)));
            }
            Some(_) => {}
        }
    }
    for person in present.people().filter(|person| next.person(&person.id).is_none()) {
        facts.push(("leaves", described(person)));
    }
    if present.approvals() != next.approvals() {
        facts.push(("quorum", format!("{} approvals instead of {}", next.approvals(), present.approvals())));
    }
    if facts.is_empty() {
        facts.push(("people", "are the same as now".to_owned()));
    }
    facts
}

fn described(person: &Person) -> String {
    let roles: Vec<&str> = person.roles.iter().map(|role| role.name()).collect();
    let mut text = format!("{} ({}) of {}, {}", person.name, person.id, person.unit, roles.join(" and "));
    for key in &person.keys {
        text.push_str(&format!("\n{}", fingerprint(key)));
    }
    text
}

/// A key as `ssh-keygen -l` names it: its kind and fingerprint.
#[must_use]
pub fn fingerprint(key: &SshKey) -> String {
    use base64::Engine as _;
    let digest = Hash::of(key.blob());
    let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(digest.as_bytes());
    format!("{} SHA256:{text}", key.kind())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;
    use crate::fixture::people::{TERMS, roster};

    #[test]
    fn a_key_is_named_as_ssh_keygen_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let key = crate::fixture::people::key(directory.path(), "dora");
        let public = crate::people::sign::public_key(&key).unwrap();
        let said = std::process::Command::new("ssh-keygen").arg("-l").arg("-f").arg(&key).output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        let own = fingerprint(&public);
        assert!(said.contains(own.split(' ').nth(1).unwrap()), "{said} {own}");
    }

    #[test]
    fn everybody_who_is_another_is_shown() {
        let directory = tempfile::tempdir().unwrap();
        let present = roster(directory.path());
        let mut document = present.document();
        document.version = 2;
        document.people.retain(|person| person.person != "oda");
        document.people[1].unit = "sales".to_owned();
        let next = Roster::new(&document, TERMS).unwrap();
        let labels = |facts: Vec<(&'static str, String)>| {
            facts.into_iter().map(|(label, _)| label).collect::<Vec<_>>()
        };
        let found = changes(&present, &next);
        assert!(found[1].1.starts_with("Bob Noyce (bob) of sales, officer\nssh-ed25519 "), "{found:?}");
        assert_eq!(labels(found), ["was", "becomes", "leaves"]);
        assert_eq!(labels(changes(&next, &present)), ["was", "becomes", "joins"]);
        assert_eq!(labels(changes(&present, &present)), ["people"]);
    }
}
