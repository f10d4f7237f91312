//! The daemon: started, serving, reloading, drained.

use std::sync::Arc;
use std::time::Duration;

use proto::hash::Hash;
use proto::record::config::Cause;
use rustls::pki_types::CertificateDer;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Failed, account, backends, boot, harden};
use crate::audit::Reads;
use crate::backend::Settings;
use crate::clock::Clock;
use crate::config::Config;
use crate::council::Council;
use crate::denials::Denials;
use crate::drain::{self, Drained, Signals};
use crate::enroll::{Ca, Enroller};
use crate::incident::Responder;
use crate::keyring::{self, Account, Adopted, Keyring};
use crate::log::{Log, LogHealth, Owed};
use crate::rpc::edge::Edge;
use crate::rpc::listen::Inherited;
use crate::rpc::services::Services;
use crate::rpc::tls;
use crate::secret::Unmet;
use crate::sign::Signer;
use crate::web::{self, Pages};
use crate::{random, telemetry, tick};

/// Runs the daemon until it is told to stop, and says first what it could not give up.
pub(super) fn run(config: Config, clock: Arc<dyn Clock>, unmet: &[Unmet]) -> Result<(), Failed> {
    telemetry::trace(&config.telemetry)?;
    let metrics = telemetry::measure()?;
    harden::say(unmet);
    harden::descriptors(config.limits.most_connections().saturating_add(web::CONNECTIONS));
    // One processor is left for the log's writer, but not of two: signing takes more than one, and a commit waits for the
    // disk most of its time.
    let workers = std::thread::available_parallelism().map_or(2, |all| all.get().saturating_sub(1).max(2));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    runtime.block_on(serve(config, clock, metrics))
}

async fn serve(config: Config, clock: Arc<dyn Clock>, metrics: telemetry::Metrics) -> Result<(), Failed> {
    let mut signals = Signals::listen()?;
    let mut inherited = Inherited::from_environment()?;
    // Beside the log: a thousand rules take as long to read as everything else.
    let loading = loading(&config);
    let accounting = {
        let config = config.clone();
        tokio::task::spawn_blocking(move || account::at_start(&config))
    };
    // A key of this process is tried when it is opened, which takes a number of the crypto library.
    let is_early = config.backends.values().any(|settings| matches!(settings, Settings::Software(_)));
    let collecting = is_early.then(|| tokio::task::spawn_blocking(random::collect));
    // On this thread, whose heap grows in larger steps than those of others: most of what a start makes stays.
    let booted = tokio::task::block_in_place(|| boot::open(&config, Arc::clone(&clock)))?;
    let metrics = metrics.shown().await?;
    let folding = tokio::spawn(telemetry::fold(metrics.clone()));
    let (log, controls) = (booted.log, booted.controls);
    let backends = backends::start(&config, &booted.state, &clock)?;
    let keyring = Keyring::new(booted.state, backends.all.clone(), Arc::clone(&clock));
    // Beside everything else: a module takes as long as it likes.
    let mut opening = opening::Opening::begin(&keyring);
    let mut following = tokio::spawn(keyring::follow(Arc::clone(&keyring), controls));
    let loaded = approved(&config, &log, &keyring, loading.await?).await?;
    keyring.adopt(&log, loaded, None).await?;
    opening.wait(opening::UNSERVED).await;
    let denials = Denials::new(log.clone(), Arc::clone(&keyring), Arc::clone(&clock));
    let signer = Signer::new(log.clone(), Arc::clone(&keyring), Arc::clone(&clock), Arc::clone(&denials));
    let council = Council::new(log.clone(), Arc::clone(&keyring), Arc::clone(&signer), Arc::clone(&clock));
    let services = Services {
        signer: Arc::clone(&signer),
        council: Arc::clone(&council),
        keyring: Arc::clone(&keyring),
        log: log.clone(),
        responder: Arc::new(Responder::new(
            log.clone(),
            Arc::clone(&keyring),
            Arc::clone(&denials),
            Arc::clone(&clock),
        )),
        enroller: Arc::new(Enroller::new(
            log.clone(),
            Arc::clone(&keyring),
            Arc::clone(&denials),
            Arc::clone(&clock),
            config.enrollment.as_ref().map(Ca::read).transpose()?,
        )),
        reads: Arc::new(Reads::new(log.clone())),
        denials: Arc::clone(&denials),
        clock: Arc::clone(&clock),
    };
    let (paths, board) = services.paths()?;
    let vouched_by = guardrails_of(&keyring);
    let authorities = authorities(&keyring)?;
    let limits = config.limits.clone();
    let bound =
        Edge::bind(&config.listen, &mut inherited, &authorities, paths, board, limits, Arc::clone(&clock))
            .await?;
    let pages = match config.web {
        Some(address) => Some(web::bind(address).await?),
        None => None,
    };
    // A start that came to nothing leaves no record. From here on this process may sign, and nothing of that comes before this one.
    let account = accounting.await?;
    let owed = keyring.account(&log, account.clone())?;
    let edge = bound.serve();
    let (end_pages, pages_end) = oneshot::channel::<()>();
    let web = match pages {
        Some(listener) => {
            let address = listener.local_addr()?;
            let pages = Pages { log: log.clone(), keyring: Arc::clone(&keyring), metrics };
            tokio::spawn(web::serve(listener, pages, async { drop(pages_end.await) }));
            Some(address)
        }
        None => None,
    };
    let vouching = tokio::spawn(follow_authorities(Arc::clone(&keyring), edge.tls(), vouched_by));
    let ticking = tokio::spawn(tick::run(signer, denials, council));
    addresses::write(&config, edge.address(), web)?;
    // A stop, keys that are open, and the end of the daemon wait for nothing of this.
    let readying = async {
        let answered = tokio::time::timeout(opening::UNREADY, opening::answered(&keyring));
        let _late = tokio::join!(recorded(Some(owed)), opening.wait(opening::UNREADY), answered);
        addresses::say(&config, edge.address(), web);
        drain::ready();
        let collecting = collecting.unwrap_or_else(|| tokio::task::spawn_blocking(random::collect));
        if let Err(panicked) = collecting.await {
            tracing::error!(%panicked, "what the crypto library's random numbers begin with was not collected");
        }
        std::future::pending::<()>().await;
    };

    let account = Account { cause: Cause::Reload, ..account };
    let reload = async || reload(&config, &log, &keyring, &edge, &account).await;
    let ended = tokio::select! {
        () = signals.until_stopped(reload) => Ok(()),
        stopped = &mut following => Err(match stopped {
            Ok(unfoldable) => Failed::from(unfoldable),
            Err(panicked) => Failed::from(panicked),
        }),
        () = readying => Ok(()),
    };
    ticking.abort();
    vouching.abort();
    folding.abort();
    tracing::info!("draining");
    let left = Box::pin(async {
        let open = edge.drain(drain::BOUND).await;
        if open > 0 {
            tracing::warn!(open, "connections did not end in time");
        }
        log.settled().await;
        drop(end_pages);
    });
    if signals.drain(left, drain::BOUND + Duration::from_secs(1)).await != Drained::Finished {
        tracing::warn!(
            "the drain was cut short; what had an intent is in the log or will be closed at the next start"
        );
    }
    log.close().await;
    backends.close().await;
    following.abort();
    tracing::info!("stopped");
    ended
}

/// Reads guardrails and grants, and puts them in force.
async fn adopt(
    config: &Config,
    log: &Log,
    keyring: &Arc<Keyring>,
    account: &Account,
) -> Result<Adopted, Failed> {
    let loaded = approved(config, log, keyring, loading(config).await?).await?;
    Ok(keyring.adopt(log, loaded, Some(account.clone())).await?)
}

/// How long a start or a reload waits for its record. Nobody else does: a stop is served meanwhile, and nothing is signed
/// before it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits until the record of a start or a reload is in the log, or the log has said that it takes nothing now.
async fn recorded(owed: Option<Owed>) {
    let Some(owed) = owed else { return };
    let later =
        "it is recorded later with which configuration this daemon runs, and nothing is signed before";
    match tokio::time::timeout(PATIENCE, owed.attempt()).await {
        Ok(Ok(appended)) => tracing::debug!(index = appended.index, "the configuration is recorded"),
        Ok(Err(why)) => tracing::warn!(%why, "{later}"),
        Err(_elapsed) => tracing::warn!("the log takes its time; {later}"),
    }
}

/// What was read, with what ceremonies put in force in its place.
async fn approved(
    config: &Config,
    log: &Log,
    keyring: &Keyring,
    read: Result<keyring::Loaded, keyring::RulesError>,
) -> Result<keyring::Loaded, Failed> {
    Ok(keyring::approved(log, keyring.snapshot().state(), read, &config.policy.grants).await?)
}

fn loading(config: &Config) -> JoinHandle<Result<keyring::Loaded, keyring::RulesError>> {
    let (guardrails, grants) = (config.policy.guardrails.clone(), config.policy.grants.clone());
    tokio::task::spawn_blocking(move || keyring::load(&guardrails, &grants))
}

fn authorities(keyring: &Keyring) -> Result<Vec<CertificateDer<'static>>, Failed> {
    match keyring.snapshot().in_force() {
        Some(force) => Ok(tls::authorities(&force.loaded.client_cas)?),
        None => Ok(vec![]),
    }
}

/// Takes the client authorities of guardrails as soon as the log puts them in force, for ever. Where there is no TLS it waits
/// for nothing.
async fn follow_authorities(keyring: Arc<Keyring>, tls: Option<Arc<tls::Tls>>, begun_with: Option<Hash>) {
    let Some(tls) = tls else { return };
    let (mut newest, mut known) = (keyring.watch(), begun_with);
    loop {
        let now = guardrails_of(&keyring);
        // Without guardrails nothing is permitted, whoever vouches for whom.
        if now.is_some() && now != known {
            known = now;
            match authorities(&keyring).and_then(|authorities| Ok(tls.reload(&authorities)?)) {
                Ok(()) => tracing::info!("the client authorities are those of the guardrails in force"),
                Err(Failed(why)) => tracing::error!(why, "the client authorities in force cannot be used"),
            }
        }
        if newest.changed().await.is_err() {
            return;
        }
    }
}

/// The guardrails in force, by their digest.
fn guardrails_of(keyring: &Keyring) -> Option<Hash> {
    keyring.snapshot().in_force().map(|force| force.loaded.guardrails)
}

/// SIGHUP: policy first, because it names the authorities, then certificates. What fails stays as it was.
async fn reload(config: &Config, log: &Log, keyring: &Arc<Keyring>, edge: &Edge, account: &Account) {
    // A log that a person has put right is loaded again.
    if matches!(*log.health().borrow(), LogHealth::Failed { .. }) {
        log.reload();
    }
    match adopt(config, log, keyring, account).await {
        Ok(Adopted { changed: true, .. }) => tracing::info!("changed policy files are recorded and in force"),
        Ok(Adopted { owed, .. }) => {
            recorded(owed).await;
            tracing::info!("the policy files are unchanged");
        }
        Err(Failed(why)) => tracing::error!(why, "the policy in force stays in force"),
    }
    let certificates = authorities(keyring).and_then(|authorities| Ok(edge.reload(&authorities)?));
    match certificates {
        Ok(()) => tracing::info!("certificates are reloaded"),
        Err(Failed(why)) => tracing::error!(why, "the certificates in use stay in use"),
    }
}

/// Waiting for the keys of a start, as long as that is worth while.
mod opening {
    use std::pin::Pin;
    use std::sync::Arc;
    use std::time::Duration;

    use crate::backend::Health;
    use crate::keyring::Keyring;

    /// How long nobody is served because of keys: a module that is well has answered, so nobody is told that a key is being
    /// opened who would not be told a moment later.
    pub(super) const UNSERVED: Duration = Duration::from_secs(2);
    /// How long after that the daemon does not say that it is ready, for modules that take their time. It serves meanwhile.
    pub(super) const UNREADY: Duration = Duration::from_secs(8);

    /// Waits until every backend has said how it fares, also those without a key: the first one may be made there at once.
    pub(super) async fn answered(keyring: &Keyring) {
        for (_, backend) in keyring.backends() {
            let mut health = backend.health();
            // Whoever has gone says nothing any more.
            let _said = health.wait_for(|health| *health != Health::Starting).await;
        }
    }

    /// The keys of a start while they are opened.
    pub(super) struct Opening {
        keyring: Arc<Keyring>,
        under_way: Option<Pin<Box<dyn Future<Output = usize> + Send>>>,
    }

    impl Opening {
        pub(super) fn begin(keyring: &Arc<Keyring>) -> Self {
            Self { keyring: Arc::clone(keyring), under_way: Some(Box::pin(keyring.open_all())) }
        }

        /// Waits until every backend has answered for its keys, or this long. Whatever comes later is used when it comes.
        pub(super) async fn wait(&mut self, patience: Duration) {
            let Some(under_way) = &mut self.under_way else { return };
            match tokio::time::timeout(patience, under_way).await {
                Ok(unopened) => {
                    self.under_way = None;
                    if unopened > 0 {
                        tracing::warn!(unopened, "keys could not be opened; they are tried again and again");
                    }
                }
                Err(_elapsed) => {
                    let snapshot = self.keyring.snapshot();
                    let backends = snapshot.waits_for().into_iter().collect::<Vec<_>>().join(", ");
                    tracing::warn!(
                        backends,
                        "not all keys are open yet: these backends have not answered. Everything else is served, and their keys \
                         are as soon as they answer"
                    );
                }
            }
        }
    }
}

/// Where the daemon listens, for people and for whoever started it with port 0.
mod addresses {
    use std::net::SocketAddr;

    use serde::Serialize;

    use super::{Config, Failed};

    #[derive(Serialize)]
    struct Addresses<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        local: Option<&'a std::path::Path>,
        #[serde(skip_serializing_if = "Option::is_none")]
        network: Option<SocketAddr>,
        #[serde(skip_serializing_if = "Option::is_none")]
        web: Option<SocketAddr>,
    }

    /// Writes `<state>/run/addresses.json`.
    pub(super) fn write(
        config: &Config,
        network: Option<SocketAddr>,
        web: Option<SocketAddr>,
    ) -> Result<(), Failed> {
        let directory = config.instance.state_directory.join("run");
        std::fs::create_dir_all(&directory)?;
        let local = config.listen.local.as_ref().map(|local| local.socket.as_path());
        let text = serde_json::to_vec(&Addresses { local, network, web })?;
        let (part, whole) = (directory.join("addresses.json.part"), directory.join("addresses.json"));
        std::fs::write(&part, text)?;
        Ok(std::fs::rename(part, whole)?)
    }

    /// One line on standard output, when the daemon serves.
    #[expect(clippy::print_stdout, reason = "the one line that says where the daemon listens")]
    pub(super) fn say(config: &Config, network: Option<SocketAddr>, web: Option<SocketAddr>) {
        let network = network.map(|address| format!(" https://{address}"));
        let local = config.listen.local.as_ref().map(|local| format!(" unix:{}", local.socket.display()));
        let web = web.map(|address| format!(" (checkpoints and metrics: http://{address})"));
        let parts = [network, local, web].map(Option::unwrap_or_default).concat();
        println!("ready:{parts}");
    }
}
