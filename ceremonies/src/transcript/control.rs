//! The control records, each a line, chained from record 0.

use proto::hash::Hash;
use proto::proof::leaf::leaf_hash;
use proto::record::{Body, ControlRecord};

use super::invalid::{At, hold};
use super::{Invalid, Step};

/// A control record where it stands in the log.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) index: u64,
    pub(super) leaf: Vec<u8>,
    pub(super) hash: Hash,
    pub(super) record: ControlRecord,
}

/// Control records that are chained: nothing is left out between the first and the last.
///
/// Invariant: not empty; the first is the genesis at index 0; indices grow; each `previous` is the leaf hash of the line
/// before (held by `a_control_record_that_is_left_out_or_moved_is_noticed`).
#[derive(Clone, Debug)]
pub(super) struct Control(Vec<Line>);

const BEGIN: &str = "{\"index\":";
const MIDDLE: &str = ",\"record\":";

impl Control {
    pub(super) fn of(records: Vec<(u64, Vec<u8>)>) -> Result<Self, Invalid> {
        let mut lines: Vec<Line> = Vec::with_capacity(records.len());
        for (index, leaf) in records {
            let record = ControlRecord::parse(&leaf).at(Step::Control, format_args!("record {index}"))?;
            let previous = match lines.last() {
                None => {
                    let first = index == 0 && matches!(record.body, Body::Genesis { .. });
                    hold(first, Step::Control, || {
                        "the first record is not the genesis at index 0".to_owned()
                    })?;
                    Hash::ZERO
                }
                Some(before) => {
                    let other = before.index < index && !matches!(record.body, Body::Genesis { .. });
                    hold(other, Step::Control, || {
                        format!("record {index} has no place after record {}", before.index)
                    })?;
                    before.hash
                }
            };
            hold(record.previous == previous, Step::Control, || {
                format!(
                    "record {index} does not follow the one before: a control record was left out, changed or moved"
                )
            })?;
            lines.push(Line { index, hash: leaf_hash(&leaf), leaf, record });
        }
        hold(!lines.is_empty(), Step::Control, || "there is no control record".to_owned())?;
        Ok(Self(lines))
    }

    pub(super) fn parse(text: &[u8]) -> Result<Self, Invalid> {
        let mut records = Vec::new();
        let body = text.strip_suffix(b"\n").at(Step::Control, "the last line of control.jsonl has no end")?;
        for (number, line) in (1..).zip(body.split(|byte| *byte == b'\n')) {
            let read = std::str::from_utf8(line).ok().and_then(read_line);
            records
                .push(read.at(Step::Control, format_args!("line {number} of control.jsonl is no record"))?);
        }
        Self::of(records)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for line in &self.0 {
            out.extend_from_slice(format!("{BEGIN}{}{MIDDLE}", line.index).as_bytes());
            out.extend_from_slice(&line.leaf);
            out.extend_from_slice(b"}\n");
        }
        out
    }

    pub(super) fn lines(&self) -> &[Line] {
        &self.0
    }

    pub(super) fn first(&self) -> &Line {
        &self.0[0]
    }

    pub(super) fn last(&self) -> &Line {
        &self.0[self.0.len() - 1]
    }
}

/// A line as [`Control::encode`] writes it; the leaf is judged by whoever reads it.
fn read_line(line: &str) -> Option<(u64, Vec<u8>)> {
    let (digits, rest) = line.strip_prefix(BEGIN)?.split_once(MIDDLE)?;
    let index: u64 = digits.parse().ok()?;
    let one_form = index.to_string() == digits;
    let leaf = rest.strip_suffix('}')?;
    one_form.then(|| (index, leaf.as_bytes().to_vec()))
}
