//! What was on the screens, with a name in place of whatever is another in every run, against what is kept.

use std::path::{Path, PathBuf};

use crate::room::Room;

/// How wide a terminal is.
const WIDTH: usize = 80;

/// The screens of one story.
pub struct Screens {
    directory: PathBuf,
    story: &'static str,
    scratch: String,
    found: Vec<(String, String)>,
    /// Digests and ids so far: the same one has the same name on every screen.
    known: Vec<String>,
}

impl Screens {
    pub fn of(room: &Room, story: &'static str) -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/terminal").join(story);
        let scratch = room.world.scratch().display().to_string();
        Self { directory, story, scratch, found: Vec::new(), known: Vec::new() }
    }

    /// Keeps one.
    pub fn keep(&mut self, name: &str, shown: String) {
        let shown = uncoloured(&shown).replace("\r\n", "\n").replace('\r', "\n");
        let shown = shown.replace(&self.scratch, "~");
        let wide: Vec<&str> = shown.lines().skip(1).filter(|line| line.chars().count() > WIDTH).collect();
        assert_eq!(wide, [""; 0], "{} {name}: lines are wider than the terminal:\n{shown}", self.story);
        let shown = self.named(&shown);
        self.found.push((name.to_owned(), shown));
    }

    /// Every screen is as it is kept, and no other is kept.
    pub fn compared(&self) {
        let mut complaints = Vec::new();
        for (at, (name, shown)) in self.found.iter().enumerate() {
            let path = self.directory.join(format!("{:02}-{name}.txt", at + 1));
            if std::env::var("COUNTERSIGN_SNAPSHOTS").is_ok_and(|value| value == "write") {
                std::fs::create_dir_all(&self.directory).unwrap();
                std::fs::write(&path, shown).unwrap();
            }
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            if kept != *shown {
                complaints.push(format!("{} is another; now it is\n{shown}", path.display()));
            }
        }
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
        let kept = std::fs::read_dir(&self.directory).unwrap().count();
        assert_eq!(kept, self.found.len(), "more is kept in {} than was shown", self.directory.display());
    }

    fn named(&mut self, shown: &str) -> String {
        let lines: Vec<String> = shown.lines().map(|line| self.line(line.trim_end())).collect();
        lines.join("\n") + "\n"
    }

    fn line(&mut self, line: &str) -> String {
        let own: Vec<&str> = line.split_whitespace().collect();
        let is_word =
            |word: &&str| (3..=8).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase());
        if own.len() == 8 && line.starts_with("    ") && own.iter().all(is_word) {
            return "    (eight words)".to_owned();
        }
        let line = encoded(line);
        let line = self.digits(&line);
        times(&line)
    }

    /// Runs of hex digits that are no words: ids, digests, serial numbers; by the order in which they were first seen.
    fn digits(&mut self, line: &str) -> String {
        let mut made = String::new();
        let mut rest = line;
        while let Some(at) = rest.find(|c: char| c.is_ascii_hexdigit()) {
            made.push_str(&rest[..at]);
            rest = &rest[at..];
            let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
            let (run, after) = rest.split_at(end);
            let inside = made.ends_with(|c: char| c.is_ascii_alphanumeric());
            if run.len() >= 12 && !inside {
                let number =
                    self.known.iter().position(|known| known.starts_with(run)).unwrap_or_else(|| {
                        self.known.push(run.to_owned());
                        self.known.len() - 1
                    });
                let name = format!("x{:02}-", number + 1);
                made.push_str(&name.repeat(run.len() / name.len() + 1)[..run.len()]);
            } else {
                made.push_str(run);
            }
            rest = after;
        }
        made + rest
    }
}

/// What leads, without what lasts an instant: whether that is shown is a matter of chance.
pub fn without_instants(shown: &str) -> String {
    let shown = uncoloured(shown).replace("\r\n", "\n");
    let mut kept: Vec<&str> = Vec::new();
    for paragraph in shown.split("\n\n") {
        let is = |state: &str, paragraph: &str| paragraph.starts_with(&format!("{state}, ceremony"));
        if is("executing", paragraph) {
            continue;
        }
        if is("completed", paragraph) && kept.last().is_some_and(|last| is("completed", last)) {
            kept.pop();
        }
        kept.push(paragraph);
    }
    kept.join("\n\n")
}

/// Base64, percent-encoded bytes and the number of a slot as what they are.
fn encoded(line: &str) -> String {
    let word = line.trim_start();
    let indent = &line[..line.len() - word.len()];
    if let Some((before, _)) = line.split_once("id=%") {
        return format!("{before}id=(20 bytes);");
    }
    if word.strip_prefix("slot: ").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
        return format!("{indent}slot: (number)");
    }
    let (before, last) = line.rsplit_once(' ').unwrap_or(("", line));
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let mixed = last.bytes().any(|byte| byte.is_ascii_uppercase())
        && last.bytes().any(|byte| byte.is_ascii_lowercase());
    if last.len() > 24 && mixed && last.bytes().all(is_base64) {
        return format!("{before} (base64)");
    }
    line.to_owned()
}

/// Without colours.
pub fn uncoloured(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';' || c == '?');
        rest = rest.get(1..).unwrap_or_default();
    }
    plain + rest
}

/// Moments as `YYYY-MM-DD hh:mm:ssZ`, and how far they are as `N`.
fn times(line: &str) -> String {
    let shape = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(found, wanted)| match wanted {
                b'0' => found.is_ascii_digit(),
                wanted => found == wanted,
            })
    };
    let words: Vec<&str> = line.split(' ').collect();
    let mut made: Vec<String> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let word = words[at];
        let bare = word.trim_matches(|c: char| matches!(c, ',' | '(' | ')' | ';' | ':' | '.'));
        let units = ["s", "s,", "min", "h", "d", "min,", "min;"];
        let is_number = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
        if shape(bare, "0000-00-00") {
            made.push(word.replace(bare, "YYYY-MM-DD"));
        } else if shape(bare, "00:00:00Z") {
            made.push(word.replace(bare, "hh:mm:ssZ"));
        } else if is_number && words.get(at + 1).is_some_and(|unit| units.contains(unit)) {
            made.push("N".to_owned());
            // Seconds on a fast machine, minutes on a slow one.
            at += usize::from(words.get(at + 2) == Some(&"ago"));
        } else {
            made.push(word.to_owned());
        }
        at += 1;
    }
    made.join(" ")
}

#[test]
fn what_changes_has_a_name_of_the_same_width_and_what_does_not_stays() {
    assert_eq!(times("until 2026-11-21 05:02:00Z, in 59 min"), "until YYYY-MM-DD hh:mm:ssZ, in N min");
    assert_eq!((times("2 of 3 officers"), times("12 s ago")), ("2 of 3 officers".into(), "N ago".into()));
    assert_eq!(encoded("  id=%5C%7C;"), "  id=(20 bytes);");
    assert_eq!(encoded("  public key  MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQ+=="), "  public key  (base64)");
    assert_eq!(encoded("  key  release/linux"), "  key  release/linux");
    assert_eq!(uncoloured("\u{1b}[1;31merror:\u{1b}[0m no"), "error: no");
}
