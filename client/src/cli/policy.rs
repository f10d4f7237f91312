//! `countersign policy check | test | explain`: offline, with exactly the code that the daemon decides with.

use std::path::Path;

use ceremonies::access::cases::{self, Case, Outcome};
use ceremonies::access::explain::{Explanation, Say, explain};
use ceremonies::access::{Decision, Effect, Policies};
use ceremonies::form;
use ceremonies::guardrails::{Guardrails, Named};
use serde_json::{Value, json};
use toml::Table;

use super::args::policy::{Explain, Files, PolicyCommand, Test};
use super::complaint::Complaint;
use super::input;
use super::screen::{Screen, Tone};
use super::table::{Entry, Rows};
use crate::exit::Exit;

/// Policy files are written by people; this is far more than anyone writes.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Runs the command.
///
/// # Errors
/// Everything that is wrong with the files.
pub fn run(command: &PolicyCommand, screen: &mut Screen) -> Result<Exit, Complaint> {
    match command {
        PolicyCommand::Check(files) => check(files, screen),
        PolicyCommand::Test(test) => run_cases(test, screen),
        PolicyCommand::Explain(arguments) => tell(arguments, screen),
    }
}

/// Everything that is wrong, one below the other.
fn wrong(what: String, problems: impl IntoIterator<Item = String>) -> Complaint {
    let mut complaint = Complaint::failed(what);
    complaint.why = problems.into_iter().collect();
    complaint
}

fn load(files: &Files) -> Result<Policies, Complaint> {
    let forbid = match &files.guardrails {
        Some(path) => guardrails(path)?,
        None => String::new(),
    };
    let grants = input::text(&files.grants, LARGEST)?;
    Policies::load(&forbid, &grants).map_err(|problems| {
        let number = problems.len();
        wrong(format!("the policy has {number} problems"), problems.iter().map(ToString::to_string))
            .advise("correct them: the daemon refuses a policy with any of them")
    })
}

/// The guardrails' forbid rules, after every file that they name was held against its digest.
fn guardrails(path: &Path) -> Result<String, Complaint> {
    let parsed = Guardrails::parse(&input::text(path, LARGEST)?).map_err(|problems| {
        wrong(format!("{} is not understood", path.display()), problems.iter().map(ToString::to_string))
    })?;
    let beside = |named: &Named| {
        let file = path.parent().unwrap_or_else(|| Path::new("")).join(&named.file);
        let bytes = input::file(&file, LARGEST)?;
        match named.check(&bytes) {
            Ok(()) => Ok(bytes),
            Err(differs) => Err(Complaint::failed(differs.to_string())),
        }
    };
    for named in &parsed.client_cas {
        beside(named)?;
    }
    match &parsed.forbid {
        Some(named) => String::from_utf8(beside(named)?)
            .map_err(|_bytes| Complaint::failed(format!("{} is not text", named.file))),
        None => Ok(String::new()),
    }
}

fn check(files: &Files, screen: &mut Screen) -> Result<Exit, Complaint> {
    let policies = load(files)?;
    let count = |effect: Effect| policies.rules().iter().filter(|rule| rule.effect == effect).count();
    let (grants, guardrails) = (count(Effect::Permit), count(Effect::Forbid));
    if screen.is_json() {
        screen.json(
            &json!({ "valid": true, "grants": grants, "guardrails": guardrails, "notes": policies.notes() }),
        )?;
        return Ok(Exit::Done);
    }
    screen.headline(Tone::Good, "valid:", &format!("{grants} grants, {guardrails} guardrails"))?;
    for note in policies.notes() {
        screen.note(note)?;
    }
    Ok(Exit::Done)
}

fn run_cases(test: &Test, screen: &mut Screen) -> Result<Exit, Complaint> {
    let policies = load(&test.files)?;
    let mut outcomes: Vec<Outcome> = Vec::new();
    for path in &test.cases {
        let table = cases::parse(&input::text(path, LARGEST)?).map_err(|problems| {
            wrong(format!("{} is not understood", path.display()), problems.iter().map(ToString::to_string))
        })?;
        outcomes.extend(table.iter().filter_map(|case| case.run(&policies)));
    }
    let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.holds).collect();
    let exit = if failed.is_empty() { Exit::Done } else { Exit::Failed };
    if screen.is_json() {
        screen.json(&json!({ "cases": outcomes.iter().map(outcome_document).collect::<Vec<_>>(), "failed": failed.len() }))?;
        return Ok(exit);
    }
    let mut rows = Rows::new(&["", "expected", "decided", "case~"]);
    for outcome in &outcomes {
        rows.push(vec![
            if outcome.holds { Entry::toned("ok", Tone::Good) } else { Entry::toned("FAILED", Tone::Bad) },
            if outcome.expect.permit { "permit" } else { "deny" }.into(),
            decided(&outcome.explanation).into(),
            outcome.name.clone().into(),
        ]);
    }
    screen.table(&rows)?;
    for outcome in &failed {
        screen.line("")?;
        let rule = outcome.expect.rule.as_ref().map_or_else(String::new, |rule| format!(" by `{rule}`"));
        let expected = if outcome.expect.permit { "permit" } else { "deny" };
        screen.headline(Tone::Bad, "FAILED", &format!("{}: expected {expected}{rule}", outcome.name))?;
        screen.line(outcome.explanation.to_string().trim_end())?;
    }
    screen.line("")?;
    let tone = if failed.is_empty() { Tone::Good } else { Tone::Bad };
    screen.headline(
        tone,
        &format!("{} of {}", outcomes.len() - failed.len(), outcomes.len()),
        "cases hold",
    )?;
    Ok(exit)
}

fn decided(explanation: &Explanation) -> String {
    match &explanation.decision {
        Decision::Permitted { rule } => format!("permit ({rule})"),
        Decision::Denied(denial) => {
            denial.rule().map_or_else(|| "deny".to_owned(), |rule| format!("deny ({rule})"))
        }
    }
}

fn tell(arguments: &Explain, screen: &mut Screen) -> Result<Exit, Complaint> {
    let policies = load(&arguments.files)?;
    let case = question(arguments)?;
    let explanation = explain(&policies, &case.question());
    if screen.is_json() {
        screen.json(&document(&explanation))?;
        return Ok(Exit::Done);
    }
    let tone =
        if matches!(explanation.decision, Decision::Permitted { .. }) { Tone::Good } else { Tone::Bad };
    let text = explanation.to_string();
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let (word, rest) = first.split_once(' ').unwrap_or((first, ""));
    screen.headline(tone, word, rest)?;
    for line in lines {
        screen.line(line)?;
    }
    Ok(Exit::Done)
}

/// The question that the flags ask, read by the same reader as a table of cases.
fn question(arguments: &Explain) -> Result<Case, Complaint> {
    let mut table = Table::new();
    let texts = [
        ("caller", Some(&arguments.caller)),
        ("action", Some(&arguments.action)),
        ("key", arguments.key.as_ref()),
        ("kind", arguments.kind.as_ref()),
        ("repository", arguments.repository.as_ref()),
        ("predicate_type", arguments.predicate_type.as_ref()),
        ("issuer", arguments.issuer.as_ref()),
        ("owner", arguments.owner.as_ref()),
        ("target", arguments.target.as_ref()),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            table.insert(name.to_owned(), text.clone().into());
        }
    }
    for (name, list) in
        [("digests", &arguments.digests), ("subjects", &arguments.subjects), ("purpose", &arguments.purpose)]
    {
        if !list.is_empty() {
            table.insert(name.to_owned(), list.clone().into());
        }
    }
    for (name, flag, pairs) in
        [("annotations", "annotation", &arguments.annotations), ("claims", "claim", &arguments.claims)]
    {
        let mut map = Table::new();
        for text in pairs {
            let (key, value) = input::pair(flag, text)?;
            map.insert(key.to_owned(), value.into());
        }
        if !map.is_empty() {
            table.insert(name.to_owned(), map.into());
        }
    }
    let problems = |problems: Vec<form::Problem>| {
        let mut complaint =
            wrong("the request is not understood".to_owned(), problems.iter().map(ToString::to_string));
        complaint.exit = Exit::Usage;
        complaint.advise("see `countersign policy explain --help`")
    };
    form::read(&table.to_string(), cases::question).map_err(problems)
}

fn document(explanation: &Explanation) -> Value {
    let parts: Vec<Value> = explanation
        .parts
        .iter()
        .map(|part| {
            let say = match &part.say {
                Say::Applies => "applies",
                Say::ConditionsDiffer => "conditions-differ",
                Say::OutOfScope => "out-of-scope",
                Say::Failed(_) => "failed",
            };
            let effect = if part.effect == Effect::Permit { "permit" } else { "forbid" };
            json!({ "rule": part.rule, "effect": effect, "says": say })
        })
        .collect();
    let mut document = json!({
        "permitted": matches!(explanation.decision, Decision::Permitted { .. }),
        "admitted": explanation.admitted,
        "rules": parts,
    });
    match &explanation.decision {
        Decision::Permitted { rule } => document["rule"] = json!(rule),
        Decision::Denied(denial) => {
            document["why"] = json!(denial.to_string());
            if let Some(rule) = denial.rule() {
                document["rule"] = json!(rule);
            }
        }
    }
    document
}

fn outcome_document(outcome: &Outcome) -> Value {
    let mut document = document(&outcome.explanation);
    document["case"] = json!(outcome.name);
    document["holds"] = json!(outcome.holds);
    document["expected"] = json!(if outcome.expect.permit { "permit" } else { "deny" });
    document
}

#[cfg(test)]
mod tests;
