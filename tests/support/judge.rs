//! Two parsers that digestif does not use, as judges of its output.

use std::collections::BTreeMap;
use std::fmt;

use saphyr_parser::{BufferedInput, Event, Parser, ScalarStyle};
use serde::de::{
    Deserialize, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess as _, Visitor,
};

/// A YAML value as libyaml and `serde_yaml` see it, with duplicate keys kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// Anything that is neither a list nor a mapping, as text.
    Leaf(String),
    /// A list.
    List(Vec<Tree>),
    /// A mapping, in its original order.
    Map(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf("null".to_owned()))
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Tree, E> {
        self.visit_unit()
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Leaf(format!("bool {value}")))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Leaf(format!("int {value}")))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Leaf(format!("int {value}")))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Leaf(format!("float {value}")))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<Tree, Tree>()? {
            entries.push((format!("{key:?}"), value));
        }
        Ok(Tree::Map(entries))
    }

    /// A node with its own tag.
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Tree, A::Error> {
        let (tag, value) = data.variant::<String>()?;
        Ok(Tree::Map(vec![(tag, value.newtype_variant()?)]))
    }
}

/// Every leaf that differs between two texts, as `libyaml` reads them: the old and the new value.
///
/// # Panics
/// If the texts differ in anything but leaves.
#[track_caller]
pub fn changes(before: &str, after: &str) -> Vec<(String, String)> {
    let read = |text: &str| -> Vec<Tree> {
        // libyaml accepts a byte order mark, but serde_yaml does not pass it on.
        serde_yaml::Deserializer::from_str(text.trim_start_matches('\u{feff}'))
            .map(|document| Tree::deserialize(document).expect("libyaml reads it"))
            .collect()
    };
    let mut changes = Vec::new();
    compare(&Tree::List(read(before)), &Tree::List(read(after)), &mut changes);
    changes
}

#[track_caller]
fn compare(before: &Tree, after: &Tree, changes: &mut Vec<(String, String)>) {
    match (before, after) {
        (Tree::Leaf(before), Tree::Leaf(after)) => {
            if before != after {
                changes.push((before.clone(), after.clone()));
            }
        }
        (Tree::List(before), Tree::List(after)) => {
            assert_eq!(before.len(), after.len(), "a list has another length");
            before.iter().zip(after).for_each(|(before, after)| compare(before, after, changes));
        }
        (Tree::Map(before), Tree::Map(after)) => {
            assert_eq!(before.len(), after.len(), "a mapping has another size");
            for (before, after) in before.iter().zip(after) {
                assert_eq!(before.0, after.0, "a key has changed");
                compare(&before.1, &after.1, changes);
            }
        }
        _ => panic!("{before:?} has become {after:?}"),
    }
}

/// The same with saphyr's events. An error if saphyr cannot read the text before the change.
///
/// # Panics
/// If the events differ in anything but the text of scalars, and aliases of scalars that became
/// plain scalars.
#[track_caller]
pub fn changed_events(before: &str, after: &str) -> Result<Vec<(String, String)>, String> {
    let events = |text: &str| -> Result<Vec<Event<'static>>, String> {
        let parser = Parser::new(BufferedInput::new(
            text.to_owned().chars().collect::<Vec<_>>().into_iter(),
        ));
        parser
            .map(|event| event.map(|(event, _)| event).map_err(|error| error.to_string()))
            .collect()
    };
    let (before, after) =
        (events(before)?, events(after).expect("saphyr reads the output as well"));
    assert_eq!(before.len(), after.len(), "there are more or fewer events");
    let mut changes = Vec::new();
    let mut anchored = BTreeMap::new();
    for (before, after) in before.into_iter().zip(after) {
        if let Event::Scalar(text, _, anchor, _) = &before {
            anchored.insert(*anchor, text.to_string());
        }
        match (before, after) {
            (Event::Alias(anchor), Event::Scalar(new, ScalarStyle::Plain, 0, None)) => {
                changes.push((anchored[&anchor].clone(), new.into_owned()));
            }
            (
                Event::Scalar(old, style, anchor, tag),
                Event::Scalar(new, new_style, new_anchor, new_tag),
            ) => {
                assert_eq!(
                    (style, anchor, tag),
                    (new_style, new_anchor, new_tag),
                    "{old} -> {new}"
                );
                if old != new {
                    changes.push((old.into_owned(), new.into_owned()));
                }
            }
            (before, after) => assert_eq!(before, after),
        }
    }
    Ok(changes)
}

/// The number of times that each change was made.
pub fn counted(changes: Vec<(String, String)>) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for change in changes {
        *counts.entry(change).or_insert(0) += 1;
    }
    counts
}
