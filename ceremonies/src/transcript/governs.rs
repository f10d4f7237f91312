//! What changes by versions through the life of an instance: where the ceremony that made one stands in a transcript.

use std::fmt;

use super::Step;

/// A version of the roster, of the guardrails or of the log key after the first, which a ceremony made.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Governs {
    /// The guardrails of this version.
    Guardrails(u64),
    /// The log key with this number; that of genesis is the first.
    LogKey(u64),
    /// The roster of this version.
    Roster(u64),
}

impl Governs {
    /// Where the transcript of its ceremony stands: `guardrails/2`, `log-keys/2`, `rosters/3`.
    pub fn directory(self) -> String {
        match self {
            Self::Guardrails(version) => format!("guardrails/{version}"),
            Self::LogKey(number) => format!("log-keys/{number}"),
            Self::Roster(version) => format!("rosters/{version}"),
        }
    }

    /// Whether a path is below such a directory.
    pub(super) fn is_of_one(path: &str) -> bool {
        ["guardrails/", "log-keys/", "rosters/"].iter().any(|directory| path.starts_with(directory))
    }

    /// Whose file this is; none where it is nobody's, or the version is not written in its one form.
    pub(super) fn of_path(path: &str) -> Option<Self> {
        let (directory, rest) = path.split_once('/')?;
        let (version, inner) = rest.split_once('/')?;
        let number = version.parse().ok()?;
        let found = match directory {
            "guardrails" => Self::Guardrails(number),
            "log-keys" => Self::LogKey(number),
            "rosters" => Self::Roster(number),
            _ => return None,
        };
        (found.directory() == format!("{directory}/{version}") && !inner.is_empty()).then_some(found)
    }

    /// Which step of verifying is about it.
    pub(super) const fn step(self) -> Step {
        match self {
            Self::Guardrails(_) => Step::Guardrails,
            Self::LogKey(_) => Step::LogKeys,
            Self::Roster(_) => Step::Rosters,
        }
    }
}

impl fmt::Display for Governs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guardrails(version) => write!(f, "guardrails {version}"),
            Self::LogKey(number) => write!(f, "log key {number}"),
            Self::Roster(version) => write!(f, "roster {version}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_of_one_version_in_one_form() {
        assert_eq!(Governs::of_path("rosters/2/statement.json"), Some(Governs::Roster(2)));
        assert_eq!(Governs::of_path("guardrails/12/acts/x"), Some(Governs::Guardrails(12)));
        for path in
            ["rosters/02/x", "rosters/+2/x", "rosters/2", "rosters/2/", "rosters//x", "genesis/2/x", "x"]
        {
            assert_eq!(Governs::of_path(path), None, "{path}");
        }
        for what in [Governs::Roster(7), Governs::LogKey(2), Governs::Guardrails(3)] {
            assert_eq!(Governs::of_path(&format!("{}/x", what.directory())), Some(what));
        }
    }
}
