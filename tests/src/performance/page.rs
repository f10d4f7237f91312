//! `docs/performance.md`: the figures of one run in words, made from its cells and nothing else.

use std::fmt::Write as _;

use super::cell::{Cell, Judged, judged, named};
use super::spread::number;
use super::table;

/// The whole page.
#[must_use]
pub fn markdown(cells: &[Cell]) -> String {
    let mut out = String::from(HEAD);
    let run: Vec<&Cell> = cells.iter().filter(|cell| cell.name.starts_with("run/")).collect();
    for cell in &run {
        line(&mut out, &format!("- {}: {} {}. {}", cell.name, number(cell.value), cell.unit, cell.about));
    }
    let bars: Vec<&Cell> = judged(cells).collect();
    let held = bars.iter().filter(|cell| cell.holds == Some(true)).count();
    line(&mut out, "\n## What must hold\n");
    line(&mut out, &format!("{held} of {} bars hold in this run.\n", bars.len()));
    line(&mut out, "![Each figure against its bar](performance.svg)\n");
    out.push_str(&table::markdown(&bars));
    line(&mut out, "\n## How far from the ceiling, and why\n");
    for paragraph in [rates, verified, hsm, network, lone, fair, growth].iter().filter_map(|tell| tell(cells)) {
        line(&mut out, &paragraph);
        out.push('\n');
    }
    line(&mut out, "## What each cell is\n");
    for cell in &bars {
        line(&mut out, &format!("- `{}`: {}", cell.name, cell.about));
    }
    line(&mut out, "\n## Everything else that was measured\n");
    let rest: Vec<&Cell> =
        cells.iter().filter(|cell| cell.judged.is_none() && !cell.name.starts_with("run/")).collect();
    out.push_str(&table::markdown(&rest));
    out.push_str(FOOT);
    out
}

const HEAD: &str = "\
# Performance

This page is made by `cargo xtask bench --write-docs` from the JSON of one run ([performance.json](performance.json));
no figure in it was written by hand. Read ratios and CPU microseconds; rates belong to the machine and to the day.

The run:

";

const FOOT: &str = "
## How it is measured

- Ceilings come from the same binary, over the same gRPC and mTLS, in turns with the daemon; a ratio is taken within its
  round, and the median of the rounds is shown with the lowest and highest.
- Client and server share the machine. Their CPU is told apart by process; the daemon's includes its PKCS#11 hosts.
- The disk's fdatasync is looked at before and after every window. A window in which it moved by more than twice, or in
  which other programs took more than a tenth of the machine, is measured again, and said so if it stays so.
- The daemon is the release build with everything on: mTLS, 1,000 grants, quotas, request ids, records with detail,
  seals, full receipts, over a pre-filled log. The load is a closed loop.
- Replies are checked apart from the measurement: signature, inclusion path and checkpoint.
";

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _infallible = writeln!(out, "{text}");
}

/// The value of a cell as people read it.
fn said(cells: &[Cell], name: &str) -> Option<String> {
    named(cells, name).map(|cell| number(cell.value))
}

fn value(cells: &[Cell], name: &str) -> Option<f64> {
    named(cells, name).map(|cell| cell.value)
}

fn ratio(cells: &[Cell], name: &str) -> Option<String> {
    let cell = named(cells, name)?;
    let bar = cell.bar.map(number)?;
    let sign = if cell.judged == Some(Judged::RatioAtLeast) { "at least" } else { "at most" };
    Some(format!("{} ({sign} {bar})", number(cell.ratio?)))
}

fn rates(cells: &[Cell]) -> Option<String> {
    let mut out = String::new();
    for (way, what, reply) in [
        ("unary", "A signature of its own call", "reading a reply with leaf, path and checkpoint"),
        ("batch", "One of a batch of 64", "reading 64 receipts"),
    ] {
        let cpu = |name: &str, side: &str| value(cells, &format!("{name}/{way}/{side}-cpu"));
        let Some((server, client)) = cpu("software", "server").zip(cpu("software", "client")) else { continue };
        let (Some(sign), Some(asking)) = (cpu("sign", "server"), cpu("sign", "client")) else { continue };
        let reached = ratio(cells, &format!("software/{way}"))?;
        line(
            &mut out,
            &format!(
                "**{what}**, software P-256: {reached} of sign. The daemon spends {} µs of CPU on it where the ceiling spends \
                 {} µs; the difference is policy, quota and request id, leaf and detail as canonical JSON with their hashes, the \
                 queue and two wake-ups, this signature's share of a commit, and the proof in a longer reply. The client spends \
                 {} µs instead of {} µs, for {reply}. Both share the machine, so CPU alone bounds the ratio at {}; what is \
                 missing to that is waiting.\n",
                number(server),
                number(sign),
                number(client),
                number(asking),
                number((sign + asking) / (server + client)),
            ),
        );
    }
    (!out.is_empty()).then(|| out.trim_end().to_owned())
}

fn verified(cells: &[Cell]) -> Option<String> {
    let (unary, cpu) =
        (ratio(cells, "software-verified/unary")?, said(cells, "software-verified/unary/server-cpu")?);
    let (ceiling, plain) = (said(cells, "sign-verify/unary/server-cpu")?, said(cells, "software/unary/server-cpu")?);
    Some(format!(
        "**With `verify = \"every\"`**: {unary} of sign + verify. The daemon spends {cpu} µs where the ceiling spends {ceiling} µs \
         and the daemon without verification {plain} µs: the record costs the same, and the verification is the larger part of \
         both."
    ))
}

fn hsm(cells: &[Cell]) -> Option<String> {
    let name = "softhsm/unary/server-cpu";
    let (used, bar) = (said(cells, name)?, named(cells, name)?.bar.map(number)?);
    let (raw, verify) = (said(cells, "softhsm/raw/cpu")?, said(cells, "verify/cpu")?);
    Some(format!(
        "**SoftHSM through its host process**: {used} µs of CPU per signature, daemon and host together (at most {bar}). The raw \
         loop spends {raw} µs and one verification {verify} µs; the rest is gRPC and TLS, two commits (intent and seal), and the \
         way to the host and back."
    ))
}

fn network(cells: &[Cell]) -> Option<String> {
    let (reached, raw) = (ratio(cells, "network/unary")?, said(cells, "network/raw")?);
    Some(format!(
        "**An HSM behind a network** (1 ms more each way): {reached} of the raw loop's {raw} signatures a second with the same \
         sessions. Requests are pipelined to the host, so a session that becomes free finds the next one waiting."
    ))
}

fn lone(cells: &[Cell]) -> Option<String> {
    let cell = named(cells, "lone/softhsm/p50")?;
    let (raw, disk) = (said(cells, "lone/raw/p50")?, said(cells, "lone/fdatasync/p50")?);
    Some(format!(
        "**A lone SoftHSM request**: p50 {} µs (at most {}). The raw call takes {raw} µs, and each of the two commits at least \
         one fdatasync of {disk} µs; the rest is wake-ups of threads and processes that were asleep.",
        number(cell.value),
        cell.bar.map(number)?
    ))
}

fn fair(cells: &[Cell]) -> Option<String> {
    let cell = named(cells, "fair/light/p50")?;
    let (service, alone) = (said(cells, "fair/service-time")?, said(cells, "fair/light/alone")?);
    Some(format!(
        "**Beside a caller with 1,000 requests in flight**: a light caller's p50 is {} µs, {} service times of {service} µs (at \
         most 3); alone it is {alone} µs. The queue serves callers in turn, so it waits for at most the requests that are on \
         their way already.",
        number(cell.value),
        cell.ratio.map(number)?
    ))
}

fn growth(cells: &[Cell]) -> Option<String> {
    let (start, memory) = (said(cells, "growth/start")?, said(cells, "growth/memory")?);
    let (proof, search) = (said(cells, "growth/proof")?, said(cells, "growth/search")?);
    let append = named(cells, "growth/append")?.ratio.map(number)?;
    Some(format!(
        "**With {} records in the log**: started after {start} ms, {memory} MB of memory, an old leaf's proof in {proof} ms, a \
         digest found in {search} ms, and an append at {append} times what it costs with 10,000 records. A start reads the head \
         and the tree's right edge, never the records.",
        said(cells, "run/records")?
    ))
}

#[cfg(test)]
mod tests {
    use super::super::cell::{Cell, Judged};
    use super::markdown;

    #[test]
    fn the_page_has_every_cell_and_speaks_only_of_what_was_measured() {
        let shown = |name: &str, value: f64| Cell::shown(name, "µs", &[value], "said of it");
        let mut cells = vec![
            Cell::shown("run/cores", "cores", &[2.0], "Some machine."),
            Cell::shown("software/unary", "1/s", &[60.0], "the real daemon")
                .against(&[60.0], &[100.0])
                .held(Judged::RatioAtLeast, 0.55, Some(0.65)),
            shown("software/unary/server-cpu", 30.0),
            shown("software/unary/client-cpu", 20.0),
            shown("sign/unary/server-cpu", 20.0),
        ];
        let page = markdown(&cells);
        assert!(page.contains("1 of 1 bars hold") && !page.contains("said of it"), "{page}");
        assert!(!page.contains("own call"), "a paragraph without all of its cells");
        cells.push(shown("sign/unary/client-cpu", 10.0));
        let page = markdown(&cells);
        assert!(page.contains("CPU alone bounds the ratio at 0.600"), "{page}");
        assert!(!page.contains("SoftHSM"), "{page}");
        for cell in &cells {
            assert!(page.contains(&cell.name), "{}", cell.name);
        }
    }
}
