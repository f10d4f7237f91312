//! Rounds: everything that is compared is measured in turns, so that what disturbs the machine disturbs all of it.

use tests::performance::cell::Cell;

use crate::fsync::{Disk, Sync};
use crate::load::Window;

/// Share of the machine that other programs may take before a window is measured again.
const OTHERS: f64 = 0.1;

/// How often a disturbed window is measured again.
const AGAIN: usize = 2;

/// One window with what the disk said before and after it.
#[derive(Clone, Debug)]
pub struct Round {
    /// What was measured.
    pub window: Window,
    /// The disk before.
    pub before: Sync,
    /// The disk after.
    pub after: Sync,
}

impl Round {
    /// What stood in the way, if anything did.
    pub fn disturbed(&self) -> Option<String> {
        if self.before.moved(self.after) {
            let (before, after) = (self.before.p50, self.after.p50);
            return Some(format!("fdatasync moved from {before:.0} to {after:.0} µs"));
        }
        let others = self.window.others;
        (others > OTHERS).then(|| format!("other programs took {:.0} % of the machine", others * 100.0))
    }
}

/// What the disk said before and after each round of a cell.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    before: Vec<Sync>,
    after: Vec<Sync>,
}

impl Looks {
    /// A round begins.
    pub fn before(&mut self, disk: &mut Disk) {
        self.before.push(disk.look());
    }

    /// It has ended.
    pub fn after(&mut self, disk: &mut Disk) {
        self.after.push(disk.look());
    }

    /// Two cells, named by the cell that they belong to.
    pub fn cells(&self, of: &str) -> [Cell; 2] {
        let cell = |when: &str, looks: &[Sync]| {
            let figures: Vec<f64> = looks.iter().map(|look| look.p50).collect();
            let about = format!("p50 of 600 bytes appended and synced, {when} each round of this cell.");
            Cell::shown(&format!("{of}/fdatasync-{when}"), "µs", &figures, &about)
        };
        [cell("before", &self.before), cell("after", &self.after)]
    }
}

/// The rounds of one thing that is compared.
#[derive(Clone, Debug, Default)]
pub struct Rounds(pub Vec<Round>);

impl Rounds {
    /// One figure of every round.
    pub fn each(&self, figure: impl Fn(&Window) -> f64) -> Vec<f64> {
        self.0.iter().map(|round| figure(&round.window)).collect()
    }

    /// The disk before and after each round.
    pub fn looks(&self) -> Looks {
        let (before, after) = self.0.iter().map(|round| (round.before, round.after)).unzip();
        Looks { before, after }
    }

    /// A sentence about the rounds that stayed disturbed, or nothing.
    pub fn marks(&self) -> String {
        let marks: Vec<String> = self.0.iter().filter_map(Round::disturbed).collect();
        if marks.is_empty() {
            return String::new();
        }
        format!(" {} of {} rounds were disturbed: {}.", marks.len(), self.0.len(), marks.join("; "))
    }
}

/// Measures one window between two looks at the disk; again, if something disturbed it.
pub async fn round<F>(disk: &mut Disk, mut measure: impl FnMut() -> F) -> Result<Round, String>
where
    F: Future<Output = Result<Window, String>>,
{
    let mut tries = 0;
    loop {
        let before = disk.look();
        let window = measure().await?;
        let round = Round { window, before, after: disk.look() };
        tries += 1;
        if round.disturbed().is_none() || tries > AGAIN {
            return Ok(round);
        }
    }
}
