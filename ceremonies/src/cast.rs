//! People for trying things out: seven of them with throw-away keys, all made from one seed, and a genesis that they sign.
//!
//! Three officers (`ada`, `bob`, `carol`; two must approve), two witnesses of another unit (`wanda`, `walter`), an operator
//! (`oskar`) and a responder (`rita`). `countersignd init --rehearsal` makes an instance with them and leaves their keys in
//! files, so that whoever tries things out plays all parts. Tests do the same with fixed seeds, for production too: there a
//! genesis must allow software keys, and whoever knows the seed is all of them.
//!
//! What this promises: the same seed makes the same people, and whoever has the private key of one of them learns nothing
//! of the others'. What it does not do: an instance that counts has people with keys of their own, which no code here
//! makes.

mod genesis;

use std::collections::BTreeMap;

use proto::hash::Hash;

pub use genesis::{Beginning, Begun};

use crate::act::{Act, ActError, namespace};
use crate::genesis::Mode;
use crate::person::PersonId;
use crate::roster::{Roster, Terms};
use crate::ssh::private::PrivateKey;

/// Everybody: id, display name, unit, role.
pub const PEOPLE: [(&str, &str, &str, &str); 7] = [
    ("ada", "Ada", "platform", "officer"),
    ("bob", "Bob", "platform", "officer"),
    ("carol", "Carol", "release", "officer"),
    ("oskar", "Oskar", "platform", "operator"),
    ("rita", "Rita", "desk", "responder"),
    ("walter", "Walter", "audit", "witness"),
    ("wanda", "Wanda", "audit", "witness"),
];

/// How many officers must approve where the quorum is asked for.
pub const APPROVALS: u16 = 2;

/// The people, with their private keys.
#[derive(Debug)]
pub struct Cast {
    keys: BTreeMap<PersonId, PrivateKey>,
    mode: Mode,
    roster: Roster,
    seed: [u8; 32],
    text: String,
}

impl Cast {
    /// The people of this seed, for instances of this mode.
    pub fn new(seed: [u8; 32], mode: Mode) -> Self {
        let mut keys = BTreeMap::new();
        let mut text =
            format!("version = 1\nmode = \"{mode}\"\napprovals = {APPROVALS}    # of three officers\n");
        for (id, name, unit, role) in PEOPLE {
            let key = PrivateKey::from_seed(*drawn(&seed, &format!("key {id}")).as_bytes());
            let key = key.expect("a seed of 32 bytes makes a key");
            text.push_str(&format!(
                "\n[[person]]\nperson = \"{id}\"\nname = \"{name}\"\nunit = \"{unit}\"\nroles = [\"{role}\"]\n\
                 keys = [\"{} {id}\"]\n",
                key.public()
            ));
            keys.insert(id.parse().expect("an id of the table is one"), key);
        }
        let roster = Roster::read(&text, Terms { allow_software_officer_keys: true, mode });
        let roster = roster.expect("these people keep the rules of rosters");
        Self { keys, mode, roster, seed, text }
    }

    /// Their roster, of version 1.
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Their roster as people write it, in TOML.
    pub fn roster_text(&self) -> &str {
        &self.text
    }

    /// Their private keys, by id.
    pub fn keys(&self) -> impl Iterator<Item = (&PersonId, &PrivateKey)> {
        self.keys.iter()
    }

    /// Somebody's private key.
    pub fn key(&self, person: &str) -> Option<&PrivateKey> {
        self.keys.iter().find(|(id, _)| id.as_str() == person).map(|(_, key)| key)
    }

    /// The act as one of them signs it: document and signature. `None` for somebody else.
    ///
    /// # Errors
    /// Everything that is wrong with the act.
    pub fn sign(&self, person: &str, act: &Act) -> Result<Option<(String, String)>, ActError> {
        let Some(key) = self.key(person) else { return Ok(None) };
        let document = act.encode()?;
        let signature = key.sign(namespace(self.mode), &document);
        Ok(Some((String::from_utf8(document).expect("canonical JSON is text"), signature)))
    }
}

/// 32 bytes that nobody guesses who has not the seed, another for each purpose.
fn drawn(seed: &[u8; 32], purpose: &str) -> Hash {
    Hash::of(&[b"countersign cast\0", purpose.as_bytes(), b"\0", seed].concat())
}
