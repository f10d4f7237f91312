//! What the acts of a beginning amount to.

use std::collections::{BTreeMap, BTreeSet};

use proto::canonical::Map;
use proto::record::ceremony::document;
use proto::time::Time;

use super::{ACT, Draft, GenesisError, Lack, SIGNATURE, VETO};
use crate::act::{ActKind, Nonces, VerifiedAct};
use crate::person::{PersonId, Role};
use crate::rules::Officers;
use crate::tally::{Ballot, Count, Moment, Need, Tally};

/// The acts, in the order of their names, if all count and they are enough.
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
    for (name, (act, signature)) in pairs(draft, documents)? {
        let taken = verified(draft, name, act, signature).and_then(|act| {
            let person = act.person().clone();
            tally.admit(act, at, &mut nonces).map_err(|cause| Lack::Refused { person, cause })
        });
        if let Err(lack) = taken {
            wrong.insert(name.strip_prefix(VETO).unwrap_or(name).to_owned());
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
    let suspended = draft.suspended();
    let count = tally.count(need, Moment { now: at, roster: draft.roster(), suspended: &suspended });
    for (_, person, cause) in &count.aside {
        wrong.insert(person.as_str().to_owned());
        lacks.push(Lack::Aside { person: person.clone(), cause: cause.clone() });
    }
    lacks.extend(missing(draft, need, &count, &wrong));
    if lacks.is_empty() {
        Ok(tally.acts().map(|(act, _)| act.clone()).collect())
    } else {
        Err(GenesisError::Acts(lacks))
    }
}

/// Who has not signed, and who has said no.
fn missing(draft: &Draft, need: Need, count: &Count, wrong: &BTreeSet<String>) -> Vec<Lack> {
    let mut lacks = Vec::new();
    if count.vetoed {
        lacks.push(Lack::Vetoed(count.vetoes.iter().cloned().collect()));
    }
    let missing = |id: &PersonId| !count.approvals.contains(id) && !wrong.contains(id.as_str());
    let officers = draft.roster().with(Role::Officer).map(|person| &person.id);
    if draft.rule().officers == Officers::All {
        lacks.extend(officers.filter(|id| missing(id)).map(|id| Lack::Approval(id.clone())));
    } else if !count.approved {
        lacks.push(Lack::Approvals { needed: need.approvals, there: count.approvals.len() });
    }
    if count.before.len() < usize::from(need.witnesses) {
        lacks.push(Lack::Witnesses { needed: need.witnesses, there: count.before.len() });
    } else if need.other_unit && count.approved && count.independent.is_empty() {
        lacks.push(Lack::Independent);
    }
    lacks
}

/// By what follows `act.` and `signature.`: the act and its signature.
type Pairs<'d> = BTreeMap<&'d str, (Option<&'d str>, Option<&'d str>)>;

fn pairs<'d>(draft: &Draft, documents: &'d Map<String>) -> Result<Pairs<'d>, GenesisError> {
    let mut pairs = Pairs::new();
    let recovers = draft.carried().is_some();
    for (name, text) in documents.iter() {
        if let Some(person) = name.strip_prefix(ACT) {
            pairs.entry(person).or_default().0 = Some(text);
        } else if let Some(person) = name.strip_prefix(SIGNATURE) {
            pairs.entry(person).or_default().1 = Some(text);
        } else if recovers && (name == document::CARRIED || name.starts_with(document::FILE)) {
            continue;
        } else if ![document::ROSTER, document::GUARDRAILS, document::GRANTS].contains(&name) {
            return Err(GenesisError::Stranger(name.chars().take(80).collect()));
        }
    }
    Ok(pairs)
}

fn verified(
    draft: &Draft,
    name: &str,
    act: Option<&str>,
    signature: Option<&str>,
) -> Result<VerifiedAct, Lack> {
    let (of_act, of_signature) = (format!("{ACT}{name}"), format!("{SIGNATURE}{name}"));
    let (act, signature) = match (act, signature) {
        (Some(act), Some(signature)) => (act, signature),
        (Some(_), None) => return Err(Lack::Half { found: of_act, missing: of_signature }),
        (None, _) => return Err(Lack::Half { found: of_signature, missing: of_act }),
    };
    let act = VerifiedAct::verify(act.as_bytes(), signature, draft.setting(), draft.roster())
        .map_err(|cause| Lack::Unverified { name: of_act.clone(), cause: Box::new(cause) })?;
    let (person, kind) = (act.person().clone(), act.kind());
    let recovers = draft.carried().is_some();
    let taken = match kind {
        ActKind::Approve | ActKind::Attest => true,
        ActKind::Veto => recovers,
        _ => false,
    };
    if !taken {
        return Err(Lack::OtherKind { person, kind });
    }
    if name_of(&act) != name {
        return Err(Lack::OtherPerson { name: of_act, person });
    }
    let (expected, found) = (draft.statement().common().log.head(), &act.act().head);
    // Whoever says no may have seen another one.
    if kind != ActKind::Veto && (expected.size != found.size || expected.root != found.root) {
        return Err(Lack::Head { person, size: found.size, expected: expected.size });
    }
    Ok(act)
}

/// What follows `act.` in the name of this act.
pub(super) fn name_of(act: &VerifiedAct) -> String {
    match act.kind() {
        ActKind::Veto => format!("{VETO}{}", act.person()),
        _ => act.person().to_string(),
    }
}
