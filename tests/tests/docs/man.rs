//! `docs/man` is what the grammars of the two programs say.
//!
//! `cargo xtask generate` makes the pages again, by this test under `UPDATE_DOCS=1`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use client::cli::man;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/man")
}

/// Every page by its name: commands for everybody in section 1, those of the daemon's operator in section 8.
fn made() -> BTreeMap<String, String> {
    let grammars = [(client::cli::args::Arguments::command(), "1"), (daemon::app::Arguments::command(), "8")];
    let pages = grammars.into_iter().flat_map(|(grammar, section)| man::pages(grammar, section).unwrap());
    pages.map(|page| (page.name, String::from_utf8(page.text).unwrap())).collect()
}

fn there() -> BTreeMap<String, String> {
    let entries = directory().read_dir().into_iter().flatten().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

#[test]
fn the_manual_pages_are_up_to_date() {
    let made = made();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(directory()).unwrap();
        for name in there().keys().filter(|name| !made.contains_key(*name)) {
            std::fs::remove_file(directory().join(name)).unwrap();
        }
        for (name, text) in &made {
            std::fs::write(directory().join(name), text).unwrap();
        }
    }
    let there = there();
    let names = |pages: &BTreeMap<String, String>| pages.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&there), names(&made), "docs/man: `cargo xtask generate` makes it again");
    for (name, text) in &made {
        assert!(
            there[name] == *text,
            "docs/man/{name} is not what the grammar says: `cargo xtask generate` makes it again"
        );
    }
}

#[test]
fn both_programs_have_pages_and_no_page_has_a_date() {
    let made = made();
    for name in ["countersign.1", "countersign-log-search.1", "countersignd.8", "countersignd-anchor-add.8"] {
        assert!(made.contains_key(name), "{name} is not among {:?}", made.keys());
    }
    for (name, text) in &made {
        let title = text.lines().find(|line| line.starts_with(".TH ")).unwrap();
        // Title, section, date, source, manual.
        assert!(title.contains(" \" \" \"countersign") && title.ends_with(" Countersign"), "{name}: {title}");
    }
}
