//! `countersign ceremony verify`: a transcript judged offline, by the genesis digest that this person holds.

use std::path::Path;

use ceremonies::genesis::Mode;
use ceremonies::transcript::recovery::{self, Recovered};
use ceremonies::transcript::{Invalid, Verdict, Verified, verify};
use proto::hash::Hash;
use serde_json::json;

use super::statement;
use crate::cli::complaint::Complaint;
use crate::cli::screen::{Screen, Tone};
use crate::exit::Exit;
use crate::people::text::{self, records};
use crate::transcript;

/// Reads a transcript and judges it.
///
/// # Errors
/// Where it cannot be read, or is invalid: with the step that failed.
pub fn run(directory: &Path, genesis_sha256: Hash, screen: &mut Screen) -> Result<Exit, Complaint> {
    let files = transcript::read(directory).map_err(|cause| {
        Complaint::failed(format!(
            "INVALID: {} cannot be read as a transcript",
            text::line(&directory.display().to_string())
        ))
        .because(text::line(&cause.to_string()))
        .advise("give the directory as `countersign ceremony transcript` wrote it, with nothing added")
    })?;
    if files.contains_key(recovery::BEGINS) {
        let recovered = recovery::verify(&files, genesis_sha256).map_err(|invalid| complaint(&invalid))?;
        recovered_log(&recovered, screen)?;
        return Ok(Exit::Done);
    }
    let (verified, deviates) = match verify(&files, genesis_sha256) {
        Verdict::Valid(verified) => (verified, false),
        Verdict::ValidWithDeviations(verified) => (verified, true),
        Verdict::Invalid(invalid) => return Err(complaint(&invalid)),
    };
    if screen.is_json() {
        screen.json(&document(&verified, deviates))?;
    } else {
        show(&verified, deviates, screen)?;
    }
    Ok(Exit::Done)
}

fn complaint(invalid: &Invalid) -> Complaint {
    // What is quoted may be anybody's text.
    let (step, reason) = (invalid.step.name(), text::line(&invalid.reason));
    Complaint::failed(format!("INVALID ({step})")).because(reason).advise(
        "believe nothing of this transcript; fetch it anew from the daemon, and compare --genesis-sha256 with what is on paper",
    )
}

/// What a valid recovery says: where the log goes on, and what people agreed to.
fn recovered_log(recovered: &Recovered, screen: &mut Screen) -> Result<(), Complaint> {
    let (genesis, lost) = (&recovered.genesis, &recovered.lost);
    let statement = genesis.statement();
    let signed: Vec<String> = genesis.acts().iter().map(|act| act.person().to_string()).collect();
    let gap = lost.known.size.saturating_sub(lost.log.size);
    if screen.is_json() {
        screen.json(&json!({
            "verdict": "valid",
            "ceremony": statement.common().ceremony.to_string(),
            "kind": statement.kind().name(),
            "mode": statement.common().mode,
            "statement": statement.digest(),
            "genesis_sha256": statement.digest(),
            "log_key": genesis.log_key(),
            "origin": genesis.origin().as_str(),
            "keys": recovered.keys.len(),
            "lost_records": gap,
            "signed_by": signed,
        }))?;
        return Ok(());
    }
    let mode = match statement.common().mode {
        Mode::Production => "",
        Mode::Rehearsal => ", a rehearsal: it counts for nothing",
    };
    screen.headline(
        Tone::Good,
        "VALID",
        &format!("{} {}{mode}", statement.kind(), statement.common().ceremony),
    )?;
    screen.facts(&[
        ("lost log", format!("{}, of which {} are left", lost.log.origin, records(lost.log.size))),
        ("missing", format!("{} at least", records(gap))),
        ("new log", genesis.origin().to_string()),
        ("log key", text::plain(genesis.log_key())),
        ("genesis", statement.digest().to_string()),
        ("signed by", signed.join(", ")),
        ("comes over", format!("{} keys, all stopped", recovered.keys.len())),
        (
            "proven",
            "by the old log's genesis digest alone: whose quorum decided, and what comes over".to_owned(),
        ),
        ("not proven", "that nobody holds a newer checkpoint of the lost log".to_owned()),
    ])?;
    screen.gap()?;
    statement::words(
        "The words of the new genesis, to be compared before it is set:",
        &statement.digest(),
        screen,
    )
}

fn document(verified: &Verified, deviates: bool) -> serde_json::Value {
    let deviations: Vec<String> = verified.deviations.iter().map(ToString::to_string).collect();
    json!({
        "verdict": if deviates { "valid-with-deviations" } else { "valid" },
        "ceremony": verified.ceremony.to_string(),
        "deviations": deviations,
        "kind": verified.kind.name(),
        "manifest": verified.manifest,
        "mode": verified.mode,
        "statement": verified.statement,
    })
}

fn show(verified: &Verified, deviates: bool, screen: &mut Screen) -> Result<(), Complaint> {
    let (tone, word) = if deviates { (Tone::Warn, "VALID WITH DEVIATIONS") } else { (Tone::Good, "VALID") };
    let mode = match verified.mode {
        Mode::Production => "",
        Mode::Rehearsal => ", a rehearsal: it counts for nothing",
    };
    screen.headline(tone, word, &format!("{} {}{mode}", verified.kind, verified.ceremony))?;
    let mut facts: Vec<(&str, String)> = Vec::new();
    for deviation in &verified.deviations {
        facts.push(("deviation", text::plain(&deviation.to_string())));
    }
    facts.push((
        "proven",
        "by the genesis digest alone: who decided, in which order, and what came of it, in this log"
            .to_owned(),
    ));
    facts.push((
        "not proven",
        "that the log shows the same to everybody, and what people and devices say of themselves".to_owned(),
    ));
    facts.push(("statement", verified.statement.to_string()));
    facts.push(("manifest", verified.manifest.to_string()));
    screen.facts(&facts)?;
    screen.gap()?;
    statement::words("The words of the statement, as they were read aloud:", &verified.statement, screen)?;
    statement::words("The words of the manifest, as they were read aloud:", &verified.manifest, screen)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use std::path::PathBuf;

    use clap::Parser;

    use crate::cli::args::Arguments;
    use crate::cli::screen::Output;
    use crate::cli::tests::Paper;
    use crate::exit::Exit;

    fn golden() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../ceremonies/tests/golden/transcript")
    }

    fn genesis() -> String {
        proto::hash::Hash::of(&std::fs::read(golden().join("genesis.json")).unwrap()).to_string()
    }

    /// Runs the command with these settings, and gives its end and what it wrote.
    fn run(directory: &std::path::Path, more: &[&str], output: Output) -> (Exit, String, String) {
        let paper = Paper::new(output);
        let mut screen = paper.screen();
        let directory = directory.to_str().unwrap();
        let words = ["countersign", "ceremony", "verify", directory].into_iter().chain(more.iter().copied());
        let arguments = Arguments::try_parse_from(words).unwrap();
        let exit = crate::cli::execute(&arguments, &mut screen, &|_| None);
        (exit, paper.out(), paper.err())
    }

    #[test]
    fn the_golden_transcript_is_valid() {
        let (exit, out, _) = run(&golden(), &["--genesis-sha256", &genesis()], Output::Table);
        assert_eq!(exit, Exit::Done);
        assert!(out.starts_with("VALID"), "{out}");
        let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("a rehearsal: it counts for nothing"), "{out}");
        assert!(words.contains("cry rich sniff inquiry"), "{out}");
        let (exit, out, _) = run(&golden(), &["--genesis-sha256", &genesis()], Output::Json);
        assert_eq!(exit, Exit::Done);
        let said: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&said["verdict"], &said["mode"]), (&"valid".into(), &"rehearsal".into()));
    }

    #[test]
    fn another_genesis_or_none_is_refused() {
        let (exit, out, err) = run(&golden(), &["--genesis-sha256", &"0".repeat(64)], Output::Table);
        assert_eq!((exit, out.as_str()), (Exit::Failed, ""));
        assert!(err.contains("INVALID (genesis digest)"), "{err}");
        let (exit, _, err) = run(&golden(), &[], Output::Table);
        assert_ne!(exit, Exit::Done);
        assert!(err.contains("genesis_sha256"), "{err}");
    }

    #[test]
    fn a_directory_that_is_none_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let (exit, _, err) = run(place.path(), &["--genesis-sha256", &genesis()], Output::Table);
        assert_eq!(exit, Exit::Failed);
        assert!(err.contains("INVALID (files)") && err.contains("is missing"), "{err}");
        let (exit, _, err) = run(&place.path().join("x"), &["--genesis-sha256", &genesis()], Output::Table);
        assert_eq!(exit, Exit::Failed);
        assert!(err.contains("cannot be read as a transcript"), "{err}");
    }
}
