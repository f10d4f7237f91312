//! Request ids that this client makes: 128 bit, time-ordered (RFC 9562 version 7 layout), as 32 lower-case hex digits.
//!
//! Promises: ids made one after the other sort one after the other at millisecond steps, so that the daemon's look-up table grows at
//! one end; two clients never make the same one. Deliberately does not check ids that people bring along beyond their alphabet and
//! length, which the daemon defines.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use proto::operation::OperationId;

use crate::clock;

/// The longest request id, in bytes.
pub const LONGEST: usize = 128;

/// Why an id that someone brought along cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a request id: expected 1 to 128 of A-Z a-z 0-9 . _ : -")]
pub struct BadRequestId(pub String);

/// No random numbers could be had from the operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random numbers for a request id")]
pub struct NoRandom;

/// A new id.
///
/// # Errors
/// [`NoRandom`] when the operating system has no random numbers to give.
pub fn fresh() -> Result<String, NoRandom> {
    let mut random = [0_u8; 10];
    // The cause is `Unspecified`, which has nothing to add.
    if SystemRandom::new().fill(&mut random).is_err() {
        return Err(NoRandom);
    }
    let millis = u64::try_from(clock::wall_micros() / 1_000).unwrap_or(0);
    Ok(OperationId::new(millis, random).to_string())
}

/// Checks an id that someone brought along.
///
/// # Errors
/// [`BadRequestId`] with what was expected.
pub fn check(id: &str) -> Result<(), BadRequestId> {
    let fits = (1..=LONGEST).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-'));
    if fits { Ok(()) } else { Err(BadRequestId(id.to_owned())) }
}

/// The id of one item of a batch: `ID.N`, counted from 1, or the id itself where there is one item.
#[must_use]
pub fn of_item(id: &str, position: usize, items: usize) -> String {
    if items == 1 { id.to_owned() } else { format!("{id}.{}", position + 1) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    #[test]
    fn ids_have_the_version_7_layout_and_differ() {
        let ids: Vec<String> = (0..100).map(|_| fresh().unwrap()).collect();
        for id in &ids {
            assert_eq!(id.len(), 32);
            assert!(id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)), "{id}");
            assert_eq!(&id[12..13], "7", "version nibble of {id}");
            assert!(matches!(&id[16..17], "8" | "9" | "a" | "b"), "variant bits of {id}");
        }
        let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }

    #[test]
    fn brought_ids_are_checked_before_anything_is_sent() {
        assert_eq!(check("build-4711:linux_x.2"), Ok(()));
        assert_eq!(check(&"a".repeat(128)), Ok(()));
        for bad in ["", "a b", "ä", "a/b", &"a".repeat(129)] {
            assert_eq!(check(bad), Err(BadRequestId(bad.to_owned())));
        }
        assert_eq!(of_item("build", 0, 1), "build");
        assert_eq!(of_item("build", 1, 3), "build.2");
    }
}
