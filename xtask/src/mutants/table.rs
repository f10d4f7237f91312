//! The table of guards, as text.

/// The table that is used.
pub const TEXT: &str = include_str!("table.txt");

/// One guard, and what it becomes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mutant {
    /// The file, below `ceremonies/src`.
    pub file: String,
    /// What the guard protects.
    pub guards: String,
    /// The text as it is; with `«…»`, what is between is exchanged and the rest tells it from others.
    pub text: String,
    /// The expression that it becomes.
    pub becomes: String,
    /// Why nothing notices, where nothing does.
    pub spare: Option<String>,
}

/// Reads a table.
pub fn read(text: &str) -> Result<Vec<Mutant>, String> {
    let (mut file, mut mutants) = (String::new(), Vec::new());
    let entries = text.split("\n\n").map(str::trim_end).filter(|entry| !entry.starts_with('#'));
    for entry in entries.filter(|entry| !entry.is_empty()) {
        if let Some(name) = entry.strip_prefix("== ") {
            file = name.to_owned();
            continue;
        }
        let lines = |mark: &str| {
            let lines: Vec<&str> = entry.lines().filter_map(|line| line.strip_prefix(mark)).collect();
            (!lines.is_empty()).then(|| lines.join("\n"))
        };
        let need = |mark: &str| lines(mark).ok_or_else(|| format!("no line `{mark}` in the entry:\n{entry}"));
        let guards = entry.lines().next().unwrap_or_default().to_owned();
        mutants.push(Mutant {
            file: file.clone(),
            guards,
            text: need("- ")?,
            becomes: need("+ ")?,
            spare: lines("! "),
        });
    }
    Ok(mutants)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn entries_are_read_and_half_ones_refused() {
        let text = "# words\n\n== a.rs\n\nnobody enters\n- if «closed»\n-     x\n+ false\n! nobody comes\n";
        let expected = Mutant {
            file: "a.rs".into(),
            guards: "nobody enters".into(),
            text: "if «closed»\n    x".into(),
            becomes: "false".into(),
            spare: Some("nobody comes".into()),
        };
        assert_eq!(read(text).unwrap(), [expected]);
        assert!(read("nobody enters\n- closed").unwrap_err().contains("no line `+ `"));
    }
}
