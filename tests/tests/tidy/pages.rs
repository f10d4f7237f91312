//! Documentation that does not lead astray: links between files exist, decisions are numbered once each.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, caught, clean, files, root};

/// Links of Markdown files to files that there are not. `exists` answers for a path from the root.
fn links(files: &[Source], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (at, line) in file.text.lines().enumerate() {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let target = target.split('#').next().unwrap_or_default();
                if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                let mut path: Vec<&str> = file.path.split('/').collect();
                path.pop();
                for part in target.trim_end_matches('/').split('/') {
                    match part {
                        ".." => drop(path.pop()),
                        "." => {}
                        part => path.push(part),
                    }
                }
                if !exists(&path.join("/")) {
                    complaints.push(format!("{}:{}: `{target}` leads nowhere", file.path, at + 1));
                }
            }
        }
    }
    complaints
}

/// Decisions whose number is taken twice, or differs from the one in their heading.
fn decisions(files: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut numbers = BTreeMap::new();
    for file in files {
        let Some(name) = file.path.strip_prefix("docs/decisions/") else { continue };
        let number = name.get(..4).and_then(|digits| digits.parse::<u32>().ok());
        let Some(number) = number.filter(|_| name.ends_with(".md") && name.get(4..5) == Some("-")) else {
            complaints.push(format!("{}: a decision is called NNNN-title.md", file.path));
            continue;
        };
        if let Some(other) = numbers.insert(number, name) {
            complaints.push(format!("{}: number {number} is taken by {other}", file.path));
        }
        let heading = file.text.strip_prefix("# ").and_then(|rest| rest.split(['.', ':']).next());
        if heading.and_then(|said| said.parse().ok()) != Some(number) {
            complaints.push(format!("{}: the heading does not begin with `# {number}.`", file.path));
        }
    }
    complaints
}

#[test]
fn links_lead_somewhere() {
    clean(&links(&files(), |path| root().join(path).exists()));
}

#[test]
fn a_broken_link_is_noticed() {
    let there: BTreeSet<&str> = ["docs/a.md", "README.md"].into();
    let exists = |path: &str| there.contains(path);
    let page = |text: &str| [Source::example("docs/b.md", text)];
    clean(&links(&page("[a](a.md#part), [up](../README.md), [out](https://example.org/a)"), exists));
    caught(&links(&page("[a](a.md)\n[c](c.md)"), exists), "docs/b.md:2: `c.md` leads nowhere");
}

#[test]
fn decisions_are_numbered_once_each() {
    let files = files();
    assert!(files.iter().any(|file| file.path.starts_with("docs/decisions/0001-")));
    clean(&decisions(&files));
}

#[test]
fn a_badly_numbered_decision_is_noticed() {
    let decision = |name: &str, text: &str| Source::example(&format!("docs/decisions/{name}"), text);
    clean(&decisions(&[decision("0001-a.md", "# 1. A"), decision("0012-b.md", "# 0012: B")]));
    caught(
        &decisions(&[decision("0001-a.md", "# 1. A"), decision("0001-b.md", "# 1. B")]),
        "number 1 is taken",
    );
    caught(&decisions(&[decision("0002-a.md", "# 1. A")]), "the heading does not begin with `# 2.`");
    caught(&decisions(&[decision("a.md", "# A")]), "NNNN-title.md");
}
