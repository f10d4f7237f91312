//! The copy of the crates in which every guard can be exchanged.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

use super::VARIABLE;
use super::table::Mutant;

/// Writes the copy. What was there of an earlier run is replaced; files that did not change are left alone.
pub fn write(root: &Path, place: &Path, mutants: &[Mutant]) -> Result<(), String> {
    for name in ["proto", "ceremonies"] {
        let gone = place.join(name);
        if gone.exists() {
            fs::remove_dir_all(&gone).map_err(|e| format!("{}: {e}", gone.display()))?;
        }
        directory(&root.join(name), &gone)?;
    }
    // One page is part of a test.
    directory(&root.join("docs"), &place.join("docs"))?;
    file(&root.join("Cargo.lock"), &place.join("Cargo.lock"))?;
    let manifest = text(&root.join("Cargo.toml"))?;
    let members = manifest.lines().find(|line| line.starts_with("members = "));
    let members = members.ok_or("Cargo.toml names no members on one line")?;
    let manifest = manifest.replacen(members, r#"members = ["proto", "ceremonies"]"#, 1);
    // A choice has parentheses and braces that a person would leave away, and some choices end a function early.
    let lints = "[workspace.lints.rust]\n";
    let quiet = format!("{lints}unused_parens = \"allow\"\nunused_braces = \"allow\"\n");
    let manifest = manifest.replacen(lints, &quiet, 1);
    // What is built of the copy shares the directory with what is built of the product, and must never be taken for it: to
    // cargo, another version is another package.
    let version = manifest.lines().find(|line| line.starts_with("version = "));
    let version = version.ok_or("Cargo.toml names no version on one line")?;
    put(&place.join("Cargo.toml"), &manifest.replacen(version, r#"version = "0.0.0-mutants""#, 1))?;
    let mut files: BTreeMap<&str, Vec<(usize, &Mutant)>> = BTreeMap::new();
    for (number, mutant) in mutants.iter().enumerate() {
        files.entry(&mutant.file).or_default().push((number, mutant));
    }
    let sources = place.join("ceremonies/src");
    for (name, mutants) in files {
        let path = sources.join(name);
        put(&path, &exchangeable(&text(&path)?, &mutants).map_err(|why| format!("{name}: {why}"))?)?;
    }
    let library = sources.join("lib.rs");
    let switch = format!(
        "\n/// Whether this run is about that mutant: the environment names one, or several with commas between.\n\
         pub(crate) fn is_mutant(number: usize) -> bool {{\n    \
         static OWN: std::sync::OnceLock<Vec<usize>> = std::sync::OnceLock::new();\n    \
         let own = || std::env::var(\"{VARIABLE}\").unwrap_or_default();\n    \
         let own = || own().split(',').filter_map(|own| own.parse().ok()).collect();\n    \
         OWN.get_or_init(own).contains(&number)\n}}\n"
    );
    put(&library, &(text(&library)? + &switch))
}

/// A place in a file, and the mutants that take it.
struct Exchanged<'a> {
    range: Range<usize>,
    mutants: Vec<(usize, &'a Mutant)>,
}

/// The text of a file in which each guard is an expression that asks which mutant this run is about.
fn exchangeable(source: &str, mutants: &[(usize, &Mutant)]) -> Result<String, String> {
    let mut places: BTreeMap<usize, Exchanged<'_>> = BTreeMap::new();
    for (number, mutant) in mutants {
        let range = find(source, &mutant.text).map_err(|why| format!("{why}: {}", mutant.guards))?;
        let fresh = || Exchanged { range: range.clone(), mutants: Vec::new() };
        let here = places.entry(range.start).or_insert_with(fresh);
        if here.range != range {
            return Err(format!("two texts begin at one place: {}", mutant.guards));
        }
        here.mutants.push((*number, mutant));
    }
    let (mut made, mut end) = (String::new(), 0);
    for Exchanged { range, mutants } in places.into_values() {
        if range.start < end {
            return Err(format!("the text overlaps another one: {}", source[range].trim()));
        }
        made += &source[end..range.start];
        let as_it_is = format!("{{ {} }}", &source[range.clone()]);
        let chain = mutants.iter().rev().fold(as_it_is, |rest, (number, mutant)| {
            format!("(if crate::is_mutant({number}) {{ {} }} else {{ {rest} }})", mutant.becomes)
        });
        made += &chain;
        end = range.end;
    }
    Ok(made + &source[end..])
}

/// Where the text is, which must be there once.
pub(super) fn find(source: &str, text: &str) -> Result<Range<usize>, String> {
    let (before, inner, after) = match text.split_once('«') {
        None => ("", text, ""),
        Some((before, rest)) => {
            let (inner, after) = rest.split_once('»').ok_or("a mark that is not closed")?;
            (before, inner, after)
        }
    };
    let whole = format!("{before}{inner}{after}");
    let found: Vec<usize> = source.match_indices(&whole).map(|(place, _)| place).collect();
    let [place] = found[..] else {
        return Err(format!("found {} times and not once: `{whole}`", found.len()));
    };
    let start = place + before.len();
    Ok(start..start + inner.len())
}

fn directory(from: &Path, to: &Path) -> Result<(), String> {
    let say = |e: std::io::Error| format!("{}: {e}", from.display());
    fs::create_dir_all(to).map_err(|e| format!("{}: {e}", to.display()))?;
    for entry in fs::read_dir(from).map_err(say)? {
        let path = entry.map_err(say)?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() { directory(&path, &target)? } else { file(&path, &target)? }
    }
    Ok(())
}

fn file(from: &Path, to: &Path) -> Result<(), String> {
    fs::copy(from, to).map(|_bytes| ()).map_err(|e| format!("{} to {}: {e}", from.display(), to.display()))
}

fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn put(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::super::table;
    use super::*;

    fn mutant(text: &str) -> Mutant {
        Mutant { text: text.into(), becomes: "true".into(), guards: "it".into(), ..Mutant::default() }
    }

    #[test]
    fn a_guard_becomes_a_choice_and_a_text_that_is_not_there_once_is_refused() {
        let source = "if open && here { go() }\nif open { stay() }";
        let (one, other) = (mutant("here"), mutant("if «open» { stay"));
        assert_eq!(
            exchangeable(source, &[(3, &one), (4, &other)]).unwrap(),
            "if open && (if crate::is_mutant(3) { true } else { { here } }) { go() }\n\
             if (if crate::is_mutant(4) { true } else { { open } }) { stay() }"
        );
        for (bad, words) in [("open", "found 2 times"), ("shut", "found 0 times"), ("«here", "not closed")] {
            assert!(exchangeable(source, &[(0, &mutant(bad))]).unwrap_err().contains(words));
        }
        let (one, other) = (mutant("open && here"), mutant("here"));
        assert!(exchangeable(source, &[(0, &one), (1, &other)]).unwrap_err().contains("overlaps"));
    }

    #[test]
    fn every_text_of_the_table_is_in_the_sources() {
        let mutants = table::read(table::TEXT).unwrap();
        assert!(mutants.len() > 100, "{}", mutants.len());
        for mutant in &mutants {
            let source = text(&crate::run::root().join("ceremonies/src").join(&mutant.file)).unwrap();
            find(&source, &mutant.text).unwrap_or_else(|why| panic!("{}: {why}", mutant.guards));
        }
    }
}
