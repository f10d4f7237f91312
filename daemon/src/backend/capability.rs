//! What a backend can do and how it fares, as data.

use proto::algorithm::Algorithm;

/// What a backend can do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Capabilities {
    /// The kind, as in the configuration: `software`, `pkcs11`.
    pub kind: &'static str,
    /// What it can sign with.
    pub abilities: Vec<Ability>,
    /// Whether a signature can exist outside this process before it is recorded. Then a durable intent comes first.
    pub external: bool,
    /// Whether it makes key pairs.
    pub generates: bool,
    /// Calls at the same time; more wait in the queue.
    pub in_flight: usize,
}

/// One algorithm of a backend.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ability {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// What it takes.
    pub input: Input,
}

/// What an algorithm of a backend takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Input {
    /// The digest of the algorithm's hash.
    Digest,
    /// The message itself, at most so many bytes.
    Message {
        /// The largest message, in bytes.
        maximum: usize,
    },
}

impl Capabilities {
    /// What the backend does with this algorithm, if anything.
    pub fn ability(&self, algorithm: Algorithm) -> Option<Ability> {
        self.abilities.iter().copied().find(|ability| ability.algorithm == algorithm)
    }
}

impl Ability {
    /// The algorithm with what it takes: the message, at most `message` bytes, where it has no hash of its own.
    pub fn of(algorithm: Algorithm, message: usize) -> Self {
        let input =
            if algorithm.hash().is_some() { Input::Digest } else { Input::Message { maximum: message } };
        Self { algorithm, input }
    }
}

/// How a backend fares.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Health {
    /// It has not answered yet.
    Starting,
    /// It signs.
    Ready,
    /// It does not sign now and is tried again and again; signing resumes by itself when the cause is gone.
    Down {
        /// What is down, and why.
        cause: String,
    },
    /// It failed again and again and is left alone for a while.
    Broken {
        /// What happened.
        cause: String,
    },
}

impl Health {
    /// Whether it signs.
    pub const fn is_ready(&self) -> bool {
        matches!(self, Self::Ready)
    }

    /// What is wrong, where something is.
    pub fn cause(&self) -> Option<&str> {
        match self {
            Self::Starting => Some("it is starting"),
            Self::Ready => None,
            Self::Down { cause } | Self::Broken { cause } => Some(cause),
        }
    }
}
