//! Times in records and statements: UTC with microseconds, in one form.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Microseconds since the Unix epoch, between the years 0000 and 9999. Shown as `2026-11-21T05:00:00.000000Z`, always
/// six digits and `Z` (RFC 3339); no other form is read.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Time(i64);

/// The text is not a time of the one form.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected a time like 2026-11-21T05:00:00.000000Z: UTC, six digits of the second, Z")]
pub struct NotATime;

const FIRST: i64 = -62_167_219_200_000_000;
const LAST: i64 = 253_402_300_799_999_999;

impl Time {
    /// Length in bytes of every time's text.
    pub const WIDTH: usize = 27;

    /// The time so many microseconds after the Unix epoch, bounded to the years 0000 to 9999.
    pub fn from_microseconds(microseconds: i64) -> Self {
        Self(microseconds.clamp(FIRST, LAST))
    }

    /// Microseconds since the Unix epoch.
    pub const fn microseconds(self) -> i64 {
        self.0
    }

    /// Milliseconds since the Unix epoch, 0 for times before it.
    pub fn milliseconds(self) -> u64 {
        u64::try_from(self.0 / 1000).unwrap_or(0)
    }

    /// The time `by` later, bounded to the year 9999.
    pub fn later(self, by: Duration) -> Self {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self::from_microseconds(self.0.saturating_add(by))
    }

    /// The time `by` earlier, bounded to the year 0000.
    pub fn earlier(self, by: Duration) -> Self {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self::from_microseconds(self.0.saturating_sub(by))
    }

    /// How long after `earlier` this is; zero where it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The text as bytes, without allocating.
    pub fn text(self) -> [u8; Self::WIDTH] {
        let (days, micros) = (self.0.div_euclid(86_400_000_000), self.0.rem_euclid(86_400_000_000));
        let (year, month, day) = civil(days);
        let second = micros / 1_000_000;
        let mut out = *b"0000-00-00T00:00:00.000000Z";
        let mut put = |at: usize, width: usize, mut value: i64| {
            for i in (at..at + width).rev() {
                out[i] = b'0' + u8::try_from(value % 10).unwrap_or(0);
                value /= 10;
            }
        };
        put(0, 4, year);
        put(5, 2, month);
        put(8, 2, day);
        put(11, 2, second / 3600);
        put(14, 2, second / 60 % 60);
        put(17, 2, second % 60);
        put(20, 6, micros % 1_000_000);
        out
    }
}

/// Year, month and day of a day count since 1970-01-01 in the proleptic Gregorian calendar. Own arithmetic, because the
/// log's writer stamps every record: checked against jiff by a property test.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The day count since 1970-01-01 of a day of that calendar: the inverse of [`civil`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.text()).map_err(|_not_text| fmt::Error)?)
    }
}

impl FromStr for Time {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        let bytes: &[u8; Self::WIDTH] = text.as_bytes().try_into().map_err(|_other_width| NotATime)?;
        // What is no digit gives some number here, and another text below.
        let number = |at: usize, width: usize| {
            bytes[at..at + width]
                .iter()
                .fold(0, |number, byte| number * 10 + i64::from(*byte) - i64::from(b'0'))
        };
        let day = days(number(0, 4), number(5, 2), number(8, 2));
        let second = number(11, 2) * 3600 + number(14, 2) * 60 + number(17, 2);
        let time = Self::from_microseconds((day * 86_400 + second) * 1_000_000 + number(20, 6));
        // The 31st of February, leap seconds, lower-case separators and the like are not written.
        if time.text() == *bytes { Ok(time) } else { Err(NotATime) }
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.text();
        serializer.serialize_str(std::str::from_utf8(&text).map_err(serde::ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::canonical::parse_str(deserializer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_form_is_read() {
        for good in [
            "2026-11-21T05:00:00.000000Z",
            "2000-02-29T23:59:59.999999Z",
            "0000-01-01T00:00:00.000000Z",
            "9999-12-31T23:59:59.999999Z",
        ] {
            assert_eq!(good.parse::<Time>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "2026-11-21T05:00:00Z",
            "1900-02-29T05:00:00.000000Z",
            "2026-11-21T05:00:60.000000Z",
            "2026-11-21T24:00:00.000000Z",
            "2026-11-00T05:00:00.000000Z",
            "2026-00-21T05:00:00.000000Z",
            "2026-11-21T05:00:00.00000/Z",
            "2026-11-21T05:00:00.00000\u{ff}",
            "2026-11-21T05:00:00.000000z",
            "2026-11-21 05:00:00.000000Z",
            "2026-13-21T05:00:00.000000Z",
        ] {
            assert_eq!(bad.parse::<Time>(), Err(NotATime), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_text_is_that_of_an_independent_calendar(micros in FIRST..=LAST) {
            let time = Time::from_microseconds(micros);
            let jiff = jiff::Timestamp::from_microsecond(micros.min(253_402_207_200_000_000));
            if let Ok(instant) = jiff && instant.as_microsecond() == micros {
                prop_assert_eq!(time.to_string(), format!("{instant:.6}"));
            }
            prop_assert_eq!(time.to_string().parse::<Time>(), Ok(time));
        }

        /// What jiff reads and writes again as it was, and nothing else, up to its last day.
        #[test]
        fn what_an_independent_reader_takes_in_our_form_is_read(
            text in "[0-9]{4}-(0[0-9]|1[0-3])-[0-3][0-9][Tt ]([01][0-9]|2[0-5])(:[0-6][0-9]){2}\\.[0-9]{6}[Zz]",
            (at, byte) in (0..Time::WIDTH, any::<u8>()),
            is_struck: bool,
        ) {
            let mut bytes = text.into_bytes();
            if is_struck {
                bytes[at] = byte;
            }
            if let Ok(text) = std::str::from_utf8(&bytes) && !text.starts_with("9999-12-3") {
                let other = text.parse::<jiff::Timestamp>().ok().filter(|instant| format!("{instant:.6}") == text);
                let other = other.map(|instant| Time::from_microseconds(instant.as_microsecond()));
                prop_assert_eq!(text.parse::<Time>().ok(), other, "{}", text);
            }
        }
    }
}
