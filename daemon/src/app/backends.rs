//! The configured backends, started. Besides `main`, the only place that names them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ceremonies::genesis::Mode;
use futures_util::future::join_all;

use super::Failed;
use crate::backend::pkcs11::{Pkcs11, Place};
use crate::backend::software::{Admission, Software};
use crate::backend::{Backend, Settings};
use crate::clock::Clock;
use crate::config::Config;
use crate::keys::fold::State;

/// All backends, and those that have something to close.
pub(super) struct Started {
    pub(super) all: BTreeMap<String, Arc<dyn Backend>>,
    hosted: Vec<Arc<Pkcs11>>,
}

/// Starts every configured backend.
pub(super) fn start(config: &Config, state: &State, clock: &Arc<dyn Clock>) -> Result<Started, Failed> {
    let mut started = Started { all: BTreeMap::new(), hosted: vec![] };
    for (name, settings) in &config.backends {
        let backend: Arc<dyn Backend> = match settings {
            Settings::Software(settings) => {
                let directory = config.instance.state_directory.join("software");
                Arc::new(Software::open(name, settings, admission(state), directory, Arc::clone(clock))?)
            }
            Settings::Pkcs11(settings) => {
                let (settings, place) = ((**settings).clone(), place(config, Some(state.instance().mode())));
                let backend = Arc::new(Pkcs11::start(name, settings, place, Arc::clone(clock))?);
                started.hosted.push(Arc::clone(&backend));
                backend
            }
        };
        started.all.insert(name.clone(), backend);
    }
    Ok(started)
}

/// Where hosts come from, where wrong PINs are remembered, and of which mode the instance is, where that is known already.
pub(super) fn place(config: &Config, mode: Option<Mode>) -> Place {
    Place {
        // Not its path: after an upgrade on disk that is another build, which hosts of this one refuse.
        program: "/proc/self/exe".into(),
        state_directory: config.instance.state_directory.clone(),
        mode,
    }
}

fn admission(state: &State) -> Admission {
    let genesis = state.instance();
    if genesis.mode() == Mode::Rehearsal || genesis.allow_software_backend() {
        Admission::Admitted
    } else {
        Admission::Refused
    }
}

impl Started {
    /// Logs out of every token and ends the hosts, side by side.
    pub(super) async fn close(&self) {
        join_all(self.hosted.iter().map(|backend| backend.close())).await;
    }
}
