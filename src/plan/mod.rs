//! Plan: the distinct images of a run, each with all its places.
//!
//! Two ways to write one reference (`nginx:1`, `docker.io/library/nginx:1`) are one image, so that
//! no two places can ever get different answers. What is pinned, skipped or filled in later is
//! settled here and never reaches a registry.

mod outcome;

use std::collections::BTreeMap;
use std::fmt;

use crate::image::{Asked, Digest, Globs, ParseError, Reference, Repository, Tagged};
use crate::places::{Image, Place, SkipReason};
use crate::registry::Refusal;

pub use outcome::{Answers, Picked, Pin, RegistryNotes, Search, Settled, Substitute, Tried, Via};

/// What becomes of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Names a tag that is to be resolved.
    Tagged(Tagged),
    /// Gets this digest.
    Pinned(Pin),
    /// Does not exist, or is invalid; a rule found another.
    Substituted(Substitute, Search),
    /// Has a digest already.
    Already,
    /// Is left alone.
    Skipped(Skip),
    /// Only looks like an image, and stays as it is.
    Candidate,
    /// Is filled in by something else, later.
    Placeholder,
    /// Is no reference, for this reason; and what the rules came to, if its tag alone is wrong.
    Invalid(ParseError, Search),
    /// Has no digest, for this reason.
    Unresolved(Refusal, Search),
}

impl Status {
    /// One word for it, as reports write it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Tagged(_) => "tagged",
            Self::Pinned(_) => "pinned",
            Self::Substituted(..) => "substituted",
            Self::Already => "already",
            Self::Skipped(_) => "skipped",
            Self::Candidate => "candidate",
            Self::Placeholder => "placeholder",
            Self::Invalid(..) => "invalid",
            Self::Unresolved(..) => "unresolved",
        }
    }
}

/// What an image is left alone by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skip {
    /// This glob of `--skip`.
    Flag(String),
    /// This glob of a configuration.
    Configuration(String),
    /// Something at its place.
    Place(SkipReason),
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(glob) => write!(f, "`--skip {glob}`"),
            Self::Configuration(glob) => write!(f, "`{glob}` in `skip` of the configuration"),
            Self::Place(SkipReason::Annotation) => {
                f.write_str("the annotation `digestif.dev/skip`")
            }
            Self::Place(SkipReason::Comment) => f.write_str("the comment `# digestif: skip`"),
            Self::Place(SkipReason::Configured) => {
                f.write_str("`pin: false` in `fields` of the configuration")
            }
            Self::Place(SkipReason::Candidate) => {
                f.write_str("nobody asked for its class with `--include`")
            }
            Self::Place(SkipReason::Operator(reason)) => f.write_str(reason),
        }
    }
}

/// One distinct image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The full name; for what is no reference, the text.
    pub name: String,
    /// What becomes of it.
    pub status: Status,
    /// Indexes of its places, in the order of the input; empty only for an image that is asked
    /// about by itself.
    pub places: Vec<usize>,
}

/// All images of a run, in the order in which they appear first.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The images.
    pub entries: Vec<Entry>,
    /// Digests of tags that need not be asked for, whoever wants them.
    pub known: BTreeMap<Tagged, Pin>,
}

/// Images that are left alone.
#[derive(Debug, Default, Clone)]
pub struct Skips {
    /// By `--skip`. One of them that fits nothing is a slip.
    pub flags: Globs,
    /// By a configuration, which may serve many inputs.
    pub configured: Globs,
}

impl Skips {
    fn skip(&self, repository: &Repository) -> Option<Skip> {
        let flag = self.flags.fitting(repository).map(|glob| Skip::Flag(glob.to_owned()));
        let configured = || self.configured.fitting(repository);
        flag.or_else(|| configured().map(|glob| Skip::Configuration(glob.to_owned())))
    }

    /// The globs of `--skip` that fit no image.
    pub fn unused<'s>(&'s self, places: &[Place]) -> impl Iterator<Item = &'s str> + use<'s> {
        let repositories: Vec<_> =
            places.iter().filter_map(|place| repository(&place.image)).collect();
        self.flags.unused(&repositories)
    }
}

fn repository(image: &Image) -> Option<&Repository> {
    match image {
        Image::Reference(written) => Some(match written.reference() {
            Reference::Tagged(tagged) => &tagged.repository,
            Reference::Pinned(pinned) => &pinned.repository,
        }),
        _ => None,
    }
}

impl Plan {
    /// Groups the places by image.
    #[must_use]
    pub fn new(places: &[Place], skips: &Skips) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        // An image that is left alone at one place may be pinned at another.
        let mut known: BTreeMap<(String, Option<SkipReason>), usize> = BTreeMap::new();
        for (n, place) in places.iter().enumerate() {
            let (name, status) = settle(&place.image, place.text(), skips);
            // Without a tag it need not be `latest` that is meant.
            let is_operators = matches!(place.left, Some(SkipReason::Operator(_)));
            let status = match status {
                Status::Skipped(_) if is_operators => status,
                _ => place.left.map_or(status, left_alone),
            };
            let name = if is_operators { place.text().to_owned() } else { name };
            let entry = *known.entry((name.clone(), place.left)).or_insert_with(|| {
                entries.push(Entry { name, status, places: Vec::new() });
                entries.len() - 1
            });
            entries[entry].places.push(n);
        }
        Self { entries, ..Self::default() }
    }

    /// The image at each of this many places; none at places that belong to no image.
    #[must_use]
    pub fn by_place(&self, places: usize) -> Vec<Option<&Entry>> {
        let mut entries = vec![None; places];
        for entry in &self.entries {
            for &place in &entry.places {
                entries[place] = Some(entry);
            }
        }
        entries
    }

    /// The plan in which the tags beside digests, of these repositories, are asked for once more.
    #[must_use]
    pub fn reopened(self, places: &[Place], update: &Globs) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for mut entry in self.entries {
            if entry.status == Status::Already
                && let Some((tagged, _)) = entry.places.first().and_then(|&n| pinned(&places[n]))
                && update.fit(&tagged.repository)
            {
                entry = Entry { name: tagged.to_string(), status: Status::Tagged(tagged), ..entry };
            }
            // What is left alone stays so, whatever is written elsewhere.
            let is_asked = matches!(entry.status, Status::Tagged(_));
            let same = known.get(&entry.name).filter(|_| is_asked);
            if let Some(&n) = same {
                entries[n].places.extend(entry.places);
                entries[n].places.sort_unstable();
            } else {
                if is_asked {
                    known.insert(entry.name.clone(), entries.len());
                }
                entries.push(entry);
            }
        }
        Self { entries, ..self }
    }

    /// The plan for one text, wherever it may stand.
    #[must_use]
    pub fn of(text: &str, skips: &Skips) -> Self {
        let (name, status) = settle(&Image::read(text), text, skips);
        let entries = vec![Entry { name, status, places: Vec::new() }];
        Self { entries, ..Self::default() }
    }

    /// The references that need a digest, and those whose tag is wrong.
    pub fn unsettled(&self) -> impl Iterator<Item = Question<'_>> {
        self.entries.iter().filter_map(|entry| match &entry.status {
            Status::Tagged(tagged) => Some(Question::Tagged(tagged)),
            Status::Invalid(error, _) => error.asked().map(Question::Invalid),
            _ => None,
        })
    }

    /// The plan with every answer in its place.
    #[must_use]
    pub fn settled(mut self, answers: &Answers) -> Self {
        for entry in &mut self.entries {
            let is_asked = match &entry.status {
                Status::Tagged(_) => true,
                Status::Invalid(error, _) => error.asked().is_some(),
                _ => false,
            };
            let answer = answers.settled.get(&entry.name).filter(|_| is_asked);
            let Some(answer) = answer.cloned() else { continue };
            entry.status = match (answer, &entry.status) {
                (Settled::Pinned(pin), _) => Status::Pinned(pin),
                (Settled::Substituted(substitute, search), _) => {
                    Status::Substituted(substitute, search)
                }
                (Settled::Invalid(search), Status::Invalid(error, _)) => {
                    Status::Invalid(error.clone(), search)
                }
                (Settled::Unresolved(refusal, search), _) => Status::Unresolved(refusal, search),
                (Settled::Invalid(_), status) => status.clone(),
            };
        }
        self
    }
}

/// What a tag beside a digest names, and the digest.
pub(crate) fn pinned(place: &Place) -> Option<(Tagged, &Digest)> {
    let Image::Reference(written) = &place.image else { return None };
    let Reference::Pinned(pinned) = written.reference() else { return None };
    let (repository, tag) = (pinned.repository.clone(), pinned.tag.clone()?);
    Some((Tagged { repository, tag }, &pinned.digest))
}

/// What is to be found out about an image.
#[derive(Debug, Clone, Copy)]
pub enum Question<'p> {
    /// The digest of this.
    Tagged(&'p Tagged),
    /// What was meant by this, whose tag is invalid.
    Invalid(&'p Asked),
}

impl<'p> Question<'p> {
    /// The repository that it is about.
    #[must_use]
    pub fn repository(self) -> &'p Repository {
        match self {
            Self::Tagged(tagged) => &tagged.repository,
            Self::Invalid(asked) => &asked.repository,
        }
    }
}

impl Question<'_> {
    /// What is asked for.
    #[must_use]
    pub fn asked(self) -> Asked {
        match self {
            Self::Tagged(tagged) => Asked::from(tagged),
            Self::Invalid(asked) => asked.clone(),
        }
    }
}

impl fmt::Display for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tagged(tagged) => tagged.fmt(f),
            Self::Invalid(asked) => asked.fmt(f),
        }
    }
}

fn left_alone(left: SkipReason) -> Status {
    if left == SkipReason::Candidate {
        Status::Candidate
    } else {
        Status::Skipped(Skip::Place(left))
    }
}

fn settle(image: &Image, text: &str, skips: &Skips) -> (String, Status) {
    match image {
        Image::Placeholder => (text.to_owned(), Status::Placeholder),
        Image::Invalid(error) => {
            let name = error.asked().map_or_else(|| text.to_owned(), ToString::to_string);
            let skip = error.asked().and_then(|asked| skips.skip(&asked.repository));
            let invalid = || Status::Invalid(error.clone(), Search::default());
            (name, skip.map_or_else(invalid, Status::Skipped))
        }
        Image::Reference(written) => {
            let status = match written.reference() {
                Reference::Tagged(tagged) => Status::Tagged(tagged.clone()),
                Reference::Pinned(_) => Status::Already,
            };
            let skip = repository(image).and_then(|repository| skips.skip(repository));
            (written.reference().to_string(), skip.map_or(status, Status::Skipped))
        }
    }
}
