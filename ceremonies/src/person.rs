//! People as the roster knows them: a stable id, a unit, a name to be read aloud, and what they may do.
//!
//! Ids and units are machine names: records and statements hold them, and two that look alike are alike. The display name
//! is text, so it has no characters that cannot be seen and none that turn the direction of writing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest id or unit in bytes.
pub const LONGEST_NAME: usize = 64;

/// Longest display name in bytes.
pub const LONGEST_DISPLAY_NAME: usize = 128;

/// Why a text is no id, unit or display name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PersonError {
    /// No person's id.
    #[error(
        "`{0}` is no person's id: expected 1 to 64 of `a-z0-9.-`, beginning and ending with a letter or digit"
    )]
    Id(String),
    /// No unit.
    #[error("`{0}` is no unit: expected 1 to 64 of `a-z0-9.-`, beginning and ending with a letter or digit")]
    Unit(String),
    /// A display name that is empty or too long.
    #[error("a display name has 1 to 128 bytes, this one has {0}")]
    NameLength(usize),
    /// A display name with something that people would not see.
    #[error("a display name has visible characters and single spaces between them, found U+{0:04X}")]
    NameCharacter(u32),
}

/// The beginning of a text that was refused, for a message.
fn beginning(text: &str) -> String {
    text.chars().take(80).collect()
}

fn is_name(text: &str) -> bool {
    let end = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    bytes.len() <= LONGEST_NAME
        && end(bytes.first())
        && end(bytes.last())
        && !text.contains("..")
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'))
}

/// Characters without width, and marks that turn the direction of writing: what they do cannot be seen.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident $error:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
            pub struct $name(Box<str>);

            impl FromStr for $name {
                type Err = PersonError;

                fn from_str(text: &str) -> Result<Self, PersonError> {
                    if is_name(text) { Ok(Self(text.into())) } else { Err(PersonError::$error(beginning(text))) }
                }
            }

            text!($name);
        )*
    };
}

names! {
    /// A person of the roster, for ever: 1 to 64 of `a-z0-9.-`, beginning and ending with a letter or digit, never `..`.
    /// Records and statements name people by it, so it need not be a name.
    PersonId Id;
    /// The part of the organisation that a person answers to, of the same form. Witnesses are independent by it.
    Unit Unit;
}

/// What a person is called when read aloud: 1 to 128 bytes of visible characters, single spaces between words.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DisplayName(Box<str>);

text!(DisplayName);

impl FromStr for DisplayName {
    type Err = PersonError;

    fn from_str(text: &str) -> Result<Self, PersonError> {
        if text.is_empty() || text.len() > LONGEST_DISPLAY_NAME {
            return Err(PersonError::NameLength(text.len()));
        }
        let refused = |c: char| Err(PersonError::NameCharacter(c.into()));
        if let Some(c) = text.chars().find(|c| is_hidden(*c) || (c.is_whitespace() && *c != ' ')) {
            return refused(c);
        }
        if text.starts_with(' ') || text.ends_with(' ') || text.contains("  ") {
            refused(' ')
        } else {
            Ok(Self(text.into()))
        }
    }
}

/// What a person may do in a ceremony. In one ceremony a person holds one role, whatever the roster allows him.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Approves.
    Officer,
    /// Runs the tool.
    Operator,
    /// May only stop.
    Responder,
    /// Attests before and after.
    Witness,
}

impl Role {
    /// Every role, in the order of its names.
    pub const ALL: [Self; 4] = [Self::Officer, Self::Operator, Self::Responder, Self::Witness];

    /// `officer`, `operator`, `responder` or `witness`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Officer => "officer",
            Self::Operator => "operator",
            Self::Responder => "responder",
            Self::Witness => "witness",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No such role.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is no role: expected officer, operator, responder or witness")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| UnknownRole(beginning(text)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn ids_and_units_have_one_form() {
        for good in ["ada", "a", "ada.lovelace", "x-1", &"a".repeat(64)] {
            assert_eq!(good.parse::<PersonId>().unwrap().as_str(), good);
            assert_eq!(good.parse::<Unit>().unwrap().to_string(), good);
        }
        for bad in ["", "Ada", "ada ", "a..b", "-a", "a.", "a_b", "ада", "a/b", &"a".repeat(65)] {
            assert_eq!(bad.parse::<PersonId>(), Err(PersonError::Id(bad.to_owned())));
            assert_eq!(bad.parse::<Unit>(), Err(PersonError::Unit(bad.to_owned())));
        }
        assert!(
            "Ada".parse::<PersonId>().unwrap_err().to_string().contains("expected 1 to 64 of `a-z0-9.-`")
        );
    }

    #[test]
    fn a_display_name_shows_what_it_is() {
        for good in ["Ada Lovelace", "Д. Ш.", "Zoë-Ann O'Neil", &"n".repeat(128)] {
            assert_eq!(good.parse::<DisplayName>().unwrap().as_str(), good);
        }
        assert_eq!("".parse::<DisplayName>(), Err(PersonError::NameLength(0)));
        assert_eq!("n".repeat(129).parse::<DisplayName>(), Err(PersonError::NameLength(129)));
        for (bad, found) in [
            (" a", ' '),
            ("a ", ' '),
            ("a  b", ' '),
            ("a\tb", '\t'),
            ("a\nb", '\n'),
            ("a\u{a0}b", '\u{a0}'),
            ("a\u{202e}b", '\u{202e}'),
            ("a\u{200b}", '\u{200b}'),
            ("a\0", '\0'),
            ("a\0b", '\0'),
        ] {
            let error = bad.parse::<DisplayName>().unwrap_err();
            assert_eq!(error, PersonError::NameCharacter(found.into()), "{bad:?}");
        }
    }

    #[test]
    fn roles_are_these() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
            assert_eq!(serde_json::to_string(&role).unwrap(), format!("\"{role}\""));
        }
        assert!(Role::ALL.is_sorted_by_key(|role| role.name()));
        assert_eq!(
            "boss".parse::<Role>().unwrap_err().to_string(),
            "`boss` is no role: expected officer, operator, responder or witness"
        );
    }
}
