//! What a command says when it did not do what was asked: what happened, why, what to do.
//!
//! Promises: every error of this crate ends here and has all three; the exit code follows from the kind of trouble alone.

pub mod causes;
pub mod people;

use serde_json::{Value, json};

use super::screen::{Tone, labelled, paint};
use super::wrap::hang;
use crate::exit::Exit;

/// What happened, why, and what to do.
#[derive(Debug, Clone)]
pub struct Complaint(Box<Words>);

/// The words of a complaint.
#[derive(Debug, Clone)]
pub struct Words {
    /// What the process ends with.
    pub exit: Exit,
    /// Stable reason, where there is one.
    pub reason: Option<String>,
    /// What happened, in one sentence.
    pub what: String,
    /// Why; empty where the first sentence says it all.
    pub why: Vec<String>,
    /// What to do.
    pub advice: Vec<String>,
    /// More, as pairs: rule, operation, index.
    pub more: Vec<(String, String)>,
    /// Said before everything else and in colour: something that must not be overlooked.
    pub alarm: Option<String>,
    /// Whether the daemon's address belongs to the story.
    pub about_connection: bool,
    closed_pipe: bool,
}

impl std::ops::Deref for Complaint {
    type Target = Words;

    fn deref(&self) -> &Words {
        &self.0
    }
}

impl std::ops::DerefMut for Complaint {
    fn deref_mut(&mut self) -> &mut Words {
        &mut self.0
    }
}

impl Complaint {
    /// A complaint that ends in this way.
    #[must_use]
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self(Box::new(Words {
            exit,
            reason: None,
            what: what.into(),
            why: Vec::new(),
            advice: Vec::new(),
            more: Vec::new(),
            alarm: None,
            about_connection: false,
            closed_pipe: false,
        }))
    }

    /// The command was not understood.
    #[must_use]
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Refused, failed, or found wrong.
    #[must_use]
    pub fn failed(what: impl Into<String>) -> Self {
        Self::new(Exit::Failed, what)
    }

    /// Adds a reason.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why.push(why.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice.push(advice.into());
        self
    }

    /// Says which file it is about.
    #[must_use]
    pub fn in_file(mut self, path: &std::path::Path) -> Self {
        self.more.push(("file".to_owned(), path.display().to_string()));
        self
    }

    /// Says that the daemon's address belongs to the story.
    #[must_use]
    pub fn about_connection(mut self) -> Self {
        self.about_connection = true;
        self
    }

    /// Whether the reader of the output went away, as `head` does: no reason to complain.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        self.closed_pipe
    }

    /// The text for people.
    #[must_use]
    pub fn render(&self, width: Option<usize>, colour: bool) -> String {
        let mut text = String::new();
        if let Some(alarm) = &self.alarm {
            for line in hang(alarm, width, 0) {
                text.push_str(&paint(colour, Tone::Bad, &line));
                text.push('\n');
            }
        }
        let label = match self.exit {
            Exit::Usage => "usage:",
            _ => "error:",
        };
        text.push_str(&paint(colour, Tone::Bad, label));
        text.push(' ');
        text.push_str(&hang(&self.what, width, label.len() + 1).join("\n"));
        text.push('\n');
        let mut facts: Vec<(&str, String)> = Vec::new();
        facts.extend(self.reason.iter().map(|reason| ("reason", reason.clone())));
        facts.extend(self.why.iter().map(|why| ("why", why.clone())));
        facts.extend(self.more.iter().map(|(name, value)| (name.as_str(), value.clone())));
        facts.extend(self.advice.iter().map(|advice| ("do", advice.clone())));
        text.push_str(&labelled(&facts, width, colour));
        text
    }

    /// The same for programs.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut error = json!({ "exit": self.exit.code(), "what": self.what });
        let mut put = |name: &str, value: Value| {
            if let Value::Object(map) = &mut error {
                map.insert(name.to_owned(), value);
            }
        };
        if let Some(reason) = &self.reason {
            put("reason", json!(reason));
        }
        if let Some(alarm) = &self.alarm {
            put("alarm", json!(alarm));
        }
        if !self.why.is_empty() {
            put("why", json!(self.why));
        }
        if !self.advice.is_empty() {
            put("advice", json!(self.advice));
        }
        if !self.more.is_empty() {
            let more: serde_json::Map<String, Value> =
                self.more.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            put("more", Value::Object(more));
        }
        json!({ "error": error })
    }
}

impl From<std::io::Error> for Complaint {
    fn from(cause: std::io::Error) -> Self {
        let closed_pipe = cause.kind() == std::io::ErrorKind::BrokenPipe;
        let mut complaint = Self::failed("the answer could not be written").because(cause.to_string());
        complaint.closed_pipe = closed_pipe;
        complaint
    }
}
