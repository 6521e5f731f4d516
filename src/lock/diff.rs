//! The difference of two locks as text: on a terminal, and in a pull request.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::ValueEnum;

use super::{Key, Lock, Locked};
use crate::report::code;
use crate::text::escape::escaped;

/// The format of a difference.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For a terminal
    #[default]
    Text,
    /// For a pull request
    Markdown,
}

/// The differences between two locks, in the order of the images.
#[derive(Debug, PartialEq, Eq)]
pub struct Diff<'l>(Vec<Change<'l>>);

/// An image with what it was and what it is; at least one of them.
#[derive(Debug, PartialEq, Eq)]
struct Change<'l> {
    key: &'l Key,
    before: Option<&'l Locked>,
    after: Option<&'l Locked>,
}

/// Compares two locks.
#[must_use]
pub fn diff<'l>(old: &'l Lock, new: &'l Lock) -> Diff<'l> {
    let keys: BTreeSet<_> = old.images().chain(new.images()).map(|(key, _)| key).collect();
    let change = |key| Change { key, before: old.images.get(key), after: new.images.get(key) };
    Diff(keys.into_iter().map(change).filter(|change| change.before != change.after).collect())
}

impl Diff<'_> {
    /// The difference as it is asked for.
    #[must_use]
    pub fn text(&self, format: DiffFormat) -> String {
        match format {
            DiffFormat::Text => self.plain(),
            DiffFormat::Markdown => self.markdown(),
        }
    }

    fn plain(&self) -> String {
        let mut text = String::new();
        for change in &self.0 {
            let (mark, name) = (change.mark(), escaped(&change.key.to_string()));
            writeln!(text, "{mark} {name}").expect("a string takes all");
            let sides = [("-", change.before), ("+", change.after)];
            for (side, locked) in sides.into_iter().filter_map(|(side, l)| Some((side, l?))) {
                let said = change.said(locked, escaped);
                writeln!(text, "    {side} {said}").expect("a string takes all");
            }
        }
        text + &self.summary() + "\n"
    }

    fn markdown(&self) -> String {
        let mut text = format!("**Image lock**: {}\n", self.summary());
        if self.0.is_empty() {
            return text;
        }
        text.push_str("\n| | image | before | after |\n|---|---|---|---|\n");
        for change in &self.0 {
            let side = |locked: Option<&Locked>| {
                locked.map_or_else(String::new, |locked| change.said(locked, code))
            };
            let word = match change.mark() {
                '+' => "added",
                '-' => "removed",
                _ => "changed",
            };
            let name = code(&change.key.to_string());
            let (before, after) = (side(change.before), side(change.after));
            writeln!(text, "| {word} | {name} | {before} | {after} |").expect("a string takes all");
        }
        text
    }

    /// `1 added, 2 changed`.
    fn summary(&self) -> String {
        let count = |mark| self.0.iter().filter(|change| change.mark() == mark).count();
        let counts = [('+', "added"), ('-', "removed"), ('~', "changed")];
        let counts = counts.map(|(mark, word)| (count(mark), word));
        let counts = counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}"));
        let counts: Vec<_> = counts.collect();
        if counts.is_empty() { "no image differs".to_owned() } else { counts.join(", ") }
    }
}

impl Change<'_> {
    fn mark(&self) -> char {
        match (self.before, self.after) {
            (None, _) => '+',
            (_, None) => '-',
            _ => '~',
        }
    }

    /// The digest, and where it comes from if that is not what was asked for.
    fn said(&self, locked: &Locked, shown: impl Fn(&str) -> String) -> String {
        let digest = shown(&locked.digest.to_string()) + &aged(locked);
        let Some((rule, supplier)) = locked.rule.as_ref().zip(locked.supplier.as_ref()) else {
            return digest;
        };
        let instead = if supplier.repository == self.key.repository {
            shown(&supplier.tag.to_string())
        } else {
            shown(&supplier.to_string())
        };
        format!("{digest}, of {instead} by rule {}", shown(rule))
    }
}

/// When the digest was first seen, and how many newer ones wait.
fn aged(locked: &Locked) -> String {
    let seen = locked.history.seen.map(|day| format!(", first seen {day}"));
    let next = locked.history.next.last().map(|newest| {
        format!(", {} newer, the last first seen {}", locked.history.next.len(), newest.seen)
    });
    [seen, next].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Origin, Source};

    #[test]
    fn locks_that_say_the_same_differ_in_nothing() {
        let source = Source::new(Origin::Stdin, Lock::default().text().into_bytes());
        let lock = Lock::parse(&source.expect("text")).expect("a lock");
        let none = diff(&lock, &lock);
        assert_eq!(none.text(DiffFormat::Text), "no image differs\n");
        assert_eq!(none.text(DiffFormat::Markdown), "**Image lock**: no image differs\n");
    }
}
