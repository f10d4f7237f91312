//! `countersignd recover`: a new log in place of one that lies behind what somebody holds of it.
//!
//! Such a log is never written again, so its people decide over files, in two steps as an instance begins: [`draft`] reads what
//! is left, and writes the statement and everything that it names; [`complete`] checks what they have signed, against the
//! genesis that the old configuration pins, and makes the new log. The old store is read and never written.

mod complete;
mod draft;
mod evidence;
mod settings;

use std::sync::Arc;

use super::Failed;
use super::arguments::Recover;
use crate::clock::Clock;
use crate::config::Config;

/// The statement that people sign.
const STATEMENT: &str = "recover.json";

/// Files of the draft that the statement names, by the names of their documents.
const DOCUMENTS: [(&str, &str); 4] = {
    use proto::record::ceremony::document;
    [
        (document::ROSTER, "roster.json"),
        (document::GUARDRAILS, "guardrails.toml"),
        (document::GRANTS, "grants.cedar"),
        (document::CARRIED, "carried.json"),
    ]
};

/// Drafts or completes it, and says what was done.
pub(super) fn run(config: &Config, arguments: &Recover, clock: Arc<dyn Clock>) -> Result<(), Failed> {
    match arguments.complete {
        true => complete::make(config, arguments, clock),
        false => draft::make(config, arguments, clock),
    }
}
