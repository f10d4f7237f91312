//! Acts whose signature was checked.

use std::collections::{BTreeMap, BTreeSet};

use proto::hash::Hash;
use proto::origin::Origin;

use super::{Act, ActKind, Unverified, namespace};
use crate::genesis::Mode;
use crate::nonce::Nonce;
use crate::person::{PersonId, Role, Unit};
use crate::roster::Roster;
use crate::ssh::key::SshKey;
use crate::ssh::signature::{Fido, SshSignature, SshSignatureError};

/// Where acts are taken: whatever was made for elsewhere is foreign.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The environment that genesis names.
    pub environment: &'a str,
    /// The instance that genesis names.
    pub instance: &'a str,
    /// The mode that genesis names.
    pub mode: Mode,
    /// The log's name.
    pub origin: &'a Origin,
}

/// An act that somebody in a roster has signed. There is no other way to one than [`VerifiedAct::verify`].
///
/// Invariant: the bytes are those of the act, and the key, which is the person's in the roster, signed them (held by
/// `a_changed_byte_is_no_act_of_anybody`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifiedAct {
    act: Act,
    armor: Box<str>,
    bytes: Box<[u8]>,
    digest: Hash,
    fido: Option<Fido>,
    key: SshKey,
    person: PersonId,
    roles: BTreeSet<Role>,
    roster: Hash,
    unit: Unit,
}

impl VerifiedAct {
    /// Reads an act and its signature, both as they came, and checks them: made for here, signed by a key of the roster in
    /// exactly the form in which it is enrolled, by somebody with a role for such an act.
    ///
    /// # Errors
    /// [`Unverified`].
    pub fn verify(
        document: &[u8],
        armor: &str,
        setting: Setting<'_>,
        roster: &Roster,
    ) -> Result<Self, Unverified> {
        let act = Act::parse(document)?;
        let signature = SshSignature::parse(armor)?;
        foreign(&act, &signature, setting)?;
        let id = signature.key().id();
        let (person, enrolled) = roster.owner(id).ok_or(Unverified::UnknownKey(id))?;
        let found = signature.key();
        if enrolled.kind() != found.kind() {
            let (person, enrolled, found) = (person.id.clone(), enrolled.kind(), found.kind());
            return Err(Unverified::OtherForm { person, enrolled, found });
        }
        if enrolled != found {
            let application = |text: Option<&str>| text.unwrap_or_default().to_owned();
            return Err(Unverified::OtherApplication {
                person: person.id.clone(),
                enrolled: application(enrolled.application()),
                found: application(found.application()),
            });
        }
        signature.verify(namespace(setting.mode), document)?;
        let kind = act.deed.kind();
        if !kind.roles().iter().any(|role| person.is(*role)) {
            return Err(Unverified::Role { person: person.id.clone(), act: kind });
        }
        Ok(Self {
            armor: armor.into(),
            bytes: document.into(),
            digest: Hash::of(document),
            fido: signature.fido(),
            key: enrolled.clone(),
            person: person.id.clone(),
            roles: person.roles.clone(),
            roster: roster.digest(),
            unit: person.unit.clone(),
            act,
        })
    }

    /// What was decided.
    pub const fn act(&self) -> &Act {
        &self.act
    }

    /// Which kind of act it is.
    pub const fn kind(&self) -> ActKind {
        self.act.deed.kind()
    }

    /// Who decided.
    pub const fn person(&self) -> &PersonId {
        &self.person
    }

    /// Whom he answered to, by the roster it was checked against.
    pub const fn unit(&self) -> &Unit {
        &self.unit
    }

    /// Whether the roster it was checked against gives him this role.
    pub fn is_by(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// With which key, in the form in which it was enrolled. In production one that is not on a FIDO token is a deviation.
    pub const fn key(&self) -> &SshKey {
        &self.key
    }

    /// What the token said: touch and user verification are set in it. None for a key that is a file.
    pub const fn fido(&self) -> Option<Fido> {
        self.fido
    }

    /// SHA-256 of the document, by which records name it.
    pub const fn digest(&self) -> Hash {
        self.digest
    }

    /// The document, byte for byte as it came.
    pub const fn document(&self) -> &[u8] {
        &self.bytes
    }

    /// The signature, character for character as it came.
    pub const fn armor(&self) -> &str {
        &self.armor
    }

    /// Digest of the roster it was checked against.
    pub const fn roster(&self) -> Hash {
        self.roster
    }
}

/// Mode before everything else: whoever signed for a rehearsal is told so.
fn foreign(act: &Act, signature: &SshSignature, setting: Setting<'_>) -> Result<(), Unverified> {
    let expected = namespace(setting.mode);
    let both = [Mode::Production, Mode::Rehearsal].map(namespace);
    if let Some(found) = both.into_iter().find(|other| *other == signature.namespace() && *other != expected)
    {
        return Err(Unverified::OtherMode { expected, found });
    }
    if signature.namespace() != expected {
        let found = signature.namespace().chars().take(64).collect();
        return Err(SshSignatureError::Namespace { expected, found }.into());
    }
    if act.instance != setting.instance {
        return Err(Unverified::OtherInstance {
            expected: setting.instance.to_owned(),
            found: act.instance.clone(),
        });
    }
    if act.environment != setting.environment {
        let (expected, found) = (setting.environment.to_owned(), act.environment.clone());
        return Err(Unverified::OtherEnvironment { expected, found });
    }
    if act.head.origin != *setting.origin {
        return Err(Unverified::OtherLog {
            expected: setting.origin.clone(),
            found: act.head.origin.clone(),
        });
    }
    Ok(())
}

/// The nonces that people have used up. A nonce is its person's: nobody can use up another one's by sending it first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Nonces(BTreeMap<(PersonId, Nonce), Hash>);

/// A nonce that was used before.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{person}` has used this nonce before, in the act {before}: an act counts once, make a new one")]
pub struct Replayed {
    /// Whose nonce.
    pub person: PersonId,
    /// SHA-256 of the act that used it.
    pub before: Hash,
}

impl Nonces {
    /// Whether the act's nonce is a new one.
    ///
    /// # Errors
    /// [`Replayed`], also where it is the same act again.
    pub fn check(&self, act: &VerifiedAct) -> Result<(), Replayed> {
        let used = self.0.get(&(act.person.clone(), act.act.nonce));
        used.map_or(Ok(()), |before| Err(Replayed { person: act.person.clone(), before: *before }))
    }

    /// Uses up the act's nonce.
    ///
    /// # Errors
    /// [`Replayed`]; nothing is changed then.
    pub fn spend(&mut self, act: &VerifiedAct) -> Result<(), Replayed> {
        self.check(act)?;
        self.0.insert((act.person.clone(), act.act.nonce), act.digest);
        Ok(())
    }
}
