//! Times on the wire: `google.protobuf.Timestamp`, whose nanoseconds are cut to microseconds.

use super::value::malformed;
use crate::refusal::Refusal;
use crate::time::Time;

/// The timestamp of a time.
pub fn to_wire(time: Time) -> prost_types::Timestamp {
    let microseconds = time.microseconds();
    let nanos = i32::try_from(microseconds.rem_euclid(1_000_000) * 1000).unwrap_or(0);
    prost_types::Timestamp { seconds: microseconds.div_euclid(1_000_000), nanos }
}

/// The time that a timestamp stands for.
///
/// # Errors
/// `MALFORMED_REQUEST` for a time outside the years that a record can hold.
pub fn of_wire(field: &str, stamp: &prost_types::Timestamp) -> Result<Time, Refusal> {
    let expected = || malformed(field, "expected a time between the years 0001 and 9999");
    if !(0..1_000_000_000).contains(&stamp.nanos)
        || !(-62_135_596_800..253_402_300_800).contains(&stamp.seconds)
    {
        return Err(expected());
    }
    Ok(Time::from_microseconds(stamp.seconds * 1_000_000 + i64::from(stamp.nanos / 1000)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn times_read_back_and_others_are_refused() {
        for microseconds in [0, 1, -1, 1_795_237_200_000_001, -1_500_000] {
            let time = Time::from_microseconds(microseconds);
            assert_eq!(of_wire("since", &to_wire(time)).unwrap(), time, "{microseconds}");
        }
        for (seconds, nanos) in [(i64::MAX, 0), (i64::MIN, 0), (0, -1), (0, i32::MAX)] {
            let stamp = prost_types::Timestamp { seconds, nanos };
            assert!(of_wire("since", &stamp).unwrap_err().message.starts_with("since: expected a time"));
        }
    }
}
