//! Where answers go: lines, facts, tables or JSON on standard output; notes and complaints on standard error.
//!
//! Promises: colours and bars only on a terminal and never under `NO_COLOR`; nothing is wrapped where nobody reads it, so that pipes
//! see whole lines; JSON output has one document per answer (one line each in streams). Questions are asked on standard output and
//! answered on standard input; silence is no answer. Deliberately knows nothing of keys or logs.

use std::io::{self, BufRead, IsTerminal, Write};

use serde::Serialize;
use serde_json::Value;

use super::wrap::{fold, hang};

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// What a piece of text is about, where colours are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Holds, is active, was done.
    Good,
    /// Refused, failed, stopped.
    Bad,
    /// Look twice.
    Warn,
    /// A label.
    Dim,
    /// Names the thing that the answer is about.
    Strong,
}

/// Standard output and standard error, and what they can show.
pub struct Screen {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    answers: Option<Box<dyn BufRead + Send>>,
    output: Output,
    colour: bool,
    colour_err: bool,
    width: Option<usize>,
    width_err: Option<usize>,
    bars: bool,
}

impl Screen {
    /// The screen of this process.
    #[must_use]
    pub fn of_process(output: Output, look: impl Fn(&str) -> Option<String>) -> Self {
        let plain = look("NO_COLOR").is_some_and(|value| !value.is_empty())
            || look("TERM").is_some_and(|term| term == "dumb");
        let (out_is, err_is) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let width = comfy_table::Table::new().width().map(usize::from).filter(|width| *width >= 20);
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            answers: Some(Box::new(io::BufReader::new(io::stdin()))),
            output,
            colour: out_is && !plain,
            colour_err: err_is && !plain,
            width: if out_is { Some(width.unwrap_or(80)) } else { None },
            width_err: if err_is { Some(width.unwrap_or(80)) } else { None },
            bars: err_is && output == Output::Table,
        }
    }

    /// A screen of fixed width without colours, into the two places given.
    #[must_use]
    pub fn into_places(
        output: Output,
        width: usize,
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
    ) -> Self {
        Self {
            out,
            err,
            answers: None,
            output,
            colour: false,
            colour_err: false,
            width: Some(width),
            width_err: Some(width),
            bars: false,
        }
    }

    /// The same screen, with somebody who answers.
    #[must_use]
    pub fn answered_by(mut self, answers: Box<dyn BufRead + Send>) -> Self {
        self.answers = Some(answers);
        self
    }

    /// Takes the place that answers come from, for whoever reads along while other things happen.
    pub fn take_answers(&mut self) -> Option<Box<dyn BufRead + Send>> {
        self.answers.take()
    }

    /// Asks, and gives the line that was typed, without white space around it; empty where nobody answers.
    ///
    /// # Errors
    /// As output and input give them.
    pub fn ask(&mut self, question: &str) -> io::Result<String> {
        let lines = fold(question, self.width);
        write!(self.out, "{} ", paint(self.colour, Tone::Strong, &lines.join("\n")))?;
        self.out.flush()?;
        let mut answer = String::new();
        if let Some(answers) = &mut self.answers {
            answers.read_line(&mut answer)?;
        }
        Ok(answer.trim().to_owned())
    }

    /// Whether programs read this.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.output == Output::Json
    }

    /// Whether somebody watches, so that bars make sense.
    #[must_use]
    pub fn shows_bars(&self) -> bool {
        self.bars
    }

    /// The width to wrap at; none where nobody reads along.
    #[must_use]
    pub fn width(&self) -> Option<usize> {
        self.width
    }

    /// The text in the colour of its tone, where colours are shown.
    #[must_use]
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        paint(self.colour, tone, text)
    }

    /// One line for people, wrapped.
    ///
    /// # Errors
    /// As the output gives them.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        for line in fold(text, self.width) {
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }

    /// An empty line.
    ///
    /// # Errors
    /// As the output gives them.
    pub fn gap(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// One line for people that begins with a coloured word.
    ///
    /// # Errors
    /// As the output gives them.
    pub fn headline(&mut self, tone: Tone, word: &str, text: &str) -> io::Result<()> {
        let lines = fold(&format!("{word} {text}"), self.width);
        for (number, line) in lines.iter().enumerate() {
            match line.strip_prefix(word) {
                Some(rest) if number == 0 => writeln!(self.out, "{}{rest}", paint(self.colour, tone, word))?,
                _ => writeln!(self.out, "{line}")?,
            }
        }
        Ok(())
    }

    /// Exact bytes, for instance of a key or a signature.
    ///
    /// # Errors
    /// As the output gives them.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.out.flush()
    }

    /// Labelled facts, one below the other.
    ///
    /// # Errors
    /// As the output gives them.
    pub fn facts(&mut self, facts: &[(&str, String)]) -> io::Result<()> {
        let text = labelled(facts, self.width, self.colour);
        self.out.write_all(text.as_bytes())
    }

    /// A table.
    ///
    /// # Errors
    /// As the output gives them.
    pub fn table(&mut self, table: &super::table::Rows) -> io::Result<()> {
        let text = table.render(self.width, self.colour);
        self.out.write_all(text.as_bytes())
    }

    /// One whole document.
    ///
    /// # Errors
    /// As the output gives them.
    pub fn json(&mut self, document: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut self.out, document)?;
        writeln!(self.out)
    }

    /// One document of a stream, on one line.
    ///
    /// # Errors
    /// As the output gives them.
    pub fn json_line(&mut self, document: &Value) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, document)?;
        writeln!(self.out)?;
        self.out.flush()
    }

    /// Something that the reader should know beside the answer, on standard error.
    ///
    /// # Errors
    /// As standard error gives them.
    pub fn note(&mut self, text: &str) -> io::Result<()> {
        let label = paint(self.colour_err, Tone::Warn, "note:");
        let lines = hang(text, self.width_err, 6);
        writeln!(self.err, "{label} {}", lines.join("\n"))
    }

    /// Writes a complaint to standard error, in the form that the reader asked for.
    ///
    /// # Errors
    /// As standard error gives them.
    pub fn complain(&mut self, complaint: &super::complaint::Complaint) -> io::Result<()> {
        if self.is_json() {
            serde_json::to_writer(&mut self.err, &complaint.document())?;
            return writeln!(self.err);
        }
        let text = complaint.render(self.width_err, self.colour_err);
        self.err.write_all(text.as_bytes())
    }
}

/// Text in the colour of its tone.
pub(crate) fn paint(colour: bool, tone: Tone, text: &str) -> String {
    if !colour {
        return text.to_owned();
    }
    let code = match tone {
        Tone::Good => "32",
        Tone::Bad => "1;31",
        Tone::Warn => "33",
        Tone::Dim => "2",
        Tone::Strong => "1",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// Labels in one column, texts wrapped in the other.
pub(crate) fn labelled(facts: &[(&str, String)], width: Option<usize>, colour: bool) -> String {
    let column = facts.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0) + 2;
    let mut text = String::new();
    for (label, fact) in facts {
        let padding = " ".repeat(column - label.chars().count());
        text.push_str("  ");
        text.push_str(&paint(colour, Tone::Dim, label));
        text.push_str(&padding);
        text.push_str(&hang(fact, width, column + 2).join("\n"));
        text.push('\n');
    }
    text
}
