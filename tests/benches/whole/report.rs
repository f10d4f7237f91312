//! Where the cells go: terminal, JSON file, plot, the pages of `docs/`.

use std::fs;
use std::path::Path;

use tests::performance::cell::{Cell, judged};
use tests::performance::{page, plot, table};

use crate::arguments::Arguments;



/// The cells of an earlier run.
pub fn read(file: &Path) -> Result<Vec<Cell>, String> {
    let text = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{} is not a list of cells: {e}", file.display()))
}

/// Prints the cells and writes what was asked for. Whether every bar holds.
pub fn show(arguments: &Arguments, cells: &[Cell]) -> Result<bool, String> {
    println!("\n{}", table::text(cells));
    let json = serde_json::to_string_pretty(cells).map_err(|e| e.to_string())? + "\n";
    if let Some(file) = &arguments.json {
        write(file, &json)?;
    }
    if let Some(file) = &arguments.plot {
        write(file, &plot::svg(cells, plot::TITLE))?;
    }
    if arguments.write_docs {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lies below the root").join("docs");
        write(&docs.join("performance.json"), &json)?;
        write(&docs.join("performance.svg"), &plot::svg(cells, plot::TITLE))?;
        write(&docs.join("performance.md"), &page::markdown(cells))?;
    }
    let missed: Vec<&str> =
        judged(cells).filter(|cell| cell.holds == Some(false)).map(|cell| cell.name.as_str()).collect();
    let bars = judged(cells).count();
    if bars == 0 {
        println!("cargo xtask bench: nothing here has a bar");
    } else if missed.is_empty() {
        println!("cargo xtask bench: all {bars} bars hold");
    } else {
        println!("cargo xtask bench: {} of {bars} bars MISSED: {}", missed.len(), missed.join(", "));
    }
    Ok(missed.is_empty())
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    println!("wrote {}", file.display());
    Ok(())
}
