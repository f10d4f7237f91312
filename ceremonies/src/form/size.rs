//! Amounts of bytes as people write them: `512KiB`, `64MiB`, `1GiB`.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// An amount of bytes, written as a whole number and a binary unit.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Size(u64);

/// The text is no amount of bytes.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is no size: expected a whole number with B, KiB, MiB, GiB or TiB, for instance \"64MiB\"")]
pub struct NotASize(String);

const UNITS: [(&str, u32); 5] = [("B", 0), ("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];

impl Size {
    /// In bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = NotASize;

    fn from_str(text: &str) -> Result<Self, NotASize> {
        let refused = || NotASize(text.chars().take(40).collect());
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?;
        let (number, unit) = text.split_at(unit_at);
        let (_, shift) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(refused)?;
        let number: u64 = number.parse().map_err(|_not_a_number| refused())?;
        number.checked_mul(1 << shift).map(Self).ok_or_else(refused)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().rev().find(|(_, shift)| self.0.is_multiple_of(1 << shift));
        let (unit, shift) = whole.unwrap_or(&UNITS[0]);
        write!(f, "{}{unit}", self.0 >> shift)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        proto::canonical::parse_str(deserializer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn sizes_are_read_and_shown_in_the_largest_whole_unit() {
        for (text, bytes) in
            [("0B", 0), ("512KiB", 524_288), ("64MiB", 67_108_864), ("1GiB", 1 << 30), ("2TiB", 2 << 40)]
        {
            assert_eq!(text.parse::<Size>().unwrap().bytes(), bytes);
        }
        assert_eq!("1024KiB".parse::<Size>().unwrap().to_string(), "1MiB");
        assert_eq!("1000B".parse::<Size>().unwrap().to_string(), "1000B");
        for bad in ["", "1", "MiB", "1MB", "1.5GiB", "1 GiB", "-1B", "99999999TiB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }
}
