//! Times and texts as people read them on a terminal.
//!
//! Promises: nothing that a daemon sends moves the cursor, changes colours or hides other text: what cannot be seen is spelt out.

use std::time::Duration;

use ceremonies::person::is_hidden;
use proto::time::Time;

use crate::clock;

/// A text without anything that a terminal would act on; line feeds stay.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && is_hidden(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// The same on one line.
#[must_use]
pub fn line(text: &str) -> String {
    plain(text).replace('\n', " ")
}

/// `1 record`, `42 records`.
#[must_use]
pub fn records(number: u64) -> String {
    if number == 1 { "1 record".to_owned() } else { format!("{number} records") }
}

/// What time it is here.
#[must_use]
pub fn now() -> Time {
    Time::from_microseconds(clock::wall_micros())
}

/// To the second.
#[must_use]
pub fn seconds(time: Time) -> String {
    let text = time.to_string();
    format!("{} {}Z", &text[..10], &text[11..19])
}

/// `2026-11-24 05:00:00Z, in 71 h 58 min`.
#[must_use]
pub fn moment(time: Time, now: Time) -> String {
    format!("{}, {}", seconds(time), from_now(time, now))
}

/// `in 71 h 58 min`, or `2 min ago`.
#[must_use]
pub fn from_now(time: Time, now: Time) -> String {
    if time >= now {
        format!("in {}", length(time.since(now)))
    } else {
        format!("{} ago", length(now.since(time)))
    }
}

/// `30 s`, `58 min`, `71 h 58 min`, `13 d 4 h`.
#[must_use]
pub fn length(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    match minutes {
        0 => format!("{} s", duration.as_secs()),
        1..60 => format!("{minutes} min"),
        60..6_000 => format!("{} h {} min", minutes / 60, minutes % 60),
        _ => format!("{} d {} h", minutes / 1_440, minutes / 60 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_told_nothing() {
        assert_eq!(plain("a\u{1b}[31mb\u{202e}c\nd\r"), "a\\u{1b}[31mb\\u{202e}c\nd\\u{d}");
        assert_eq!(line("a\nb"), "a b");
    }

    #[test]
    fn times_are_said_from_now_on() {
        let now = Time::from_microseconds(1_795_237_200_000_000);
        let at = |seconds: i64| Time::from_microseconds((1_795_237_200 + seconds) * 1_000_000);
        for (seconds, said) in [
            (0, "in 0 s"),
            (59, "in 59 s"),
            (3_599, "in 59 min"),
            (259_080, "in 71 h 58 min"),
            (1_200_000, "in 13 d 21 h"),
            (-120, "2 min ago"),
        ] {
            assert_eq!(from_now(at(seconds), now), said);
        }
        assert_eq!(moment(at(60), now), "2026-11-21 05:01:00Z, in 1 min");
    }
}
