//! A runbook as the test reads it: its blocks, in order.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Something that is typed, as soon as a word was shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Typed {
    pub text: String,
    pub after: Option<String>,
}

/// What is done with a block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Block {
    /// Run by these people.
    Run { by: Vec<String>, typed: Vec<Typed>, fails: bool, script: String, line: usize },
    /// Looked for in what the last one said.
    See { lines: Vec<String>, line: usize },
    /// Not run, for this reason.
    NotRun { why: String },
}

/// A page.
pub struct Page {
    pub name: String,
    text: String,
    blocks: Vec<Result<Block, String>>,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("ceremonies/runbooks")
}

/// The names of all pages.
pub fn names() -> BTreeSet<String> {
    let entries = directory().read_dir().unwrap().map(|entry| entry.unwrap().path());
    let pages = entries.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

impl Page {
    pub fn read(name: &str) -> Self {
        let path = directory().join(format!("{name}.md"));
        Self::parse(
            name,
            &std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
        )
    }

    pub fn parse(name: &str, text: &str) -> Self {
        let mut blocks = Vec::new();
        let mut open: Option<(usize, String, Vec<String>)> = None;
        for (at, line) in text.lines().enumerate() {
            match (line.strip_prefix("```"), &mut open) {
                (Some(info), None) => open = Some((at + 1, info.trim().to_owned(), Vec::new())),
                (Some(_), Some(_)) => {
                    let (at, info, lines) = open.take().unwrap();
                    blocks.push(block(at, &info, lines).map_err(|why| format!("line {at}: {why}")));
                }
                (None, Some((_, _, lines))) => lines.push(line.to_owned()),
                (None, None) => {}
            }
        }
        if let Some((at, ..)) = open {
            blocks.push(Err(format!("line {at}: a block without an end")));
        }
        Self { name: name.to_owned(), text: text.to_owned(), blocks }
    }

    /// Its blocks; nothing is done of a page with a bad one.
    #[track_caller]
    pub fn blocks(&self) -> Vec<Block> {
        assert_eq!(self.complaints(), [""; 0], "{}", self.name);
        self.blocks.iter().flatten().cloned().collect()
    }

    /// What is wrong with it.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints: Vec<String> =
            self.blocks.iter().filter_map(|block| block.clone().err()).collect();
        let runs = self.blocks.iter().flatten().any(|block| matches!(block, Block::Run { .. }));
        if !runs && self.name != "README" {
            complaints.push("nothing of it is run".to_owned());
        }
        let mut last_ran = false;
        for block in self.blocks.iter().flatten() {
            if let (Block::See { line, .. }, false) = (block, last_ran) {
                complaints.push(format!("line {line}: seen after nothing was run"));
            }
            last_ran = matches!(block, Block::Run { .. }) || (last_ran && matches!(block, Block::See { .. }));
        }
        complaints
    }

    /// Whether it says what to do, what if, and when it is over.
    pub fn has_all_signs(&self) -> bool {
        let begins = |sign: &str| self.text.lines().any(|line| line.starts_with(sign));
        begins("DO")
            && self.text.contains("IF ")
            && self.text.contains("THEN")
            && begins("END")
            && begins("**When**")
    }

    /// Variables in capitals that its blocks set.
    pub fn variables(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for block in self.blocks.iter().flatten() {
            let Block::Run { script, .. } = block else { continue };
            for word in script.split(|c: char| c.is_whitespace() || c == ';') {
                let Some((name, _)) = word.split_once('=') else { continue };
                if !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') {
                    found.insert(name.to_owned());
                }
            }
        }
        found
    }
}

/// A block by the words of its first line.
fn block(line: usize, info: &str, lines: Vec<String>) -> Result<Block, String> {
    let (language, words) = info.split_once(' ').unwrap_or((info, ""));
    match language {
        "text" if words == "see" && !lines.is_empty() => return Ok(Block::See { lines, line }),
        "sh" => {}
        other => return Err(format!("`{other} {words}` says neither who runs it nor why nobody does")),
    }
    let why = words.split_once("not-run=\"").and_then(|(_, rest)| rest.split_once('"'));
    if let Some((why, _)) = why {
        return if why.len() > 20 {
            Ok(Block::NotRun { why: why.to_owned() })
        } else {
            Err("not run, and why?".to_owned())
        };
    }
    let (mut by, mut typed, mut fails) = (Vec::new(), Vec::new(), false);
    for word in words.split_whitespace() {
        match word.split_once('=') {
            Some(("as", people)) => by = people.split(',').map(str::to_owned).collect(),
            Some(("types", texts)) => {
                let one = |text: &str| match text.split_once('@') {
                    Some((text, after)) => Typed { text: text.to_owned(), after: Some(after.to_owned()) },
                    None => Typed { text: text.to_owned(), after: None },
                };
                typed = texts.split(',').map(one).collect();
            }
            None if word == "fails" => fails = true,
            _ => return Err(format!("`{word}` is understood by nobody")),
        }
    }
    if by.is_empty() {
        return Err("it says neither who runs it nor why nobody does".to_owned());
    }
    Ok(Block::Run { by, typed, fails, script: lines.join("\n"), line })
}

/// Which of these lines was not said, in this order; `…` stands for anything.
pub fn missing<'l>(lines: &'l [String], said: &str) -> Option<&'l str> {
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut said = said.lines().map(flat);
    lines
        .iter()
        .find(|wanted| {
            let wanted = flat(wanted);
            let holds = |line: String| {
                let mut rest = line.as_str();
                wanted.split('…').all(|part| match rest.split_once(part.trim()) {
                    Some((_, after)) => {
                        rest = after;
                        true
                    }
                    None => false,
                })
            };
            !said.by_ref().any(holds)
        })
        .map(String::as_str)
}

#[test]
fn a_page_that_is_not_carried_out_is_noticed() {
    let complaints = |text: &str| Page::parse("a", text).complaints().join("; ");
    assert_eq!(complaints("```sh as=ada types=yes fails\ntrue\n```\n```text see\nok\n```\n"), "");
    assert!(complaints("DO nothing").contains("nothing of it is run"));
    assert!(complaints("```sh\ntrue\n```\n").contains("neither who runs it nor why"));
    assert!(complaints("```sh not-run=\"\"\ntrue\n```\n").contains("not run, and why?"));
    assert!(
        complaints("```sh not-run=\"there is no token in a test\"\ntrue\n```\n")
            .contains("nothing of it is run")
    );
    assert!(complaints("```text\nok\n```\n").contains("neither"));
    assert!(complaints("```sh as=ada wrong\ntrue\n```\n").contains("`wrong`"));
    assert!(complaints("```text see\nok\n```\n```sh as=ada\ntrue\n```\n").contains("after nothing was run"));
    assert!(complaints("```sh as=ada\ntrue\n").contains("without an end"));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(missing(&lines("a … c\nd"), "x\n  a   b c\nd"), None);
    assert_eq!(missing(&lines("d\na … c"), "a b c\nd"), Some("a … c"));
}
