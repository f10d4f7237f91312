//! The lines of an exported log: one header, then one record a line.
//!
//! ```text
//! {"format":"countersign-log@v1","start":0,"end":2,"frontier":[],"consistency":[],"checkpoint":"…"}
//! {"index":0,"record":{…},"detail":{…}}
//! {"index":1,"record":{…}}
//! ```
//!
//! `record` and `detail` are the log's exact bytes, never written anew, so that every line can be hashed as it stands. `frontier` is
//! the compact range of the records before `start` (largest subtree first), `consistency` the proof from `end` to the checkpoint;
//! where the log has had more than one key, `log_keys` leads from each to the next.
//! Invariant: what `write` writes, `read` gives back byte for byte; held by `lines_keep_every_byte`.

use proto::hash::Hash;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// The format's name.
pub const FORMAT: &str = "countersign-log@v1";

/// The first line: what is needed to prove the lines that follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// First index.
    pub start: u64,
    /// One past the last index.
    pub end: u64,
    /// Roots of the perfect subtrees that the first `start` records make, largest first.
    pub frontier: Vec<Hash>,
    /// Proof from the tree of `end` records to that of the checkpoint.
    pub consistency: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: String,
    /// Where each key of the log but the one in force ended, oldest first, as receipts; absent where there was one key alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_keys: Vec<String>,
}

/// One record, borrowed from its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Index in the log.
    pub index: u64,
    /// The leaf's exact bytes.
    pub leaf: &'a [u8],
    /// The detail's exact bytes, where it was seen.
    pub detail: Option<&'a [u8]>,
}

/// A line that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct NotALine(pub &'static str);

const EXPECTED: NotALine =
    NotALine("`{\"index\":N,\"record\":{…},\"detail\":{…}}` exactly as `countersign log export` writes it");

impl<'a> Line<'a> {
    /// The line, with its newline.
    ///
    /// # Errors
    /// Where leaf or detail are not one JSON value each on one line: then the log holds something it never writes.
    pub fn write(&self) -> Result<Vec<u8>, NotALine> {
        let mut line = format!("{{\"index\":{},\"record\":", self.index).into_bytes();
        line.extend_from_slice(whole(self.leaf)?);
        if let Some(detail) = self.detail {
            line.extend_from_slice(b",\"detail\":");
            line.extend_from_slice(whole(detail)?);
        }
        line.extend_from_slice(b"}\n");
        Ok(line)
    }

    /// Reads a line, without its newline.
    ///
    /// # Errors
    /// Where it is not of the one form.
    pub fn read(line: &'a [u8]) -> Result<Self, NotALine> {
        let rest = line.strip_prefix(b"{\"index\":").ok_or(EXPECTED)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let index = std::str::from_utf8(&rest[..digits])
            .ok()
            .and_then(|digits| digits.parse().ok())
            .ok_or(EXPECTED)?;
        let (leaf, rest) = value(rest[digits..].strip_prefix(b",\"record\":").ok_or(EXPECTED)?)?;
        let (detail, rest) = match rest.strip_prefix(b",\"detail\":") {
            Some(rest) => value(rest).map(|(detail, rest)| (Some(detail), rest))?,
            None => (None, rest),
        };
        if rest == b"}" { Ok(Self { index, leaf, detail }) } else { Err(EXPECTED) }
    }
}

/// One JSON object at the beginning, and what follows it.
fn value(bytes: &[u8]) -> Result<(&[u8], &[u8]), NotALine> {
    if bytes.first() != Some(&b'{') {
        return Err(EXPECTED);
    }
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => Ok(bytes.split_at(values.byte_offset())),
        _ => Err(EXPECTED),
    }
}

fn whole(bytes: &[u8]) -> Result<&[u8], NotALine> {
    match value(bytes) {
        Ok((value, [])) if !value.contains(&b'\n') => Ok(value),
        _ => Err(NotALine("a record that is one JSON object on one line")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    #[test]
    fn lines_keep_every_byte() {
        let leaf = r#"{"a":"}\" ,\"detail\":{","b":[{"c":1}]}"#.as_bytes();
        for detail in [None, Some(r#"{"x":"ü"}"#.as_bytes())] {
            let line = Line { index: 4711, leaf, detail };
            let text = line.write().unwrap();
            assert_eq!(text.last(), Some(&b'\n'));
            assert_eq!(Line::read(&text[..text.len() - 1]).unwrap(), line);
        }
    }

    #[test]
    fn only_the_one_form_is_read() {
        for bad in [
            "",
            "{}",
            r#"{"index":1}"#,
            r#"{"index":-1,"record":{}}"#,
            r#"{"index":1,"record":1}"#,
            r#"{"index":1,"record":{}} "#,
            r#"{"record":{},"index":1}"#,
            r#"{"index":1,"record":{},"detail":{},"more":1}"#,
            r#"{"index":1,"record":{"#,
        ] {
            assert_eq!(Line::read(bad.as_bytes()), Err(EXPECTED), "{bad}");
        }
        assert!(Line { index: 0, leaf: b"{\n}", detail: None }.write().is_err());
        assert!(Line { index: 0, leaf: b"{}{}", detail: None }.write().is_err());
    }
}
