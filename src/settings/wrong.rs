//! Errors in a configuration or a lock, with their place in the text.

use std::fmt;

use serde_saphyr::{Error, Location as YamlLocation};

use crate::diagnostic::{Diagnostic, Failure, Location, RuleId};
use crate::text::escape::{closest, quoted};
use crate::text::{Origin, Source, Span, yaml};

/// Tells if a message may show its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Yes,
    No,
}

/// An error in a configuration, and its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(super) span: Option<Span>,
    /// No if the text must not be shown: a URL may hold a password.
    pub(super) shown: Shown,
    message: String,
    help: Option<String>,
}

/// True if a text is a mapping with `apiVersion` and `kind`; if it is no YAML, true if lines of it
/// begin with these keys.
fn is_object(text: &str) -> bool {
    let Ok(source) = Source::new(Origin::Stdin, text.as_bytes().to_vec()) else { return false };
    let keys = ["apiVersion", "kind"];
    match yaml::documents(&source, 0).next() {
        Some(Ok(document)) => document
            .root()
            .is_some_and(|root| keys.iter().all(|key| document.own_entry(root, key).is_some())),
        Some(Err(_)) => {
            keys.iter().all(|key| text.lines().any(|line| line.starts_with(&format!("{key}:"))))
        }
        None => false,
    }
}

/// The name of an object that is none of digestif's, for messages.
fn stranger(text: &str) -> Option<String> {
    let source = Source::new(Origin::Stdin, text.as_bytes().to_vec()).ok()?;
    let document = yaml::documents(&source, 0).next()?.ok()?;
    let value = |key: &str| document.string_at(document.root()?, &[key]);
    let (version, kind) = (value("apiVersion")?, value("kind")?);
    (!version.starts_with("digestif.dev/"))
        .then(|| format!("it is a {} of {}", quoted(kind), quoted(version)))
}

impl Wrong {
    pub(crate) fn at(span: Option<Span>, message: impl Into<String>) -> Self {
        Self { span, shown: Shown::Yes, message: message.into(), help: None }
    }

    /// The error of the parser about a whole file. No text of a file is shown that does not say
    /// that it is an object: it may be a link to a private key.
    pub(crate) fn of_file(error: &Error, text: &str) -> Self {
        let wrong = Self::of(error, text);
        if let Some(stranger) = stranger(text) {
            return Self::at(wrong.span, stranger)
                .help("an object of digestif has `apiVersion: digestif.dev/v1alpha1`");
        }
        if is_object(text) {
            return wrong;
        }
        let message = "it is not a mapping with `apiVersion` and `kind`";
        Self::at(wrong.span, message).hidden()
    }

    pub(super) fn hidden(self) -> Self {
        Self { shown: Shown::No, ..self }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A fault with its place and its remedy, for another file of the same kind.
    pub(crate) fn parts(self) -> (Option<Span>, String, Option<String>) {
        (self.span, self.message, self.help)
    }

    /// The diagnostic, about a part of a source that begins at an offset. A function's input holds
    /// more than the configuration, so that a line of it is never shown.
    pub(super) fn diagnostic(
        self,
        source: &Source,
        offset: impl Fn(usize) -> usize,
        lines: Shown,
    ) -> Diagnostic {
        let message = format!("the configuration is wrong: {}", self.message);
        let span = self.span.unwrap_or(Span::new(0, 0));
        let span = Span::new(offset(span.start), offset(span.end));
        let location = if lines == Shown::Yes && self.shown == Shown::Yes {
            Location::Source { source: 0, span, label: String::new() }
        } else {
            Location::Position(source.origin().display_name(), source.position(span.start))
        };
        let help = self.help.unwrap_or_else(|| {
            "`digestif schema config` prints the schema, which editors understand".to_owned()
        });
        Diagnostic::error(Failure::Usage, message).of(RuleId::Config).location(location).help(help)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The bytes of a location.
pub(crate) fn span(location: YamlLocation) -> Option<Span> {
    let span = location.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let length = usize::try_from(span.byte_len()?).ok()?;
    Some(Span::new(start, start + length))
}

/// If a text is not YAML, the parser knows only line and column.
fn offset(text: &str, location: YamlLocation) -> Option<Span> {
    let line = usize::try_from(location.line()).ok()?.checked_sub(1)?;
    let column = usize::try_from(location.column()).ok()?.checked_sub(1)?;
    let start = text.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
    let at = text.get(start..)?.char_indices().nth(column).map_or(text.len(), |(n, _)| start + n);
    Some(Span::new(at, at))
}

impl Wrong {
    /// The error of the parser, in the words of this project.
    pub(crate) fn of(error: &Error, text: &str) -> Self {
        let error = error.without_snippet();
        let place = |at: YamlLocation| span(at).or_else(|| offset(text, at));
        let wrong = |message: String| Self::at(error.location().and_then(place), message);
        let choice = |what: &str, word: &str, known: &[&'static str]| {
            let message = match closest(word, known.iter().copied()) {
                Some(meant) => format!("unknown {what} {}, did you mean `{meant}`?", quoted(word)),
                None => format!("unknown {what} {}", quoted(word)),
            };
            wrong(message).help(format!("possible here: {}", known.join(", ")))
        };
        match error {
            Error::SerdeUnknownField { field, expected, .. } => choice("key", field, expected),
            Error::SerdeUnknownVariant { variant, expected, .. } => {
                choice("value", variant, expected)
            }
            Error::DuplicateMappingKey { key: Some(key), .. } => {
                wrong(format!("the key {} occurs twice", quoted(key)))
            }
            Error::SerdeMissingField { field, .. } => {
                wrong(format!("the key `{field}` is missing"))
            }
            Error::Unexpected { expected: "sequence start", .. } => {
                wrong("expected a list".to_owned())
            }
            Error::Unexpected { expected: "mapping start", .. } => {
                wrong("expected a mapping".to_owned())
            }
            Error::Unexpected { expected: "string scalar", .. } => {
                wrong("expected a string".to_owned())
            }
            Error::InvalidScalar { ty: "u32", .. } => wrong("expected a whole number".to_owned()),
            Error::InvalidScalar { ty: "bool" | "boolean", .. } => {
                wrong("expected true or false".to_owned())
            }
            Error::QuotingRequired { value, .. } => {
                wrong(format!("YAML reads {} as a number, null or true: quote it", quoted(value)))
            }
            Error::NullIntoString { .. }
            | Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. }
            | Error::TaggedEnumMismatch { .. } => wrong("expected a string".to_owned()),
            Error::SerdeInvalidType { expected, .. } => wrong(format!("expected {expected}")),
            Error::Message { msg, .. } => wrong(msg.clone()),
            Error::MultipleDocuments { .. } => {
                wrong("there is more than one document in it".to_owned())
            }
            Error::AliasError { error, .. } => Self::of(error, text),
            // The place is shown beside the message.
            other => {
                let text = other.to_string();
                let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
                wrong(message.to_owned())
            }
        }
    }
}
