//! Software P-256 with everything on, against the same gRPC and mTLS with nothing but the signature behind it.

use std::time::Instant;

use tests::performance::cell::{Cell, Judged};

use super::shown;
use crate::ceiling::Signer;
use crate::instance::{SOFT, STRICT};
use crate::load::Shape;
use crate::stage::Stage;

/// 64 calls in flight over 4 connections.
pub const UNARY: Shape = Shape { in_flight: 64, connections: 4, batch: 1 };

/// 16 calls of 64 digests each in flight over 4 connections.
pub const BATCH: Shape = Shape { in_flight: 16, connections: 4, batch: 64 };

const ECHO: &str = "The digest comes back: gRPC, TLS and the client alone.";
const SIGN: &str = "P-256 in the server's process and nothing else.";
const VERIFY: &str = "P-256 in the server's process, and the signature verified.";
const SOFTWARE: &str = "The daemon, software key, everything on.";
const VERIFIED: &str = "The daemon, software key, everything on, with `verify = \"every\"`.";

/// Rates that must at least be reached, and would be good.
struct Bars {
    way: &'static str,
    of_sign: (f64, f64),
    of_verify: (f64, f64),
    beyond: f64,
}

/// The ceilings alone: no daemon needed.
pub fn ceilings(stage: &mut Stage) -> Result<Vec<Cell>, String> {
    let mut cells = Vec::new();
    for (way, shape) in [("unary", UNARY), ("batch", BATCH)] {
        let targets = ["echo", "sign", "sign-verify"].map(|key| (key, stage.ceiling(key)));
        let rounds = stage.in_turns(shape, &targets)?;
        for (rounds, (name, about)) in
            rounds.iter().zip([("echo", ECHO), ("sign", SIGN), ("sign-verify", VERIFY)])
        {
            cells.extend(shown(name, way, rounds, about));
        }
    }
    cells.push(verification(stage));
    Ok(cells)
}

/// One signature a call.
pub fn unary(stage: &mut Stage) -> Result<Vec<Cell>, String> {
    let bars = Bars { way: "unary", of_sign: (0.55, 0.65), of_verify: (0.65, 0.75), beyond: 20.0 };
    against_ceilings(stage, UNARY, &bars)
}

/// 64 signatures a call.
pub fn batch(stage: &mut Stage) -> Result<Vec<Cell>, String> {
    let bars = Bars { way: "batch", of_sign: (0.55, 0.65), of_verify: (0.65, 0.75), beyond: 10.0 };
    against_ceilings(stage, BATCH, &bars)
}

fn against_ceilings(stage: &mut Stage, shape: Shape, bars: &Bars) -> Result<Vec<Cell>, String> {
    let daemon = stage.daemon();
    let (soft, strict) = (daemon.target(SOFT), daemon.target(STRICT));
    let targets = [
        ("echo", stage.ceiling("echo")),
        ("sign", stage.ceiling("sign")),
        ("sign-verify", stage.ceiling("sign-verify")),
        ("software", soft),
        ("software-verified", strict),
    ];
    let measured = stage.in_turns(shape, &targets)?;
    let [echo, sign, verify, software, verified] = measured.as_slice() else {
        unreachable!("five targets have five rows of rounds");
    };
    let way = bars.way;
    let mut cells = Vec::new();
    for (name, rounds, about) in [("echo", echo, ECHO), ("sign", sign, SIGN), ("sign-verify", verify, VERIFY)] {
        cells.extend(shown(name, way, rounds, about));
    }
    for (name, rounds, about, ceiling, (bar, good)) in [
        ("software", software, SOFTWARE, sign, bars.of_sign),
        ("software-verified", verified, VERIFIED, verify, bars.of_verify),
    ] {
        let mut own = shown(name, way, rounds, about);
        let rates = (rounds.each(|window| window.rate()), ceiling.each(|window| window.rate()));
        let rate = own.remove(0).against(&rates.0, &rates.1).held(Judged::RatioAtLeast, bar, Some(good));
        cells.push(rate);
        cells.extend(own);
    }
    let (with, without) =
        (software.each(|window| window.server_each()), sign.each(|window| window.server_each()));
    let beyond: Vec<f64> = with.iter().zip(&without).map(|(with, without)| with - without).collect();
    let about = "Server CPU of one signature beyond what the sign ceiling spends in the same round.";
    let name = format!("software/{way}/server-cpu-beyond");
    cells.push(Cell::shown(&name, "µs", &beyond, about).held(Judged::ValueAtMost, bars.beyond, None));
    Ok(cells)
}

/// CPU of one verification, alone on one thread.
pub fn verification(stage: &Stage) -> Cell {
    let signer = Signer::new();
    let digest = [7; 32];
    let signature = signer.sign(&digest);
    let rounds: Vec<f64> = (0..stage.pace.rounds).map(|_| {
        let begun = Instant::now();
        let mut count = 0_u32;
        while begun.elapsed() < stage.pace.window / 10 {
            signer.verify(&digest, &signature);
            count += 1;
        }
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(count)
    })
    .collect();
    Cell::shown("verify/cpu", "µs", &rounds, "One P-256 verification on one thread, nothing around it.")
}
