//! A ceremony of which one hand plays all parts: for rehearsals, whose people's keys lie in one directory.
//!
//! Nothing here is a shortcut: every part is an act that is signed, brought in and judged like anybody's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ceremonies::act::{Act, Decision, Deed, Outcome, SeenHead};
use ceremonies::person::{PersonId, Role};
use ceremonies::session::deviations_digest;
use ceremonies::statement::CeremonyId;
use proto::hash::Hash;
use proto::reason::Reason;
use proto::refusal::Refusal;

use super::{Council, Draft};
use crate::keys::signed::Signed;

/// Signs as somebody; none where that person has no key at hand.
pub type Hand<'a> = dyn Fn(&PersonId, &Act) -> Result<Option<Signed>, Refusal> + Send + Sync + 'a;

impl Council {
    /// Holds a ceremony over the statement of a template, from its proposal by an operator to its completion.
    ///
    /// # Errors
    /// The first refusal; [`Reason::ActRefused`] where too few people have a key at hand.
    pub async fn play(self: &Arc<Self>, template: String, hand: &Hand<'_>) -> Result<CeremonyId, Refusal> {
        let snapshot = self.keyring.snapshot();
        let people = |role| -> Vec<PersonId> {
            snapshot.state().roster().with(role).map(|person| person.id.clone()).collect()
        };
        let (officers, witnesses) = (people(Role::Officer), people(Role::Witness));
        let operator = people(Role::Operator).into_iter().next().ok_or_else(|| nobody(Role::Operator))?;
        let initiator = operator.to_string();
        let draft = Draft { template, initiator, justification: None, ticket: None, not_before: None };
        let statement = self.statement(&draft)?;
        let (digest, quorum, decision) = (statement.digest(), statement.common().quorum, Decision::Accept);
        let propose = self.acted(hand, &operator, Deed::Propose { statement: digest })?;
        let propose = propose.ok_or_else(|| nobody(Role::Operator))?;
        let id = self.propose(&statement.encode(), &propose, &BTreeMap::new()).await?;
        let approve = Deed::Approve { decision, statement: digest };
        self.all(hand, &officers, quorum.approvals, Role::Officer, &approve).await?;
        let attest = Deed::Attest { decision, outcome: None, statement: digest };
        self.all(hand, &witnesses, quorum.witnesses, Role::Witness, &attest).await?;
        let execute = self.acted(hand, &operator, Deed::Execute { statement: digest })?;
        self.execute(&execute.ok_or_else(|| nobody(Role::Operator))?).await?;
        let view = self.ceremony(id).await?;
        let outputs = Hash::of(view.outputs.as_deref().unwrap_or_default());
        let outcome = Some(Outcome { deviations: deviations_digest(&[]), outputs });
        let attest = Deed::Attest { decision, outcome, statement: digest };
        self.all(hand, &witnesses, quorum.witnesses, Role::Witness, &attest).await?;
        let view = self.ceremony(id).await?;
        match view.completion {
            Some(_) => Ok(id),
            None => {
                let message = format!("ceremony {id} is {}: {}", view.step, view.lacks.join(", "));
                Err(Refusal::new(Reason::ActRefused, message).with("guard", "not-completed"))
            }
        }
    }

    /// So many of these people do this.
    async fn all(
        &self,
        hand: &Hand<'_>,
        people: &[PersonId],
        count: u16,
        role: Role,
        deed: &Deed,
    ) -> Result<(), Refusal> {
        let mut missing = count;
        for person in people {
            if missing == 0 {
                break;
            }
            if let Some(signed) = self.acted(hand, person, deed.clone())? {
                self.submit(&signed).await?;
                missing -= 1;
            }
        }
        if missing == 0 { Ok(()) } else { Err(nobody(role)) }
    }

    fn acted(&self, hand: &Hand<'_>, person: &PersonId, deed: Deed) -> Result<Option<Signed>, Refusal> {
        let snapshot = self.keyring.snapshot();
        let genesis = snapshot.state().instance();
        let head = self.log.head();
        let mut nonce = [0; 32];
        aws_lc_rs::rand::fill(&mut nonce)
            .map_err(|_nothing_said| Refusal::new(Reason::Internal, "the random number generator failed"))?;
        let act = Act {
            deed,
            environment: genesis.environment().to_string(),
            expires: self.clock.wall().later(Duration::from_secs(3600)),
            head: SeenHead { origin: genesis.origin().clone(), root: head.root, size: head.size },
            instance: genesis.instance().to_string(),
            nonce: nonce.into(),
            reason: String::new(),
        };
        hand(person, &act)
    }
}

fn nobody(role: Role) -> Refusal {
    let message = format!("too few people of role {role} have a key at hand");
    Refusal::new(Reason::ActRefused, message).with("guard", "nobody")
}
