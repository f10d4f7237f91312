//! The records of one ceremony with what they brought: read, and nothing believed yet.

use std::collections::{BTreeMap, BTreeSet};

use proto::canonical;
use proto::hash::Hash;
use proto::record::ceremony::{Ceremony, Decided, document};
use proto::record::{Body, ControlDetail};

use super::control::{Control, Line};
use super::invalid::{At, hold};
use super::{Invalid, Step};
use crate::act::Act;
use crate::outputs::Outputs;
use crate::statement::{CeremonyId, Head, Statement};

/// An act as it came, and what it says.
#[derive(Clone, Debug)]
pub(super) struct Paper {
    pub(super) act: Act,
    pub(super) document: String,
    pub(super) armor: String,
}

/// A record of the ceremony.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) index: u64,
    pub(super) step: Ceremony,
    pub(super) detail: Option<ControlDetail>,
    /// The act that stands behind it.
    pub(super) paper: Option<Paper>,
}

impl Taken {
    /// Who acted and what was decided, as names of files say it.
    pub(super) fn named(&self) -> Option<(&'static str, &str)> {
        Some(match &self.step {
            Ceremony::Proposed(proposed) => ("propose", &proposed.initiator),
            Ceremony::Acted(acted) => (decided(acted.decision), &acted.person),
            Ceremony::Started(started) => ("execute", started.operator.as_deref()?),
            Ceremony::Deviated(deviated) => ("deviation", &deviated.person),
            _ => return None,
        })
    }

    pub(super) fn document(&self, name: &str) -> Option<&String> {
        self.detail.as_ref()?.documents.find(name)
    }
}

const fn decided(decision: Decided) -> &'static str {
    match decision {
        Decided::Abort => "abort",
        Decided::Approve => "approve",
        Decided::Attest => "attest",
        Decided::AttestAfter => "attest-after",
        Decided::Refuse => "refuse",
        Decided::Veto => "veto",
        Decided::Withdraw => "withdraw",
    }
}

/// A record of what an officer signed outside of ceremonies, and the act behind it.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) index: u64,
    pub(super) by: String,
    pub(super) paper: Paper,
}

/// The genesis, as record 0 has it.
#[derive(Clone, Debug)]
pub(super) struct Beginning {
    /// The statement's canonical bytes.
    pub(super) statement: Vec<u8>,
    /// What was signed, and who signed.
    pub(super) detail: ControlDetail,
}

/// The records of one ceremony, from its proposal on, each with its detail.
#[derive(Clone, Debug)]
pub(super) struct Course {
    pub(super) ceremony: CeremonyId,
    pub(super) genesis: Beginning,
    pub(super) statement: Statement,
    /// The statement's bytes as the proposal brought them; they are canonical.
    pub(super) statement_text: String,
    /// Not empty; the first one is the proposal.
    pub(super) steps: Vec<Taken>,
    /// What officers signed outside of ceremonies from the first record on.
    pub(super) words: Vec<Word>,
    /// Canonical bytes of the outputs of the last execution.
    pub(super) outputs: Option<String>,
    /// The details' bytes.
    pub(super) details: BTreeMap<u64, Vec<u8>>,
}

/// The detail that a record names.
fn detail(line: &Line, found: Option<&[u8]>) -> Result<Option<(ControlDetail, Vec<u8>)>, Invalid> {
    let Some(name) = line.record.detail else { return Ok(None) };
    let index = line.index;
    let bytes = found.at(Step::Details, format_args!("the detail of record {index} is missing"))?;
    hold(Hash::of(bytes) == name, Step::Details, || {
        format!("the detail of record {index} is not the one it names")
    })?;
    let read =
        canonical::from_slice(bytes).at(Step::Details, format_args!("the detail of record {index}"))?;
    Ok(Some((read, bytes.to_vec())))
}

/// The bytes of a detail that has to be there.
pub(super) fn detail_bytes(line: &Line, found: Option<&[u8]>) -> Result<Vec<u8>, Invalid> {
    let index = line.index;
    let found = detail(line, found)?.map(|(_, bytes)| bytes);
    found.at(Step::Details, format_args!("record {index} names no detail"))
}

fn text<'d>(detail: Option<&'d ControlDetail>, name: &str, index: u64) -> Result<&'d String, Invalid> {
    let found = detail.and_then(|detail| detail.documents.find(name));
    found.at(Step::Details, format_args!("record {index} does not bring the document `{name}`"))
}

/// The act that a record's detail brings.
fn paper(detail: Option<&ControlDetail>, index: u64) -> Result<Paper, Invalid> {
    let document = text(detail, document::ACT, index)?.clone();
    let armor = text(detail, document::SIGNATURE, index)?.clone();
    let act = Act::parse(document.as_bytes()).at(Step::Acts, format_args!("the act of record {index}"))?;
    Ok(Paper { act, document, armor })
}

/// What officers signed outside of ceremonies; the details that say so are put among the others.
pub(super) fn words<'f>(
    control: &Control,
    find: impl Fn(u64) -> Option<&'f [u8]>,
    details: &mut BTreeMap<u64, Vec<u8>>,
) -> Result<Vec<Word>, Invalid> {
    let mut words = Vec::new();
    for line in control.lines() {
        let by = match &line.record.body {
            Body::Suspend(said) => &said.by,
            Body::Clock(vouched) => &vouched.by,
            _ => continue,
        };
        let index = line.index;
        let found = detail(line, find(index))?;
        let paper = paper(found.as_ref().map(|(read, _)| read), index)?;
        words.push(Word { index, by: by.clone(), paper });
        details.extend(found.map(|(_, bytes)| (index, bytes)));
    }
    Ok(words)
}

impl Course {
    /// The course of this ceremony, from its records and the details that `find` has by the records' indices.
    pub(super) fn read<'f>(
        control: &Control,
        ceremony: CeremonyId,
        find: impl Fn(u64) -> Option<&'f [u8]>,
    ) -> Result<Self, Invalid> {
        let mut details = BTreeMap::new();
        let first = control.first();
        let (genesis_detail, bytes) = detail(first, find(0))?
            .at(Step::Details, "record 0 has no detail: nobody signed the genesis statement")?;
        details.insert(0, bytes);
        let Body::Genesis { statement } = &first.record.body else {
            return Err(Invalid::new(Step::Control, "record 0 is no genesis"));
        };
        let genesis = canonical::to_vec(statement).at(Step::Control, "the genesis statement")?;
        let mut steps = Vec::new();
        let words = words(control, &find, &mut details)?;
        for line in control.lines() {
            let Body::Ceremony(step) = &line.record.body else { continue };
            if step.ceremony() != ceremony {
                continue;
            }
            let index = line.index;
            // Before its proposal, and proposed again, it has no effect.
            if matches!(step, Ceremony::Proposed(_)) != steps.is_empty() {
                continue;
            }
            hold(!matches!(step, Ceremony::Completed(_)), Step::Control, || {
                format!("record {index} completes the ceremony already")
            })?;
            let found = detail(line, find(index))?;
            let detail = found.map(|(read, bytes)| {
                details.insert(index, bytes);
                read
            });
            let mut taken = Taken { index, step: step.clone(), detail, paper: None };
            if taken.named().is_some() {
                taken.paper = Some(paper(taken.detail.as_ref(), index)?);
            }
            steps.push(taken);
        }
        let proposal =
            steps.first().at(Step::Control, format_args!("ceremony {ceremony} was not proposed"))?;
        let statement_text = text(proposal.detail.as_ref(), document::STATEMENT, proposal.index)?.clone();
        let statement = Statement::parse(statement_text.as_bytes()).at(Step::Details, "the statement")?;
        let executed = steps.iter().rev().find(|taken| matches!(taken.step, Ceremony::Executed(_)));
        let outputs = match executed {
            Some(taken) => Some(text(taken.detail.as_ref(), document::OUTPUTS, taken.index)?.clone()),
            None => None,
        };
        let genesis = Beginning { statement: genesis, detail: genesis_detail };
        Ok(Self { ceremony, genesis, statement, statement_text, steps, words, outputs, details })
    }

    pub(super) fn genesis_sha256(&self) -> Hash {
        Hash::of(&self.genesis.statement)
    }

    pub(super) fn proposal(&self) -> &Taken {
        &self.steps[0]
    }

    /// The heads that the statement, the acts and the outputs name.
    pub(super) fn heads(&self) -> Vec<Head> {
        let acts = self.steps.iter().filter_map(|taken| taken.paper.as_ref());
        let acts = acts.chain(self.words.iter().map(|word| &word.paper));
        let heads = acts.map(|paper| Head { root: paper.act.head.root, size: paper.act.head.size });
        let outputs = self.outputs().ok().and_then(|(_, outputs)| outputs.head());
        heads.chain([self.statement.common().log.head()]).chain(outputs).collect()
    }

    /// What came of the execution.
    pub(super) fn outputs(&self) -> Result<(&str, Outputs), Invalid> {
        let text = self.outputs.as_deref().at(Step::Outputs, "nothing was executed")?;
        Ok((text, Outputs::parse(text.as_bytes(), &self.statement).at(Step::Outputs, "outputs.json")?))
    }

    /// Indices of the records that are proven one by one: the genesis, those of the ceremony, and the proofs of possession.
    pub(super) fn proven(&self, control: &Control) -> Result<BTreeSet<u64>, Invalid> {
        let mut indices: BTreeSet<u64> = self.steps.iter().map(|taken| taken.index).collect();
        indices.insert(control.first().index);
        indices.extend(self.outputs()?.1.possessions().into_iter().map(|proof| proof.index));
        Ok(indices)
    }
}
