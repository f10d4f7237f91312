//! One figure of the bench with what it is held against.

use serde::{Deserialize, Serialize};

use super::spread::Spread;

/// One figure. A run's JSON file is a list of these.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// Stable, `group/what`.
    pub name: String,
    /// Median of the rounds.
    pub value: f64,
    /// Of `value` and `ceiling`.
    pub unit: String,
    /// What it is compared with, measured in the same rounds.
    pub ceiling: Option<f64>,
    /// Median of the rounds' own ratios of value to ceiling.
    pub ratio: Option<f64>,
    /// What must be reached.
    pub bar: Option<f64>,
    /// What would be good.
    pub good: Option<f64>,
    /// Whether the bar is reached; absent where there is none.
    pub holds: Option<bool>,
    /// What the bar is about; absent where there is none.
    pub judged: Option<Judged>,
    /// Lowest and highest round, of the ratio where that is what is judged, else of the value.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// Rounds measured.
    pub rounds: usize,
    /// One sentence: what was measured, and what disturbed it.
    pub about: String,
}

/// How a bar is read.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judged {
    /// The ratio must not be lower than the bar.
    RatioAtLeast,
    /// The ratio must not be higher than the bar.
    RatioAtMost,
    /// The value must not be higher than the bar.
    ValueAtMost,
}

impl Cell {
    /// A figure that is shown and not judged.
    ///
    /// # Panics
    /// Without any round: a figure that was not measured is not a figure.
    #[must_use]
    pub fn shown(name: &str, unit: &str, rounds: &[f64], about: &str) -> Self {
        let spread = Spread::of(rounds.iter().copied()).expect("a cell has at least one round");
        Self {
            name: name.to_owned(),
            value: spread.median,
            unit: unit.to_owned(),
            ceiling: None,
            ratio: None,
            bar: None,
            good: None,
            holds: None,
            judged: None,
            low: spread.low,
            high: spread.high,
            rounds: rounds.len(),
            about: about.to_owned(),
        }
    }

    /// Compares with the ceiling of the same rounds, round by round.
    ///
    /// # Panics
    /// If the ceiling has other rounds.
    #[must_use]
    pub fn against(mut self, rounds: &[f64], ceiling: &[f64]) -> Self {
        assert_eq!(rounds.len(), ceiling.len(), "{}: each round has its own ceiling", self.name);
        let ratios = rounds.iter().zip(ceiling).map(|(value, ceiling)| value / ceiling);
        let ratio = Spread::of(ratios).expect("a cell has at least one round");
        self.ceiling = Spread::of(ceiling.iter().copied()).map(|spread| spread.median);
        self.ratio = Some(ratio.median);
        (self.low, self.high) = (ratio.low, ratio.high);
        self
    }

    /// Holds it against a bar, and what would be good.
    ///
    /// # Panics
    /// If the ratio is judged and there is none.
    #[must_use]
    pub fn held(mut self, judged: Judged, bar: f64, good: Option<f64>) -> Self {
        self.judged = Some(judged);
        (self.bar, self.good) = (Some(bar), good);
        self.holds = Some(match judged {
            Judged::RatioAtLeast => self.figure() >= bar,
            Judged::RatioAtMost | Judged::ValueAtMost => self.figure() <= bar,
        });
        self
    }

    /// What is judged: the ratio or the value; of what is not judged, the value.
    ///
    /// # Panics
    /// If the ratio is judged and there is none.
    #[must_use]
    pub fn figure(&self) -> f64 {
        match self.judged {
            Some(Judged::RatioAtLeast | Judged::RatioAtMost) => self.ratio.expect("a judged ratio was measured"),
            Some(Judged::ValueAtMost) | None => self.value,
        }
    }
}

/// Of these cells, those that have a bar.
pub fn judged(cells: &[Cell]) -> impl Iterator<Item = &Cell> {
    cells.iter().filter(|cell| cell.judged.is_some())
}

/// The cell of this name.
#[must_use]
pub fn named<'a>(cells: &'a [Cell], name: &str) -> Option<&'a Cell> {
    cells.iter().find(|cell| cell.name == name)
}

#[cfg(test)]
mod tests {
    use super::{Cell, Judged};

    #[test]
    fn ratios_are_taken_round_by_round() {
        let rounds = [50.0, 60.0, 90.0];
        let cell = Cell::shown("a/b", "1/s", &rounds, "").against(&rounds, &[100.0, 100.0, 100.0]);
        assert_eq!((cell.value, cell.ceiling, cell.ratio), (60.0, Some(100.0), Some(0.6)));
        assert_eq!((cell.low, cell.high, cell.holds), (0.5, 0.9, None));
        assert_eq!(cell.clone().held(Judged::RatioAtLeast, 0.6, None).holds, Some(true));
        assert_eq!(cell.clone().held(Judged::RatioAtLeast, 0.61, Some(0.7)).holds, Some(false));
        assert_eq!(cell.clone().held(Judged::RatioAtMost, 0.59, None).holds, Some(false));
        assert_eq!(cell.held(Judged::ValueAtMost, 60.0, None).holds, Some(true));
    }

    #[test]
    fn the_file_has_every_field_even_where_there_is_nothing_to_say() {
        let cell = Cell::shown("a/b", "µs", &[1.0], "");
        let json = serde_json::to_value(&cell).expect("cells are plain");
        for field in ["name", "value", "unit", "ceiling", "ratio", "bar", "good", "holds"] {
            assert!(json.get(field).is_some(), "{field}");
        }
        assert_eq!(serde_json::from_value::<Cell>(json).expect("cells can be read"), cell);
    }
}
