//! CPU time of processes, to the nanosecond, by their threads.
//!
//! `/proc/PID/stat` counts in ticks of 10 ms; `/proc/PID/task/TID/schedstat` begins with nanoseconds on a CPU.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// What the threads of a process and of its descendants had used at one moment.
#[derive(Debug)]
pub struct Used(BTreeMap<u32, u64>);

impl Used {
    /// Of a process with all its descendants: a daemon and its hosts.
    pub fn by_tree(root: u32) -> Self {
        let parents = parents();
        let mut tree = vec![root];
        let mut at = 0;
        while at < tree.len() {
            let own = tree[at];
            tree.extend(parents.iter().filter(|(_, parent)| **parent == own).map(|(child, _)| *child));
            at += 1;
        }
        Self(tree.into_iter().flat_map(threads).collect())
    }

    /// Of this process alone.
    pub fn by_us() -> Self {
        Self(threads(std::process::id()).collect())
    }

    /// What they used since `before`. A thread that ended in between is not counted.
    pub fn since(&self, before: &Self) -> Duration {
        let used = self.0.iter().map(|(thread, now)| now - before.0.get(thread).copied().unwrap_or(0).min(*now));
        Duration::from_nanos(used.sum())
    }
}

fn threads(process: u32) -> impl Iterator<Item = (u32, u64)> {
    // A process or thread that has just ended has no entry any more.
    let entries = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let thread = entry.file_name().to_str()?.parse().ok()?;
        let used = fs::read_to_string(entry.path().join("schedstat")).ok()?;
        Some((thread, used.split(' ').next()?.parse().ok()?))
    })
}

/// Every process with its parent.
fn parents() -> BTreeMap<u32, u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let parent = |path: &Path| {
        let stat = fs::read_to_string(path.join("stat")).ok()?;
        // pid (name, which may hold anything) state parent …
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, parent(&entry.path())?))).collect()
}

/// What the whole machine has done since it started: seconds busy, and seconds in all, over all cores.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    busy: f64,
    all: f64,
}

impl Machine {
    /// Now.
    pub fn now() -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap();
        let first = stat.lines().next().unwrap();
        // cpu user nice system idle iowait irq softirq steal (guests are in user): in hundredths of a second.
        let ticks: Vec<f64> =
            first.split_whitespace().skip(1).take(8).map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).collect();
        let all: f64 = ticks.iter().sum();
        Self { busy: all - ticks[3] - ticks[4], all }
    }

    /// Seconds busy since `before`, and in all.
    pub fn since(self, before: Self) -> (f64, f64) {
        (self.busy - before.busy, self.all - before.all)
    }
}

/// Resident memory of one process, in bytes.
pub fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
