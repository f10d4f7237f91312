//! Counting tests by the closing lines of their binaries (`test result: ok. 3 passed; 0 failed; …`).

use std::fmt;

/// The sum over all test binaries of a run.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed; a binary that died without its closing line counts as one.
    pub failed: u64,
    /// Tests that were left out.
    pub ignored: u64,
    /// Test binaries that came to their closing line.
    pub binaries: u64,
}

impl Tally {
    /// Adds the line's counts if it is a closing line; any other line is passed over.
    pub fn line(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        let Some((_, counts)) = rest.split_once(". ") else { return };
        self.binaries += 1;
        for count in counts.split(';') {
            let mut words = count.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.binaries += other.binaries;
    }
}

/// `12 passed, 0 failed`, and the ignored ones if there are any.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.ignored > 0 {
            write!(f, ", {} ignored", self.ignored)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn closing_lines_are_summed_and_others_passed_over() {
        let mut tally = Tally::default();
        for line in [
            "running 4 tests",
            "test log::tests::a_thing ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.30s",
            "the words test result: ok. 9 passed; in the middle of a line",
        ] {
            tally.line(line);
        }
        assert_eq!(tally, Tally { passed: 4, failed: 2, ignored: 1, binaries: 2 });
        assert_eq!(tally.to_string(), "4 passed, 2 failed, 1 ignored");
        assert_eq!(Tally::default().to_string(), "0 passed, 0 failed");
    }
}
