//! Keys in SoftHSM through its host process: under load, behind a slow wire, and alone.

use tests::performance::cell::{Cell, Judged};

use super::shown;
use super::software::{UNARY, verification};
use crate::instance::{FAR, FAR_SESSIONS, NEAR, NEAR_SESSIONS, SOFT};
use crate::load::Shape;
use crate::raw::Reached;
use crate::rounds::Rounds;
use crate::stage::Stage;

/// Microseconds of CPU that the way through daemon, log and host may cost.
const WAY: f64 = 45.0;

/// Microseconds that a lone request may wait for anything but the HSM and the disk.
const ALONE: f64 = 200.0;

/// Fdatasyncs that a lone request may wait for: intent and seal are one each, with some room.
const SYNCS: f64 = 2.2;

/// One call at a time on one connection.
pub const LONE: Shape = Shape { in_flight: 1, connections: 1, batch: 1 };

/// CPU of a signature under load: no more than the raw loop, one verification and the way.
pub fn near(stage: &mut Stage) -> Result<Vec<Cell>, String> {
    let (raws, rounds) = with_raw(stage, false, NEAR_SESSIONS, UNARY, NEAR)?;
    let verify = verification(stage);
    let cpu: Vec<f64> = raws.iter().map(|raw| raw.cpu).collect();
    let about = format!("C_SignInit and C_Sign on SoftHSM in {NEAR_SESSIONS} sessions, nothing around them.");
    let mut cells = vec![
        Cell::shown("softhsm/raw", "1/s", &raws.iter().map(|raw| raw.rate).collect::<Vec<_>>(), &about),
        Cell::shown("softhsm/raw/cpu", "µs", &cpu, &about),
    ];
    let mut own = shown("softhsm", "unary", &rounds, "The daemon with a key in SoftHSM, 64 in flight over 4 connections.");
    let floor: Vec<f64> = cpu.iter().map(|raw| raw + verify.value).collect();
    let used = rounds.each(|window| window.server_each());
    let bar = median(&floor) + WAY;
    own[1] = own[1].clone().against(&used, &floor).held(Judged::ValueAtMost, bar, None);
    own[1].about = format!(
        "CPU of one signature, daemon and host together; at most the raw loop's {:.1} µs, one verification's {:.1} µs and \
         {WAY} µs.{}",
        median(&cpu),
        verify.value,
        rounds.marks()
    );
    cells.push(verify);
    cells.extend(own);
    Ok(cells)
}

/// The rate on the model of an HSM behind a network, against the raw loop with as many sessions.
pub fn far(stage: &mut Stage) -> Result<Vec<Cell>, String> {
    let (raws, rounds) = with_raw(stage, true, FAR_SESSIONS, UNARY, FAR)?;
    let rates: Vec<f64> = raws.iter().map(|raw| raw.rate).collect();
    let about =
        format!("SoftHSM behind a wire of 1 ms each way, {FAR_SESSIONS} sessions; 64 in flight over 4 connections.");
    let mut cells = vec![Cell::shown("network/raw", "1/s", &rates, "The raw loop on the same module and sessions.")];
    let mut own = shown("network", "unary", &rounds, &about);
    let reached = rounds.each(|window| window.rate());
    own[0] = own[0].clone().against(&reached, &rates).held(Judged::RatioAtLeast, 0.95, None);
    cells.extend(own);
    Ok(cells)
}

/// A lone request's way through everything.
pub fn lone(stage: &mut Stage) -> Result<Vec<Cell>, String> {
    let (raws, rounds) = with_raw(stage, false, 1, LONE, NEAR)?;
    let raw: Vec<f64> = raws.iter().map(|raw| raw.p50).collect();
    let disk: Vec<f64> = rounds.0.iter().map(|round| f64::midpoint(round.before.p50, round.after.p50)).collect();
    let mut own = shown("lone/softhsm", "unary", &rounds, "One call at a time with a key in SoftHSM.");
    let p50 = rounds.each(|window| window.latency_at(0.5));
    let bar = median(&raw) + SYNCS * median(&disk) + ALONE;
    let about = format!(
        "One call at a time with a key in SoftHSM; at most the raw call's {:.0} µs, {SYNCS} × fdatasync of {:.0} µs and \
         {ALONE} µs.{}",
        median(&raw),
        median(&disk),
        rounds.marks()
    );
    let judged = Cell::shown("lone/softhsm/p50", "µs", &p50, &about).against(&p50, &raw);
    own.remove(3);
    let mut cells = vec![
        judged.held(Judged::ValueAtMost, bar, None),
        Cell::shown("lone/raw/p50", "µs", &raw, "C_SignInit and C_Sign in one session, nothing around them."),
        Cell::shown("lone/fdatasync/p50", "µs", &disk, "Of the disk around these rounds."),
    ];
    cells.extend(own);
    let soft = stage.daemon().target(SOFT);
    let targets = [("lone/software", soft), ("lone/sign", stage.ceiling("sign"))];
    for ((name, _), rounds) in targets.iter().zip(stage.in_turns(LONE, &targets)?) {
        cells.extend(shown(name, "unary", &rounds, "One call at a time, for comparison."));
    }
    Ok(cells)
}

/// Rounds of the raw loop and of the daemon, in turns.
fn with_raw(
    stage: &mut Stage,
    far: bool,
    sessions: usize,
    shape: Shape,
    key: &str,
) -> Result<(Vec<Reached>, Rounds), String> {
    let target = stage.daemon().target(key);
    let (rounds, seconds) = (stage.pace.rounds, stage.pace.window.as_secs_f64());
    let (mut raws, mut all) = (Vec::new(), Rounds::default());
    for _ in 0..rounds {
        let raw = stage.hsm().raw(far, sessions, seconds);
        println!("  raw: {:.0}/s, {:.1} µs of CPU, p50 {:.0} µs", raw.rate, raw.cpu, raw.p50);
        raws.push(raw);
        stage.pace.rounds = 1;
        let measured = stage.in_turns(shape, &[(key, target.clone())]);
        stage.pace.rounds = rounds;
        all.0.extend(measured?.into_iter().flat_map(|rounds| rounds.0));
    }
    Ok((raws, all))
}

fn median(figures: &[f64]) -> f64 {
    tests::performance::spread::Spread::of(figures.iter().copied()).expect("there are rounds").median
}
