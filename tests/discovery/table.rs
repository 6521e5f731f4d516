//! Every row of the table is found in an object that is made from the row alone.

use digestif::places::TABLE;
use digestif::places::{Class, SkipReason, Writing};
use serde_json::{Value, json};

use super::support::digest_of;
use super::{assert_pinned, places, run};

const IMAGE: &str = "quay.io/acme/web:1";

/// A line of the table.
struct Row {
    group: &'static str,
    kind: &'static str,
    version: &'static str,
    path: &'static str,
    form: &'static str,
    join: &'static str,
    note: &'static str,
}

fn rows() -> Vec<Row> {
    let rows = |line: &'static str| {
        let columns: Vec<_> = line.split(',').collect();
        let [group, kinds, version, path, form, join, _source, note] = columns[..] else {
            panic!("not a row: {line}")
        };
        kinds.split('|').map(move |kind| Row { group, kind, version, path, form, join, note })
    };
    TABLE.lines().skip(1).flat_map(rows).collect()
}

impl Row {
    /// The keys of the row's path, with `[]` for a list.
    fn steps(&self) -> Vec<String> {
        let path = self.path.replace("\\/", "\n");
        path.split('/').map(|step| step.replace('\n', "/")).collect()
    }

    /// An object with this value at the row's path.
    fn object(&self, kind: &str, version: &str, value: Value) -> Value {
        let version = if self.version.is_empty() { version } else { self.version };
        let below = self.steps().into_iter().rev().fold(value, |value, step| {
            let (key, is_list) =
                step.strip_suffix("[]").map_or((step.as_str(), false), |key| (key, true));
            let key = if key == "*" { "any" } else { key };
            json!({ key: if is_list { json!([value]) } else { value } })
        });
        let mut object = json!({
            "apiVersion": format!("{}/{version}", self.group),
            "kind": kind,
            "metadata": {"name": "sample"},
        });
        let fields = below.as_object().expect("a path has a key").clone();
        object.as_object_mut().expect("it is one").extend(fields);
        object
    }

    /// The value at the path before and after a run; the second is `None` if this form is not
    /// pinned.
    fn values(&self) -> (Value, Option<Value>) {
        let pinned = format!("{IMAGE}@{}", digest_of(IMAGE));
        match self.form {
            "url" => (json!(format!("oci://{IMAGE}")), Some(json!(format!("oci://{pinned}")))),
            "docker-image" => {
                let at = |name: &str| json!({"kind": "DockerImage", "name": name});
                (at(IMAGE), Some(at(&pinned)))
            }
            "reference" | "tagged" | "versioned" => (json!(IMAGE), Some(json!(pinned))),
            "parts" | "parts-tag" | "parts-digest" => {
                let after = match self.form {
                    "parts-tag" => Some(format!("1@{}", digest_of(IMAGE))),
                    "parts-digest" => Some(digest_of(IMAGE)),
                    _ => None,
                };
                (self.parts("1"), after.map(|last| self.parts(&last)))
            }
            "reported" | "left" => (json!(IMAGE), None),
            form => panic!("no such form: {form}"),
        }
    }

    fn keys(&self) -> Vec<&'static str> {
        self.join.split(['{', '}']).skip(1).step_by(2).collect()
    }

    fn parts(&self, last: &str) -> Value {
        let name = format!("web:{last}");
        let values: &[&str] = match self.keys().len() {
            2 if !self.join.contains(':') => &["quay.io/acme", &name],
            2 => &["quay.io/acme/web", last],
            3 if self.keys()[1] == "repository" => &["quay.io", "acme/web", last],
            3 => &["quay.io/acme", "web", last],
            4 => &["quay.io", "acme", "web", last],
            n => panic!("{n} parts: {}", self.join),
        };
        self.keys()
            .into_iter()
            .zip(values)
            .map(|(key, &value)| (key.to_owned(), json!(value)))
            .collect()
    }

    /// The changed field, as messages write it.
    fn place(&self) -> String {
        let shown = |step: String| {
            let step = step.replace('*', "any");
            let (key, item) = step.strip_suffix("[]").map_or((&*step, ""), |key| (key, "[0]"));
            let is_plain = !key.contains(['/', '.']);
            if is_plain { format!(".{key}{item}") } else { format!("['{key}']{item}") }
        };
        let path: String = self.steps().into_iter().map(shown).collect();
        let path = path.trim_start_matches('.').to_owned();
        match self.form {
            "docker-image" => format!("{path}.name"),
            "parts" | "parts-tag" | "parts-digest" => {
                format!("{path}.{}", self.keys().last().expect("there are parts"))
            }
            _ => path,
        }
    }
}

#[test]
fn every_row_is_found_in_any_version() {
    for row in rows() {
        for version in ["v1", "v2alpha7"] {
            let object = row.object(row.kind, version, row.values().0).to_string();
            let found: Vec<_> = places(&object)
                .into_iter()
                .map(|place| {
                    let text = place.text().to_owned();
                    (place.path.to_string(), text, place.class, place.writing, place.left)
                })
                .collect();
            let (class, writing, left) = match row.form {
                "left" => {
                    assert_eq!(found, [], "{object}");
                    continue;
                }
                "reported" => (Class::Other, Writing::Reference, Some(SkipReason::Candidate)),
                "tagged" => (Class::Field, Writing::Tagged, None),
                "parts" => (Class::Parts, Writing::Tag, Some(SkipReason::Operator(row.note))),
                "parts-tag" => (Class::Parts, Writing::Tag, None),
                "parts-digest" => (Class::Parts, Writing::Digest, None),
                _ => (Class::Field, Writing::Reference, None),
            };
            assert_eq!(found, [(row.place(), IMAGE.to_owned(), class, writing, left)], "{object}");
        }
    }
}

#[test]
fn a_row_applies_only_to_its_kind_and_group() {
    for row in rows() {
        let (value, _) = row.values();
        for object in [
            row.object("Unlisted", "v1", value.clone()),
            Row { group: "acme.example", ..row }.object(row.kind, "v1", value),
        ] {
            let classes: Vec<_> =
                places(&object.to_string()).iter().map(|place| place.class).collect();
            let is_known = |class: &Class| matches!(class, Class::Field | Class::Parts);
            assert!(!classes.iter().any(is_known), "{object}");
            // The same value in another kind or group is a candidate.
            let group = object["apiVersion"].as_str().expect("a text");
            if row.form != "url" && !row.form.starts_with("parts") {
                assert_eq!(classes, [Class::Other], "{group}: {object}");
            }
        }
    }
}

#[test]
fn rows_are_pinned_or_stay_unchanged_as_their_form_requires() {
    let (before, after): (Vec<_>, Vec<_>) = rows()
        .iter()
        .map(|row| {
            let (before, after) = row.values();
            let after = after.unwrap_or_else(|| before.clone());
            let text = |value| format!("---\n{}\n", row.object(row.kind, "v1", value));
            (text(before), text(after))
        })
        .unzip();
    let (before, after) = (before.concat(), after.concat());
    assert!(after.matches("sha256:").count() > 400);
    assert_eq!(run(&[], &before).succeeded(), after);
    assert_eq!(run(&[], &after).succeeded(), after);
}

#[test]
fn no_flag_pins_fields_that_are_only_reported() {
    for row in rows().iter().filter(|row| row.form == "reported") {
        let object = row.object(row.kind, "v1", row.values().0).to_string();
        assert_pinned(&[super::EVERY_CLASS], &object, &[]);
    }
}
