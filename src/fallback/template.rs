//! Templates: what a rule makes of a tag.

use regex::Captures;

use super::{Step, WholeTag};
use crate::image::{Asked, Reference, Tagged, has_host};
use crate::text::escape::closest;

/// Variables that every template may use.
pub(super) const VARIABLES: [&str; 3] = ["tag", "name", "repository"];

/// A text with variables: groups of the rule's regular expression, and parts of the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// `$1`
    Group(usize),
    /// `${name}`
    Named(String),
    /// `$tag`: the tag as it was written.
    Tag,
    /// `$name`: the last segment of the repository's path.
    Name,
    /// `$repository`: the repository's path, without the registry.
    Repository,
}

/// The kind of a template's result. The template decides it, never the text of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proposal {
    /// A tag in the repository that was asked for.
    Tag,
    /// A registry, a repository and a tag.
    Reference,
}

impl Template {
    fn kind(&self) -> Proposal {
        let whole = |part: &Part| match part {
            Part::Text(text) => text.contains(['/', ':']),
            part => *part == Part::Repository,
        };
        if self.0.iter().any(whole) { Proposal::Reference } else { Proposal::Tag }
    }

    /// Reads a template for a regular expression, whose groups it may name.
    ///
    /// # Errors
    /// It is empty, names something that is not there, or makes a reference that lacks its registry
    /// or tag.
    pub fn parse(text: &str, pattern: &WholeTag) -> Result<Self, String> {
        if text.is_empty() {
            return Err("there is nothing to try".to_owned());
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            parts.push(Part::Text(rest[..at].to_owned()));
            let (part, length) = variable(&rest[at + 1..], pattern)?;
            parts.push(part);
            rest = &rest[at + 1 + length..];
        }
        parts.push(Part::Text(rest.to_owned()));
        let template = Self(parts);
        if template.kind() == Proposal::Reference {
            if !has_host(text) || text.starts_with('$') {
                let message =
                    "a whole reference starts with its registry, for example `docker.io/…`";
                return Err(message.to_owned());
            }
            if text.contains('@') {
                let message = "digestif finds the digest: end with a tag, for example `…:$tag`";
                return Err(message.to_owned());
            }
            if !text.rsplit('/').next().is_some_and(|last| last.contains(':')) {
                return Err("a whole reference ends with a tag, for example `…:$tag`".to_owned());
            }
        }
        Ok(template)
    }

    /// The candidate for a tag that matches the regular expression.
    pub(super) fn proposal(&self, captures: &Captures<'_>, asked: &Asked) -> Step {
        let text = self.fill(captures, asked);
        let made = match self.kind() {
            Proposal::Tag => text
                .parse()
                .map(|tag| Tagged { repository: asked.repository.clone(), tag })
                .map_err(|error| error.to_string()),
            Proposal::Reference => match text.parse() {
                Ok(Reference::Tagged(tagged)) => Ok(tagged),
                Ok(Reference::Pinned(_)) => Err("it has a digest".to_owned()),
                Err(error) => Err(error.to_string()),
            },
        };
        match made {
            Ok(tagged) => Step::Ask(tagged),
            Err(reason) => Step::Unusable(text, reason),
        }
    }

    fn fill(&self, captures: &Captures<'_>, asked: &Asked) -> String {
        let path = asked.repository.path();
        let group =
            |found: Option<regex::Match<'_>>| found.map_or("", |found| found.as_str()).to_owned();
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Group(n) => group(captures.get(*n)),
            Part::Named(name) => group(captures.name(name)),
            Part::Tag => asked.tag.clone(),
            Part::Name => path.rsplit('/').next().unwrap_or(path).to_owned(),
            Part::Repository => path.to_owned(),
        };
        self.0.iter().map(part).collect()
    }
}

/// The variable that a text behind `$` starts with, and how long it is.
fn variable(text: &str, pattern: &WholeTag) -> Result<(Part, usize), String> {
    let (name, length) = match text.strip_prefix('{') {
        Some(braced) => {
            let end = braced.find('}').ok_or_else(|| format!("`}}` is missing after `${text}`"))?;
            (&braced[..end], end + 2)
        }
        None if text.starts_with('$') => return Ok((Part::Text("$".to_owned()), 1)),
        None => {
            let digits = text.starts_with(|c: char| c.is_ascii_digit());
            let belongs = |c: char| {
                if digits { c.is_ascii_digit() } else { c.is_ascii_alphanumeric() || c == '_' }
            };
            let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
            (&text[..end], end)
        }
    };
    let part = match name {
        "tag" => Part::Tag,
        "name" => Part::Name,
        "repository" => Part::Repository,
        _ if pattern.groups().flatten().any(|group| group == name) => Part::Named(name.to_owned()),
        _ => match name.parse() {
            Ok(n) if n < pattern.groups().count() => Part::Group(n),
            Ok(n) => {
                return Err(format!(
                    "the regular expression has no group {n}, which `${name}` names"
                ));
            }
            Err(_) => {
                let known = pattern.groups().flatten().chain(VARIABLES);
                return Err(match closest(name, known) {
                    Some(meant) => format!("unknown `${name}`, did you mean `${meant}`?"),
                    None => format!(
                        "unknown `${name}`; there are $1 …, ${{group}}, $tag, $name and $repository"
                    ),
                });
            }
        },
    };
    Ok((part, length))
}
