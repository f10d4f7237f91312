//! What a log's first record says.

use ceremonies::genesis::Genesis;
use proto::record::{Body, ControlRecord};
use tests::ledger::Ledger;

/// How the instance began whose log this is, by its record 0 alone.
pub fn begun(ledger: &Ledger) -> Genesis {
    let first = &ledger.records[0];
    let record = ControlRecord::parse(&first.leaf).unwrap();
    let Body::Genesis { statement } = &record.body else { panic!("no genesis: {:?}", record.body) };
    Genesis::of_record(statement, first.detail.as_deref(), record.time.sealed).unwrap()
}
