//! Small files: median at most 150 lines, nine in ten at most 400, none over 700.

use super::source::{Source, caught, clean, written};

const MEDIAN: usize = 150;
const NINE_IN_TEN: usize = 400;
const ANY: usize = 700;

/// Complaints about files that are too long, one by one and as a whole.
fn complaints(files: &[Source]) -> Vec<String> {
    let mut sizes: Vec<(usize, &str)> =
        files.iter().map(|file| (file.text.lines().count(), file.path.as_str())).collect();
    sizes.sort_unstable();
    let mut complaints: Vec<String> = sizes
        .iter()
        .filter(|(lines, _)| *lines > ANY)
        .map(|(lines, path)| format!("{path}: {lines} lines, more than {ANY}"))
        .collect();
    let long: Vec<&(usize, &str)> = sizes.iter().filter(|(lines, _)| *lines > NINE_IN_TEN).collect();
    if long.len() * 10 > sizes.len() {
        let names: Vec<&str> = long.iter().map(|(_, path)| *path).collect();
        complaints
            .push(format!("more than one file in ten is over {NINE_IN_TEN} lines: {}", names.join(", ")));
    }
    if sizes[sizes.len() / 2].0 > MEDIAN {
        complaints
            .push(format!("the median file has {} lines, more than {MEDIAN}", sizes[sizes.len() / 2].0));
    }
    complaints
}

#[test]
fn files_are_small() {
    clean(&complaints(&written()));
}

#[test]
fn long_files_are_noticed() {
    let of = |lines: usize| Source::example("a.rs", &"\n".repeat(lines));
    let with = |lines: usize| (0..20).map(|at| of(if at == 7 { lines } else { 10 })).collect::<Vec<_>>();
    clean(&complaints(&with(700)));
    caught(&complaints(&with(701)), "701 lines, more than 700");
    let mut files = with(401);
    files.push(of(401));
    clean(&complaints(&files));
    files.push(of(401));
    caught(&complaints(&files), "more than one file in ten is over 400 lines");
    caught(&complaints(&[of(100), of(151), of(200)]), "the median file has 151 lines");
}
