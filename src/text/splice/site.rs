//! Site: the position of a reference in a source, its notation, and the edit that changes it there.

use std::ops::Range;
use std::rc::Rc;

use super::{Edit, Effect};
use crate::text::yaml::Style;
use crate::text::{Source, Span};

/// The position of a reference in a source, and its notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    document: Span,
    node: Span,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The reference stands in the source letter by letter, at this span.
    Verbatim(Span),
    /// Between double quotes, with escapes: what is between the quotes.
    Escaped(Span),
    /// An alias. The reference replaces it.
    Alias,
    /// Nothing is written behind a colon, at this offset: null.
    Missing(usize),
    /// In a notation that no edit was proved right for (a plain scalar over several lines, say).
    Unknown,
}

impl Site {
    /// Finds `reference` in a scalar of `document` that is written at `node` in `style`.
    #[must_use]
    pub fn of_scalar(
        source: &Source,
        document: Span,
        node: Span,
        style: Style,
        reference: &str,
    ) -> Self {
        let raw = source.slice(node);
        let missing = missing_value(source.text(), node);
        let form = match (style, missing) {
            (Style::Plain, Some(at)) => Form::Missing(at),
            (Style::Plain | Style::Block, _) => verbatim(raw, node.start, reference),
            (Style::SingleQuoted | Style::DoubleQuoted, _) => match inner(node, raw) {
                Some((inner, text)) if text == reference => Form::Verbatim(inner),
                Some((inner, _)) if style == Style::DoubleQuoted => Form::Escaped(inner),
                _ => Form::Unknown,
            },
        };
        Self { document, node, form }
    }

    /// Finds several references in one scalar, which are these parts of its decoded text `value`, in
    /// their order: images in the text of a `ConfigMap`, or in an argument.
    #[must_use]
    pub fn of_parts(
        source: &Source,
        document: Span,
        node: Span,
        style: Style,
        value: &str,
        parts: &[Range<usize>],
    ) -> Vec<Self> {
        let raw = source.slice(node);
        // Indentation and folding change nothing but blanks, so the rest can be counted.
        let mut letters =
            value.char_indices().filter(|(_, c)| !is_blank(*c)).zip(visible(raw, style));
        let form = |part: &Range<usize>| {
            if part.is_empty() {
                // The character before it, because the next one may be a blank.
                let (c, at) = letters.find(|((at, c), _)| at + c.len_utf8() == part.start)?;
                let start = node.start + at + c.1.len_utf8();
                return Some(Form::Verbatim(Span::new(start, start)));
            }
            let (_, at) = letters.find(|((at, _), _)| *at == part.start)?;
            let text = &value[part.clone()];
            let stands = raw.get(at..)?.starts_with(text);
            let start = node.start + at;
            stands.then_some(Form::Verbatim(Span::new(start, start + text.len())))
        };
        let forms: Vec<_> = parts.iter().map(form).collect();
        let site =
            |form: Option<Form>| Self { document, node, form: form.unwrap_or(Form::Unknown) };
        forms.into_iter().map(site).collect()
    }

    /// The place of an alias whose own scalar is no image and must not change.
    #[must_use]
    pub fn of_alias(document: Span, node: Span) -> Self {
        Self { document, node, form: Form::Alias }
    }

    /// The span of the whole scalar or alias.
    #[must_use]
    pub fn node(self) -> Span {
        self.node
    }

    /// The span of the reference itself, as near as it can be told: messages point here.
    #[must_use]
    pub fn text(self) -> Span {
        match self.form {
            Form::Verbatim(span) | Form::Escaped(span) => span,
            Form::Alias | Form::Missing(_) | Form::Unknown => self.node,
        }
    }

    /// The edit that makes `part` of the whole decoded scalar `value` into `after` here; none where
    /// it can't be proved right.
    #[must_use]
    pub fn edit(self, value: &Rc<str>, part: Range<usize>, after: &str) -> Option<Edit> {
        let before = &value[part.clone()];
        let kept = before.bytes().zip(after.bytes()).take_while(|(old, new)| old == new).count();
        let (span, insert) = match self.form {
            Form::Verbatim(span) => (Span::new(span.start + kept, span.end), &after[kept..]),
            // The end of the reference between the quotes is unknown.
            Form::Escaped(_) if **value != *before => return None,
            Form::Escaped(inner) if kept == before.len() => {
                (Span::new(inner.end, inner.end), &after[kept..])
            }
            Form::Escaped(inner) => (inner, after),
            Form::Missing(at) => {
                let insert = format!(" {after}");
                let span = Span::new(at, at);
                return Some(self.text_edit(span, insert, value, part, after.to_owned()));
            }
            Form::Alias => return Some(self.edit_of_alias(value, part, after)),
            Form::Unknown => return None,
        };
        Some(self.text_edit(span, insert.to_owned(), value, part, after.to_owned()))
    }

    /// The edit that writes the whole text out where the alias stands, on one line.
    fn edit_of_alias(self, value: &Rc<str>, part: Range<usize>, after: &str) -> Edit {
        let rest = value[part.end..].trim_end_matches(['\n', '\r']);
        let after = [&value[..part.start], after, rest].concat();
        self.text_edit(self.node, after.clone(), value, 0..value.len(), after)
    }

    fn text_edit(
        self,
        span: Span,
        insert: String,
        value: &Rc<str>,
        part: Range<usize>,
        after: String,
    ) -> Edit {
        let effect = Effect::Text { node: self.node, value: value.clone(), part, after };
        Edit { document: self.document, span, insert, effect }
    }
}

/// The offset behind the colon of a key without a value, whose node has no text.
#[must_use]
pub fn missing_value(text: &str, node: Span) -> Option<usize> {
    let is_empty = node.start == node.end;
    // The parser gives the offset of the colon.
    let at = if text[node.start..].starts_with(':') { node.start + 1 } else { node.start };
    (is_empty && text[..at].ends_with(':')).then_some(at)
}

/// True for the characters that indentation and folding remove and add.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// The position in the source of each character of a scalar's text, except blanks.
fn visible(raw: &str, style: Style) -> impl Iterator<Item = usize> {
    let quote = match style {
        Style::SingleQuoted => Some('\''),
        Style::DoubleQuoted => Some('"'),
        Style::Plain | Style::Block => None,
    };
    let end = raw.len() - quote.map_or(0, |_| 1);
    let mut at = quote.map_or(0, |_| 1);
    std::iter::from_fn(move || {
        while at < end {
            let start = at;
            let c = raw[at..].chars().next()?;
            at += c.len_utf8();
            let shown = match (quote, c) {
                // Two are one.
                (Some('\''), '\'') => {
                    at += 1;
                    true
                }
                (Some('"'), '\\') => {
                    let escape = raw[at..].chars().next()?;
                    let digits = match escape {
                        'x' => 2,
                        'u' => 4,
                        'U' => 8,
                        _ => 0,
                    };
                    at += escape.len_utf8();
                    let code = u32::from_str_radix(raw.get(at..at + digits)?, 16);
                    at += digits;
                    // JSON writes a character beyond the first plane as two (RFC 8259, section 7).
                    let is_first_half =
                        code.as_ref().is_ok_and(|code| (0xd800..0xdc00).contains(code));
                    if is_first_half && raw[at..].starts_with("\\u") {
                        at += "\\uXXXX".len();
                    }
                    let blank = |code: u32| char::from_u32(code).is_some_and(is_blank);
                    let is_code = code.is_ok_and(blank);
                    !is_code && !is_blank(escape) && !matches!(escape, 'n' | 't' | 'r')
                }
                _ => !is_blank(c),
            };
            if shown {
                return Some(start);
            }
        }
        None
    })
}

/// Finds the text of a scalar that stands as it is, exactly once.
fn verbatim(raw: &str, start: usize, reference: &str) -> Form {
    if raw.trim() != reference {
        return Form::Unknown;
    }
    let start = start + raw.len() - raw.trim_start().len();
    Form::Verbatim(Span::new(start, start + reference.len()))
}

/// The text between the quotes.
fn inner(node: Span, raw: &str) -> Option<(Span, &str)> {
    let text = raw.get(1..raw.len().checked_sub(1)?)?;
    Some((Span::new(node.start + 1, node.end - 1), text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Origin;

    #[test]
    fn a_site_knows_its_reference_in_every_notation() {
        for (text, node, style, found) in [
            ("nginx:1", 0..7, Style::Plain, Some("nginx:1")),
            ("'nginx:1'", 0..9, Style::SingleQuoted, Some("nginx:1")),
            ("\"nginx:1\"", 0..9, Style::DoubleQuoted, Some("nginx:1")),
            ("\"nginx\\x3a1\"", 0..12, Style::DoubleQuoted, Some("nginx\\x3a1")),
            ("|\n  nginx:1\n", 2..12, Style::Block, Some("nginx:1")),
            ("nginx\n :1", 0..9, Style::Plain, None),
        ] {
            let source = Source::new(Origin::Stdin, text.as_bytes().to_vec()).expect("valid text");
            let document = Span::new(0, text.len());
            let node = Span::new(node.start, node.end);
            let site = Site::of_scalar(&source, document, node, style, "nginx:1");
            let edit = site.edit(&"nginx:1".into(), 0..7, "nginx:1@d");
            assert_eq!(edit.is_some(), found.is_some(), "{text}");
            assert_eq!(source.slice(site.text()), found.unwrap_or(text));
        }
    }
}
