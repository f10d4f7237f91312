//! The next roster, and everybody who makes it.

use std::collections::BTreeMap;

use ceremonies::act::{Deed, Setting};
use ceremonies::genesis::Mode;
use ceremonies::roster::{Roster, RosterDocument, RosterPerson, Terms};
use ceremonies::statement::Statement;
use ceremonies::succession::{Changes, proof};
use proto::hash::Hash;
use proto::wire::v1::CeremonyState as State;
use tonic::Status;

use crate::room::{Open, Room, template};

/// A roster that may come, and what a proposal brings along.
pub struct Next {
    pub roster: Roster,
    pub target: String,
    pub documents: BTreeMap<String, Vec<u8>>,
}

impl Room {
    fn terms(&self) -> Terms {
        let mode = self.genesis.common().mode;
        Terms { allow_software_officer_keys: true, mode }
    }

    /// The roster in force.
    pub fn roster(&self) -> Roster {
        Roster::parse(&self.instance().roster, self.terms()).unwrap()
    }

    /// Somebody like this one, with the key in the file of his name.
    pub fn like(&self, one: &str, person: &str) -> RosterPerson {
        let mut document = self.roster().document().people;
        let at = document.iter().position(|known| known.person == one).unwrap();
        let keys = vec![self.key(person).public().to_string()];
        RosterPerson { keys, person: person.into(), name: person.into(), ..document.swap_remove(at) }
    }

    /// The roster after the one in force, with a proof by each new key; the files are called as their people.
    pub fn next(&self, change: impl FnOnce(&mut RosterDocument)) -> Next {
        let present = self.roster();
        let mut document = present.document();
        document.version += 1;
        change(&mut document);
        document.people.sort_by(|one, other| one.person.cmp(&other.person));
        let roster = Roster::new(&document, self.terms()).unwrap();
        let common = self.genesis.common();
        let setting = Setting {
            environment: common.environment.as_str(),
            instance: common.instance.as_str(),
            mode: common.mode,
            origin: &common.log.origin,
        };
        let proofs: Vec<String> = roster
            .new_keys(&present)
            .map(|(person, key)| {
                let message = proof::message(setting, roster.digest(), &person.id, key);
                self.key(person.id.as_str()).sign(proof::namespace(Mode::Rehearsal), &message)
            })
            .collect();
        let quoted = |items: Vec<String>| {
            let items: Vec<String> = items.iter().map(|item| format!("\"{item}\"")).collect();
            format!("[{}]", items.join(", "))
        };
        let people =
            |ids: &[ceremonies::person::PersonId]| quoted(ids.iter().map(ToString::to_string).collect());
        let mut digests: Vec<String> =
            proofs.iter().map(|armor| Hash::of(armor.as_bytes()).to_string()).collect();
        digests.sort();
        let Changes { added, changed, removed } = Changes::between(&present, &roster);
        let target = format!(
            "added = {}\nchanged = {}\nproofs = {}\nremoved = {}\n\
             quorum = {{ approvals = {}, officers = {}, witnesses = 2 }}\n\
             roster = {{ version = {}, sha256 = \"{}\" }}\n",
            people(&added),
            people(&changed),
            quoted(digests),
            people(&removed),
            roster.approvals(),
            roster.officers(),
            roster.version(),
            roster.digest()
        );
        let mut documents = BTreeMap::from([("roster".to_owned(), roster.encode())]);
        documents.extend(proofs.into_iter().map(|armor| (proof::name(&armor), armor.into_bytes())));
        Next { roster, target, documents }
    }

    /// One goes and another one comes in his place.
    pub fn replaces(&self, goes: &str, comes: &str) -> Next {
        let new = self.like(goes, comes);
        self.next(|document| {
            document.people.retain(|person| person.person != goes);
            document.people.push(new);
        })
    }

    pub fn drafts_roster(&self, initiator: &str, next: &Next) -> Result<Statement, Status> {
        self.draft(initiator, &template("roster.change", &next.target))
    }

    /// Proposes a statement with what belongs to it.
    pub fn proposes_with(&self, statement: &Statement, next: &Next) -> Result<Open, Status> {
        let initiator = statement.common().initiator.to_string();
        let act = self.signed(&initiator, Deed::Propose { statement: statement.digest() });
        let ceremony = self.send_proposal_with(statement.encode(), act, next.documents.clone())?;
        Ok(Open { id: ceremony.id, statement: statement.clone() })
    }

    pub fn proposes_roster(&self, initiator: &str, next: &Next) -> Result<Open, Status> {
        self.proposes_with(&self.drafts_roster(initiator, next)?, next)
    }

    /// These approve and attest, before and after: then it is in force.
    #[track_caller]
    pub fn holds(&self, open: &Open, officers: &[&str], witnesses: &[&str]) {
        for officer in officers {
            self.approves(officer, open).unwrap();
        }
        for witness in witnesses {
            self.attests(witness, open).unwrap();
        }
        self.until(open, State::Executed);
        for witness in witnesses {
            self.attests_after(witness, open).unwrap();
        }
        assert_eq!(self.state(open), State::Completed);
    }
}
