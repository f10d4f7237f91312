//! `cargo xtask rehearse DIR`: a key's ceremony from an empty directory to a transcript that verifies.
//!
//! Officers, witnesses and operator are played with throw-away SSH keys, the device is a SoftHSM token; commands, records
//! and transcript are those of a ceremony that counts.

use std::path::Path;

use crate::ceremony::{self, Ceremony, TRANSCRIPT};
use crate::instance::{self, Instance};
use crate::{heading, run, tools};

/// The key of the rehearsal.
const KEY: &str = "rehearsal/first";

/// Plays the ceremony and judges its transcript. Everything stays in the directory, which must be empty or not there.
pub fn run(directory: &Path) -> Result<bool, String> {
    let directory = std::path::absolute(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    tools::for_demo()?;
    instance::build()?;
    heading("Make a throw-away HSM");
    let instance = Instance::make(&directory)?;
    heading("Make an instance with seven people and run it");
    let running = instance.start()?;
    heading(&format!("A ceremony brings the key {KEY}"));
    Ceremony::hold(&instance, KEY)?;
    running.end()?;
    heading("Judge the transcript offline, by the genesis digest alone");
    ceremony::verify(&instance)?;
    heading("Judge it again by hand");
    let transcript = directory.join(TRANSCRIPT);
    println!("With the program, here or wherever the transcript is carried:");
    let place = run::quoted(&transcript.display().to_string());
    let client = run::quoted(&instance.client().display().to_string());
    let genesis = instance.genesis()?;
    println!("{}", run::folded(&format!("$ {client} ceremony verify {place} --genesis-sha256 {genesis}")));
    println!("Or without it, by the steps of");
    println!("  {}", transcript.join("README.md").display());
    println!("What everybody read is in");
    println!("  {}", ceremony::papers(&instance).display());
    println!("Try what happens to a changed file:");
    println!("  echo >> {}", run::quoted(&transcript.join("statement.json").display().to_string()));
    Ok(true)
}
