//! Splice: every change to a YAML text. Pins go into manifests, entries into locks and results into
//! the list of a function, and no other byte changes.
//!
//! Text is inserted rather than replaced wherever that is possible. [`apply`] proves its own
//! work: it reads both texts again and returns the new one only if it is the same YAML as the old
//! one, except for what the edits say.

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use crate::text::yaml::{self, Difference, NewText, Style, TreeChange};
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
    /// An alias, in whose stead the reference is written.
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
                // What is before it, as what follows may be a blank.
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
            // What follows the reference, between the quotes, would have to be found first.
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
    match raw.find(reference) {
        Some(at) if raw.trim() == reference => {
            let start = start + at;
            Form::Verbatim(Span::new(start, start + reference.len()))
        }
        _ => Form::Unknown,
    }
}

/// The text between the quotes.
fn inner(node: Span, raw: &str) -> Option<(Span, &str)> {
    let text = raw.get(1..raw.len().checked_sub(1)?)?;
    Some((Span::new(node.start + 1, node.end - 1), text))
}

/// One change to a source: `span` becomes `insert`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    document: Span,
    span: Span,
    insert: String,
    effect: Effect,
}

/// The difference that an edit makes to what a document says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Effect {
    /// Part of a decoded scalar changes: the node, the scalar before, which part of it, and to what.
    Text { node: Span, value: Rc<str>, part: Range<usize>, after: String },
    /// Nodes come or go.
    Tree(Vec<TreeChange>),
}

impl Edit {
    /// An edit of `document` with these effects on its tree; without any if it changes only white
    /// space.
    #[must_use]
    pub fn of_tree(document: Span, span: Span, insert: String, changes: Vec<TreeChange>) -> Self {
        Self { document, span, insert, effect: Effect::Tree(changes) }
    }

    /// The span that becomes another text.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// The span that no other edit may change.
    fn reserved(&self) -> Span {
        match &self.effect {
            Effect::Text { node, .. } => *node,
            Effect::Tree(_) => self.span,
        }
    }
}

/// Changes to one source, in its own offsets: sorted and disjoint.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Edits(Vec<Edit>);

/// Two edits that want the same text to become different things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The span of the first.
    pub first: Span,
    /// The span of the second.
    pub second: Span,
}

impl Edits {
    /// Sorts the edits; insertions at one position keep their order. The same edit of a scalar wanted
    /// twice (by two of its aliases) is one.
    ///
    /// # Errors
    /// Two different edits that overlap.
    pub fn new(mut edits: Vec<Edit>) -> Result<Self, Overlap> {
        edits.sort_by_key(|edit| edit.span);
        edits.dedup_by(|next, edit| matches!(edit.effect, Effect::Text { .. }) && next == edit);
        let overlap = |pair: &&[Edit]| match (&pair[0].effect, &pair[1].effect) {
            (Effect::Text { node, part, .. }, Effect::Text { node: next, part: next_part, .. })
                if node == next =>
            {
                pair[0].span.end > pair[1].span.start || part.end > next_part.start
            }
            _ => pair[0].reserved().end > pair[1].reserved().start,
        };
        match edits.windows(2).find(overlap) {
            Some(pair) => Err(Overlap { first: pair[0].reserved(), second: pair[1].reserved() }),
            None => Ok(Self(edits)),
        }
    }
}

/// The source with every edit made, after a proof that nothing else changed: each document that
/// is edited is read again as it was and as it is, and every event must be equal, except where an
/// edit says otherwise. The documents between them are copied.
///
/// # Errors
/// The first difference and its span in the source. It means a defect in digestif, not in the
/// input, and nothing may be written.
pub fn apply<'s>(source: &'s Source, edits: &Edits) -> Result<Cow<'s, str>, Difference> {
    if edits.0.is_empty() {
        return Ok(Cow::Borrowed(source.text()));
    }
    let growth: usize = edits.0.iter().map(|edit| edit.insert.len()).sum();
    let mut out = String::with_capacity(source.text().len() + growth);
    let mut done = 0;
    for edits in edits.0.chunk_by(|one, next| one.document.start == next.document.start) {
        // An edit behind the last node needs more of the text than the others.
        let end = edits.iter().map(|edit| edit.document.end).max().unwrap_or(done);
        let document = Span::new(edits[0].document.start, end);
        out.push_str(source.slice(Span::new(done, document.start)));
        let start = out.len();
        splice(source, document, edits, &mut out);
        prove(source.slice(document), &out[start..], document.start, edits)
            .map_err(|(message, at)| (message, at.behind(document.start)))?;
        done = document.end;
    }
    out.push_str(&source.text()[done..]);
    Ok(Cow::Owned(out))
}

/// Proves that a document differs from its edited text only as the edits say. `start` is where the
/// document starts in its source.
fn prove(before: &str, after: &str, start: usize, edits: &[Edit]) -> Result<(), Difference> {
    let mut texts: Vec<(Span, NewScalar<'_>)> = Vec::new();
    let mut tree = Vec::new();
    for edit in edits {
        match &edit.effect {
            Effect::Tree(changes) => tree.extend(changes.iter().cloned()),
            Effect::Text { node, value, part, after } => {
                if texts.last().is_none_or(|(last, _)| last != node) {
                    texts.push((*node, NewScalar { value, text: String::new(), done: 0 }));
                }
                let (_, scalar) = texts.last_mut().expect("one was just added");
                scalar.change(part, after);
            }
        }
    }
    let texts: Vec<_> = texts.into_iter().map(|(node, scalar)| (node, scalar.end())).collect();
    let texts: Vec<_> = texts
        .iter()
        .map(|(node, value)| NewText { node: node.relative_to(start), value })
        .collect();
    yaml::equal_but_for(before, after, &texts, &tree)
}

/// The decoded scalar that the edits of one node lead to.
struct NewScalar<'e> {
    value: &'e str,
    text: String,
    /// Bytes of `value` that `text` has already.
    done: usize,
}

impl NewScalar<'_> {
    fn change(&mut self, part: &Range<usize>, after: &str) {
        self.text.push_str(&self.value[self.done..part.start]);
        self.text.push_str(after);
        self.done = part.end;
    }

    fn end(self) -> String {
        self.text + &self.value[self.done..]
    }
}

/// Adds the text of `document` with its edits made.
fn splice(source: &Source, document: Span, edits: &[Edit], out: &mut String) {
    let mut done = document.start;
    for edit in edits {
        out.push_str(source.slice(Span::new(done, edit.span.start)));
        out.push_str(&edit.insert);
        done = edit.span.end;
    }
    out.push_str(source.slice(Span::new(done, document.end)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Origin;
    use proptest::prelude::*;

    fn source(text: &str) -> Source {
        Source::new(Origin::Stdin, text.as_bytes().to_vec()).expect("valid text")
    }

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
            let source = source(text);
            let document = Span::new(0, text.len());
            let node = Span::new(node.start, node.end);
            let site = Site::of_scalar(&source, document, node, style, "nginx:1");
            let edit = site.edit(&"nginx:1".into(), 0..7, "nginx:1@d");
            assert_eq!(edit.is_some(), found.is_some(), "{text}");
            assert_eq!(source.slice(site.text()), found.unwrap_or(text));
        }
    }

    #[test]
    fn edits_that_contradict_each_other_are_refused() {
        let edit = |node: (usize, usize), insert: &str| Edit {
            document: Span::new(0, 6),
            span: Span::new(node.1, node.1),
            insert: insert.to_owned(),
            effect: Effect::Text {
                node: Span::new(node.0, node.1),
                value: "ab".into(),
                part: 0..2,
                after: insert.to_owned(),
            },
        };
        let same = Edits::new(vec![edit((3, 6), "@a"), edit((0, 2), "@b"), edit((3, 6), "@a")]);
        assert_eq!(same, Ok(Edits(vec![edit((0, 2), "@b"), edit((3, 6), "@a")])));
        let overlap = Edits::new(vec![edit((3, 6), "@a"), edit((3, 6), "@b")]);
        assert_eq!(overlap, Err(Overlap { first: Span::new(3, 6), second: Span::new(3, 6) }));
    }

    #[test]
    fn an_edit_that_breaks_the_text_is_never_given_out() {
        let source = source("a: x\nb: y\n");
        let edits = Edits::new(vec![Edit {
            document: Span::new(0, 10),
            span: Span::new(4, 4),
            insert: "\nb: z".to_owned(),
            effect: Effect::Text {
                node: Span::new(3, 4),
                value: "x".into(),
                part: 0..1,
                after: "x".to_owned(),
            },
        }]);
        assert!(apply(&source, &edits.expect("disjoint")).is_err());
    }

    proptest! {
        #[test]
        fn undoing_the_edits_gives_the_source(
            names in proptest::collection::vec("[a-z]{1,8}(:[a-z0-9]{1,4})?", 1..20),
            quote in proptest::sample::select(vec!["", "'", "\""]),
        ) {
            let text: String =
                names.iter().map(|name| format!("- {quote}{name}{quote} # {name}\n")).collect();
            let source = source(&text);
            let style = match quote {
                "" => Style::Plain,
                "'" => Style::SingleQuoted,
                _ => Style::DoubleQuoted,
            };
            let mut at = 0;
            let mut edits = Vec::new();
            for (n, name) in names.iter().enumerate() {
                let node = Span::new(at + 2, at + 2 + name.len() + 2 * quote.len());
                at += format!("- {quote}{name}{quote} # {name}\n").len();
                let site = Site::of_scalar(&source, Span::new(0, text.len()), node, style, name);
                let after = format!("{name}@sha256:{n:064x}");
                edits.push(site.edit(&name.as_str().into(), 0..name.len(), &after).expect("a form that is known"));
            }
            edits.reverse();
            let edits = Edits::new(edits).expect("disjoint");
            // YAML resolves no types here, so even `null` is compared as text.
            let mut after = apply(&source, &edits).expect("the same YAML").into_owned();
            for n in 0..names.len() {
                after = after.replace(&format!("@sha256:{n:064x}"), "");
            }
            prop_assert_eq!(after, text);
        }
    }
}
