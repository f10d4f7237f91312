//! The documents of a control record from which something follows, read.
//!
//! Reading them asks nothing of the state, and is most of what a long history costs: so it can be done for many records at once,
//! ahead of their turn, and [`State::apply_read`](super::State::apply_read) takes what was read.

use std::sync::Arc;

use ceremonies::statement::Statement;
use proto::canonical::{self, Map};
use proto::hash::Hash;
use proto::record::ceremony::{Executed, document};
use proto::record::{Body, Ceremony, ControlDetail, ControlRecord};

use crate::keys::sessions::Unheld;

/// What the detail of a control record says, or what is wrong with it: for the record's turn to say.
#[derive(Debug)]
pub struct Documents(pub(super) Result<Read, Unheld>);

/// Documents by what they are for.
#[derive(Debug)]
pub(super) enum Read {
    /// None that anything follows from.
    Nothing,
    /// Those of a proposal.
    Proposal(Box<Proposal>),
    /// The outputs of an execution, which its leaf names.
    Outputs(Arc<[u8]>),
}

/// The documents of a proposal.
#[derive(Debug)]
pub(super) struct Proposal {
    /// What it asks for.
    pub(super) statement: Statement,
    /// All of them by their names, the guardrails in force among them.
    pub(super) documents: Map<String>,
}

impl Proposal {
    /// The text of the guardrails in force.
    pub(super) fn guardrails(&self) -> Result<&str, Unheld> {
        self.documents
            .find(document::GUARDRAILS)
            .map(String::as_str)
            .ok_or(Unheld::Document(document::GUARDRAILS))
    }

    /// Names and texts.
    pub(super) fn each(&self) -> impl Iterator<Item = (&str, &str)> {
        self.documents.iter().map(|(name, text)| (name, text.as_str()))
    }
}

impl Documents {
    /// Reads the documents of a record.
    pub fn read(record: &ControlRecord, detail: Option<&[u8]>) -> Self {
        Self(match &record.body {
            Body::Ceremony(Ceremony::Proposed(_)) => proposal(detail),
            Body::Ceremony(Ceremony::Executed(executed)) => outputs(executed, detail),
            _ => Ok(Read::Nothing),
        })
    }
}

fn proposal(detail: Option<&[u8]>) -> Result<Read, Unheld> {
    let lacking = Unheld::Document(document::STATEMENT);
    let documents = all(detail).ok_or_else(|| lacking.clone())?;
    let text = documents.find(document::STATEMENT).ok_or_else(|| lacking.clone())?;
    let statement = Statement::parse(text.as_bytes()).map_err(|_error| lacking)?;
    Ok(Read::Proposal(Box::new(Proposal { statement, documents })))
}

fn outputs(executed: &Executed, detail: Option<&[u8]>) -> Result<Read, Unheld> {
    let documents = all(detail);
    let outputs = documents.as_ref().and_then(|documents| documents.find(document::OUTPUTS));
    let outputs = outputs.filter(|outputs| Hash::of(outputs.as_bytes()) == executed.outputs);
    let outputs = outputs.ok_or(Unheld::Document(document::OUTPUTS))?;
    Ok(Read::Outputs(Arc::from(outputs.as_bytes())))
}

fn all(detail: Option<&[u8]>) -> Option<Map<String>> {
    let detail: ControlDetail = canonical::from_slice(detail?).ok()?;
    Some(detail.documents)
}
