//! What is left of bytes in this process's memory: tests of what is wiped look there.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use std::fs::File;
use std::io::BufRead as _;
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use zeroize::Zeroize as _;

const CHUNK: usize = 1 << 20;
/// Looks of waiting tests, 50 ms apart.
const LOOKS: usize = 400;

/// Who looks holds copies of what he looks at: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Bytes to look for, kept in a form that is not found itself.
pub(crate) struct Sought(Vec<u8>);

impl Sought {
    /// These. Not the first bytes of an allocation, which the allocator overwrites by itself.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        assert!(bytes.len() >= 16);
        Self(bytes.iter().map(|byte| !byte).collect())
    }

    /// In how many places of this process's memory they are.
    pub(crate) fn places(&self) -> usize {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (maps, memory) =
            (std::fs::read_to_string("/proc/self/maps").unwrap(), File::open("/proc/self/mem").unwrap());
        let mut chunk = vec![0; CHUNK];
        // Copied into itself it would hold everything several times.
        let own = u64::try_from(chunk.as_ptr().addr()).unwrap();
        let own = own..own + CHUNK as u64;
        let mut places = 0;
        for line in maps.lines().filter(|line| line.contains(" rw")) {
            let (from, to) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
            let (mut from, to) =
                (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
            while from < to {
                if own.contains(&from) {
                    from = own.end;
                    continue;
                }
                let end = if from < own.start { to.min(own.start) } else { to };
                let length = usize::try_from(end - from).unwrap().min(CHUNK);
                // Another thread may have given the pages back meanwhile.
                let Ok(count) = memory.read_at(&mut chunk[..length], from) else { break };
                places += self.count(&chunk[..count]);
                chunk[..count].zeroize();
                let step = if count == CHUNK { count - self.0.len() + 1 } else { count };
                if step == 0 {
                    break;
                }
                from += step as u64;
            }
        }
        places
    }

    fn count(&self, bytes: &[u8]) -> usize {
        let first = !self.0[0];
        let (mut rest, mut count) = (bytes, 0);
        // The system's search: these tests run on builds that are not optimised.
        while rest.skip_until(first).unwrap() > 0 {
            let at = bytes.len() - rest.len() - 1;
            let found = bytes.get(at..at + self.0.len());
            count += usize::from(
                found.is_some_and(|found| found.iter().zip(&self.0).all(|(one, two)| *one == !*two)),
            );
        }
        count
    }

    /// Waits until they are nowhere; fails the test where they stay.
    pub(crate) fn gone(&self) {
        for _ in 0..LOOKS {
            if self.places() == 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("still in {} places", self.places());
    }
}

#[test]
fn what_is_kept_is_found_and_what_was_dropped_is_found_until_it_was_wiped() {
    let mut bytes = vec![0_u8; 256];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    let sought = Sought::of(&bytes[64..96]);
    let copy = bytes.clone();
    assert_eq!(sought.places(), 2);
    bytes.zeroize();
    assert_eq!(sought.places(), 1);
    drop(zeroize::Zeroizing::new(copy));
    assert_eq!(sought.places(), 0);
}
