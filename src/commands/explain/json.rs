//! The JSON form of an explanation, and its schema.

use schemars::JsonSchema;
use serde::Serialize;

use super::Explanation;
use super::candidates::Candidate;
use super::trace::Traced;
use crate::fallback::Suggestion;
use crate::fallback::tag::Reading;
use crate::image::Platform;
use crate::report::json::{self, Reported};

/// The version of the JSON form; it changes when a field changes its meaning.
const SCHEMA: &str = "digestif.explain/v1";

/// An explanation as JSON.
#[derive(Serialize, JsonSchema)]
pub(super) struct Json {
    /// `digestif.explain/v1`.
    schema: &'static str,
    #[serde(flatten)]
    image: Reported,
    /// The parts of the tag with their meanings, in order.
    reading: Vec<Part>,
    /// The result of each rule, in order.
    rules: Vec<Traced>,
    /// The images that exist and could be used: the result, those of `suggestions`, and the nearest tags.
    candidates: Vec<Existing>,
    /// Rules that would lead to an image, best first.
    suggestions: Vec<Suggested>,
}

/// A part of a tag.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Part {
    pub(super) text: String,
    /// `version`, `pre-release`, `build`, `distribution`, `metadata`, `commit`, `channel`,
    /// `architecture`, `base`, `flavour`, `system`, or `name` for a word that is not known.
    pub(super) meaning: &'static str,
}

/// An image that exists and could be used.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Existing {
    reference: String,
    digest: String,
    /// The platforms that it is for, such as `linux/arm64`; absent if they could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    platforms: Option<Vec<String>>,
    /// The reason why the platforms could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<String>,
    /// The other candidates with the same digest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    equals: Vec<String>,
}

/// A rule to add.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Suggested {
    /// `try`, `version`, `preset`, `max-minor-skew` or `repository`.
    kind: &'static str,
    /// The reference that it leads to.
    reference: String,
    /// The digest of that.
    digest: String,
    /// The flag with the same meaning, ready for a shell; absent if no flag can express it.
    #[serde(skip_serializing_if = "Option::is_none")]
    flag: Option<String>,
    /// An item of `fallbacks` in a configuration.
    yaml: String,
    /// The condition for choosing it.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// True if another suggestion is as good, so that none is recommended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    tied: bool,
}

impl From<&Suggestion> for Suggested {
    fn from(suggestion: &Suggestion) -> Self {
        Self {
            kind: suggestion.kind.word(),
            reference: suggestion.tagged.to_string(),
            digest: suggestion.digest.to_string(),
            flag: suggestion.flag.clone(),
            yaml: suggestion.yaml(),
            note: suggestion.note.clone(),
            tied: suggestion.is_tied,
        }
    }
}

/// The JSON Schema of the JSON form.
#[must_use]
pub fn schema() -> String {
    json::schema_of::<Json>()
}

impl Explanation {
    /// As JSON: the image as a report has it, what its tag means, the rules, and rules to add.
    #[must_use]
    pub fn json(&self) -> String {
        json::text(&Json {
            schema: SCHEMA,
            image: self.history.iter().fold(json::image(&self.entry, Vec::new()), Reported::aged),
            reading: self.reading(),
            candidates: self.candidates.iter().map(|one| self.existing(one)).collect(),
            suggestions: self.suggestions.iter().map(Suggested::from).collect(),
            rules: self.rules.clone(),
        })
    }

    fn existing(&self, candidate: &Candidate) -> Existing {
        let platforms = candidate.platforms.as_ref();
        let names = |own: &Vec<Platform>| own.iter().map(ToString::to_string).collect();
        let equals = self.equal_to(candidate).map(|other| other.tagged.to_string());
        Existing {
            reference: candidate.tagged.to_string(),
            digest: candidate.digest.to_string(),
            platforms: platforms.ok().map(names),
            unknown: platforms.err().cloned(),
            equals: equals.collect(),
        }
    }

    /// The meaning of the parts of the tag.
    pub(super) fn reading(&self) -> Vec<Part> {
        let Some(asked) = self.entry.name.asked() else { return Vec::new() };
        let part = |(meaning, text): (_, &str)| Part { text: text.to_owned(), meaning };
        Reading::of(&asked.tag).described().map(part).collect()
    }
}
