//! Steps of a run: a heading, the work, how long it took, and at the end one line that says it all.
//!
//! A failing step does not keep the others from running, so one run shows everything that is wrong. The last line of a
//! failed run names every step that failed.

use std::time::Instant;

use crate::tally::Tally;

/// The steps done so far.
#[derive(Default)]
pub struct Steps {
    done: usize,
    failed: Vec<&'static str>,
    tally: Option<Tally>,
    started: Option<Instant>,
}

impl Steps {
    /// Runs one step under a heading. Returns whether it passed.
    pub fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<(), String>) -> bool {
        self.counted(name, || (work(), None))
    }

    /// Runs one step that also counts tests.
    pub fn counted(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> (Result<(), String>, Option<Tally>),
    ) -> bool {
        let begun = Instant::now();
        self.started.get_or_insert(begun);
        self.done += 1;
        println!("\n== {}. {name}", self.done);
        let (outcome, tally) = work();
        if let Some(tally) = tally {
            *self.tally.get_or_insert_default() += tally;
        }
        let seconds = begun.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => {
                println!("== {name}: passed in {seconds:.1} s");
                true
            }
            Err(why) => {
                println!("== {name}: FAILED in {seconds:.1} s: {why}");
                self.failed.push(name);
                false
            }
        }
    }

    /// Prints the closing lines: the tests counted, alone on a line, then the whole run. Returns whether all passed.
    pub fn close(self, task: &str) -> bool {
        println!();
        if let Some(tally) = &self.tally {
            println!("{tally}");
        }
        println!("{}", self.last_line(task));
        self.failed.is_empty()
    }

    fn last_line(&self, task: &str) -> String {
        let seconds = self.started.map_or(0, |begun| begun.elapsed().as_secs());
        let tests = self.tally.as_ref().map_or(String::new(), |tally| {
            format!(", {} tests in {} binaries", tally.passed + tally.failed, tally.binaries)
        });
        if self.failed.is_empty() {
            format!("{task}: passed, all {} steps{tests}, {seconds} s", self.done)
        } else {
            let failed = self.failed.join(", ");
            format!(
                "{task}: FAILED in {failed} ({} of {} steps{tests}, {seconds} s)",
                self.failed.len(),
                self.done
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Steps, Tally};

    #[test]
    fn the_last_line_names_each_step_that_failed() {
        let mut steps = Steps::default();
        assert!(steps.step("format", || Ok(())));
        assert!(!steps.step("lints", || Err("no".into())));
        assert!(
            !steps.counted("tests", || (Err("no".into()), Some(Tally { failed: 1, ..Tally::default() })))
        );
        let line = steps.last_line("cargo xtask test");
        assert!(line.starts_with("cargo xtask test: FAILED in lints, tests (2 of 3 steps"), "{line}");
        assert!(!steps.close("cargo xtask test"));
    }

    #[test]
    fn the_last_line_of_a_good_run_counts_the_tests() {
        let mut steps = Steps::default();
        assert!(
            steps.counted("tests", || (Ok(()), Some(Tally { passed: 7, binaries: 2, ..Tally::default() })))
        );
        let line = steps.last_line("cargo xtask test");
        assert!(line.starts_with("cargo xtask test: passed, all 1 steps, 7 tests in 2 binaries"), "{line}");
        assert!(steps.close("cargo xtask test"));
    }
}
