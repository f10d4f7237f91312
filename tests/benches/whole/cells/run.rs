//! What the figures of a run belong to: machine, disk, revision, records.

use std::process::Command;

use tests::performance::cell::Cell;

use crate::stage::Stage;

/// Looked at before anything is measured.
pub fn before(stage: &mut Stage) -> Vec<Cell> {
    let cores = std::thread::available_parallelism().unwrap().get() as f64;
    let look = stage.disk.look();
    vec![
        Cell::shown("run/cores", "cores", &[cores], &format!("{}; {}.", machine(), revision())),
        Cell::shown(
            "run/records",
            "records",
            &[stage.pace.records as f64],
            "In the log before anything was measured.",
        ),
        Cell::shown(
            "run/fdatasync-before",
            "µs",
            &[look.p50],
            &format!(
                "p50 of 600 bytes appended and synced, before the run; p99 {:.0} µs. A virtual machine's disk may be a \
                 cache: read cells that wait for it with that in mind.",
                look.p99
            ),
        ),
    ]
}

/// Looked at when everything is measured.
pub fn after(stage: &mut Stage) -> Cell {
    let look = stage.disk.look();
    let about = format!("The same after the run; p99 {:.0} µs.", look.p99);
    Cell::shown("run/fdatasync-after", "µs", &[look.p50], &about)
}

fn machine() -> String {
    let field = |path: &str, name: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        line.and_then(|line| line.split_once(':').map(|(_, value)| value.trim().to_owned()))
    };
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "processor unknown".to_owned());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{processor}, Linux {}", kernel.trim())
}

fn revision() -> String {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
        let output = command.output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let revision = git(&["show", "--no-patch", "--format=%h of %cs"]).unwrap_or_else(|| "unknown".to_owned());
    format!("revision {revision}")
}
