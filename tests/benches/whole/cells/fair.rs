//! A light caller beside a heavy one on the model of a network HSM.

use tests::performance::cell::{Cell, Judged};

use super::hsm::LONE;
use crate::instance::{FAR, WIRE};
use crate::load::{self, Phase, Shape, Window};
use crate::rounds::{self, Rounds};
use crate::stage::Stage;

/// 1,000 requests in flight. Several connections, because a server bounds the streams of one.
const HEAVY: Shape = Shape { in_flight: 1000, connections: 16, batch: 1 };

/// The light caller's p50 alone and beside the heavy one, in service times.
pub fn beside(stage: &mut Stage) -> Result<Vec<Cell>, String> {
    let daemon = stage.daemon();
    let (light, heavy) = (daemon.asked_by("light", FAR), daemon.target(FAR));
    let (rounds, seconds) = (stage.pace.rounds, stage.pace.window.as_secs_f64());
    let (warm, window) = (stage.pace.warm, stage.pace.window);
    let mut service = Vec::new();
    let mut heavy_rates = Vec::new();
    let (mut alone, mut together) = (Rounds::default(), Rounds::default());
    for _ in 0..rounds {
        service.push(stage.hsm().raw(true, 1, seconds).p50);
        let single = || load::window(&light, LONE, warm, window);
        alone.0.push(stage.runtime.block_on(rounds::round(&mut stage.disk, single))?);
        let rate = std::cell::Cell::new(0.0);
        let both = || async {
            let phase = Phase::default();
            let flood = load::start(&heavy, HEAVY, &phase).await?;
            let one = load::start(&light, LONE, &phase).await?;
            let meter = load::metered(light.process, warm, window, &phase).await;
            let (signatures, latency) = one.finish().await?;
            let (flooded, _) = flood.finish().await?;
            rate.set(flooded as f64 / meter.seconds);
            if signatures == 0 {
                return Err("the light caller got nothing in the window".to_owned());
            }
            Ok(Window { signatures, latency, ..meter })
        };
        together.0.push(stage.runtime.block_on(rounds::round(&mut stage.disk, both))?);
        heavy_rates.push(rate.get());
        let last = &together.0[together.0.len() - 1].window;
        println!("  light: p50 {:.0} µs beside {:.0}/s", last.latency_at(0.5), rate.get());
    }
    let p50 = together.each(|window| window.latency_at(0.5));
    let about = format!(
        "p50 of a caller with one request in flight beside one with 1,000, in service times of the model (the raw call).{}",
        together.marks()
    );
    let mut cells = vec![
        Cell::shown("fair/light/p50", "µs", &p50, &about).against(&p50, &service).held(
            Judged::RatioAtMost,
            3.0,
            None,
        ),
        Cell::shown("fair/light/p99", "µs", &together.each(|window| window.latency_at(0.99)), "Its p99."),
        Cell::shown(
            "fair/light/alone",
            "µs",
            &alone.each(|window| window.latency_at(0.5)),
            "Its p50 without the heavy one.",
        ),
        Cell::shown("fair/heavy", "1/s", &heavy_rates, "What the heavy caller gets meanwhile."),
        Cell::shown(
            "fair/service-time",
            "µs",
            &service,
            &format!("p50 of the raw call on the model, {} µs of it on the wire.", 2 * WIRE.as_micros()),
        ),
    ];
    cells.extend(together.looks().cells("fair/light"));
    Ok(cells)
}
