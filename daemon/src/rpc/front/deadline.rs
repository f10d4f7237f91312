//! The end of a caller's wait: gRPC's `grpc-timeout` header.

use std::time::Duration;

use http::HeaderMap;
use proto::reason::Reason;
use proto::refusal::Refusal;

use crate::clock::Monotonic;

/// When a request's wait ends.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Monotonic,
    given: Option<Duration>,
}

impl Deadline {
    /// The deadline that the headers give, else one after `longest`.
    ///
    /// # Errors
    /// `MALFORMED_REQUEST` for a header that is none.
    pub fn of_headers(headers: &HeaderMap, now: Monotonic, longest: Duration) -> Result<Self, Refusal> {
        let given = match headers.get("grpc-timeout") {
            None => None,
            Some(value) => Some(value.to_str().ok().and_then(parse).ok_or_else(|| {
                Refusal::new(
                    Reason::MalformedRequest,
                    "grpc-timeout: expected 1 to 8 digits and a unit (H, M, S, m, u or n)",
                )
            })?),
        };
        Ok(Self { at: now.after(given.unwrap_or(longest)), given })
    }

    /// Whether the caller gave it.
    pub fn is_the_callers(&self) -> bool {
        self.given.is_some()
    }

    /// The moment, if the caller gave one.
    pub fn of_caller(&self) -> Option<Monotonic> {
        self.given.map(|_| self.at)
    }

    /// How long is left.
    pub fn left(&self, now: Monotonic) -> Duration {
        self.at.since(now)
    }

    /// What to say when it has passed.
    pub fn passed(&self) -> String {
        match self.given {
            Some(given) => format!("the deadline of {given:?} passed; ask again with the same request id"),
            None => "no answer in time, and the request had no deadline; ask again with the same request id"
                .to_owned(),
        }
    }
}

/// 1 to 8 digits and a unit (gRPC over HTTP/2, `Timeout`).
fn parse(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&number.len()) || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    fn deadline(text: &str) -> Result<Deadline, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", text.parse().unwrap());
        Deadline::of_headers(
            &headers,
            Monotonic::from_start(Duration::from_secs(10)),
            Duration::from_secs(120),
        )
    }

    #[test]
    fn every_unit_is_read() {
        for (text, millis) in
            [("2H", 7_200_000), ("1M", 60_000), ("3S", 3000), ("5m", 5), ("7000u", 7), ("0n", 0)]
        {
            let left = deadline(text).unwrap().left(Monotonic::from_start(Duration::from_secs(10)));
            assert_eq!(left, Duration::from_millis(millis), "{text}");
        }
        assert!(deadline("99999999H").is_ok());
    }

    #[test]
    fn anything_else_is_refused_with_what_was_expected() {
        for bad in ["", "S", "5", "5s", "-5S", "+5S", "123456789S", "5 S", "\u{e9}S"] {
            assert!(deadline(bad).unwrap_err().message.contains("expected 1 to 8 digits"), "{bad:?}");
        }
    }

    #[test]
    fn without_a_header_the_wait_is_bounded_and_not_the_callers() {
        let none =
            Deadline::of_headers(&HeaderMap::new(), Monotonic::START, Duration::from_secs(120)).unwrap();
        assert_eq!(none.left(Monotonic::START), Duration::from_secs(120));
        assert!(none.of_caller().is_none() && !none.is_the_callers());
    }
}
