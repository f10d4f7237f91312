//! `cargo xtask bench`: builds the release daemon and the bench, and runs it. What is measured is in `tests/benches/whole`.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::Args;
use serde_json::Value;

use crate::run::{cargo, shown, spelled};

/// What to measure, and where to write it.
#[derive(Args)]
pub struct Bench {
    /// The log holds 10,000,000 records instead of 1,000,000, and every cell is measured for longer.
    #[arg(long)]
    full: bool,
    /// Write the cells to this file: a JSON list.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure only cells whose name begins so, or one group: ceilings, unary, batch, softhsm, network, lone, fair,
    /// growth, control. May be repeated.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Draw the judged cells into this file.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// Write docs/performance.{json,svg,md} from what was measured.
    #[arg(long)]
    write_docs: bool,
    /// Measure the parts of a signature one by one instead, which says where time goes: no cells, no bars.
    #[arg(long, conflicts_with_all = ["full", "json", "only", "plot", "write_docs", "from", "rounds", "seconds", "records",
        "directory"])]
    parts: bool,
    /// Measure nothing: show the cells of this file of an earlier run.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Rounds of every cell (5 unless told).
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds of one round of one cell (3 unless told, 10 with --full).
    #[arg(long)]
    seconds: Option<f64>,
    /// Records in the pre-filled log, to try things out: without the bars for growth.
    #[arg(long)]
    records: Option<u64>,
    /// Directory whose disk is measured; the system's temporary directory unless told.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// Builds and runs. `Err` says what failed; a bar that was missed fails too.
pub fn run(bench: &Bench) -> Result<(), String> {
    if bench.parts {
        return shown(cargo(&["bench", "--locked", "--package", "tests", "--bench", "parts"]));
    }
    // An earlier run is shown by any build; what is measured is the release build.
    let profile = if bench.from.is_some() { "dev" } else { "release" };
    let mut build = vec!["build", "--locked", "--profile", profile, "--package", "tests", "--bench", "whole"];
    if bench.from.is_none() {
        build.extend(["--package", "daemon", "--bin", "countersignd"]);
    }
    let programs = built(cargo(&build))?;
    let program = |name: &str| {
        let found = programs.iter().find(|(own, _)| own == name).map(|(_, path)| path.clone());
        found.ok_or_else(|| format!("cargo did not say where it put `{name}`"))
    };
    let mut whole = Command::new(program("whole")?);
    if bench.from.is_none() {
        whole.arg("--daemon").arg(program("countersignd")?);
    }
    for (flag, given) in [("--full", bench.full), ("--write-docs", bench.write_docs)] {
        whole.args(given.then_some(flag));
    }
    let places = [
        ("--json", &bench.json),
        ("--plot", &bench.plot),
        ("--from", &bench.from),
        ("--directory", &bench.directory),
    ];
    for (flag, place) in places {
        if let Some(place) = place {
            whole.arg(flag).arg(place);
        }
    }
    let only = bench.only.iter().map(|name| ("--only", Some(name.clone())));
    let figures = [
        ("--rounds", bench.rounds.map(|rounds| rounds.to_string())),
        ("--seconds", bench.seconds.map(|seconds| seconds.to_string())),
        ("--records", bench.records.map(|records| records.to_string())),
    ];
    for (flag, value) in only.chain(figures) {
        if let Some(value) = value {
            whole.args([flag, &value]);
        }
    }
    shown(whole)
}

/// Builds, and says which programs were built and where they are.
pub fn built(mut command: Command) -> Result<Vec<(String, PathBuf)>, String> {
    let name = spelled(&command);
    println!("$ {name}");
    command.arg("--message-format=json-render-diagnostics").stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().map_err(|e| format!("cannot start `{name}`: {e}"))?;
    if !output.status.success() {
        return Err(format!("`{name}` ended with {}", output.status));
    }
    Ok(programs(&String::from_utf8_lossy(&output.stdout)))
}

/// The programs in cargo's messages, one JSON object a line.
fn programs(messages: &str) -> Vec<(String, PathBuf)> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = |message: Value| {
        let path = message["executable"].as_str()?.into();
        Some((message["target"]["name"].as_str()?.to_owned(), path))
    };
    messages.filter_map(program).collect()
}

#[cfg(test)]
mod tests {
    use super::programs;

    #[test]
    fn programs_are_found_among_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"proto"},"executable":null}"#,
            "\nsomething else\n",
            r#"{"reason":"compiler-artifact","target":{"name":"whole"},"executable":"target/release/deps/whole-1"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(programs(messages), [("whole".to_owned(), "target/release/deps/whole-1".into())]);
    }
}
