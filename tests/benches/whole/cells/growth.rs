//! What a long log costs: start, append, memory, an old leaf's proof, a search.

use std::time::Instant;

use proto::wire::v1;
use proto::wire::v1::log_service_client::LogServiceClient;
use tests::performance::cell::{Cell, Judged};
use tests::performance::histogram::Histogram;
use tonic::transport::Channel;

use super::software::BATCH;
use crate::channel;
use crate::cpu;
use crate::instance::{Instance, SOFT};
use crate::load::{self, Target, Window};
use crate::prefill;
use crate::rounds::{self, Looks, Rounds};
use crate::stage::Stage;

/// Records of the short log.
const FEW: u64 = 10_000;

/// Looks of one kind in a round.
const LOOKS: u64 = 200;

/// Windows are shorter by so much, so that the short log stays short.
const SHORTER: u32 = 6;

/// Everything about growth.
pub fn grown(stage: &mut Stage) -> Result<Vec<Cell>, String> {
    let mut cells = appends(stage)?;
    cells.extend(reads(stage)?);
    let process = stage.daemon().process();
    let memory = cpu::resident(process) as f64 / 1e6;
    cells.push(judged(
        stage,
        "growth/memory",
        "MB",
        &[memory],
        150.0,
        "Resident memory of the daemon after all that load.",
    ));
    let (mut starts, mut looks) = (Vec::new(), Looks::default());
    for _ in 0..stage.pace.rounds {
        stage.daemon().stop();
        looks.before(&mut stage.disk);
        starts.push(stage.daemon().start().as_secs_f64() * 1e3);
        looks.after(&mut stage.disk);
    }
    let about = "From the start of the process to READY=1, log and keys loaded.";
    cells.push(judged(stage, "growth/start", "ms", &starts, 100.0, about));
    cells.extend(looks.cells("growth/start"));
    Ok(cells)
}

/// A bar of growth holds for the usual number of records only.
fn judged(stage: &Stage, name: &str, unit: &str, rounds: &[f64], bar: f64, about: &str) -> Cell {
    let cell = Cell::shown(name, unit, rounds, about);
    if stage.pace.usual { cell.held(Judged::ValueAtMost, bar, None) } else { cell }
}

/// CPU of an append to the long log, against one to a short log made for each round.
fn appends(stage: &mut Stage) -> Result<Vec<Cell>, String> {
    let long = stage.daemon().target(SOFT);
    let program = stage.program().to_owned();
    let (mut few, mut many) = (Rounds::default(), Rounds::default());
    for round in 0..stage.pace.rounds {
        let mut short = Instance::make(&program, &stage.directory(&format!("short-{round}")), None);
        short.fill(FEW);
        short.start();
        few.0.push(appended(stage, &short.target(SOFT))?);
        short.stop();
        many.0.push(appended(stage, &long)?);
    }
    let cost = |rounds: &Rounds| rounds.each(Window::server_each);
    let (short, long) = (cost(&few), cost(&many));
    let about = format!(
        "Server CPU of one signature of a batch, with everything on, over {} records; the ceiling is the same over {FEW}, made \
         anew for each round.{}",
        stage.pace.records,
        many.marks()
    );
    let cell = Cell::shown("growth/append", "µs", &long, &about).against(&long, &short);
    let mut cells = vec![if stage.pace.usual { cell.held(Judged::RatioAtMost, 1.2, None) } else { cell }];
    cells.extend(many.looks().cells("growth/append"));
    Ok(cells)
}

fn appended(stage: &mut Stage, target: &Target) -> Result<rounds::Round, String> {
    let (warm, window) = (stage.pace.warm / SHORTER, stage.pace.window / SHORTER);
    let measure = || load::window(target, BATCH, warm, window);
    let round = stage.runtime.block_on(rounds::round(&mut stage.disk, measure))?;
    println!("  an append: {:.1} µs of server CPU", round.window.server_each());
    Ok(round)
}

/// Proofs of old leaves and searches for old digests, one at a time over the same gRPC and mTLS.
fn reads(stage: &mut Stage) -> Result<Vec<Cell>, String> {
    let target = stage.daemon().target(SOFT);
    let (records, rounds) = (stage.pace.records, stage.pace.rounds);
    // The first records are control records; the filled ones follow.
    let old = move |look: u64| 100 + look.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (records - 200).max(1);
    let mut client = stage.runtime.block_on(async {
        let channel = channel::connect(target.address, &target.identity).await?;
        Ok::<_, String>(LogServiceClient::new(channel).max_decoding_message_size(16 << 20))
    })?;
    let (mut proofs, mut searches, mut looks) = (Vec::new(), Vec::new(), Looks::default());
    for round in 0..rounds as u64 {
        looks.before(&mut stage.disk);
        let (mut proof, mut search) = (Histogram::default(), Histogram::default());
        stage.runtime.block_on(async {
            for look in round * LOOKS..(round + 1) * LOOKS {
                proof.record(proven(&mut client, old(look)).await?);
                search.record(found(&mut client, old(look)).await?);
            }
            Ok::<_, String>(())
        })?;
        looks.after(&mut stage.disk);
        proofs.push(proof.quantile(0.5) as f64 / 1e6);
        searches.push(search.quantile(0.5) as f64 / 1e6);
    }
    let proof = "p50 of GetInclusionProof for leaves all over the log, one at a time, from call to answer.";
    let search = "p50 of SearchRecords by digest for records all over the log, one at a time, from call to the stream's end.";
    let mut cells = vec![
        judged(stage, "growth/proof", "ms", &proofs, 1.0, proof),
        judged(stage, "growth/search", "ms", &searches, 5.0, search),
    ];
    cells.extend(looks.cells("growth/reads"));
    Ok(cells)
}

async fn proven(client: &mut LogServiceClient<Channel>, index: u64) -> Result<u64, String> {
    let leaf = Some(v1::get_inclusion_proof_request::Leaf::LogIndex(index));
    let begun = Instant::now();
    let answer = client.get_inclusion_proof(v1::GetInclusionProofRequest { leaf, tree_size: 0 }).await;
    let took = begun.elapsed();
    let proof = answer.map_err(|e| format!("no proof of leaf {index}: {e}"))?.into_inner();
    if proof.log_index != index || proof.path.is_empty() {
        return Err(format!("the proof is not of leaf {index}"));
    }
    Ok(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX))
}

async fn found(client: &mut LogServiceClient<Channel>, index: u64) -> Result<u64, String> {
    let digest = prefill::digest_of(index).as_bytes().to_vec();
    let request = v1::SearchRecordsRequest { digest, ..v1::SearchRecordsRequest::default() };
    let begun = Instant::now();
    let answer = client.search_records(request).await;
    let mut stream = answer.map_err(|e| format!("no search for record {index}: {e}"))?.into_inner();
    let mut matches = Vec::new();
    while let Some(next) = stream.message().await.map_err(|e| format!("a search broke off: {e}"))? {
        matches.extend(next.record);
    }
    let took = begun.elapsed();
    let sought = prefill::digest_of(index).to_string();
    match matches.as_slice() {
        [one] if String::from_utf8_lossy(&one.leaf).contains(&sought) => {}
        other => {
            return Err(format!("a search for one digest found {} records, or another one", other.len()));
        }
    }
    Ok(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX))
}
