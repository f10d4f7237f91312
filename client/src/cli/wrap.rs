//! Breaking text into lines.
//!
//! Promises: a word (a hash, a path, a command) is never broken, even when it is longer than the line, so that it can be copied;
//! line breaks in the text stay, and a line that begins with a blank (a command to copy, a list) stays as it is.

/// Lines of at most `width` characters, where words allow it. Without a width, one line for each line of the text.
#[must_use]
pub fn fold(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else { return text.lines().map(str::to_owned).collect() };
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        if paragraph.starts_with(' ') {
            lines.push(paragraph.to_owned());
            continue;
        }
        let mut line = String::new();
        let mut empty = true;
        for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
            if !empty && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        lines.push(line);
    }
    lines
}

/// Lines for a text that begins in column `column`: every line after the first is indented to it.
#[must_use]
pub fn hang(text: &str, width: Option<usize>, column: usize) -> Vec<String> {
    let width = width.map(|width| width.saturating_sub(column).max(20));
    let lines = fold(text, width);
    let indent = " ".repeat(column);
    lines
        .into_iter()
        .enumerate()
        .map(|(number, line)| if number == 0 { line } else { format!("{indent}{line}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_and_breaks_stay() {
        assert_eq!(fold("one two three", Some(7)), ["one two", "three"]);
        assert_eq!(fold("a 0123456789abcdef b", Some(8)), ["a", "0123456789abcdef", "b"]);
        assert_eq!(fold("first\n  a command to copy", Some(9)), ["first", "  a command to copy"]);
        assert_eq!(fold("not wrapped at all", None), ["not wrapped at all"]);
        assert_eq!(hang("aaaa bbbb cccc dddd eeee", Some(24), 4), ["aaaa bbbb cccc dddd", "    eeee"]);
    }
}
