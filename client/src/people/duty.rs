//! What a ceremony waits for from one person.
//!
//! Promises: nobody is asked for what he has done and what still counts, nor for what his role in this ceremony forbids. Deliberately
//! knows no rules of counting: whose acts count is what the daemon says.

use ceremonies::person::Role;
use ceremonies::roster::Person;
use ceremonies::statement::{Statement, Target};
use proto::wire::v1;
use proto::wire::v1::CeremonyState;

/// What a person is waited for to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Duty {
    /// Approve, or refuse.
    Approve,
    /// Attest the statement.
    Attest,
    /// Attest outputs and deviations.
    AttestAfter,
    /// Lead the execution.
    Execute,
    /// Say no, or let it come into force.
    Object,
}

impl Duty {
    /// The command for it, without the id.
    #[must_use]
    pub fn command(self) -> &'static str {
        match self {
            Self::Approve => "countersign approve",
            Self::Attest | Self::AttestAfter => "countersign attest",
            Self::Execute => "countersign ceremony run",
            Self::Object => "countersign ceremony veto",
        }
    }

    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Attest => "attest",
            Self::AttestAfter => "attest what was done",
            Self::Execute => "execute",
            Self::Object => "veto it, or it comes into force by itself",
        }
    }
}

/// What this ceremony waits for from this person; none where it waits for others.
#[must_use]
pub fn of(ceremony: &v1::Ceremony, statement: &Statement, person: &Person) -> Option<Duty> {
    let me = person.id.as_str();
    let initiator = statement.common().initiator.as_str();
    let approves = match statement.target() {
        // One officer, and one other person in whatever role.
        Target::KeyCompromise(_) => true,
        Target::SignBreakGlass(signing) => signing.officer == person.id,
        _ => person.is(Role::Officer),
    };
    let counts = |people: &[String]| people.iter().any(|id| id == me);
    let has = |decision: &str| standing(ceremony, me).any(|act| act.decision == decision);
    match ceremony.state() {
        CeremonyState::Proposed if has("refuse") || has("veto") => None,
        CeremonyState::Proposed if approves && !counts(&ceremony.approvers) && !has("attest") => {
            Some(Duty::Approve)
        }
        CeremonyState::Proposed
            if person.is(Role::Witness)
                && !counts(&ceremony.witnesses)
                && !counts(&ceremony.approvers)
                && initiator != me =>
        {
            Some(Duty::Attest)
        }
        CeremonyState::Armed
            if person.is(Role::Operator) && !counts(&ceremony.approvers) && !counts(&ceremony.witnesses) =>
        {
            Some(Duty::Execute)
        }
        CeremonyState::Executed
            if person.is(Role::Witness) && has("attest") && !counts(&ceremony.witnesses) =>
        {
            Some(Duty::AttestAfter)
        }
        // Also who approved it: he may have changed his mind.
        CeremonyState::Waiting if person.is(Role::Officer) || person.is(Role::Witness) => Some(Duty::Object),
        _ => None,
    }
}

/// A person's acts since he last took something back.
fn standing<'c>(ceremony: &'c v1::Ceremony, person: &str) -> impl Iterator<Item = &'c v1::RecordedAct> {
    let own: Vec<&v1::RecordedAct> = ceremony.acts.iter().filter(|act| act.person == person).collect();
    let since = own.iter().rposition(|act| act.decision == "withdraw").map_or(0, |at| at + 1);
    own.into_iter().skip(since)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    fn person(id: &str, roles: &[Role]) -> Person {
        Person {
            id: id.parse().unwrap(),
            name: "A Person".parse().unwrap(),
            unit: "platform".parse().unwrap(),
            roles: roles.iter().copied().collect(),
            keys: Vec::new(),
        }
    }

    fn ceremony(state: CeremonyState, acts: &[(&str, &str)]) -> v1::Ceremony {
        let acts = acts.iter().map(|(person, decision)| v1::RecordedAct {
            person: (*person).to_owned(),
            decision: (*decision).to_owned(),
            ..Default::default()
        });
        v1::Ceremony { state: state as i32, acts: acts.collect(), ..Default::default() }
    }

    fn golden(name: &str, initiator: &str) -> Statement {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../ceremonies/tests/golden/statements");
        let text = std::fs::read_to_string(format!("{root}/{name}.json")).unwrap();
        let text = text.replace("\"initiator\":\"ada\"", &format!("\"initiator\":\"{initiator}\""));
        Statement::parse(text.trim_end().as_bytes()).unwrap()
    }

    #[test]
    fn kinds_have_their_own_approvers() {
        let open = ceremony(CeremonyState::Proposed, &[]);
        let (compromise, glass) = (golden("key-compromise", "ada"), golden("sign-break-glass", "ada"));
        assert_eq!(of(&open, &compromise, &person("oda", &[Role::Operator])), Some(Duty::Approve));
        assert_eq!(of(&open, &glass, &person("ben", &[Role::Officer])), Some(Duty::Approve));
        assert_eq!(of(&open, &glass, &person("bob", &[Role::Officer])), None, "another one is named");
    }

    #[test]
    fn everybody_is_asked_for_his_own_part_and_once() {
        let (by_ada, by_wim, by_bob) =
            (golden("key-generate", "ada"), golden("key-generate", "wim"), golden("key-generate", "bob"));
        let officer = person("ada", &[Role::Officer]);
        let witness = person("wim", &[Role::Witness]);
        let operator = person("oda", &[Role::Operator]);
        let open = ceremony(CeremonyState::Proposed, &[("ada", "propose")]);
        assert_eq!(of(&open, &by_ada, &officer), Some(Duty::Approve));
        assert_eq!(of(&open, &by_ada, &witness), Some(Duty::Attest));
        assert_eq!(of(&open, &by_wim, &witness), None, "the initiator is no witness");
        assert_eq!(of(&open, &by_ada, &operator), None);
        let mut approved = ceremony(CeremonyState::Proposed, &[("ada", "approve")]);
        assert_eq!(of(&approved, &by_bob, &officer), Some(Duty::Approve), "it does not count any more");
        approved.approvers = vec!["ada".to_owned()];
        assert_eq!(of(&approved, &by_bob, &officer), None);
        let refused = ceremony(CeremonyState::Proposed, &[("ada", "refuse")]);
        assert_eq!(of(&refused, &by_bob, &officer), None);
        let taken_back = ceremony(CeremonyState::Proposed, &[("ada", "refuse"), ("ada", "withdraw")]);
        assert_eq!(of(&taken_back, &by_bob, &officer), Some(Duty::Approve));
        assert_eq!(of(&ceremony(CeremonyState::Armed, &[]), &by_bob, &operator), Some(Duty::Execute));
        let executed = ceremony(CeremonyState::Executed, &[("wim", "attest")]);
        assert_eq!(of(&executed, &by_bob, &witness), Some(Duty::AttestAfter));
        assert_eq!(
            of(&ceremony(CeremonyState::Executed, &[]), &by_bob, &witness),
            None,
            "the same ones attest after"
        );
        assert_eq!(of(&ceremony(CeremonyState::Completed, &[]), &by_bob, &officer), None);
    }
}
