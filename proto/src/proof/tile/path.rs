//! The paths under which tiles and bundles are served, without the log's prefix.

use std::fmt;
use std::str::FromStr;

/// A tile or an entry bundle, as a path names it: `tile/0/x001/067.p/5`, `tile/entries/005`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// A tile of hashes.
    Hashes {
        /// Tile level, 0 to 63.
        level: u8,
        /// Number in its level, from 0.
        number: u64,
        /// Hashes in it: 256 for a full tile, 1 to 255 for a partial one.
        width: u16,
    },
    /// A bundle of entries.
    Entries {
        /// Number of the tile of level 0 that has these entries' hashes.
        number: u64,
        /// Entries in it: 256 for a full bundle, 1 to 255 for a partial one.
        width: u16,
    },
}

/// Why a text is not the path of a tile or bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Not `tile/<level>/…` or `tile/entries/…`.
    #[error("expected tile/<level>/<number> or tile/entries/<number>")]
    Shape,
    /// The level is not a plain number up to 63.
    #[error("a tile level is a number from 0 to 63 without leading zeros")]
    Level,
    /// The number is not in groups of three digits.
    #[error("a tile number is written in groups of three digits, all but the last after an x: x001/x234/067")]
    Number,
    /// The width is not that of a partial tile.
    #[error("a partial tile ends in .p/<width>, a number from 1 to 255 without leading zeros")]
    Width,
}

const FULL: u16 = super::WIDTH as u16;

impl fmt::Display for Resource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, width) = match *self {
            Resource::Hashes { level, number, width } => {
                write!(out, "tile/{level}/")?;
                (number, width)
            }
            Resource::Entries { number, width } => {
                out.write_str("tile/entries/")?;
                (number, width)
            }
        };
        // A u64 has at most seven groups.
        for group in (1..7).rev() {
            let rest = number / 1000u64.pow(group);
            if rest > 0 {
                write!(out, "x{:03}/", rest % 1000)?;
            }
        }
        write!(out, "{:03}", number % 1000)?;
        if width < FULL { write!(out, ".p/{width}") } else { Ok(()) }
    }
}

impl FromStr for Resource {
    type Err = PathError;

    fn from_str(path: &str) -> Result<Self, PathError> {
        let (kind, rest) =
            path.strip_prefix("tile/").and_then(|rest| rest.split_once('/')).ok_or(PathError::Shape)?;
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => {
                let width = plain(width).filter(|width| (1..u64::from(FULL)).contains(width));
                (number, width.and_then(|width| u16::try_from(width).ok()).ok_or(PathError::Width)?)
            }
            None => (rest, FULL),
        };
        let number = grouped(number).ok_or(PathError::Number)?;
        if kind == "entries" {
            return Ok(Resource::Entries { number, width });
        }
        let level = plain(kind).and_then(|level| u8::try_from(level).ok()).filter(|level| *level < 64);
        Ok(Resource::Hashes { level: level.ok_or(PathError::Level)?, number, width })
    }
}

/// A decimal number in its only form.
fn plain(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    if digits && !padded { text.parse().ok() } else { None }
}

fn grouped(text: &str) -> Option<u64> {
    let mut groups = text.split('/').rev();
    let mut number = three(groups.next()?)?;
    let mut scale = 1u64;
    let mut highest = None;
    for group in groups {
        let value = three(group.strip_prefix('x')?)?;
        scale = scale.checked_mul(1000)?;
        number = number.checked_add(value.checked_mul(scale)?)?;
        highest = Some(value);
    }
    // x000/005 would be another name for 005.
    if highest == Some(0) { None } else { Some(number) }
}

fn three(group: &str) -> Option<u64> {
    let digits = group.len() == 3 && group.bytes().all(|byte| byte.is_ascii_digit());
    if digits { group.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let hashes = |level, number, width| Resource::Hashes { level, number, width };
        for (path, resource) in [
            ("tile/0/005", hashes(0, 5, 256)),
            ("tile/0/999", hashes(0, 999, 256)),
            ("tile/1/x001/000", hashes(1, 1000, 256)),
            ("tile/0/x001/x234/067", hashes(0, 1_234_067, 256)),
            ("tile/0/x001/067.p/5", hashes(0, 1067, 5)),
            ("tile/63/000.p/255", hashes(63, 0, 255)),
            ("tile/entries/x001/x000/000.p/1", Resource::Entries { number: 1_000_000, width: 1 }),
            (
                "tile/entries/x018/x446/x744/x073/x709/x551/615",
                Resource::Entries { number: u64::MAX, width: 256 },
            ),
        ] {
            assert_eq!(path.parse(), Ok(resource), "{path}");
            assert_eq!(resource.to_string(), path);
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for (path, error) in [
            ("", PathError::Shape),
            ("/tile/0/005", PathError::Shape),
            ("tile/0", PathError::Shape),
            ("tile/00/005", PathError::Level),
            ("tile/64/005", PathError::Level),
            ("tile/+1/005", PathError::Level),
            ("tile/data/005", PathError::Level),
            ("tile/0/5", PathError::Number),
            ("tile/0/0005", PathError::Number),
            ("tile/0/x000/005", PathError::Number),
            ("tile/0/001/005", PathError::Number),
            ("tile/0/x001/x005", PathError::Number),
            ("tile/0/x001", PathError::Number),
            ("tile/0/005/", PathError::Number),
            ("tile/0/x018/x446/x744/x073/x709/x551/616", PathError::Number),
            ("tile/0/x001/x000/x000/x000/x000/x000/x000/000", PathError::Number),
            ("tile/0/005.p/0", PathError::Width),
            ("tile/0/005.p/256", PathError::Width),
            ("tile/0/005.p/05", PathError::Width),
            ("tile/0/005.p/", PathError::Width),
        ] {
            assert_eq!(path.parse::<Resource>(), Err(error), "{path}");
        }
    }
}
