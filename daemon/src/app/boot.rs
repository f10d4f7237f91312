//! Opening an instance: its log, the state that its control records fold to, and whether it is the configured one.

use std::sync::Arc;

use ceremonies::genesis::Mode;
use ceremonies::statement::Target;
use proto::proof::keys::LogKeys;

use super::{Failed, log_key, reach};
use crate::ahead;
use crate::clock::Clock;
use crate::config::Config;
use crate::keys::fold::{Documents, State};
use crate::log::{self, Control, Controls, Log};

/// Control records whose documents are read at once.
const PAGE: usize = 100;

/// An open instance.
pub(super) struct Booted {
    pub(super) log: Log,
    pub(super) controls: Controls,
    pub(super) state: State,
}

/// Opens the instance and holds it against the configuration.
pub(super) fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Booted, Failed> {
    let signers = log_key::signers(&config.log)?;
    let mut folded = None;
    let opened = log::open_waiting(reach::log_settings(config), clock, signers, |history, mark| {
        let state = folded.insert(fold(history));
        state.as_ref().ok()?.due(mark)
    })?;
    let state = folded.unwrap_or_else(|| fold(&opened.history))?;
    belongs(config, &state)?;
    same_keys(&state, &opened.log.keys())?;
    Ok(Booted { log: opened.log, controls: opened.controls, state })
}

/// The state after these control records.
pub(super) fn fold(history: &[Control]) -> Result<State, Failed> {
    let (first, rest) = history.split_first().ok_or_else(|| Failed::new("the log has no genesis record"))?;
    let mut state = State::genesis(first.hash, &first.record, first.detail.as_deref())?;
    ahead::in_order(
        rest.chunks(PAGE).map(Ok),
        |page| page.iter().map(|control| (control, documents(control))).collect::<Vec<_>>(),
        |page| {
            page.into_iter().try_for_each(|(control, documents)| {
                state.apply_read(control.index, control.hash, &control.record, documents)?;
                Ok::<_, Failed>(())
            })
        },
    )?;
    Ok(state)
}

/// Whether the keys that a log was read by are those that its ceremonies have put in force.
pub(super) fn same_keys(state: &State, keys: &LogKeys) -> Result<(), Failed> {
    if state.log_keys() == keys {
        return Ok(());
    }
    Err(Failed::new("the log's control records name other log keys than its ceremonies have put in force"))
}

fn documents(control: &Control) -> Documents {
    Documents::read(&control.record, control.detail.as_deref())
}

/// Whether the log is the one that the configuration names.
fn belongs(config: &Config, state: &State) -> Result<(), Failed> {
    let (found, named) = (state.genesis_sha256(), config.instance.genesis_sha256);
    if let Target::LogRecover(recover) = state.instance().statement().target()
        && recover.genesis == named
    {
        return Err(Failed::new(format!(
            "the log in {} is {}, which took the place of the one that the configuration names: it was recovered, and begins with \
             genesis {found}. Compare the sixteen words with its people, and name that one (found {named})",
            config.instance.state_directory.display(),
            recover.origin
        )));
    }
    if found != named {
        return Err(Failed::new(format!(
            "the log in {} begins with genesis {found}, and the configuration names {named}: this is another instance",
            config.instance.state_directory.display()
        )));
    }
    let missing = state.not_carried();
    if missing > 0 {
        return Err(Failed::new(format!(
            "{missing} of the keys and stops that record 0 carries over are not in the log: put the right store back"
        )));
    }
    let genesis = state.instance();
    if genesis.instance().as_str() != config.instance.name {
        return Err(Failed::new(format!(
            "the genesis names the instance {}, and the configuration {}",
            genesis.instance(),
            config.instance.name
        )));
    }
    if genesis.mode() == Mode::Rehearsal {
        tracing::warn!(
            instance = %genesis.instance(),
            "this is a REHEARSAL instance: nothing that it signs counts"
        );
    }
    Ok(())
}
