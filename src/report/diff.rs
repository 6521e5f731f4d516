//! The difference between a source and its pinned text, as a unified diff.

use std::time::Duration;

use similar::TextDiff;

use crate::text::Source;
use crate::text::escape::{escaped, inert};

/// Lines around a change. Three is what `diff -u` shows.
const CONTEXT: usize = 3;

/// The time after which a file is compared less exactly: the diff stays right, but may be longer.
const PATIENCE: Duration = Duration::from_secs(5);

const RED: &str = "\u{1b}[31m";
const GREEN: &str = "\u{1b}[32m";
const CYAN: &str = "\u{1b}[36m";
const BOLD: &str = "\u{1b}[1m";
const RESET: &str = "\u{1b}[0m";

/// The reader of a diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader {
    /// True if lines are coloured.
    pub colors: bool,
    /// True for a terminal, which must not get control characters of the input.
    pub is_terminal: bool,
}

/// The unified diff of all sources that change; empty if none does.
#[must_use]
pub fn diff(sources: &[Source], texts: &[impl AsRef<str>], reader: Reader) -> String {
    let pairs = sources.iter().zip(texts.iter().map(AsRef::as_ref));
    pairs
        .filter(|(source, new)| source.text() != *new)
        .map(|(s, new)| one(s, new, reader))
        .collect()
}

fn one(source: &Source, new: &str, reader: Reader) -> String {
    let name = escaped(&source.origin().display_name());
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(source.text(), new);
    let text = diff.unified_diff().context_radius(CONTEXT).header(&name, &name).to_string();
    text.split_inclusive('\n').enumerate().map(|(n, line)| shown(n, line, reader)).collect()
}

/// A line of a diff, as its reader gets it. The first two lines name the file.
fn shown(n: usize, line: &str, reader: Reader) -> String {
    let end = if line.ends_with('\n') { "\n" } else { "" };
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = if reader.is_terminal { visible(line) } else { inert(line).into_owned() };
    let color = match line.chars().next() {
        _ if !reader.colors => return line + end,
        Some('-' | '+') if n < 2 => BOLD,
        Some('-') => RED,
        Some('+') => GREEN,
        Some('@') => CYAN,
        _ => return line + end,
    };
    format!("{color}{line}{RESET}{end}")
}

/// A line without what a terminal obeys.
fn visible(line: &str) -> String {
    let visible = |c: char| if c.is_control() && c != '\t' { '\u{b7}' } else { c };
    line.strip_suffix('\r').unwrap_or(line).chars().map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Origin;

    fn of(old: &str, new: &str, reader: Reader) -> String {
        let source = Source::new(Origin::File("pod.yaml".into()), old.into()).expect("valid");
        diff(&[source], &[new], reader)
    }

    const FILE: Reader = Reader { colors: false, is_terminal: false };

    #[test]
    fn a_diff_is_one_that_patch_takes() {
        let expected = "--- pod.yaml\n+++ pod.yaml\n@@ -1,2 +1,2 @@\n a: 1\r\n-image: x:1\n\\ No newline at end of file\n+image: x:1@d\n\\ No newline at end of file\n";
        assert_eq!(of("a: 1\r\nimage: x:1", "a: 1\r\nimage: x:1@d", FILE), expected);
        assert_eq!(of("a: 1\n", "a: 1\n", FILE), "");
    }

    #[test]
    fn a_terminal_gets_colours_and_no_control_characters() {
        let reader = Reader { colors: true, is_terminal: true };
        let shown =
            of("# \u{1b}[2J\u{9b}\nimage: x:1\n", "# \u{1b}[2J\u{9b}\nimage: x:2\n", reader);
        assert!(shown.contains("\n # \u{b7}[2J\u{b7}\n"), "{shown:?}");
        assert!(shown.contains("\u{1b}[31m-image: x:1\u{1b}[0m\n"), "{shown:?}");
        assert!(shown.starts_with("\u{1b}[1m--- pod.yaml\u{1b}[0m\n"), "{shown:?}");
    }
}
