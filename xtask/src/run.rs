//! Starting other programs: cargo, apt-get and the like, with their output shown as it comes.
//!
//! A program that fails is a sentence that names the command and how it ended. Standard input is always closed, so
//! nothing can wait for a person.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Columns of a terminal.
const WIDTH: usize = 80;

/// The repository's root: the parent of this crate's directory.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies one directory below the root")
}

/// `cargo` with the given arguments, in the repository's root.
///
/// Uses the cargo that started us, so that one run never mixes two toolchains.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// How a command reads on a terminal: program without its directory, then its arguments.
pub fn spelled(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(|word| quoted(&word.to_string_lossy()))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A word as a shell would want it typed.
pub fn quoted(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=@,+%".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A command or a sentence for a screen of 80 columns: broken between words, the rest indented. A command is still one to
/// a shell.
pub fn folded(line: &str) -> String {
    let shell = line.split_once("$ ").is_some_and(|(prompt, _)| !prompt.contains(' '));
    let (end, widest) = if shell { (" \\", WIDTH - 2) } else { ("", WIDTH) };
    let mut lines = vec![String::new()];
    for word in words(line) {
        let last = lines.last_mut().expect("there is a first line");
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= widest {
            last.push(' ');
            last.push_str(word);
        } else {
            last.push_str(end);
            lines.push(format!("    {word}"));
        }
    }
    lines.join("\n")
}

/// What blanks separate, but for those between two `'`.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    line.split(move |c: char| {
        inside ^= c == '\'';
        c == ' ' && !inside
    })
}

/// Says and runs a command, with its output going where ours goes. `Err` says how it ended.
pub fn shown(mut command: Command) -> Result<(), String> {
    let name = spelled(&command);
    println!("{}", folded(&format!("$ {name}")));
    let status = command.stdin(Stdio::null()).status().map_err(|e| format!("cannot start `{name}`: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{name}` ended with {status}")) }
}

/// Says and runs a command, prints its standard output line by line as it comes and hands each line to `seen`.
pub fn watched(mut command: Command, mut seen: impl FnMut(&str)) -> Result<(), String> {
    let name = spelled(&command);
    println!("$ {name}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cannot start `{name}`: {e}"))?;
    let output = child.stdout.take().expect("its standard output is a pipe");
    let mut lines = BufReader::new(output);
    let mut line = Vec::new();
    // By bytes: what a test prints need not be UTF-8, and must not stop the run.
    while lines.read_until(b'\n', &mut line).map_err(|e| format!("cannot read from `{name}`: {e}"))? > 0 {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        seen(text.trim_end());
        line.clear();
    }
    let status = child.wait().map_err(|e| format!("cannot wait for `{name}`: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{name}` ended with {status}")) }
}

/// The standard output of a command that says one thing, or `None` if it cannot be run or fails.
pub fn asked(mut command: Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Where cargo puts what it builds here.
pub fn target_directory() -> Result<PathBuf, String> {
    let said = asked(cargo(&["metadata", "--locked", "--no-deps", "--format-version", "1"]))
        .ok_or("`cargo metadata` fails: run it to see why")?;
    let metadata: serde_json::Value =
        serde_json::from_str(&said).map_err(|e| format!("`cargo metadata` does not speak JSON: {e}"))?;
    let directory =
        metadata["target_directory"].as_str().ok_or("`cargo metadata` names no target_directory")?;
    Ok(directory.into())
}

/// The program's place on the search path, if it is there.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|place| place.join(program)).find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_long_command_is_broken_between_words_and_never_inside_quotes() {
        assert_eq!(super::folded("$ short 'a b'"), "$ short 'a b'");
        let long =
            format!("ada$ countersign stop {} --reason 'the {} is over'", "x".repeat(40), "y".repeat(20));
        let folded = super::folded(&long);
        assert!(folded.lines().count() > 1, "{folded}");
        assert!(folded.lines().all(|line| line.chars().count() <= super::WIDTH), "{folded}");
        assert_eq!(folded.replace(" \\\n    ", " "), long);
    }
}
