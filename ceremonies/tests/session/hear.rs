//! What people say of a ceremony, and what follows from it.

use ceremonies::person::Role;
use ceremonies::rules::Officers;
use ceremonies::session::{Decision, SignedAct, Step, deviations_digest};
use ceremonies::statement::Target;

use super::{Model, QUARTER, Said, Words, enables, has, owns};

impl Model {
    /// What every act must be.
    fn is_heard(&self, act: &SignedAct, words: &Words) -> Result<(), &'static str> {
        let (person, key) = (&act.person, act.key);
        if act.target != self.statement.digest() {
            return Err("C2: an act on another statement counted");
        }
        if self.used.contains(&(person.clone(), act.nonce)) {
            return Err("C2: a nonce counted twice");
        }
        if self.now >= act.expires {
            return Err("C2: an act that had expired counted");
        }
        if act.head.size < self.statement.common().log.size {
            return Err("C2: an act counted that saw less of the log than the statement");
        }
        let own = owns(&self.pinned, person, key) && owns(&self.present, person, key);
        let of_next = self.next.as_ref().is_some_and(|next| owns(next, person, key));
        let cancels =
            self.step == Step::Waiting && act.decision == Decision::Veto && self.may_object(person, key);
        if !own && !of_next && !cancels {
            return Err("C1: an act counted with a key that is not the person's, here and there");
        }
        if self.is_suspended(person) {
            return Err("C2: an act of a suspended person counted");
        }
        if enables(&act.decision) && words.refusal.is_some() {
            return Err("C2: somebody has refused and counts");
        }
        if enables(&act.decision) && words.ended.is_some_and(|record| act.head.size <= record) {
            return Err("C2: an act counted again that had been taken back");
        }
        Ok(())
    }

    pub(super) fn hear(&mut self, act: &SignedAct) -> Result<(), &'static str> {
        let words = self.words.get(&act.person).cloned().unwrap_or_default();
        self.is_heard(act, &words)?;
        let (person, key) = (&act.person, act.key);
        let open = matches!(self.step, Step::Proposed | Step::Armed);
        let said = Some(Said { key, expires: act.expires, logged: self.now });
        let mut said_now = words.clone();
        match &act.decision {
            Decision::Approve => {
                self.may_approve(act, &words)?;
                said_now.approval = said;
            }
            Decision::Attest => {
                self.may_attest(act, &words)?;
                said_now.attestation = said;
            }
            Decision::AttestAfter { outputs, deviations } => {
                self.saw_it(act)?;
                let seen = self.output.map(|(outputs, _)| outputs);
                if seen != Some(*outputs) || *deviations != deviations_digest(&self.deviations) {
                    return Err("C4: a witness attested something else");
                }
                self.seen.insert(person.clone());
            }
            Decision::Refuse if self.step == Step::Executed => {
                self.saw_it(act)?;
                self.step = Step::Failed;
            }
            Decision::Refuse if open => {
                said_now.clear();
                said_now.refusal = Some(act.act);
            }
            Decision::Withdraw { act } if words.veto.is_some_and(|(veto, _)| veto == *act) => {
                said_now.veto = None
            }
            Decision::Withdraw { act } if open && words.refusal == Some(*act) => said_now.refusal = None,
            Decision::Withdraw { .. } if open => said_now.end(self.index),
            Decision::Refuse | Decision::Withdraw { .. } => {
                return Err("C5: something was taken back when it had been used");
            }
            Decision::Veto | Decision::Abort => {
                let step = self.step;
                if step == Step::Executed || act.decision == Decision::Abort && step != Step::Executing {
                    return Err("C5: an objection ended what was done");
                }
                if !self.may_object(person, key) {
                    return Err("C1: somebody objected who may not");
                }
                if words.veto.is_some() && step != Step::Waiting {
                    return Err("C2: a person objected twice");
                }
                said_now.veto = Some((act.act, key));
            }
        }
        self.words.insert(person.clone(), said_now);
        self.used.insert((person.clone(), act.nonce));
        if matches!(act.decision, Decision::Veto | Decision::Abort) {
            self.step = match self.step {
                Step::Waiting => Step::Vetoed,
                Step::Executing if self.is_vetoed() => Step::Aborted,
                Step::Proposed | Step::Armed if self.is_vetoed() => Step::Vetoed,
                step => step,
            };
        }
        Ok(())
    }

    fn is_open(&self) -> Result<(), &'static str> {
        let open = matches!(self.step, Step::Proposed | Step::Armed);
        if open { Ok(()) } else { Err("C4: somebody agreed when it was being done, or had been") }
    }

    fn may_approve(&self, act: &SignedAct, words: &Words) -> Result<(), &'static str> {
        self.is_open()?;
        let (person, key) = (&act.person, act.key);
        let of_next = self.next.as_ref().is_some_and(|next| has(next, person, Role::Officer, key));
        let anybody = self.rule.officers == Officers::OneAndAnother;
        if !anybody && !of_next && !self.in_both(person, Role::Officer, key) {
            return Err("C1: somebody approved who is no officer");
        }
        if let Target::SignBreakGlass(signing) = self.statement.target()
            && signing.officer != *person
        {
            return Err("C1: another officer approved than the named");
        }
        if words.attestation.is_some() || self.ran.contains(person) {
            return Err("C1: an approver is witness or operator, too");
        }
        Ok(())
    }

    fn may_attest(&self, act: &SignedAct, words: &Words) -> Result<(), &'static str> {
        self.is_open()?;
        let person = &act.person;
        if !self.in_both(person, Role::Witness, act.key) {
            return Err("C1: somebody attested who is no witness");
        }
        if *person == self.statement.common().initiator {
            return Err("C1: who proposed attested");
        }
        if words.approval.is_some() || self.ran.contains(person) {
            return Err("C1: a witness is approver or operator, too");
        }
        let late = act.overtaken.is_some_and(|overtaken| self.now.since(overtaken) > QUARTER);
        if late || act.head.size <= self.proposed.index {
            return Err("C1: a witness attested who had not the newest of the log before him");
        }
        Ok(())
    }

    fn saw_it(&self, act: &SignedAct) -> Result<(), &'static str> {
        if self.step != Step::Executed {
            return Err("C4: somebody attested after what was not done");
        }
        let before = self.began.witnesses.contains_key(&act.person);
        if before && self.in_both(&act.person, Role::Witness, act.key) {
            Ok(())
        } else {
            Err("C4: somebody attested after who is no witness of it")
        }
    }
}
