//! The birth of a key as people hold it: the operator drafts and proposes, officers approve, witnesses attest, the operator
//! executes, the witnesses attest what came of it. Each step is a command of the client with the key of one person.
//!
//! What this promises: nothing is done that the commands on the screen do not do, and each is shown with the line that it
//! ended in; what its reader saw before is in a file. What it does not do: read. Every question is answered with `--yes`,
//! which the client takes in rehearsals alone.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::instance::Instance;
use crate::run;

/// Who leads it.
const OPERATOR: &str = "oskar";
/// Who may approve, in the order in which they are asked.
const OFFICERS: [&str; 3] = ["ada", "bob", "carol"];
/// Who watches.
const WITNESSES: [&str; 2] = ["wanda", "walter"];

/// Where the papers of the ceremony go, below the instance's directory.
const PAPERS: &str = "ceremony";
/// Where the transcript goes.
pub const TRANSCRIPT: &str = "transcript";

/// A ceremony that is being held.
pub struct Ceremony<'a> {
    instance: &'a Instance,
    /// Steps so far: each has a file.
    steps: usize,
}

impl<'a> Ceremony<'a> {
    /// Holds it for a new key in the token: signatures of files and images, P-256. The daemon must be running.
    pub fn hold(instance: &'a Instance, key: &str) -> Result<(), String> {
        let mut ceremony = Self { instance, steps: 0 };
        let papers = instance.directory().join(PAPERS);
        std::fs::create_dir_all(&papers).map_err(|e| format!("cannot make {}: {e}", papers.display()))?;
        let template = papers.join("template.toml");
        std::fs::write(&template, self::template(key))
            .map_err(|e| format!("cannot write {}: {e}", template.display()))?;
        ceremony.introduce();

        let (template, statement) = (format!("{PAPERS}/template.toml"), format!("{PAPERS}/statement.json"));
        let said =
            ceremony.step(OPERATOR, &["ceremony", "new", &template, "-o", &statement], "", "written")?;
        // What people compare, each with his own screen.
        words(&said).for_each(|line| println!("{line}"));
        let statement_read = read(&instance.directory().join(&statement))?;
        let id = statement_read["ceremony"].as_str().ok_or("the statement names no ceremony")?.to_owned();
        let asked = |role: &str| statement_read["quorum"][role].as_u64().map_or(usize::MAX, |n| n as usize);
        ceremony.step(OPERATOR, &["ceremony", "propose", &statement, "--yes"], "", "proposed")?;
        for officer in OFFICERS.iter().take(asked("approvals")) {
            ceremony.step(officer, &["approve", &id, "--yes"], "", "approved")?;
        }
        let witnesses = || WITNESSES.iter().take(asked("witnesses"));
        for witness in witnesses() {
            ceremony.step(witness, &["attest", &id, "--yes"], "", "attested")?;
        }
        // It would lead on to the end; the witnesses are in this terminal too, so it is left when the key is made.
        ceremony.step(OPERATOR, &["ceremony", "run", &id, "--yes"], "q\n", "Left")?;
        for witness in witnesses() {
            ceremony.step(witness, &["attest", &id, "--yes"], "", "attested")?;
        }
        ceremony.step(OPERATOR, &["ceremony", "transcript", &id, "--out", TRANSCRIPT], "", "written")?;
        Ok(())
    }

    /// Says whose prompt is whose.
    fn introduce(&self) {
        println!("Seven people, each with a key of their own. `ada$` is a shell with");
        println!("  cd {}", self.instance.directory().display());
        for (name, value) in self.settings("ada") {
            println!("  export {name}={value}");
        }
        println!("What each reads before the line below is in {PAPERS}/, a file per command.\n");
    }

    /// The settings of a person, in the instance's directory.
    fn settings(&self, person: &str) -> [(&'static str, String); 3] {
        let home = self.instance.home();
        let home = home.strip_prefix(self.instance.directory()).unwrap_or(&home).display().to_string();
        [
            ("COUNTERSIGN_CONFIG", format!("{home}/client.toml")),
            ("COUNTERSIGN_PERSON", person.to_owned()),
            ("COUNTERSIGN_SIGNING_KEY", format!("{home}/people/{person}")),
        ]
    }

    /// One command of one person. Shows it with the line that begins with `headline`, and returns all that it said.
    fn step(&mut self, person: &str, words: &[&str], typed: &str, headline: &str) -> Result<String, String> {
        let mut command = Command::new(self.instance.client());
        command.args(words).current_dir(self.instance.directory()).envs(self.settings(person));
        let name = run::spelled(&command);
        let prompt = if typed.is_empty() { String::new() } else { format!("echo {} | ", typed.trim_end()) };
        println!("{}", run::folded(&format!("{person}$ {prompt}{name}")));
        let (said, troubled) = talked(command, typed).map_err(|e| format!("cannot run `{name}`: {e}"))?;
        self.steps += 1;
        let task = words.iter().take_while(|word| **word != "--yes").take(2).copied().collect::<Vec<_>>();
        let task = if task[0] == "ceremony" { task[1] } else { task[0] };
        let paper = format!("{PAPERS}/{:02}-{task}-{person}.txt", self.steps);
        std::fs::write(self.instance.directory().join(&paper), &said)
            .map_err(|e| format!("cannot write {paper}: {e}"))?;
        let line = said.lines().find(|line| line.starts_with(headline));
        match (line, troubled) {
            (Some(line), None) => println!("  {line}"),
            (_, troubled) => {
                let why = troubled.unwrap_or_else(|| format!("it does not say `{headline}`"));
                return Err(format!("`{name}` as {person}: {why}\nit said:\n{said}"));
            }
        }
        Ok(said)
    }
}

/// Judges the transcript offline, with nothing but the genesis digest, and shows the verdict.
pub fn verify(instance: &Instance) -> Result<(), String> {
    let mut command = Command::new(instance.client());
    command.args(["ceremony", "verify", TRANSCRIPT, "--genesis-sha256", &instance.genesis()?]);
    // Nothing else is known: no configuration, no daemon.
    command.current_dir(instance.directory()).env_clear();
    let name = run::spelled(&command);
    println!("{}", run::folded(&format!("$ {name}")));
    let (said, troubled) = talked(command, "").map_err(|e| format!("cannot run `{name}`: {e}"))?;
    match (said.lines().next(), troubled) {
        (Some(verdict), None) if verdict.starts_with("VALID") => {
            println!("{}", run::folded(verdict));
            Ok(())
        }
        (_, troubled) => {
            Err(format!("the transcript is not valid: {}\n{said}", troubled.unwrap_or_default()))
        }
    }
}

/// Runs a command to its end: its standard output, and what went wrong, if something did.
fn talked(mut command: Command, typed: &str) -> std::io::Result<(String, Option<String>)> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(typed.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let trouble = String::from_utf8_lossy(&output.stderr);
    let troubled = (!output.status.success()).then(|| format!("{} ({})", trouble.trim_end(), output.status));
    Ok((said, troubled))
}

/// The lines of the sixteen words: indented by four, as nothing else is.
fn words(said: &str) -> impl Iterator<Item = &str> {
    said.lines().filter(|line| line.strip_prefix("    ").is_some_and(|rest| !rest.starts_with(' ')))
}

fn read(path: &Path) -> Result<Value, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    serde_json::from_slice(&bytes).map_err(|e| format!("{}: {e}", path.display()))
}

/// Where the papers are.
pub fn papers(instance: &Instance) -> PathBuf {
    instance.directory().join(PAPERS)
}

/// What the key is to be.
fn template(key: &str) -> String {
    format!(
        "kind = \"key.generate\"\nmode = \"rehearsal\"\nenvironment = \"rehearsal\"\nlives = \"1h\"\n\
         purpose = \"a key for the artefacts of a demonstration\"\n\
         justification = \"somebody wants to see how a key is born\"\nticket = \"none\"\n\n[target]\n\
         activation = \"at-completion\"\nalgorithm = \"ecdsa-p256-sha256\"\nbackend = \"hsm\"\n\
         extractable = false\nkey = \"{key}\"\nowner = \"release team\"\npurpose = [\"blob\", \"oci\"]\n\
         retirement = \"with the demonstration\"\nstandby = false\nversion = 1\n"
    )
}
