//! The cells of the bench, in groups that are measured together.

mod control;
mod fair;
mod growth;
mod hsm;
mod run;
mod software;

use tests::performance::cell::Cell;

use crate::rounds::Rounds;
use crate::stage::Stage;

/// Measures one group.
type Measure = fn(&mut Stage) -> Result<Vec<Cell>, String>;

/// A group: its name, what its judged cells begin with, and how it is measured.
const GROUPS: &[(&str, &[&str], Measure)] = &[
    ("ceilings", &["echo", "sign", "sign-verify", "verify"], software::ceilings),
    ("unary", &["software/unary", "software-verified/unary"], software::unary),
    ("batch", &["software/batch", "software-verified/batch"], software::batch),
    ("softhsm", &["softhsm"], hsm::near),
    ("network", &["network"], hsm::far),
    ("lone", &["lone"], hsm::lone),
    ("fair", &["fair"], fair::beside),
    ("growth", &["growth"], growth::grown),
    ("control", &["control"], control::restarted),
];

/// Measures the groups that were asked for; all of them but the bare ceilings, which the others measure in their rounds,
/// where nothing was.
pub fn measure(stage: &mut Stage, only: &[String]) -> Result<Vec<Cell>, String> {
    let wanted = |(name, cells, _): &&(&str, &[&str], Measure)| {
        let named =
            |asked: &String| *name == asked || cells.iter().any(|cell| cell.starts_with(asked.as_str()));
        if only.is_empty() { *name != "ceilings" } else { only.iter().any(named) }
    };
    let groups: Vec<_> = GROUPS.iter().filter(wanted).collect();
    if groups.is_empty() {
        let names: Vec<&str> = GROUPS.iter().map(|(name, ..)| *name).collect();
        return Err(format!(
            "--only {}: expected one of {}, or how a cell's name begins",
            only.join(" "),
            names.join(", ")
        ));
    }
    let mut cells = run::before(stage);
    for (name, _, measure) in groups {
        println!("== {name}");
        cells.extend(measure(stage)?);
    }
    cells.push(run::after(stage));
    Ok(cells)
}

/// What is always shown of a load: rate, CPU on both sides, latency. `way` is `unary` or `batch`.
fn shown(name: &str, way: &str, rounds: &Rounds, about: &str) -> Vec<Cell> {
    let cell = |what: &str, unit: &str, figures: Vec<f64>| {
        Cell::shown(&format!("{name}/{way}{what}"), unit, &figures, &format!("{about}{}", rounds.marks()))
    };
    let mut cells = vec![
        cell("", "1/s", rounds.each(|window| window.rate())),
        cell("/server-cpu", "µs", rounds.each(|window| window.server_each())),
        cell("/client-cpu", "µs", rounds.each(|window| window.client_each())),
        cell("/p50", "µs", rounds.each(|window| window.latency_at(0.5))),
        cell("/p99", "µs", rounds.each(|window| window.latency_at(0.99))),
    ];
    cells.extend(rounds.looks().cells(&format!("{name}/{way}")));
    cells
}
