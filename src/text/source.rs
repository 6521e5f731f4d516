//! Source: one input text, kept exactly as it came, and positions in it.
//!
//! Owns the bytes (byte order mark, CRLF and a missing final newline included) and the step from
//! byte offsets to lines and columns. Refuses what no Kubernetes tool reads: text that is not
//! UTF-8, UTF-16, and NUL bytes.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use memchr::memchr2_iter;

use super::path::{shown, slashed};
use super::template::Templates;
use super::{Position, Span};
use crate::diagnostic::{Diagnostic, Failure, Location, RuleId};

/// The origin of a source, to which its new text may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Standard input, called `-` in reports.
    Stdin,
    /// A file.
    File(PathBuf),
    /// The user's own configuration, of which messages may show any line.
    Configuration(PathBuf),
}

impl Origin {
    /// The file's path, unless this is standard input.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Stdin => None,
            Self::File(path) | Self::Configuration(path) => Some(path),
        }
    }

    /// Its name in messages: `<stdin>`, or the path as it was given, as [`shown`] has it.
    #[must_use]
    pub fn display_name(&self) -> String {
        match self {
            Self::Stdin => "<stdin>".to_owned(),
            Self::File(path) | Self::Configuration(path) => shown(path),
        }
    }

    /// Its name in machine-readable reports: `-`, or the path as it was given.
    #[must_use]
    pub fn report_name(&self) -> String {
        self.path().map_or_else(|| "-".to_owned(), slashed)
    }
}

/// One input text.
#[derive(Debug)]
pub struct Source {
    origin: Origin,
    text: String,
    line_starts: OnceLock<Vec<usize>>,
    characters: OnceLock<Vec<usize>>,
    line_copy: OnceLock<Option<String>>,
    repaired_copy: OnceLock<Option<String>>,
    templates: OnceLock<Templates>,
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The distance in bytes of offsets whose number of characters is stored. JSON may have megabytes on one
/// line with thousands of places in it, each with a column.
const STRIDE: usize = 4096;

impl Source {
    /// Takes the bytes as they came from `origin`.
    ///
    /// # Errors
    /// Text that is not UTF-8, starts with the byte order mark of UTF-16, or holds a NUL byte: with
    /// the position of the first byte that is wrong.
    pub fn new(origin: Origin, bytes: Vec<u8>) -> Result<Self, Diagnostic> {
        // A lock and a configuration are not rendered, and kubectl never reads them.
        let (what, utf_8, no_text) = match origin {
            Origin::Stdin | Origin::File(_) => (
                "the input",
                "save it as UTF-8, which is what kubectl and Helm read",
                "this is not YAML; check the command that writes it",
            ),
            Origin::Configuration(_) => (
                "the file",
                "save it as UTF-8",
                "this is not YAML; restore the file from your version control",
            ),
        };
        if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
            let message = format!("{what} is UTF-16");
            return Err(unreadable(&origin, &bytes, 0, &message).help(utf_8));
        }
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let bytes = error.into_bytes();
                let message = format!("{what} is not UTF-8: byte 0x{:02x}", bytes[at]);
                return Err(unreadable(&origin, &bytes, at, &message).help(utf_8));
            }
        };
        if let Some(at) = text.find('\0') {
            let message = format!("{what} holds a NUL byte");
            return Err(unreadable(&origin, text.as_bytes(), at, &message).help(no_text));
        }
        Ok(Self {
            origin,
            text,
            line_starts: OnceLock::new(),
            characters: OnceLock::new(),
            line_copy: OnceLock::new(),
            repaired_copy: OnceLock::new(),
            templates: OnceLock::new(),
        })
    }

    /// The origin of the text.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text with other line breaks, made once; the text itself if `make` gives none.
    pub(super) fn line_copy(&self, make: impl FnOnce(&str) -> Option<String>) -> &str {
        self.line_copy.get_or_init(|| make(&self.text)).as_deref().unwrap_or(&self.text)
    }

    /// A copy of the text that can be read although the text can't, made once.
    pub(super) fn repaired_copy(&self, make: impl FnOnce() -> Option<String>) -> Option<&str> {
        self.repaired_copy.get_or_init(make).as_deref()
    }

    /// The text of `span`.
    ///
    /// # Panics
    /// If the span is not one of this source.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        &self.text[Range::from(span)]
    }

    /// The template from which Helm rendered the object at a byte offset, if the text names it.
    #[must_use]
    pub fn template(&self, offset: usize) -> Option<&str> {
        let templates = self.templates.get_or_init(|| Templates::of(&self.text));
        templates.at(offset).map(|name| &self.text[name])
    }

    /// Line and column of a byte offset; an offset behind the end is the end.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let offset = offset.min(self.text.len());
        let starts = self.line_starts();
        let line = starts.partition_point(|&start| start <= offset);
        let start = starts[line - 1];
        let before = if offset - start <= STRIDE {
            characters(&self.text.as_bytes()[start..offset])
        } else {
            self.characters_before(offset) - self.characters_before(start)
        };
        Position { line, column: 1 + before }
    }

    /// The number of characters before an offset.
    fn characters_before(&self, offset: usize) -> usize {
        let bytes = self.text.as_bytes();
        let counts = self.characters.get_or_init(|| {
            let counts = bytes.chunks(STRIDE).scan(0, |sum, chunk| {
                *sum += starts_of_characters(chunk);
                Some(*sum)
            });
            std::iter::once(0).chain(counts).collect()
        });
        let stride = offset / STRIDE;
        let mark = usize::from(offset > 0 && bytes.starts_with(BYTE_ORDER_MARK));
        counts[stride] + starts_of_characters(&bytes[stride * STRIDE..offset]) - mark
    }

    /// The lines that `span` touches, without the last line break, and the number of the first.
    #[must_use]
    pub fn lines_of(&self, span: Span) -> (Span, usize) {
        let starts = self.line_starts();
        let first = starts.partition_point(|&start| start <= span.start);
        let last = starts.partition_point(|&start| start < span.end.max(span.start + 1)).max(first);
        let end = starts.get(last).copied().unwrap_or(self.text.len());
        let start = starts[first - 1];
        let end = start + self.text[start..end].trim_end_matches(['\n', '\r']).len();
        (Span::new(start, end), first)
    }

    /// Offsets of the first byte of every line. A lone CR breaks a line too (YAML 1.2.2, 5.4).
    fn line_starts(&self) -> &[usize] {
        self.line_starts.get_or_init(|| line_starts(self.text.as_bytes()))
    }
}

fn line_starts(bytes: &[u8]) -> Vec<usize> {
    let is_break = |&at: &usize| bytes[at] == b'\n' || bytes.get(at + 1) != Some(&b'\n');
    let breaks = memchr2_iter(b'\n', b'\r', bytes).filter(is_break);
    std::iter::once(0).chain(breaks.map(|at| at + 1)).collect()
}

/// Counts the characters of UTF-8 text; a byte order mark is none.
fn characters(bytes: &[u8]) -> usize {
    starts_of_characters(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes))
}

/// Counts the characters that start in these bytes; those of UTF-8 go on with `10` in front.
fn starts_of_characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count()
}

fn unreadable(origin: &Origin, bytes: &[u8], at: usize, message: &str) -> Diagnostic {
    let starts = line_starts(&bytes[..at]);
    let line = starts.len();
    let column = 1 + characters(&bytes[starts[line - 1]..at]);
    Diagnostic::error(Failure::Input, message.to_owned())
        .of(RuleId::Yaml)
        .location(Location::Position(origin.display_name(), Position { line, column }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new(Origin::Stdin, text.as_bytes().to_vec()).expect("valid text")
    }

    #[test]
    fn a_file_name_never_moves_the_cursor() {
        let origin = Origin::File(PathBuf::from("a\u{1b}[2J\n.yaml"));
        assert_eq!(origin.display_name(), "a\\u{1b}[2J\\n.yaml");
        assert_eq!(origin.report_name(), "a\u{1b}[2J\n.yaml");
    }

    #[test]
    fn positions_count_characters_and_every_kind_of_line_break() {
        let text = "\u{feff}a: 1\r\nb: ä€x\rc: 2\n";
        for (needle, line, column) in [("a:", 1, 1), ("b:", 2, 1), ("x", 2, 6), ("c:", 3, 1)] {
            let at = text.find(needle).expect("needle in text");
            assert_eq!(source(text).position(at), Position { line, column }, "{needle}");
        }
        assert_eq!(source(text).position(9999), Position { line: 4, column: 1 });
    }

    #[test]
    fn columns_of_long_lines_are_exact() {
        for mark in ["", "\u{feff}"] {
            let text = format!("{mark}ä\n{}", "€x".repeat(STRIDE));
            let source = source(&text);
            let second = mark.len() + "ä\n".len();
            for (n, (at, _)) in text[second..].char_indices().enumerate() {
                assert_eq!(source.position(second + at), Position { line: 2, column: n + 1 });
            }
            let end = Position { line: 2, column: 2 * STRIDE + 1 };
            assert_eq!((text.len() - second, source.position(text.len())), (4 * STRIDE, end));
        }
    }

    #[test]
    fn lines_of_a_span_come_without_their_last_break() {
        let text = "one\r\ntwo\nthree";
        for (range, lines, first) in
            [(0..1, "one", 1), (5..8, "two", 2), (1..10, text, 1), (9..14, "three", 3)]
        {
            let (span, line) = source(text).lines_of(Span::new(range.start, range.end));
            assert_eq!((&text[Range::from(span)], line), (lines, first));
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_position() {
        for (bytes, message, line, column) in [
            (&b"a: 1\nb: \xff"[..], "the input is not UTF-8: byte 0xff", 2, 4),
            (b"\xff\xfea\0", "the input is UTF-16", 1, 1),
            ("ä: \0".as_bytes(), "the input holds a NUL byte", 1, 4),
        ] {
            let error = Source::new(Origin::Stdin, bytes.to_vec()).expect_err("refused");
            assert_eq!(error.message, message);
            assert_eq!(
                error.locations,
                [Location::Position("<stdin>".to_owned(), Position { line, column })]
            );
        }
    }
}
