//! What the writer, the keeper, the index's follower and every handle of the log share.

use std::sync::{Arc, Mutex};

use arc_swap::{ArcSwap, ArcSwapOption};
use proto::proof::keys::LogKeys;
use tokio::sync::watch;

use super::anchor::OffHost;
use super::fence::Fence;
use super::handover::Barrier;
use super::index::Following;
use super::keeper::Signals;
use super::queue::Queue;
use super::replay::Requests;
use super::settings::Settings;
use super::signer::Signers;
use super::stops::StopFile;
use super::tree::EdgeTiles;
use super::watch::{Feed, Head, LogHealth};
use crate::clock::{Clock, Watch};
use crate::store::{Owner, Readers};

pub(super) struct Shared {
    pub(super) settings: Settings,
    /// What this process can sign checkpoints with.
    pub(super) signers: Signers,
    /// Which keys sign which checkpoints.
    pub(super) keys: ArcSwap<LogKeys>,
    pub(super) clock: Arc<dyn Clock>,
    /// What the newest batch was stamped by.
    pub(super) watch: ArcSwap<Watch>,
    pub(super) owner: Owner,
    pub(super) queue: Arc<Queue>,
    pub(super) fence: Fence,
    pub(super) barrier: Barrier,
    pub(super) requests: Requests,
    pub(super) feed: Arc<Feed>,
    pub(super) head: watch::Sender<Arc<Head>>,
    pub(super) health: watch::Sender<LogHealth>,
    pub(super) stop_file: Mutex<StopFile>,
    pub(super) signals: Signals,
    pub(super) off_host: OffHost,
    pub(super) following: Following,
    /// Absent while the log is not loaded.
    pub(super) readers: ArcSwapOption<Readers>,
    pub(super) edge: EdgeTiles,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("settings", &self.settings)
            .field("signers", &self.signers)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Changes the health, and says so if it is another one.
    pub(super) fn set_health(&self, change: impl FnOnce(&LogHealth) -> Option<LogHealth>) {
        self.health.send_if_modified(|health| {
            let Some(new) = change(health).filter(|new| new != health) else { return false };
            match &new {
                LogHealth::Ready => tracing::info!("the log takes records"),
                LogHealth::Refusing { cause } => tracing::warn!(%cause, "the log takes nothing new"),
                LogHealth::Failed { cause } if **cause == *super::CLOSED => {
                    tracing::info!("the log is closed")
                }
                LogHealth::Failed { cause } => tracing::error!(%cause, "the log takes nothing"),
            }
            crate::measure::log_ready(new == LogHealth::Ready);
            *health = new;
            true
        });
    }
}
