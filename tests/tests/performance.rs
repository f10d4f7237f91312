//! The page of figures is made from the run's file and nothing else.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::path::Path;

use tests::performance::cell::Cell;
use tests::performance::{page, plot};

#[test]
fn the_page_and_its_plot_are_those_of_the_run() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs");
    // Before the first run there is neither; one without the other is what must not be.
    let files = ["performance.json", "performance.md", "performance.svg"].map(|name| docs.join(name));
    let there: Vec<bool> = files.iter().map(|file| file.exists()).collect();
    if there == [false; 3] {
        return;
    }
    assert_eq!(there, [true; 3], "json, md and svg come from one run");
    let [json, md, svg] = files.map(|file| std::fs::read_to_string(file).unwrap());
    let cells: Vec<Cell> = serde_json::from_str(&json).unwrap();
    assert_eq!(md, page::markdown(&cells), "docs/performance.md: make it again with `cargo xtask bench --write-docs --from`");
    assert_eq!(svg, plot::svg(&cells, plot::TITLE), "docs/performance.svg: make it again with the page");
}
