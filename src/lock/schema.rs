//! The schema of a lock, and what is checked when one is read.

use std::collections::{BTreeMap, btree_map};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{Key, Lock, Locked, Version, Wrong};
use crate::image::{Digest, Tag, Tagged};
use crate::plan::{Date, History, Seen};
use crate::report;
use crate::settings::wrong::{self, span};
use crate::text::escape::quoted;
use crate::text::{Source, Span};

/// The most nodes of a lock: half the bytes of the largest one. A node has at least two bytes, so the size
/// in bytes is the limit that applies.
const MOST_NODES: usize = 16 << 20;

/// The images of manifests, each with the digest that it had when it was recorded.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "digestif lock", extend("required" = ["apiVersion", "kind"]))]
struct ImageLock {
    /// The version of this schema.
    #[schemars(required)]
    api_version: Option<ApiVersion>,
    /// The subject of the mapping.
    #[schemars(required)]
    kind: Option<Kind>,
    /// The images, sorted by registry, repository and tag; none of them twice.
    #[schemars(with = "Option<Vec<LockedImage>>")]
    images: Option<Vec<Spanned<LockedImage>>>,
}

/// The version of the schema.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
enum ApiVersion {
    /// Its first version.
    #[serde(rename = "digestif.dev/v1alpha1")]
    V1Alpha1,
}

/// The kind of the object.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
enum Kind {
    /// A lock.
    ImageLock,
}

/// One image.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("anyOf" = [
    {"required": ["tag"]},
    {"properties": {"image": {"pattern": "@"}}}
]))]
struct LockedImage {
    /// The full name of what was asked for: a repository with a tag, or with a digest if the input has no tag.
    #[schemars(with = "String")]
    image: Spanned<String>,
    /// The repository that supplied the digest, if a rule led to another one.
    #[schemars(with = "Option<String>")]
    repository: Option<Spanned<String>>,
    /// The tag that supplied the digest; none if `image` has a digest.
    #[schemars(with = "Option<String>")]
    tag: Option<Spanned<String>>,
    /// The digest.
    #[schemars(with = "String", regex(pattern = r"^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$"))]
    digest: Spanned<String>,
    /// The rule that chose what supplied the digest; only where that is not what was asked for.
    #[schemars(with = "Option<String>")]
    rule: Option<Spanned<String>>,
    /// The day on which a run with a cooldown first saw the digest, in UTC.
    #[schemars(with = "Option<String>", regex(pattern = r"^\d{4}-\d{2}-\d{2}$"))]
    seen: Option<Spanned<String>>,
    /// Newer digests of the tag that are not old enough yet, in the order in which they were seen.
    next: Option<Vec<LockedNext>>,
}

/// A newer digest.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LockedNext {
    /// The digest.
    #[schemars(with = "String", regex(pattern = r"^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$"))]
    digest: Spanned<String>,
    /// The day on which it was first seen, in UTC.
    #[schemars(with = "String", regex(pattern = r"^\d{4}-\d{2}-\d{2}$"))]
    seen: Spanned<String>,
}

/// The JSON Schema of a lock, as JSON text.
#[must_use]
pub fn schema() -> String {
    let settings = SchemaSettings::draft2020_12();
    report::json::text(&settings.into_generator().into_root_schema_for::<ImageLock>())
}

pub(super) fn parse(source: &Source) -> Result<Lock, Wrong> {
    read(source.text()).map_err(|wrong| {
        let (span, message, help) = wrong.parts();
        Wrong { message, at: source.position(span.map_or(0, |span| span.start)), help }
    })
}

fn read(text: &str) -> Result<Lock, wrong::Wrong> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        // A tag that looks like a number becomes another where a program writes the file anew.
        no_schema: true,
        budget: serde_saphyr::budget! { max_nodes: MOST_NODES, max_events: 2 * MOST_NODES },
    };
    let raw: ImageLock = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| wrong::Wrong::of_file(&error, text))?;
    if raw.api_version.is_none() || raw.kind.is_none() {
        let message = "`apiVersion` or `kind` is missing";
        return Err(wrong::Wrong::at(None, message).help(
            "a lock starts with `apiVersion: digestif.dev/v1alpha1` and `kind: ImageLock`; remove the file to start a new one",
        ));
    }
    let mut images = BTreeMap::new();
    let mut suppliers: BTreeMap<Tagged, Digest> = BTreeMap::new();
    for raw in raw.images.unwrap_or_default() {
        let name = span(raw.value.image.referenced);
        let digest = span(raw.value.digest.referenced);
        let (key, locked) = raw.value.checked(span(raw.referenced))?;
        // One tag that has two digests would be one answer here and another there.
        if let Some(supplier) = &locked.supplier
            && let Some(other) = suppliers.insert(supplier.clone(), locked.digest.clone())
            && other != locked.digest
        {
            let supplier = quoted(&supplier.to_string());
            let message = format!("{supplier} has another digest in another entry");
            return Err(wrong::Wrong::at(digest, message)
                .help("keep the correct one; `--update` resolves both again"));
        }
        match images.entry(key) {
            btree_map::Entry::Vacant(entry) => entry.insert(locked),
            btree_map::Entry::Occupied(entry) => {
                let message =
                    format!("there are two entries for {}", quoted(&entry.key().to_string()));
                return Err(wrong::Wrong::at(name, message)
                    .help("keep one of them; a merge may have left both"));
            }
        };
    }
    Ok(Lock { images })
}

impl LockedImage {
    /// The entry, if all of it makes sense.
    fn checked(self, at: Option<Span>) -> Result<(Key, Locked), wrong::Wrong> {
        let wrong = |part: &Spanned<String>, message: String| {
            wrong::Wrong::at(span(part.referenced), message)
        };
        let key: Key =
            self.image.value.parse().map_err(|error| wrong(&self.image, format!("{error}")))?;
        if key.to_string() != self.image.value {
            let message = format!(
                "{} is not the full name of an image, which is {}",
                quoted(&self.image.value),
                quoted(&key.to_string())
            );
            return Err(wrong(&self.image, message));
        }
        let digest: Digest =
            self.digest.value.parse().map_err(|error| wrong(&self.digest, format!("{error}")))?;
        let history = self.history(&digest)?;
        let asked = match &key.version {
            Version::Tag(asked) => asked,
            Version::Digest(own) => {
                let others = [&self.repository, &self.tag, &self.rule].into_iter().flatten().next();
                if let Some(other) = others {
                    let message =
                        "an image that has a digest has only `image`, `digest` and `seen`";
                    return Err(wrong(other, message.to_owned()));
                }
                if *own != digest {
                    return Err(wrong(
                        &self.digest,
                        "the digest is not that of `image`".to_owned(),
                    ));
                }
                return Ok((key, Locked { supplier: None, digest, rule: None, history }));
            }
        };
        let Some(tag) = &self.tag else {
            return Err(wrong::Wrong::at(at, "the key `tag` is missing"));
        };
        let tag: Tag = tag.value.parse().map_err(|error| wrong(tag, format!("{error}")))?;
        let mut repository = key.repository.clone();
        if let Some(other) = &self.repository {
            repository = other.value.parse().map_err(|error| wrong(other, format!("{error}")))?;
            if repository.to_string() != other.value {
                let message = format!(
                    "{} is not the full name of a repository, which is {}",
                    quoted(&other.value),
                    quoted(&repository.to_string())
                );
                return Err(wrong(other, message));
            }
        }
        let is_own = repository == key.repository && tag.as_str() == asked;
        let rule = self.rule.map(|rule| rule.value);
        match (is_own, &rule) {
            (true, None) | (false, Some(_)) => {}
            (false, None) => {
                return Err(wrong::Wrong::at(
                    at,
                    "the digest is that of another image, but the entry has no `rule`",
                ));
            }
            (true, Some(_)) => {
                return Err(wrong::Wrong::at(
                    at,
                    "the digest is that of the image itself, which no `rule` chooses",
                ));
            }
        }
        let supplier = Some(Tagged { repository, tag });
        Ok((key, Locked { supplier, digest, rule, history }))
    }
}

impl LockedImage {
    /// When its digests were first seen.
    fn history(&self, own: &Digest) -> Result<History, wrong::Wrong> {
        let parsed =
            |text: &Spanned<String>| text.value.parse::<Date>().map_err(|error| at(text, error));
        let seen = self.seen.as_ref().map(parsed).transpose()?;
        let mut next: Vec<Seen> = Vec::new();
        for one in self.next.iter().flatten() {
            let digest: Digest =
                one.digest.value.parse().map_err(|error| at(&one.digest, format!("{error}")))?;
            if digest == *own || next.iter().any(|known| known.digest == digest) {
                let message = "`next` has a digest that the entry has already";
                return Err(at(&one.digest, message.to_owned()));
            }
            next.push(Seen { digest, seen: parsed(&one.seen)? });
        }
        if let Some(key) = self.tag.is_none().then(|| self.next.iter().flatten().next()).flatten() {
            let message = "an image that has a digest has no newer ones";
            return Err(at(&key.digest, message.to_owned()));
        }
        next.sort_by_key(|one| one.seen);
        Ok(History { seen, next })
    }
}

fn at(part: &Spanned<String>, message: String) -> wrong::Wrong {
    wrong::Wrong::at(span(part.referenced), message)
}

#[cfg(test)]
mod tests {
    use super::super::entry::whole;
    use super::*;
    use crate::text::Origin;

    const HEAD: &str = "apiVersion: digestif.dev/v1alpha1\nkind: ImageLock\n";
    const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn source(text: String) -> Source {
        Source::new(Origin::Stdin, text.into_bytes()).expect("text")
    }

    /// The fault of a lock, with its line and its column.
    fn wrong(text: &str) -> (String, usize, usize) {
        let wrong = parse(&source(text.to_owned())).expect_err(text);
        (wrong.message, wrong.at.line, wrong.at.column)
    }

    #[test]
    fn what_is_wrong_is_said_with_line_and_column() {
        let other = format!("sha256:{}", "b".repeat(64));
        let web = format!("- image: docker.io/acme/web:v1\n  tag: v1\n  digest: {A}\n");
        for (images, message, line, column) in [
            (web.replace("tag", "tga"), "unknown key `tga`, did you mean `tag`?".to_owned(), 5, 3),
            (format!("{web}  digest: {A}\n"), "the key `digest` occurs twice".to_owned(), 7, 3),
            (
                format!("{web}{web}"),
                "there are two entries for `docker.io/acme/web:v1`".to_owned(),
                7,
                10,
            ),
            (
                web.replace(A, "sha256:12"),
                "digest `sha256:12` has 2 hex digits, expected 64".to_owned(),
                6,
                11,
            ),
            (
                web.replace("docker.io/acme", "acme"),
                "`acme/web:v1` is not the full name of an image, which is `docker.io/acme/web:v1`"
                    .to_owned(),
                4,
                10,
            ),
            (
                web.replace("tag: v1", "tag: v0"),
                "the digest is that of another image, but the entry has no `rule`".to_owned(),
                4,
                3,
            ),
            (
                format!("{web}  rule: r\n"),
                "the digest is that of the image itself, which no `rule` chooses".to_owned(),
                4,
                3,
            ),
            (
                format!(
                    "{web}- image: docker.io/acme/web:v2\n  tag: v1\n  digest: {other}\n  rule: r\n"
                ),
                "`docker.io/acme/web:v1` has another digest in another entry".to_owned(),
                9,
                11,
            ),
            (
                web.replace("tag: v1", "tag: 1"),
                "YAML reads `1` as a number, null or true: quote it".to_owned(),
                5,
                8,
            ),
            (web.replace("  tag: v1\n", ""), "the key `tag` is missing".to_owned(), 4, 3),
        ] {
            let text = format!("{HEAD}images:\n{images}");
            assert_eq!(wrong(&text), (message, line, column), "{text}");
        }
        for (text, message, line, column) in [
            ("", "`apiVersion` or `kind` is missing", 1, 1),
            ("kind: ImageLock\n", "`apiVersion` or `kind` is missing", 1, 1),
            (
                "apiVersion: digestif.dev/v2\nkind: ImageLock\n",
                "unknown value `digestif.dev/v2`, did you mean `digestif.dev/v1alpha1`?",
                1,
                13,
            ),
            (
                "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\n",
                "unknown value `PinImages`",
                2,
                7,
            ),
            ("- a\n", "it is not a mapping with `apiVersion` and `kind`", 1, 1),
        ] {
            assert_eq!(wrong(text), (message.to_owned(), line, column), "{text}");
        }
    }

    #[test]
    fn an_entry_says_what_supplied_the_digest() {
        let text = format!(
            "{HEAD}images:\n- image: docker.io/bitnami/redis:7.2+x\n  repository: docker.io/bitnamilegacy/redis\n  tag: '7.2'\n  digest: {A}\n  rule: '--fallback (.+)\\+.*=''$1'': y'\n"
        );
        let lock = parse(&source(text.clone())).expect("a lock");
        let (_, locked) = lock.images().next().expect("an entry");
        let supplier = locked.supplier.as_ref().map(ToString::to_string);
        assert_eq!(supplier.as_deref(), Some("docker.io/bitnamilegacy/redis:7.2"));
        assert_eq!(locked.rule.as_deref(), Some("--fallback (.+)\\+.*='$1': y"));
        assert_eq!(whole(&lock), text);
        assert_eq!(whole(&Lock::default()), format!("{HEAD}images: []\n"));
        assert_eq!(parse(&source(whole(&Lock::default()))), Ok(Lock::default()));
    }

    #[test]
    fn a_lock_of_endless_nodes_is_refused() {
        let text = format!("{HEAD}images: [{}]\n", "[],".repeat(1_000_000));
        assert!(parse(&source(text)).is_err());
    }

    #[test]
    fn a_lock_with_many_entries_is_read() {
        let entry = |n| format!("- {{image: 'a.io/b:{n}', tag: '{n}', digest: '{A}'}}\n");
        let entries: String = (0..50_000).map(entry).collect();
        let lock = parse(&source(format!("{HEAD}images:\n{entries}"))).expect("a lock");
        assert_eq!(lock.images().count(), 50_000);
    }
}
