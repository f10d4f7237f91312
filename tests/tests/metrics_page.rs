//! `docs/metrics.md` is what the registry of metrics says.
//!
//! `UPDATE_DOCS=1 cargo test -p tests --test metrics_page` makes the page again.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::path::Path;

use daemon::measure::{REGISTRY, Stage};

const HEAD: &str = "\
<!-- Made from daemon/src/measure/names.rs by `UPDATE_DOCS=1 cargo test -p tests --test metrics_page`; the same test fails when it is not up to date. -->

# Metrics

The daemon serves these at `/metrics` of its `[web]` address, in the text format of Prometheus. A name, once released, keeps
its meaning. Labels come from small fixed sets (stages, outcomes, reasons, backends, anchors, keys): never a caller or anything that a
stranger can choose. Counters begin at zero with each start.

| metric | kind | unit | meaning |
| --- | --- | --- | --- |
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (name, shape, unit, meaning) in REGISTRY {
        let (kind, unit) = (format!("{shape:?}").to_lowercase(), unit.as_canonical_label());
        writeln!(page, "| `{name}` | {kind} | {unit} | {} |", meaning.replace('|', "\\|")).unwrap();
    }
    let stages: Vec<String> = Stage::ALL.iter().map(|stage| format!("`{}`", stage.name())).collect();
    writeln!(
        page,
        "\nStages of `countersign_stage_seconds`, in the order of the pipeline: {}.",
        stages.join(", ")
    )
    .unwrap();
    page
}

#[test]
fn the_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == page(), "docs/metrics.md is not what the registry says: UPDATE_DOCS=1 makes it again");
}

#[test]
fn every_metric_has_its_row() {
    let page = page();
    let rows = page.lines().filter(|line| line.starts_with("| `countersign_")).count();
    assert_eq!(rows, REGISTRY.len());
    assert!(rows > 10, "{page}");
}
