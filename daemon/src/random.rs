//! Random bytes, from two places.
//!
//! What names something (operations, owners of intents, salts) is the operating system's, at once; each thread draws a few names'
//! worth at a time, because asking costs more than the answer, and wipes what it has given. What keys and signatures are made of is
//! the crypto library's own generator, `aws_lc_rs::rand`, which collects the jitter of the processor beside the system's numbers before
//! it gives its first: some 20 ms of computing. A start waits for them only where it opens keys of its own process, and then they are
//! computed beside the log.

use std::cell::RefCell;

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};
use zeroize::Zeroize as _;

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
    // A thread that is ending has nothing drawn ahead any more.
    match DRAWN.try_with(|drawn| drawn.borrow_mut().give(&mut bytes)) {
        Ok(given) => given?,
        Err(_ending) => draw(&mut bytes)?,
    }
    Ok(bytes)
}

thread_local! {
    static DRAWN: RefCell<Drawn> = const { RefCell::new(Drawn { bytes: [0; AHEAD], left: 0 }) };
}

/// What a thread draws at once: the most that the system gives in one call without being interrupted.
const AHEAD: usize = 256;

/// What was drawn and not given yet: the first `left` bytes.
struct Drawn {
    bytes: [u8; AHEAD],
    left: usize,
}

impl Drawn {
    fn give(&mut self, to: &mut [u8]) -> Result<(), NoRandom> {
        if to.len() > self.left {
            if to.len() > AHEAD {
                return draw(to);
            }
            self.left = 0;
            draw(&mut self.bytes)?;
            self.left = AHEAD;
        }
        let given = &mut self.bytes[self.left - to.len()..self.left];
        to.copy_from_slice(given);
        given.zeroize();
        self.left -= to.len();
        Ok(())
    }
}

fn draw(bytes: &mut [u8]) -> Result<(), NoRandom> {
    let mut filled = 0;
    while filled < bytes.len() {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(more) => filled += more,
            // A signal came first.
            Err(Errno::INTR) => {}
            Err(error) => return Err(NoRandom(error)),
        }
    }
    Ok(())
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
    fn what_was_given_is_wiped_and_never_given_again() {
        let mut drawn = Drawn { bytes: [0; AHEAD], left: 0 };
        let mut all = std::collections::HashSet::new();
        for _ in 0..100 {
            let mut name = [0; 26];
            drawn.give(&mut name).unwrap();
            assert!(all.insert(name));
            assert!(drawn.bytes[drawn.left..].iter().all(|byte| *byte == 0), "something given is kept");
        }
    }

    #[test]
    fn no_two_draws_are_alike_and_all_bytes_are_drawn() {
        assert_ne!(bytes::<16>().unwrap(), bytes::<16>().unwrap());
        // More than one call of the system gives without a word: 256 bytes. A half that stays empty would be seen.
        let long = bytes::<1024>().unwrap();
        assert!(long.chunks(32).all(|piece| piece.iter().any(|byte| *byte != 0)));
    }
}
