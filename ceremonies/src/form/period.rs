//! Lengths of time as people write them: `500ms`, `10s`, `5m`, `24h`, `7d`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

/// A length of time, written as a whole number and a unit.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Period(Duration);

/// The text is no length of time.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is no length of time: expected a whole number with ms, s, m, h or d, for instance \"10s\"")]
pub struct NotAPeriod(String);

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl Period {
    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// So many milliseconds.
    pub const fn milliseconds(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }

    /// This duration, cut to whole milliseconds where it is shown.
    pub const fn of(duration: Duration) -> Self {
        Self(duration)
    }

    /// As the standard library has it.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Period {
    type Err = NotAPeriod;

    fn from_str(text: &str) -> Result<Self, NotAPeriod> {
        let refused = || NotAPeriod(text.chars().take(40).collect());
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?;
        let (number, unit) = text.split_at(unit_at);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(refused)?;
        let number: u64 = number.parse().map_err(|_not_a_number| refused())?;
        number.checked_mul(*factor).map(Duration::from_millis).map(Self).ok_or_else(refused)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let whole = UNITS.iter().rev().find(|(_, factor)| millis.is_multiple_of(u128::from(*factor)));
        let (unit, factor) = whole.unwrap_or(&UNITS[0]);
        write!(f, "{}{unit}", millis / u128::from(*factor))
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        proto::canonical::parse_str(deserializer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn periods_are_read_and_shown_in_the_largest_whole_unit() {
        for (text, millis) in
            [("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("24h", 86_400_000), ("0s", 0)]
        {
            assert_eq!(text.parse::<Period>().unwrap().duration(), Duration::from_millis(millis));
        }
        assert_eq!("24h".parse::<Period>().unwrap().to_string(), "1d");
        assert_eq!("1500ms".parse::<Period>().unwrap().to_string(), "1500ms");
        for bad in [
            "",
            "10",
            "s",
            "-1s",
            "1.5s",
            "10 s",
            "10S",
            "1w",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
    }
}
