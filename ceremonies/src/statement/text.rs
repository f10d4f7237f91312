//! Words and names in statements, each with its bounds, so that what people read is what is there.
//!
//! A statement is read on terminals and aloud. So no text in it holds control characters, characters without width, or
//! marks that turn the direction of writing: what is shown cannot differ from what is signed.

use std::str::FromStr;

use crate::person::is_hidden;

/// Why a text has no place in a statement.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TextError {
    /// Too short or too long.
    #[error("expected {what}: 1 to {most} bytes, found {found}")]
    Length {
        /// What was expected.
        what: &'static str,
        /// Most bytes.
        most: usize,
        /// Bytes found.
        found: usize,
    },
    /// A character that people would not see, or would be misled by.
    #[error("expected {what} of visible characters, found U+{found:04X} at byte {at}")]
    Character {
        /// What was expected.
        what: &'static str,
        /// The character's number.
        found: u32,
        /// Where.
        at: usize,
    },
    /// White space at its beginning or end.
    #[error("expected {0} without white space at its beginning or end")]
    Edges(&'static str),
}

fn check(text: &str, what: &'static str, most: usize, allowed: fn(char) -> bool) -> Result<(), TextError> {
    if text.is_empty() || text.len() > most {
        return Err(TextError::Length { what, most, found: text.len() });
    }
    if let Some((at, c)) = text.char_indices().find(|(_, c)| !allowed(*c)) {
        return Err(TextError::Character { what, found: c.into(), at });
    }
    if text.trim().len() == text.len() { Ok(()) } else { Err(TextError::Edges(what)) }
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident, $what:literal, $most:literal, $allowed:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
            pub struct $name(Box<str>);

            impl FromStr for $name {
                type Err = TextError;

                fn from_str(text: &str) -> Result<Self, TextError> {
                    check(text, $what, $most, $allowed)?;
                    Ok(Self(text.into()))
                }
            }

            text!($name);
        )*
    };
}

texts! {
    /// One line that people read: 1 to 200 bytes of visible characters, no white space at its ends.
    Line, "one line", 200, |c| c == ' ' || !(is_hidden(c) || c.is_whitespace());
    /// What people write in full: 1 to 4,096 bytes of visible characters and line feeds, no white space at its ends.
    Prose, "a text", 4096, |c| matches!(c, ' ' | '\n') || !(is_hidden(c) || c.is_whitespace());
    /// A name of something in the configuration (a backend), of an environment or of an instance: 1 to 253 of
    /// `a-z0-9.-`.
    Name, "a name of lower-case letters, digits, `.` and `-`", 253,
        |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_refused() {
        assert_eq!("Schlüssel für Linux".parse::<Line>().unwrap().as_str(), "Schlüssel für Linux");
        assert!("two\nlines".parse::<Prose>().is_ok());
        for bad in
            ["a\nb", "a\tb", "a\u{202e}b", "a\u{200b}b", "a\u{7f}", "\u{feff}a", "a\u{2066}b", "a\u{e0041}"]
        {
            let error = bad.parse::<Line>().unwrap_err();
            assert!(matches!(error, TextError::Character { .. }), "{bad:?}: {error}");
        }
        assert_eq!(
            "a\u{202e}b".parse::<Prose>().unwrap_err().to_string(),
            "expected a text of visible characters, found U+202E at byte 1"
        );
    }

    #[test]
    fn bounds_are_said() {
        for (bad, why) in
            [("", "1 to 200 bytes, found 0"), (&"a".repeat(201), "found 201"), (" a", "without white space")]
        {
            assert!(bad.parse::<Line>().unwrap_err().to_string().contains(why), "{bad}");
        }
        assert!("hsm-a".parse::<Name>().is_ok() && "HSM".parse::<Name>().is_err());
    }
}
