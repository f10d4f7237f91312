//! Whether bytes are the one form of a value: in one pass, in which the value is written and held against them.
//!
//! That pass says yes or no, and yes only where a text has nothing that is forbidden and its keys are in order. Why it is no, and
//! the few texts that it is too simple for, is for [`super::form`] and its caller.

use std::cell::Cell;
use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

use super::{DEPTH, LARGEST};

/// Whether these are the canonical bytes of `value`, as far as one pass can tell: no text is called canonical that is not.
///
/// Too simple it is for keys with escapes, and for characters of more than 16 bits, which sort otherwise than their bytes.
pub(super) fn is_whole<T: Serialize>(value: &T, bytes: &[u8]) -> bool {
    if bytes.iter().any(|byte| *byte >= 0xf0) {
        return false;
    }
    let rest = Cell::new(bytes);
    let strict = Strict { rest: &rest, key: bytes, before: [None; DEPTH], depth: 0 };
    let mut serializer = serde_json::Serializer::with_formatter(Expecting(&rest), strict);
    value.serialize(&mut serializer).is_ok() && rest.get().is_empty()
}

/// The sentence is never seen: whoever asks gets no.
fn no() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// Takes what it expects, and nothing else.
struct Expecting<'r, 'b>(&'r Cell<&'b [u8]>);

impl io::Write for Expecting<'_, '_> {
    #[inline]
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        self.write_all(written).map(|()| written.len())
    }

    #[inline]
    fn write_all(&mut self, written: &[u8]) -> io::Result<()> {
        self.0.set(self.0.get().strip_prefix(written).ok_or_else(no)?);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes as serde_json does, but nothing that canonical JSON does not have, and keys in their order alone.
struct Strict<'r, 'b> {
    /// What is still to be written.
    rest: &'r Cell<&'b [u8]>,
    /// The same when the newest key began.
    key: &'b [u8],
    /// The newest key of each object that is open.
    before: [Option<&'b [u8]>; DEPTH],
    /// How many objects and arrays are open.
    depth: usize,
}

impl Strict<'_, '_> {
    #[inline]
    fn enter(&mut self) -> io::Result<()> {
        *self.before.get_mut(self.depth).ok_or_else(no)? = None;
        self.depth += 1;
        Ok(())
    }
}

#[inline]
fn bounded(magnitude: u128) -> io::Result<()> {
    if magnitude > u128::from(LARGEST) { Err(no()) } else { Ok(()) }
}

impl Formatter for Strict<'_, '_> {
    fn write_null<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        Err(no())
    }

    #[inline]
    fn write_i64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        bounded(value.unsigned_abs().into())?;
        CompactFormatter.write_i64(writer, value)
    }

    fn write_i128<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: i128) -> io::Result<()> {
        bounded(value.unsigned_abs())?;
        CompactFormatter.write_i128(writer, value)
    }

    #[inline]
    fn write_u64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        bounded(value.into())?;
        CompactFormatter.write_u64(writer, value)
    }

    fn write_u128<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: u128) -> io::Result<()> {
        bounded(value)?;
        CompactFormatter.write_u128(writer, value)
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, _: &mut W, _: f32) -> io::Result<()> {
        Err(no())
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, _: &mut W, _: f64) -> io::Result<()> {
        Err(no())
    }

    fn write_number_str<W: ?Sized + io::Write>(&mut self, _: &mut W, _: &str) -> io::Result<()> {
        Err(no())
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, _: &mut W, _: &str) -> io::Result<()> {
        Err(no())
    }

    #[inline]
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.enter()?;
        writer.write_all(b"[")
    }

    #[inline]
    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"]")
    }

    #[inline]
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.enter()?;
        writer.write_all(b"{")
    }

    #[inline]
    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"}")
    }

    #[inline]
    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        self.key = self.rest.get();
        Ok(())
    }

    #[inline]
    fn end_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        // Without its quotes: they would count as characters.
        let (length, open) = (self.key.len() - self.rest.get().len(), self.depth.checked_sub(1));
        let key = self.key.get(1..length.saturating_sub(1)).ok_or_else(no)?;
        let before = open.and_then(|open| self.before.get_mut(open)).ok_or_else(no)?;
        if key.contains(&b'\\') || before.replace(key).is_some_and(|before| before >= key) {
            return Err(no());
        }
        Ok(())
    }
}
