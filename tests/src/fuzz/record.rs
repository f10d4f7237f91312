//! Records: what is read is written again byte for byte, by the reader's types, by an independent canonicalizer and by the
//! draft that the log's writer stamps.

use proto::canonical;
use proto::hash::Hash;
use proto::record::{Draft, LONGEST_LEAF, Record, RecordError, Times};

/// Words of records.
pub const WORDS: &[&str] = &[
    "\"clock\":\"untrusted\",",
    "\"v\":1",
    "\"v\":0",
    "null",
    "\"previous\":null,",
    "\"kind\":\"sign\",",
    "\"kind\":\"denied\",",
    "\"reason\":\"CRASH\",",
    "9007199254740991",
    "9007199254740992",
    "-0",
    "1e2",
    "\\u0061",
    "\u{10000}",
    "\u{e000}",
    "\"subjects\":[]",
];

/// The golden files of every kind.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = super::golden("proto/tests/golden/records", "");
    seeds.push(br#"{"kind":"of.tomorrow","v":0}"#.to_vec());
    seeds
}

/// See the module.
pub fn fuzz_one(bytes: &[u8]) -> bool {
    let Ok(record) = Record::parse(bytes) else { return false };
    let independent = serde_json::from_slice(bytes).unwrap();
    let written: Vec<u8> = serde_json_canonicalizer::to_vec::<serde_json::Value>(&independent).unwrap();
    same(&written, bytes, "an independent canonicalizer");
    let (written, draft) = match &record {
        Record::Sign(record) => {
            (canonical::to_vec(record), drafted(record.draft(), record.time, &Hash::ZERO))
        }
        Record::Denied(record) => {
            (canonical::to_vec(record), drafted(record.draft(), record.time, &Hash::ZERO))
        }
        Record::DeniedSummary(record) => {
            (canonical::to_vec(record), drafted(record.draft(), record.time, &Hash::ZERO))
        }
        Record::Read(record) => {
            (canonical::to_vec(record), drafted(record.draft(), record.time, &Hash::ZERO))
        }
        Record::Config(record) => {
            (canonical::to_vec(record), drafted(record.draft(), record.time, &Hash::ZERO))
        }
        Record::Control(record) => {
            (canonical::to_vec(record.as_ref()), drafted(record.draft(), record.time, &record.previous))
        }
        Record::Unknown { kind } => {
            assert!(!kind.is_empty() || bytes.windows(2).any(|pair| pair == b"\"\""), "a kind from nowhere");
            return true;
        }
    };
    same(&written.unwrap(), bytes, "the record's own type");
    if let Some(draft) = draft {
        same(&draft, bytes, "the draft that the writer stamps");
    }
    true
}

/// The leaf that the log's writer would make of it; none where the record carries the writer's mark already.
fn drafted(draft: Result<Draft, RecordError>, time: Times, previous: &Hash) -> Option<Vec<u8>> {
    match draft {
        Ok(draft) if time.clock.is_none() => Some(draft.stamp(time.sealed, false, previous)),
        Ok(_) => None,
        Err(RecordError::TooLong(length)) => {
            assert!(length + 64 > LONGEST_LEAF, "{length} bytes are not too long");
            None
        }
        Err(other) => panic!("read and not writable: {other}"),
    }
}

fn same(written: &[u8], read: &[u8], by: &str) {
    assert_eq!(String::from_utf8_lossy(written), String::from_utf8_lossy(read), "written again by {by}");
}
