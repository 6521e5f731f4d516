//! The text of a lock's entries: which keys they have, and how values are written.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Key, Lock, Locked};
use crate::image::Repository;
use crate::plan::{Date, History, Seen};

/// The text of a new file.
pub(super) fn whole(lock: &Lock) -> String {
    let mut text = "apiVersion: digestif.dev/v1alpha1\nkind: ImageLock\n".to_owned();
    if lock.images.is_empty() {
        return text + "images: []\n";
    }
    text.push_str("images:\n");
    for (key, locked) in lock.images() {
        text.push_str(&entry(key, locked, "", "\n"));
    }
    text
}

/// The lines of an entry.
pub(super) fn entry(key: &Key, locked: &Locked, indent: &str, line_break: &str) -> String {
    let mut lines = String::new();
    let mut mark = "- ";
    for (name, field) in fields(key, locked) {
        if let Some(Field { text, .. }) = field {
            write!(lines, "{indent}{mark}{name}: {text}{line_break}").expect("a string takes all");
            mark = "  ";
        }
    }
    lines
}

/// The value of a key of an entry: how it is written, and what it is.
pub(super) struct Field {
    pub(super) text: String,
    pub(super) value: Value,
}

impl Field {
    fn of(value: String) -> Self {
        Self { text: scalar(&value), value: value.into() }
    }

    /// A day: every reader of YAML 1.2 takes it for a string.
    fn day(date: Date) -> Self {
        Self { text: date.to_string(), value: date.to_string().into() }
    }

    fn days(next: &[Seen]) -> Self {
        let text = |one: &Seen| format!("{{digest: {}, seen: {}}}", one.digest, one.seen);
        let value = |one: &Seen| serde_json::json!({"digest": one.digest.to_string(), "seen": one.seen.to_string()});
        let texts: Vec<_> = next.iter().map(text).collect();
        let text = format!("[{}]", texts.join(", "));
        Self { text, value: Value::Array(next.iter().map(value).collect()) }
    }
}

/// The keys of an entry in their order, and what they say of it; none if they are left out.
pub(super) fn fields(key: &Key, locked: &Locked) -> [(&'static str, Option<Field>); 7] {
    let repository =
        |repository: &Repository| (*repository != key.repository).then(|| repository.to_string());
    let supplier = locked.supplier.as_ref();
    let other = supplier.and_then(|supplier| repository(&supplier.repository));
    let History { seen, next } = &locked.history;
    [
        ("image", Some(Field::of(key.to_string()))),
        ("repository", other.map(Field::of)),
        ("tag", supplier.map(|supplier| Field::of(supplier.tag.to_string()))),
        ("digest", Some(Field::of(locked.digest.to_string()))),
        ("rule", locked.rule.clone().map(Field::of)),
        ("seen", seen.map(Field::day)),
        ("next", (!next.is_empty()).then(|| Field::days(next))),
    ]
}

/// A text as YAML that every reader takes for a string, without quotes where none of them could
/// take it for anything else.
pub(super) fn scalar(text: &str) -> String {
    const WORDS: [&str; 12] =
        ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf", "infinity"];
    let is_word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    let is_known = |c: char| c.is_ascii_alphanumeric() || "-_./:@+".contains(c);
    // A text that starts with a digit may be a number or a date, unless it has a slash.
    let starts = |c: char| c.is_ascii_alphabetic() || c.is_ascii_digit() && text.contains('/');
    if text.starts_with(starts) && text.chars().all(is_known) && !text.ends_with(':') && !is_word {
        return text.to_owned();
    }
    let is_plain = |c: char| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    if text.chars().all(is_plain) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if is_plain(c) => quoted.push(c),
            c => write!(quoted, "\\u{:04x}", u32::from(c)).expect("a string takes all"),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_text_is_read_back_as_a_string(text in "\\PC{0,12}|[ \\x00-\\x7f\u{85}\u{2028}\u{feff}]{0,12}|[yYnNoO0-9._:+-]{0,6}") {
            let yaml = format!("- {}\n", scalar(&text));
            let read: Vec<serde_yaml::Value> = serde_yaml::from_str(&yaml).expect("YAML");
            prop_assert_eq!(read[0].as_str(), Some(text.as_str()));
            let options = serde_saphyr::options! { with_snippet: false, no_schema: true };
            let read: Vec<String> = serde_saphyr::from_str_with_options(&yaml, options).expect("YAML");
            prop_assert_eq!(&read[0], &text);
        }
    }
}
