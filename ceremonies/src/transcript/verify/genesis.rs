//! The beginning: what the instance is, and that all of its officers said so.

use proto::proof::note::Verifier;
use proto::record::Body;

use crate::act::Setting;
use crate::genesis::Genesis;
use crate::roster::Terms;
use crate::transcript::control::Control;
use crate::transcript::invalid::At;
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
        let allow_software_officer_keys = genesis.allow_software_officer_keys();
        let terms = Terms { allow_software_officer_keys, mode: genesis.mode() };
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
