//! The files of the repository, and Rust files as tokens.
//!
//! Tokens, because comments and strings must not count as code and macros' bodies must; `syn` would not see the latter.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One text file.
#[derive(Debug)]
pub struct Source {
    /// Path from the repository's root, with `/`.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// One piece of Rust code; groups are spelled out as their brackets.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// A name or keyword.
    Name(String),
    /// One character of punctuation or one bracket.
    Mark(char),
    /// A string, number or character.
    Literal,
}

/// A piece with the line it stands on, from 1.
#[derive(Debug)]
pub struct Token {
    /// What it is.
    pub piece: Piece,
    /// Where it is.
    pub line: usize,
}

impl Token {
    /// Whether it is this name.
    pub fn is(&self, name: &str) -> bool {
        matches!(&self.piece, Piece::Name(own) if own == name)
    }

    /// Whether it is this mark.
    pub fn mark(&self, mark: char) -> bool {
        self.piece == Piece::Mark(mark)
    }

    /// Its name, if it is one.
    pub fn name(&self) -> Option<&str> {
        match &self.piece {
            Piece::Name(name) => Some(name),
            _ => None,
        }
    }
}

impl Source {
    /// A made-up file, for a bad example.
    pub fn example(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether the file lies in this directory or is this module file (`daemon/src/rpc` holds `daemon/src/rpc.rs` too).
    pub fn within(&self, place: &str) -> bool {
        self.path
            .strip_prefix(place)
            .is_some_and(|rest| rest.is_empty() || rest == ".rs" || rest.starts_with('/'))
    }

    /// The tokens of a Rust file, comments left out.
    pub fn tokens(&self) -> Vec<Token> {
        let stream = TokenStream::from_str(&self.text)
            .unwrap_or_else(|e| panic!("{} is not Rust that can be read: {e}", self.path));
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        tokens
    }
}

fn flatten(stream: TokenStream, into: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        let piece = match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ('(', ')'),
                    Delimiter::Brace => ('{', '}'),
                    Delimiter::Bracket => ('[', ']'),
                    Delimiter::None => (' ', ' '),
                };
                into.push(Token { piece: Piece::Mark(open), line });
                flatten(group.stream(), into);
                into.push(Token { piece: Piece::Mark(close), line: group.span_close().start().line });
                continue;
            }
            TokenTree::Ident(name) => Piece::Name(name.to_string()),
            TokenTree::Punct(mark) => Piece::Mark(mark.as_char()),
            TokenTree::Literal(_) => Piece::Literal,
        };
        into.push(Token { piece, line });
    }
}

/// Whether the tokens from `at` on read as `words`: names, and marks of one character.
pub fn reads(tokens: &[Token], at: usize, words: &[&str]) -> bool {
    words.iter().enumerate().all(|(offset, word)| {
        tokens.get(at + offset).is_some_and(|token| match word.chars().next() {
            Some(first) if word.len() == 1 && !first.is_alphanumeric() => token.mark(first),
            _ => token.is(word),
        })
    })
}

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Every text file of the repository, sorted by path; what git does not keep and generated state is left out.
pub fn files() -> Vec<Source> {
    let mut found = Vec::new();
    walk(root(), &mut found);
    found.sort();
    found
        .into_iter()
        .filter_map(|path| {
            let text = String::from_utf8(std::fs::read(&path).unwrap()).ok()?;
            let path = path.strip_prefix(root()).unwrap().to_str()?.to_owned();
            Some(Source { path, text })
        })
        .collect()
}

/// Every Rust file that people wrote; what `cargo xtask generate` writes lies in directories named `generated`.
pub fn written() -> Vec<Source> {
    let sources: Vec<Source> = files()
        .into_iter()
        .filter(|file| file.path.ends_with(".rs") && !file.path.contains("/generated/"))
        .collect();
    assert!(sources.len() > 10, "the walk found {} Rust files: it looks at the wrong place", sources.len());
    sources
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            if !(name == ".git" || name == "target" || name == "node_modules") {
                walk(&entry.path(), found);
            }
        } else if kind.is_file() && name != ".git" {
            found.push(entry.path());
        }
    }
}

/// Fails with every complaint on a line of its own.
pub fn clean(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

/// Fails unless the rule made exactly one complaint, and it holds these words: what a bad example is for.
pub fn caught(complaints: &[String], words: &str) {
    assert_eq!(complaints.len(), 1, "expected one complaint, got: {complaints:#?}");
    assert!(complaints[0].contains(words), "expected {words:?} in: {}", complaints[0]);
}

#[test]
fn comments_and_strings_are_no_code_and_macro_bodies_are() {
    let file = Source::example("a.rs", "// crate::x\n/// crate::y\nfn f() { p!(\"crate::z\", crate::w) }");
    let tokens = file.tokens();
    let seen: Vec<usize> = (0..tokens.len()).filter(|&at| reads(&tokens, at, &["crate", ":", ":"])).collect();
    assert_eq!(seen.len(), 1);
    assert_eq!(tokens[seen[0]].line, 3);
    assert!(reads(&tokens, seen[0], &["crate", ":", ":", "w"]));
}

#[test]
fn a_place_is_a_module_with_its_file_and_directory() {
    for (path, inside) in [
        ("daemon/src/rpc.rs", true),
        ("daemon/src/rpc/listen.rs", true),
        ("daemon/src/rpcs.rs", false),
        ("client/src/rpc.rs", false),
    ] {
        assert_eq!(Source::example(path, "").within("daemon/src/rpc"), inside, "{path}");
    }
}
