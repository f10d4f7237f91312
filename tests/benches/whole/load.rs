//! The load: a closed loop with so many calls in flight over so many connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proto::wire::v1;
use proto::wire::v1::signing_service_client::SigningServiceClient;
use tests::performance::histogram::Histogram;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::channel;
use crate::cpu::{Machine, Used};
use crate::pki::Identity;
use crate::requests::Requests;

/// A batch's replies: 64 receipts are about 100 KiB, 1,000 of them 1.5 MiB.
const LARGEST_ANSWER: usize = 64 << 20;

/// Whom to ask, as whom, and for which key.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// The caller.
    pub identity: Identity,
    /// The key.
    pub key: String,
    /// The server's process; its descendants count as server too.
    pub process: u32,
}

/// How the load looks.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Calls waiting for their answer at any moment.
    pub in_flight: usize,
    /// Connections that share them.
    pub connections: usize,
    /// Digests in a call; 1 is a unary `Sign`.
    pub batch: usize,
}

/// What one window saw.
#[derive(Clone, Debug)]
pub struct Window {
    /// Signatures that arrived.
    pub signatures: u64,
    /// How long it was.
    pub seconds: f64,
    /// Nanoseconds of the calls.
    pub latency: Histogram,
    /// CPU seconds of the server's processes.
    pub server: f64,
    /// CPU seconds of this process.
    pub client: f64,
    /// Share of the machine that neither used and that was not idle.
    pub others: f64,
}

impl Window {
    /// Signatures a second.
    pub fn rate(&self) -> f64 {
        self.signatures as f64 / self.seconds
    }

    /// CPU microseconds of the server for one signature.
    pub fn server_each(&self) -> f64 {
        self.server * 1e6 / self.signatures as f64
    }

    /// CPU microseconds of the client for one signature.
    pub fn client_each(&self) -> f64 {
        self.client * 1e6 / self.signatures as f64
    }

    /// Microseconds within which this share of the calls was answered.
    pub fn latency_at(&self, share: f64) -> f64 {
        self.latency.quantile(share) as f64 / 1e3
    }
}

const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const OVER: u8 = 2;

/// Seeds of request rows, so that no two loops of a run ask for the same.
static LOOPS: AtomicU64 = AtomicU64::new(1);

/// The phase that all loops of a window share.
#[derive(Clone, Debug, Default)]
pub struct Phase(Arc<AtomicU8>);

/// Loops that run.
#[derive(Debug)]
pub struct Running(JoinSet<Result<(u64, Histogram), String>>);

/// Connects and starts the loops. They count only while the phase says so.
pub async fn start(target: &Target, shape: Shape, phase: &Phase) -> Result<Running, String> {
    let mut channels = Vec::new();
    for _ in 0..shape.connections {
        channels.push(channel::connect(target.address, &target.identity).await?);
    }
    let mut loops = JoinSet::new();
    for at in 0..shape.in_flight {
        let client = SigningServiceClient::new(channels[at % channels.len()].clone());
        let client = client.max_decoding_message_size(LARGEST_ANSWER);
        let requests = Requests::of(&target.key, LOOPS.fetch_add(1, Ordering::Relaxed));
        loops.spawn(ask(client, requests, shape.batch, phase.clone()));
    }
    Ok(Running(loops))
}

impl Running {
    /// Waits for the loops to end, which they do when the phase is over; what all of them counted.
    pub async fn finish(mut self) -> Result<(u64, Histogram), String> {
        let (mut signatures, mut latency) = (0, Histogram::default());
        while let Some(done) = self.0.join_next().await {
            let (count, times) = done.map_err(|e| format!("a loop died: {e}"))??;
            signatures += count;
            latency.add(&times);
        }
        Ok((signatures, latency))
    }
}

/// One window of one load against one target: warms up, measures, stops.
pub async fn window(target: &Target, shape: Shape, warm: Duration, long: Duration) -> Result<Window, String> {
    let phase = Phase::default();
    let running = start(target, shape, &phase).await?;
    let meter = metered(target.process, warm, long, &phase).await;
    let (signatures, latency) = running.finish().await?;
    if signatures == 0 {
        return Err("nothing was signed in the window".to_owned());
    }
    Ok(Window { signatures, latency, ..meter })
}

/// Lets the loops warm up, opens the window, closes it and says what was used in it.
pub async fn metered(process: u32, warm: Duration, long: Duration, phase: &Phase) -> Window {
    tokio::time::sleep(warm).await;
    let before = (Used::by_tree(process), Used::by_us(), Machine::now());
    let begun = Instant::now();
    phase.0.store(MEASURING, Ordering::Relaxed);
    tokio::time::sleep(long).await;
    phase.0.store(OVER, Ordering::Relaxed);
    let seconds = begun.elapsed().as_secs_f64();
    let server = Used::by_tree(process).since(&before.0).as_secs_f64();
    let client = Used::by_us().since(&before.1).as_secs_f64();
    let (busy, all) = Machine::now().since(before.2);
    let others = ((busy - server - client) / all).max(0.0);
    Window { signatures: 0, seconds, latency: Histogram::default(), server, client, others }
}

async fn ask(
    mut client: SigningServiceClient<Channel>,
    mut requests: Requests,
    batch: usize,
    phase: Phase,
) -> Result<(u64, Histogram), String> {
    let (mut count, mut latency) = (0, Histogram::default());
    loop {
        let signatures = if batch == 1 {
            let request = requests.one();
            let begun = Instant::now();
            let response = client.sign(request).await.map_err(|e| format!("a request was refused: {e}"))?;
            let took = begun.elapsed();
            (response.into_inner().signatures.len(), took)
        } else {
            let request = requests.many(batch);
            let begun = Instant::now();
            let response = client.sign_batch(request).await.map_err(|e| format!("a batch was refused: {e}"))?;
            let took = begun.elapsed();
            (signed(&response.into_inner())?, took)
        };
        match phase.0.load(Ordering::Relaxed) {
            WARMING => {}
            MEASURING => {
                count += signatures.0 as u64;
                latency.record(u64::try_from(signatures.1.as_nanos()).unwrap_or(u64::MAX));
            }
            _ => return Ok((count, latency)),
        }
    }
}

/// How many of a batch were signed: all, or the run is worth nothing.
fn signed(response: &v1::SignBatchResponse) -> Result<usize, String> {
    for result in &response.results {
        match &result.outcome {
            Some(v1::sign_result::Outcome::Response(_)) => {}
            Some(v1::sign_result::Outcome::Refusal(refusal)) => {
                return Err(format!("an item of a batch was refused: {} ({})", refusal.message, refusal.reason));
            }
            None => return Err("an item of a batch has no outcome".to_owned()),
        }
    }
    Ok(response.results.len())
}
