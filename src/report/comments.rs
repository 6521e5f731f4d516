//! Comments: the substitutions of a run before its manifests, if nothing may be written to stderr.

use std::fmt::Write as _;

use crate::diagnostic::{Diagnostic, Severity};
use crate::text::escape::{inert, redacted};

/// The manifests with a comment line before them for each substitution. JSON has no comments.
#[must_use]
pub fn with_substitutions(text: String, said: &[Diagnostic]) -> String {
    const MARK: char = '\u{feff}';
    let rest = text.strip_prefix(MARK).unwrap_or(&text);
    if rest.trim_start().starts_with(['{', '[']) {
        return text;
    }
    let lines: String =
        said.iter().filter(|said| said.severity == Severity::Substitution).map(line).collect();
    let mark = if rest.len() < text.len() { MARK.to_string() } else { String::new() };
    format!("{mark}{lines}{rest}")
}

/// The line about a substitution: its message and its notes.
fn line(said: &Diagnostic) -> String {
    let mut line = said.message.clone();
    for (name, text) in &said.notes {
        write!(line, "; {name}: {}", text.replace('\n', ", ")).expect("a string takes all");
    }
    format!("# digestif: {}\n", inert(&redacted(&line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn substitutions_stand_before_the_manifests() {
        let said = [
            Diagnostic::warning("not this".to_owned()),
            Diagnostic::substitution("`a:1` is missing".to_owned())
                .note("rule", "r".to_owned())
                .note("tried", "a:1\na:2".to_owned()),
        ];
        let line = "# digestif: `a:1` is missing; rule: r; tried: a:1, a:2\n";
        for (text, expected) in [
            ("a: 1\n", format!("{line}a: 1\n")),
            ("\u{feff}a: 1\n", format!("\u{feff}{line}a: 1\n")),
            ("%YAML 1.2\n---\n", format!("{line}%YAML 1.2\n---\n")),
            ("\n {\"a\": 1}", "\n {\"a\": 1}".to_owned()),
            ("[]", "[]".to_owned()),
        ] {
            assert_eq!(with_substitutions(text.to_owned(), &said), expected);
        }
        assert_eq!(with_substitutions("a: 1\n".to_owned(), &said[..1]), "a: 1\n");
    }
}
