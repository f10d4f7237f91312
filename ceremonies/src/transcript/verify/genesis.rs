//! The beginning: what the instance is, and that all of its officers said so.

use proto::proof::note::Verifier;
use proto::record::Body;

use crate::act::Setting;
use crate::genesis::Genesis;
use crate::recovery::{self, Carried};
use crate::roster::Terms;
use crate::transcript::control::Control;
use crate::transcript::invalid::{At, hold};
use crate::transcript::{Invalid, Step};

/// The instance whose genesis record 0 holds: its people have signed it.
pub(super) struct Instance {
    pub(super) genesis: Genesis,
    pub(super) log_key: Verifier,
    pub(super) terms: Terms,
}

impl Instance {
    /// The instance that begins with this chain, by the detail of its first record.
    pub(super) fn begin(control: &Control, detail: Option<&[u8]>) -> Result<Self, Invalid> {
        let first = &control.first().record;
        let Body::Genesis { statement } = &first.body else {
            return Err(Invalid::new(Step::Genesis, "record 0 is no genesis"));
        };
        let genesis =
            Genesis::of_record(statement, detail, first.time.sealed).at(Step::Genesis, "record 0")?;
        let log_key = genesis.log_key().parse().at(Step::Genesis, "the log key")?;
        let terms = genesis.terms();
        carried(control, genesis.carried())?;
        Ok(Self { genesis, log_key, terms })
    }

    /// Where acts of this instance are taken.
    pub(super) fn setting(&self) -> Setting<'_> {
        let genesis = &self.genesis;
        Setting {
            environment: genesis.environment().as_str(),
            instance: genesis.instance().as_str(),
            mode: genesis.mode(),
            origin: genesis.origin(),
        }
    }
}

/// The records after the first bring what record 0 carries over, all of it, before anything else and nowhere else.
fn carried(control: &Control, carried: Option<&Carried>) -> Result<(), Invalid> {
    let lines = &control.lines()[1..];
    for line in lines {
        let judged = match carried {
            Some(carried) => carried.judge(line.index, &line.record),
            None => recovery::nothing(&line.record),
        };
        judged.map_err(|why| Invalid::new(Step::Genesis, format!("record {} {why}", line.index)))?;
    }
    let expected = carried.map_or(0, Carried::records);
    let there = lines.iter().zip(1..).take(expected).filter(|(line, index)| line.index == *index).count();
    hold(there == expected, Step::Genesis, || {
        format!("{there} of {expected} keys and stops that record 0 carries over are there")
    })
}
