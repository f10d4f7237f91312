//! A person at a machine that talks to an instance: whatever is shown or signed there goes through here.
//!
//! Promises: a desk exists only for an instance of the pinned genesis whose log extends what was seen here; an act names a head that
//! was fetched and proven a moment before it is signed; a signature that the roster would not take is never sent.

use std::path::Path;

use ceremonies::act::{ActKind, Deed, SeenHead, Unverified, VerifiedAct, namespace};
use ceremonies::person::PersonId;
use ceremonies::roster::{Person, Roster};
use ceremonies::statement::{CeremonyId, Common, Statement};
use proto::hash::Hash;
use proto::proof::consistency;
use proto::wire::v1;
use proto::wire::v1::CeremonyState;

use super::error::PeopleError;
use super::instance::{Foreign, Instance, Stage};
use super::me::MeError;
use super::open::Open;
use super::{act, calls, sign, text};
use crate::connection::Connection;
use crate::settings::Setting;

/// An act and its signature, as they go on the wire and into the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAct {
    /// Canonical JSON.
    pub document: Vec<u8>,
    /// As the tool wrote it.
    pub signature: String,
}

impl SignedAct {
    /// SHA-256 of the document: names the act.
    #[must_use]
    pub fn digest(&self) -> Hash {
        Hash::of(&self.document)
    }

    /// For the wire.
    #[must_use]
    pub fn to_wire(&self) -> v1::SignedAct {
        v1::SignedAct { document: self.document.clone(), signature: self.signature.clone() }
    }
}

/// A person at a machine that talks to an instance.
pub struct Desk {
    /// The conversation.
    pub connection: Connection,
    person: Option<PersonId>,
    /// The instance as it was a moment ago.
    pub instance: Instance,
    pinned: Hash,
}

impl Desk {
    /// Looks who the instance is, and holds it against the genesis that is pinned and the newest head seen.
    ///
    /// # Errors
    /// Another instance, a log that does not extend what was seen, or no answer.
    pub async fn open(
        mut connection: Connection,
        person: Option<PersonId>,
        pinned: Hash,
    ) -> Result<Self, PeopleError> {
        connection.trail()?;
        connection.greet(connection.patience()).await?;
        let instance = look(&mut connection, pinned).await?;
        Ok(Self { connection, person, instance, pinned })
    }

    /// Who sits here.
    ///
    /// # Errors
    /// Where the settings do not say.
    pub fn who(&self) -> Result<&PersonId, PeopleError> {
        Ok(self.person.as_ref().ok_or(MeError::Missing(Setting::Person))?)
    }

    /// Looks again: a newer head, and whatever is in force now.
    ///
    /// # Errors
    /// As [`Desk::open`].
    pub async fn refresh(&mut self) -> Result<(), PeopleError> {
        self.instance = look(&mut self.connection, self.pinned).await?;
        Ok(())
    }

    /// A ceremony as it stands.
    ///
    /// # Errors
    /// Where there is none, or it is not what it says.
    pub async fn ceremony(&self, id: CeremonyId) -> Result<Open, PeopleError> {
        let wire = calls::ceremony(&self.connection, id, self.connection.patience()).await?;
        Ok(Open::read(wire, id, &self.instance)?)
    }

    /// The newest completed ceremony of the same kind, other than this one.
    ///
    /// # Errors
    /// Where there is no answer, or its statement is none.
    pub async fn last_of_kind(&self, statement: &Statement) -> Result<Option<Statement>, PeopleError> {
        let (kind, own) = (statement.kind().name(), statement.common().ceremony.to_string());
        let is_it = |ceremony: &v1::Ceremony| {
            ceremony.kind == kind && ceremony.state() == CeremonyState::Completed && ceremony.id != own
        };
        let patience = self.connection.patience();
        let found = calls::list(&self.connection, true, patience, is_it).await?;
        found.last().filter(|last| is_it(last)).map(|last| Ok(Statement::parse(&last.statement)?)).transpose()
    }

    /// Whether a statement fits the instance, and the head that it names is one of this log.
    ///
    /// # Errors
    /// [`PeopleError::Unfit`] with everything that does not fit; [`PeopleError::OtherHead`].
    pub async fn check(&self, statement: &Statement, stage: Stage) -> Result<(), PeopleError> {
        let unfit = self.instance.unfit(statement, stage, text::now());
        if !unfit.is_empty() {
            return Err(PeopleError::Unfit(unfit));
        }
        let (named, head) = (&statement.common().log, &self.instance.head);
        if named.size == 0 {
            return Ok(());
        }
        let patience = self.connection.patience();
        let path = self.connection.consistency(named.size, head.size, patience).await?;
        consistency::verify(named.size, &named.root, head.size, &head.root, &path)
            .map_err(|cause| PeopleError::OtherHead { size: named.size, cause })
    }

    /// The person as the roster has him, if he may do this. `next` is the roster that a `roster.change` makes.
    ///
    /// # Errors
    /// [`PeopleError::Nobody`], [`PeopleError::Role`].
    pub fn may<'r>(&'r self, kind: ActKind, next: Option<&'r Roster>) -> Result<&'r Person, PeopleError> {
        let who = self.who()?;
        let known = [Some(&self.instance.roster), next].into_iter().flatten();
        let known: Vec<&Person> = known.filter_map(|roster| roster.person(who)).collect();
        let Some(first) = known.first() else { return Err(PeopleError::Nobody(who.clone())) };
        let fits = |person: &&&Person| kind.roles().iter().any(|role| person.is(*role));
        known
            .iter()
            .find(fits)
            .copied()
            .ok_or_else(|| PeopleError::Role { person: first.id.clone(), act: kind })
    }

    /// Whether the signing key is the person's, where that can be seen without signing.
    ///
    /// # Errors
    /// [`PeopleError::UnknownKey`], [`PeopleError::OtherPerson`].
    pub fn holds(&self, key: &Path, next: Option<&Roster>) -> Result<(), PeopleError> {
        let Some(public) = sign::public_key(key) else { return Ok(()) };
        let owner = |roster: &Roster| roster.owner(public.id()).map(|(owner, _)| owner.id.clone());
        let owner = owner(&self.instance.roster).or_else(|| next.and_then(owner));
        is_own(owner, self.who()?)
    }

    /// Signs a deed as an act, over the head that was proven last. `common` is the statement's that it is about, or genesis.
    ///
    /// # Errors
    /// Where the tool does not sign, or the roster would not take it.
    pub fn sign(
        &self,
        key: &Path,
        deed: Deed,
        common: &Common,
        reason: &str,
        next: Option<&Roster>,
    ) -> Result<SignedAct, PeopleError> {
        let signed = sign_act(key, deed, common, self.instance.head.clone(), reason)?;
        let person = self.verify(&signed, next)?;
        is_own(Some(person), self.who()?)?;
        Ok(signed)
    }

    /// Whose act this is, by the roster.
    ///
    /// # Errors
    /// Where the roster would not take it.
    pub fn verify(&self, signed: &SignedAct, next: Option<&Roster>) -> Result<PersonId, PeopleError> {
        let by = |roster: &Roster| {
            let setting = self.instance.setting();
            VerifiedAct::verify(&signed.document, &signed.signature, setting, roster)
        };
        let verified = match (by(&self.instance.roster), next) {
            (Err(Unverified::UnknownKey(_) | Unverified::Role { .. }), Some(next)) => by(next),
            (verified, _) => verified,
        };
        match verified {
            Err(Unverified::UnknownKey(_)) => Err(PeopleError::UnknownKey),
            verified => Ok(verified?.person().clone()),
        }
    }
}

/// Signs a deed as an act, without anybody to hold the signature against.
///
/// # Errors
/// Where the tool does not sign.
pub fn sign_act(
    key: &Path,
    deed: Deed,
    common: &Common,
    head: SeenHead,
    reason: &str,
) -> Result<SignedAct, PeopleError> {
    let document = act::draft(deed, common, head, reason, text::now())?.encode()?;
    let signature = sign::sign(key, namespace(common.mode), &document)?;
    Ok(SignedAct { document, signature })
}

fn is_own(owner: Option<PersonId>, person: &PersonId) -> Result<(), PeopleError> {
    match owner {
        None => Err(PeopleError::UnknownKey),
        Some(owner) if owner != *person => Err(PeopleError::OtherPerson { owner, person: person.clone() }),
        Some(_) => Ok(()),
    }
}

async fn look(connection: &mut Connection, pinned: Hash) -> Result<Instance, PeopleError> {
    let patience = connection.patience();
    let answer = calls::instance(connection, patience).await?;
    // Before its head: the log key in the settings is the old one's, where another log took its place.
    Foreign::is_pinned(&answer.genesis, pinned)?;
    let seen = connection.agree(&answer.checkpoint, patience).await?;
    Ok(Instance::read(&answer, pinned, &seen)?)
}
