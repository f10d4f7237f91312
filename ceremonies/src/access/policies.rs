//! Guardrails and grants, read together.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr as _;

use cedar_policy::{Effect as CedarEffect, PolicySet, PrincipalConstraint, ValidationMode};
use miette::Diagnostic as _;

use crate::access::decide::{Denial, Surroundings, ask};
use crate::access::rule::{Effect, INVITE, holders_of_caller};
use crate::access::{Action, Caller, Decision, Needs, Question, Rule, schema};
use crate::form::Problem;

/// Which file a problem is in.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum File {
    /// The guardrails' `forbid` rules.
    Guardrails,
    /// The grants.
    Grants,
}

/// Something that is wrong with a file of rules.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{name}: {problem}", name = match file { File::Guardrails => "guardrails", File::Grants => "grants" })]
pub struct RuleProblem {
    /// Where.
    pub file: File,
    /// What.
    pub problem: Problem,
}

/// All rules, validated against the schema.
///
/// Invariant: ids are unique, every grant has a principal scope, and no rule's evaluation meets a type that it does not
/// expect (tested by `what_check_refuses`; the last is Cedar's own promise for validated rules).
#[derive(Clone, Debug)]
pub struct Policies {
    rules: Vec<Rule>,
    ranks: HashMap<String, usize>,
    all: PolicySet,
    /// Those that are about inviting: all but the grants that name no action.
    inviting: PolicySet,
    notes: Vec<String>,
}

impl Policies {
    /// Reads both files. The text of a file may be empty.
    ///
    /// # Errors
    /// Everything that is wrong with either.
    pub fn load(guardrails: &str, grants: &str) -> Result<Self, Vec<RuleProblem>> {
        let mut problems = Vec::new();
        let mut rules = read(File::Guardrails, guardrails, &mut problems);
        rules.extend(read(File::Grants, grants, &mut problems));
        let mut ranks = HashMap::new();
        let (mut all, mut inviting) = (PolicySet::new(), PolicySet::new());
        for (rank, (file, rule)) in rules.iter().enumerate() {
            if ranks.insert(rule.id.clone(), rank).is_some() {
                problems.push(found(*file, &rule.id, "the id is given twice; the record of a decision names it, so it is unique over both files"));
            } else {
                let mut add = |set: &mut PolicySet| {
                    if let Err(error) = set.add(rule.policy.clone()) {
                        problems.push(found(*file, &rule.id, error.to_string()));
                    }
                };
                add(&mut all);
                if rule.is_about(INVITE) {
                    add(&mut inviting);
                }
            }
        }
        let notes = validate(&all, &rules, &mut problems);
        for RuleProblem { file, problem } in &mut problems {
            let text = if *file == File::Guardrails { guardrails } else { grants };
            problem.line = problem.line.or_else(|| line_of_rule(text, &problem.place));
        }
        problems.sort_by_key(|problem| (problem.file, problem.problem.line));
        if problems.is_empty() {
            Ok(Self { rules: rules.into_iter().map(|(_, rule)| rule).collect(), ranks, all, inviting, notes })
        } else {
            Err(problems)
        }
    }

    /// All rules: guardrails, then grants, each in the order of its file.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What is allowed but looks like a mistake: rules that can never apply, letters that look like others.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The place of a rule in [`Self::rules`]; past the end for ids that are none.
    pub fn rank(&self, id: &str) -> usize {
        self.ranks.get(id).copied().unwrap_or(usize::MAX)
    }

    /// Whether some grant's principal scope admits the caller. One that none admits is not authenticated, as far as this
    /// instance is concerned: anyone can hold a certificate.
    pub fn admits(&self, caller: &Caller) -> bool {
        let holders = holders_of_caller(caller);
        self.rules.iter().any(|rule| rule.effect == Effect::Permit && rule.principal.admits(&holders))
    }

    /// Decides on all rules. [`Question`]s in great number are better asked of a slice.
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        let rules = match question.action {
            Action::Invite(_) => &self.inviting,
            _ => &self.all,
        };
        match Surroundings::of(question) {
            Ok(surroundings) => ask(rules, &surroundings, question, Needs::EVERYTHING, |id| self.rank(id)),
            Err(cause) => Decision::Denied(Denial::Unanswerable(cause)),
        }
    }
}

/// The line of the last `@id("…")` with this id: of two, the second is the one too many.
fn line_of_rule(text: &str, id: &str) -> Option<usize> {
    let at = text.rfind(&format!("@id(\"{id}\")"))?;
    Some(1 + text[..at].matches('\n').count())
}

fn found(file: File, place: &str, message: impl Into<String>) -> RuleProblem {
    RuleProblem { file, problem: Problem::new(None, place, message) }
}

fn read(file: File, text: &str, problems: &mut Vec<RuleProblem>) -> Vec<(File, Rule)> {
    let set = match PolicySet::from_str(text) {
        Ok(set) => set,
        Err(errors) => {
            problems.extend(errors.iter().map(|error| {
                let label = error.labels().and_then(|mut labels| labels.next());
                let line =
                    label.map(|label| 1 + text.bytes().take(label.offset()).filter(|b| *b == b'\n').count());
                RuleProblem { file, problem: Problem::new(line, "", error.to_string()) }
            }));
            return Vec::new();
        }
    };
    for template in set.templates() {
        problems.push(found(
            file,
            template.id().as_ref(),
            "templates (`?principal`, `?resource`) are not used here: write the rule out",
        ));
    }
    // The set numbers its rules `policy0`, `policy1`, … in the order of the text.
    let place = |id: &str| id.trim_start_matches("policy").parse::<usize>().unwrap_or(usize::MAX);
    let in_order: BTreeMap<usize, _> =
        set.policies().map(|policy| (place(policy.id().as_ref()), policy)).collect();
    let mut rules = Vec::new();
    for (position, policy) in in_order {
        match policy.annotation("id").filter(|id| is_id(id)) {
            Some(id) => {
                problems.extend(misplaced(file, policy).map(|message| found(file, id, message)));
                rules.push((file, Rule::new(id.to_owned(), policy)));
            }
            None => problems.push(found(
                file,
                &format!("rule {}", position + 1),
                "needs an id of 1 to 64 letters, digits and . _ - / : write @id(\"team3-images\") above it; records name it as the rule that decided",
            )),
        }
    }
    rules
}

fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b))
}

/// What is wrong with a rule's effect or principal in this file.
fn misplaced(file: File, policy: &cedar_policy::Policy) -> Option<&'static str> {
    match (file, policy.effect()) {
        (File::Guardrails, CedarEffect::Permit) => {
            Some("guardrails only forbid: a permit rule belongs into the grants")
        }
        (File::Grants, CedarEffect::Forbid) => {
            Some("grants only permit: a forbid rule belongs into the guardrails")
        }
        (File::Guardrails, CedarEffect::Forbid) => None,
        (File::Grants, CedarEffect::Permit) => match policy.principal_constraint() {
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => Some(
                "a grant says whom it is for: write principal == Caller::\"…\" or principal in Callers::\"…\"; otherwise \
                 whoever holds any accepted certificate would count as a caller of this instance",
            ),
            _ => None,
        },
    }
}

fn validate(all: &PolicySet, rules: &[(File, Rule)], problems: &mut Vec<RuleProblem>) -> Vec<String> {
    let result = schema::VALIDATOR.validate(all, ValidationMode::Strict);
    for error in result.validation_errors() {
        let id: &str = error.policy_id().as_ref();
        let file = rules.iter().find(|(_, rule)| rule.id == id).map_or(File::Grants, |(file, _)| *file);
        // Cedar begins every sentence with the policy's id.
        let message = error.to_string();
        let message = message.trim_start_matches(&format!("for policy `{id}`, ")).to_owned();
        problems.push(found(file, id, message));
    }
    result.validation_warnings().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests;
