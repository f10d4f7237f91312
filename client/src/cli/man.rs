//! `countersign man [COMMAND…]`, and the manual pages of any grammar.
//!
//! Promises: a page is made from the grammar that the program parses by, and holds nothing of the day, the machine or the terminal
//! that it is made on, so the pages can be checked in and compared.

use std::io;

use clap::CommandFactory;
use clap_mangen::Man;
use serde_json::json;

use super::args::{Arguments, Manual};
use super::complaint::Complaint;
use super::screen::{Screen, Tone};
use crate::exit::Exit;
use crate::files::{self, Planned};

/// A manual page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Name of its file, for instance `countersign-log-search.1`.
    pub name: String,
    /// roff, for `man`.
    pub text: Vec<u8>,
}

/// The page of a grammar and one for each command in it that is not hidden, the whole before its parts.
///
/// # Errors
/// Writing into memory does not fail.
pub fn pages(grammar: clap::Command, section: &str) -> io::Result<Vec<Page>> {
    let source = format!("{} {}", grammar.get_name(), grammar.get_version().unwrap_or_default());
    let mut grammar = grammar.disable_help_subcommand(true);
    grammar.build();
    let mut pages = Vec::new();
    let mut rest = vec![&grammar];
    while let Some(command) = rest.pop() {
        // A blank date: an empty one is left out, and the next word is taken for it.
        let page = Man::new(command.clone()).section(section).date(" ");
        let page = page.source(source.trim_end()).manual("Countersign");
        let mut text = Vec::new();
        page.render(&mut text)?;
        pages.push(Page { name: page.get_filename(), text });
        let parts: Vec<_> = command.get_subcommands().filter(|part| !part.is_hide_set()).collect();
        rest.extend(parts.into_iter().rev());
    }
    Ok(pages)
}

/// Prints one page, or writes all of them.
///
/// # Errors
/// A command that there is not; a directory that there is not, or that cannot be written.
pub fn run(manual: &Manual, screen: &mut Screen) -> Result<Exit, Complaint> {
    let pages = pages(Arguments::command(), "1")?;
    let Some(directory) = &manual.directory else {
        let name = [&["countersign".to_owned()], manual.command.as_slice()].concat().join("-") + ".1";
        let page = pages.iter().find(|page| page.name == name).ok_or_else(|| {
            Complaint::usage(format!("there is no command `countersign {}`", manual.command.join(" ")))
                .advise("`countersign man` prints the page that names all of them")
        })?;
        screen.raw(&page.text)?;
        return Ok(Exit::Done);
    };
    let planned: Vec<Planned> = pages
        .into_iter()
        .map(|page| Planned { path: directory.join(page.name), content: page.text })
        .collect();
    let paths: Vec<_> = planned.iter().map(|file| file.path.clone()).collect();
    files::look_ahead(&paths, true)?;
    files::write(&planned, true)?;
    if screen.is_json() {
        screen.json(&json!({ "pages": paths }))?;
    } else {
        let text = format!("{} manual pages into {}", paths.len(), directory.display());
        screen.headline(Tone::Good, "wrote", &text)?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use std::path::PathBuf;

    use super::*;
    use crate::cli::screen::Output;
    use crate::cli::tests::Paper;

    fn printed(command: &[&str], directory: Option<PathBuf>) -> Result<String, Complaint> {
        let paper = Paper::new(Output::Table);
        let command = command.iter().map(|&word| word.to_owned()).collect();
        run(&Manual { command, directory }, &mut paper.screen()).map(|_done| paper.out())
    }

    #[test]
    fn each_command_has_its_page_and_it_names_its_flags() {
        let top = printed(&[], None).unwrap();
        let title =
            concat!(".TH countersign 1 \" \" \"countersign ", env!("CARGO_PKG_VERSION"), "\" Countersign\n");
        assert!(top.contains(title) && top.contains(r"countersign\-sign(1)"), "{top}");
        let search = printed(&["log", "search"], None).unwrap();
        for words in [r"countersign\-log\-search", r"\-\-digest", r"\-\-address"] {
            assert!(search.contains(words), "{words}: {search}");
        }
        let complaint = printed(&["log", "serach"], None).unwrap_err();
        assert_eq!(complaint.exit, Exit::Usage);
        assert!(complaint.what.contains("`countersign log serach`"), "{}", complaint.what);
    }

    #[test]
    fn all_pages_are_written_into_a_directory_that_is_there_and_replace_their_like() {
        let directory = tempfile::tempdir().unwrap();
        let top = directory.path().join("countersign.1");
        std::fs::write(&top, "of an older version").unwrap();
        let out = printed(&[], Some(directory.path().to_owned())).unwrap();
        let all = pages(Arguments::command(), "1").unwrap();
        assert!(out.starts_with(&format!("wrote {} manual pages", all.len())), "{out}");
        for page in &all {
            assert_eq!(std::fs::read(directory.path().join(&page.name)).unwrap(), page.text, "{}", page.name);
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), all.len());
        let complaint = printed(&[], Some(directory.path().join("none"))).unwrap_err();
        assert!(complaint.what.contains("is not a directory"), "{}", complaint.what);
    }

    #[test]
    fn what_is_hidden_has_no_page() {
        let grammar = clap::Command::new("a")
            .subcommand(clap::Command::new("b").subcommand(clap::Command::new("c")))
            .subcommand(clap::Command::new("secret").hide(true))
            .subcommand(clap::Command::new("d"));
        let names: Vec<String> = pages(grammar, "8").unwrap().into_iter().map(|page| page.name).collect();
        assert_eq!(names, ["a.8", "a-b.8", "a-b-c.8", "a-d.8"]);
    }
}
