//! Random bytes, from two places.
//!
//! What names something (operations, owners of intents, salts of details) is the operating system's, at once. What keys and
//! signatures are made of is the crypto library's own generator, `aws_lc_rs::rand`, which collects the jitter of the processor
//! beside the system's numbers before it gives its first: some 20 ms of computing. A start waits for them only where it opens keys of
//! its own process, and then they are computed beside the log.

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// The operating system gives no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("the machine gives no random numbers: {0}")]
pub struct NoRandom(Errno);

/// Random bytes of the operating system.
///
/// # Errors
/// [`NoRandom`].
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(more) => filled += more,
            // A signal came first.
            Err(Errno::INTR) => {}
            Err(error) => return Err(NoRandom(error)),
        }
    }
    Ok(bytes)
}

/// Has the crypto library collect what its generator begins with, so that nobody's first signature or connection does.
pub fn collect() {
    if let Err(aws_lc_rs::error::Unspecified) = aws_lc_rs::rand::fill(&mut [0; 1]) {
        tracing::error!(
            "the crypto library gives no random numbers: nothing can be signed by a key in this process"
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn no_two_draws_are_alike_and_all_bytes_are_drawn() {
        assert_ne!(bytes::<16>().unwrap(), bytes::<16>().unwrap());
        // More than one call of the system gives without a word: 256 bytes. A half that stays empty would be seen.
        let long = bytes::<1024>().unwrap();
        assert!(long.chunks(32).all(|piece| piece.iter().any(|byte| *byte != 0)));
    }
}
