//! What the acts of a genesis amount to.

use std::collections::{BTreeMap, BTreeSet};

use proto::canonical::Map;
use proto::record::ceremony::document;
use proto::time::Time;

use super::{ACT, Draft, GenesisError, Lack, SIGNATURE};
use crate::act::{ActKind, Nonces, VerifiedAct};
use crate::person::{PersonId, Role};
use crate::tally::{Ballot, Moment, Need, Tally};

/// The acts, in the order of their people's ids, if all count and they are enough.
pub(super) fn acts(
    draft: &Draft,
    documents: &Map<String>,
    at: Time,
) -> Result<Vec<VerifiedAct>, GenesisError> {
    let mut lacks = Vec::new();
    // Whoever is named by a lack is not said to be missing as well.
    let mut wrong = BTreeSet::new();
    let common = draft.statement().common();
    let mut tally = Tally::new(Ballot {
        another: false,
        expires: common.expires,
        initiator: common.initiator.clone(),
        named: None,
        operator: None,
        roster: draft.roster().digest(),
        statement: draft.digest(),
    });
    let mut nonces = Nonces::default();
    for (person, (act, signature)) in pairs(documents)? {
        let taken = verified(draft, person, act, signature).and_then(|act| {
            let person = act.person().clone();
            tally.admit(act, at, &mut nonces).map_err(|cause| Lack::Refused { person, cause })
        });
        if let Err(lack) = taken {
            wrong.insert(person.to_owned());
            lacks.push(lack);
        }
    }
    let rule = draft.rule();
    let need = Need {
        age: rule.approval_age,
        approvals: rule.approvals(draft.roster().approvals(), draft.roster().officers()),
        other_unit: rule.other_unit,
        vetoes: rule.vetoes,
        witnesses: rule.witnesses,
    };
    let nobody = BTreeSet::new();
    let count = tally.count(need, Moment { now: at, roster: draft.roster(), suspended: &nobody });
    for (_, person, cause) in count.aside {
        wrong.insert(person.as_str().to_owned());
        lacks.push(Lack::Aside { person, cause });
    }
    let missing = |id: &PersonId| !count.approvals.contains(id) && !wrong.contains(id.as_str());
    let officers = draft.roster().with(Role::Officer).map(|person| &person.id);
    lacks.extend(officers.filter(|id| missing(id)).map(|id| Lack::Approval(id.clone())));
    if count.before.len() < usize::from(need.witnesses) {
        lacks.push(Lack::Witnesses { needed: need.witnesses, there: count.before.len() });
    } else if need.other_unit && count.approved && count.independent.is_empty() {
        lacks.push(Lack::Independent);
    }
    if lacks.is_empty() {
        Ok(tally.acts().map(|(act, _)| act.clone()).collect())
    } else {
        Err(GenesisError::Acts(lacks))
    }
}

/// By person: the act and its signature.
type Pairs<'d> = BTreeMap<&'d str, (Option<&'d str>, Option<&'d str>)>;

fn pairs(documents: &Map<String>) -> Result<Pairs<'_>, GenesisError> {
    let mut pairs = Pairs::new();
    for (name, text) in documents.iter() {
        if let Some(person) = name.strip_prefix(ACT) {
            pairs.entry(person).or_default().0 = Some(text);
        } else if let Some(person) = name.strip_prefix(SIGNATURE) {
            pairs.entry(person).or_default().1 = Some(text);
        } else if ![document::ROSTER, document::GUARDRAILS, document::GRANTS].contains(&name) {
            return Err(GenesisError::Stranger(name.chars().take(80).collect()));
        }
    }
    Ok(pairs)
}

fn verified(
    draft: &Draft,
    person: &str,
    act: Option<&str>,
    signature: Option<&str>,
) -> Result<VerifiedAct, Lack> {
    let (of_act, of_signature) = (format!("{ACT}{person}"), format!("{SIGNATURE}{person}"));
    let (act, signature) = match (act, signature) {
        (Some(act), Some(signature)) => (act, signature),
        (Some(_), None) => return Err(Lack::Half { found: of_act, missing: of_signature }),
        (None, _) => return Err(Lack::Half { found: of_signature, missing: of_act }),
    };
    let act = VerifiedAct::verify(act.as_bytes(), signature, draft.setting(), draft.roster())
        .map_err(|cause| Lack::Unverified { name: of_act.clone(), cause: Box::new(cause) })?;
    if act.person().as_str() != person {
        return Err(Lack::OtherPerson { name: of_act, person: act.person().clone() });
    }
    let person = act.person().clone();
    match (act.kind(), act.act().head.size) {
        (ActKind::Approve | ActKind::Attest, 0) => Ok(act),
        (ActKind::Approve | ActKind::Attest, size) => Err(Lack::Head { person, size }),
        (kind, _) => Err(Lack::OtherKind { person, kind }),
    }
}
