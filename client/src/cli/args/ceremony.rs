//! `ceremony`.

use std::path::PathBuf;

use ceremonies::statement::CeremonyId;
use clap::{Args, Subcommand};
use proto::hash::Hash;

/// Draft, propose, lead, watch and end ceremonies.
#[derive(Debug, Args)]
pub struct Ceremony {
    /// What to do.
    #[command(subcommand)]
    pub what: CeremonyCommand,
}

/// What to do with ceremonies.
#[derive(Debug, Subcommand)]
pub enum CeremonyCommand {
    /// Make today's statement from a template, compare the two, and write it to a file
    New(New),
    /// Sign that a new key is yours, so that it can come into the next roster
    Prove(Prove),
    /// Open a ceremony with a statement
    Propose(Propose),
    /// One ceremony: its statement, its words, who has decided what, what it lacks
    Show(One),
    /// Open ceremonies
    List {
        /// Also those that have ended
        #[arg(long)]
        ended: bool,
    },
    /// Bring in acts that were signed elsewhere, each with its signature in FILE.sig
    Submit {
        /// Acts, as `approve FILE` and `attest FILE` write them
        #[arg(required = true, value_name = "ACT_FILE")]
        acts: Vec<PathBuf>,
    },
    /// Stop an open ceremony; asks nothing
    Veto(Veto),
    /// Stop an execution that has begun; asks nothing
    Abort(Because),
    /// Take back an act of yours
    Withdraw(Withdraw),
    /// Record that something went otherwise than the script says
    Deviation {
        /// Id of the ceremony
        id: CeremonyId,
        /// What
        text: String,
    },
    /// Have the acts of a person count no more; asks nothing
    Suspend {
        /// Id of the person in the roster
        #[arg(value_name = "PERSON")]
        whom: String,
        /// Why, for the log
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Vouch for the daemon's clock, which the daemon does not trust: it asks, for from then on times go by it
    AcceptClock {
        /// Why, for the log
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Sign without asking; taken in rehearsals alone
        #[arg(long)]
        yes: bool,
    },
    /// Lead a ceremony as its operator: what is next, who is missing, words to read out, the clock
    Run {
        /// Id of the ceremony
        id: CeremonyId,
        /// Execute as soon as it is armed, without asking; taken in rehearsals alone
        #[arg(long)]
        yes: bool,
    },
    /// A line for each change, until the ceremony has ended
    Watch(One),
    /// Fetch the transcript of a completed ceremony
    Transcript {
        /// Id of the ceremony
        id: CeremonyId,
        /// Directory to write it to, which must not exist
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Judge a transcript offline, by --genesis-sha256 alone: VALID, VALID WITH DEVIATIONS or INVALID
    Verify {
        /// Directory that holds it
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

/// One ceremony.
#[derive(Debug, Args)]
pub struct One {
    /// Id of the ceremony
    pub id: CeremonyId,
}

/// One ceremony, and a reason.
#[derive(Debug, Args)]
pub struct Because {
    /// Id of the ceremony
    pub id: CeremonyId,
    /// Why, for the log
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// A ceremony to be stopped, and why.
#[derive(Debug, Args)]
pub struct Veto {
    /// Id of the ceremony; of the recovery of a log, its statement's file: then act and signature are written beside it
    #[arg(value_name = "ID|FILE")]
    pub what: String,
    /// Why, for the log
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Make today's statement from a template.
#[derive(Debug, Args)]
pub struct New {
    /// The template, TOML
    pub template: PathBuf,
    /// Where to write the statement; the ceremony's id and `.json` in this directory where absent
    #[arg(long, short = 'o', value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Why, in place of the template's
    #[arg(long, value_name = "TEXT")]
    pub justification: Option<String>,
    /// Where it was asked for, in place of the template's
    #[arg(long, value_name = "TEXT")]
    pub ticket: Option<String>,
    /// Who will propose it; you, where absent
    #[arg(long, value_name = "PERSON")]
    pub initiator: Option<String>,
    /// What a `roster.change` brings along; the template has no `[target]` then
    #[command(flatten)]
    pub succession: Succession,
    /// What a `policy.change` brings along; the template has no `[target]` then
    #[command(flatten)]
    pub amendment: Amendment,
}

/// What a `policy.change` brings along.
#[derive(Debug, Args)]
pub struct Amendment {
    /// The next guardrails, TOML; the files that they name are read beside them
    #[arg(long, value_name = "FILE", conflicts_with = "roster")]
    pub guardrails: Option<PathBuf>,
}

/// What a `roster.change` brings along.
#[derive(Debug, Args)]
pub struct Succession {
    /// The next roster, TOML as people write it or canonical JSON
    #[arg(long, value_name = "FILE")]
    pub roster: Option<PathBuf>,
    /// A proof of possession by a new key, as `ceremony prove` writes it; repeatable
    #[arg(long, value_name = "FILE")]
    pub proof: Vec<PathBuf>,
}

/// Sign for a key of one's own.
#[derive(Debug, Args)]
pub struct Prove {
    /// The next roster, in which the key is
    pub roster: PathBuf,
    /// Where to write the proof; named after the roster, you and the key where absent
    #[arg(long, short = 'o', value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Do not ask; taken in rehearsals alone
    #[arg(long)]
    pub yes: bool,
}

/// Open a ceremony.
#[derive(Debug, Args)]
pub struct Propose {
    /// The statement, canonical JSON
    pub statement: PathBuf,
    /// A document that the statement names by its SHA-256, for instance roster=next.json; repeatable
    #[arg(long, value_name = "NAME=FILE")]
    pub document: Vec<String>,
    /// What a `roster.change` brings along
    #[command(flatten)]
    pub succession: Succession,
    /// What a `policy.change` brings along
    #[command(flatten)]
    pub amendment: Amendment,
    /// Do not ask; taken in rehearsals alone
    #[arg(long)]
    pub yes: bool,
}

/// Take back an act of yours.
#[derive(Debug, Args)]
pub struct Withdraw {
    /// Id of the ceremony
    pub id: CeremonyId,
    /// SHA-256 of the act; your newest one that can be taken back where absent
    #[arg(long, value_name = "HEX")]
    pub act: Option<Hash>,
    /// Why, for the log
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}
