//! Images that a mapping names in several fields, as the values of charts do: `repository` and `tag`,
//! with or without `registry` and `digest`, or under the usual other names.

use super::image_like::says_image;
use super::place::{Image, Writing};
use crate::image::has_host;
use crate::text::yaml::{Content, Document, NodeId};

/// The keys of a repository, in any mapping.
const REPOSITORIES: [&str; 3] = ["repository", "repo", "imageRepository"];
/// The keys of a registry's host.
const REGISTRIES: [&str; 2] = ["registry", "imageRegistry"];
/// The keys of a tag. `version` may be that of something else.
const TAGS: [&str; 2] = ["tag", "imageTag"];
/// Keys that only the settings of an image have.
const IMAGE_SETTINGS: [&str; 4] = ["pullPolicy", "imagePullPolicy", "pullSecrets", "digest"];

/// An image in several fields of one mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChartImage {
    /// The reference that the fields make; without a tag if the mapping has none.
    pub(super) name: String,
    /// The fields that are read.
    pub(super) nodes: Vec<NodeId>,
    /// The field that a digest is written into.
    pub(super) node: NodeId,
    /// The form of what is written there.
    pub(super) writing: Writing,
    /// False if no digest can be written there: the mapping has no tag, or its digest has another form.
    pub(super) can_pin: bool,
}

impl ChartImage {
    /// True if one of several fields that make the image is this one.
    pub(super) fn names(&self, field: NodeId) -> bool {
        (self.nodes.contains(&field) || self.node == field)
            && (self.nodes.len() > 1 || self.node != field)
    }
}

/// Fields that may make an image.
pub(super) enum Fields<'f> {
    /// The fields of a mapping.
    Of(NodeId),
    /// The parameters below a path, each with its last key.
    Below(&'f str, &'f [(&'f str, NodeId)]),
}

impl Fields<'_> {
    fn value(&self, document: &Document<'_>, key: &str) -> Option<NodeId> {
        match self {
            Self::Of(holder) => document.value(*holder, key),
            Self::Below(_, fields) => {
                fields.iter().rev().find(|(name, _)| *name == key).map(|&(_, node)| node)
            }
        }
    }

    /// True if the key of the fields, or the key above it, says image: `images: {web: …}`.
    fn say_image(&self, document: &Document<'_>) -> bool {
        match self {
            Self::Of(holder) => keys_above(document, *holder).take(2).any(says_image),
            Self::Below(path, _) => path.rsplit('.').take(2).any(says_image),
        }
    }

    /// True for an item of a list, whose name is that of the item.
    fn is_item(&self, document: &Document<'_>) -> bool {
        let Self::Of(holder) = self else { return false };
        let parent = document.node(*holder).parent;
        parent.is_some_and(|parent| !document.items(parent).is_empty())
    }
}

/// The keys of the mappings that hold a node, nearest first.
fn keys_above<'d>(document: &'d Document<'_>, node: NodeId) -> impl Iterator<Item = &'d str> {
    let nodes = std::iter::successors(Some(node), |&id| document.node(id).parent);
    nodes.filter_map(|id| {
        let node = document.node(id);
        let &(key, _) = document.entries(node.parent?).get(node.position)?;
        document.string(key)
    })
}

/// A field with its text.
type Field<'d> = (NodeId, &'d str);

/// The image that fields make; none if they make none.
pub(super) fn chart_image(document: &Document<'_>, holder: &Fields<'_>) -> Option<ChartImage> {
    if !REPOSITORIES.iter().chain(&TAGS).any(|key| holder.value(document, key).is_some()) {
        return None;
    }
    let says_image = holder.say_image(document)
        || IMAGE_SETTINGS.iter().any(|key| holder.value(document, key).is_some());
    let mut name = repository(document, holder, says_image)?;
    let tag = tag(document, holder, says_image, &name.text);
    let digest = holder.value(document, "digest").filter(|&digest| is_scalar(document, digest));
    let digest_text = digest.and_then(|digest| filled(document, digest));
    let sha = field(document, holder, &["sha"]).filter(|(_, text)| is_sha_256(text));
    if let Some((node, text)) = tag {
        let mark = if text.starts_with("sha256:") { "@" } else { ":" };
        name.push(node, mark, text);
    }
    let (node, writing, can_pin) = match (tag, digest, sha) {
        (Some((node, text)), ..) if text.contains("sha256:") => (node, Writing::Tag, true),
        (_, Some(digest), _) if digest_text.is_some() => {
            name.push(digest, "@", digest_text.unwrap_or_default());
            (digest, Writing::Digest, true)
        }
        (_, _, Some((node, text))) => {
            name.push(node, "@sha256:", text);
            (node, Writing::Digest, false)
        }
        (Some(_), Some(digest), _) => (digest, Writing::Digest, true),
        (Some((node, _)), None, _) => (node, Writing::Tag, true),
        (None, ..) if says_image || holder.value(document, "tag").is_some() => {
            (*name.nodes.last()?, Writing::Reference, false)
        }
        (None, ..) => return None,
    };
    let Name { text: name, nodes } = name;
    let is_image = !matches!(Image::read(&name), Image::Invalid(_));
    is_image.then_some(ChartImage { name, nodes, node, writing, can_pin })
}

/// A name in the making, and the fields that it is made of.
struct Name {
    text: String,
    nodes: Vec<NodeId>,
}

impl Name {
    fn push(&mut self, node: NodeId, before: &str, text: &str) {
        self.text.push_str(before);
        self.text.push_str(text);
        self.nodes.push(node);
    }
}

/// The repository that the fields of a mapping make.
fn repository(document: &Document<'_>, holder: &Fields<'_>, says_image: bool) -> Option<Name> {
    let field = |keys| field(document, holder, keys);
    let has_tag = field(&TAGS).is_some();
    let named = || field(&["name"]).filter(|_| says_image && has_tag);
    let image = field(&["image", "imageName"]);
    let (node, text) = field(&REPOSITORIES).or_else(|| image.filter(|_| has_tag)).or_else(named)?;
    let mut name = Name { text: String::new(), nodes: Vec::new() };
    let registry =
        field(&REGISTRIES).or_else(|| above(document, holder).filter(|_| !has_host(text)));
    if let Some((node, registry)) = registry
        && !text.starts_with(&format!("{registry}/"))
    {
        name.push(node, "", registry.trim_end_matches('/'));
        name.text.push('/');
    }
    name.push(node, "", text.trim_end_matches('/'));
    // `repository: nvcr.io/nvidia` and `image: driver` (NVIDIA's GPU operator).
    if let Some((at, image)) = image.filter(|&(at, image)| at != node && !image.contains('/')) {
        name.push(at, "/", image);
    }
    // `repository: k8ssandra` and `name: system-logger` (k8ssandra's operators).
    let is_part = |text: &str| !text.contains('/') && !name.text.ends_with(&format!("/{text}"));
    if let Some((at, part)) = field(&["name"]).filter(|&(at, text)| at != node && is_part(text))
        && holder.say_image(document)
        && !holder.is_item(document)
    {
        name.push(at, "/", part);
    }
    let names_a_tag = name.text.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
    (!names_a_tag).then_some(name)
}

/// The `base` of the names of images in a mapping above, as Piraeus has it.
fn above<'d>(document: &'d Document<'_>, holder: &Fields<'_>) -> Option<Field<'d>> {
    let &Fields::Of(holder) = holder else { return None };
    let mut holders = std::iter::successors(Some(holder), |&id| document.node(id).parent);
    let base = holders.find_map(|id| field(document, &Fields::Of(id), &["base"]));
    base.filter(|(_, text)| has_host(text))
}

fn tag<'d>(
    document: &'d Document<'_>,
    holder: &Fields<'_>,
    says_image: bool,
    repository: &str,
) -> Option<Field<'d>> {
    // Other things have a repository and a version, too.
    let is_image = says_image || has_host(repository);
    let version = || field(document, holder, &["version"]).filter(|_| is_image);
    field(document, holder, &TAGS).or_else(version)
}

/// The first of these fields that has a text.
fn field<'d>(document: &'d Document<'_>, holder: &Fields<'_>, keys: &[&str]) -> Option<Field<'d>> {
    let value = |key: &&str| holder.value(document, key);
    keys.iter().filter_map(value).find_map(|node| Some((node, filled(document, node)?)))
}

/// The text of a scalar, as it is written; none if it is empty, or null or a boolean.
fn filled<'d>(document: &'d Document<'_>, node: NodeId) -> Option<&'d str> {
    let text = document.scalar(node)?.trim_end_matches(['\n', '\r']);
    let is_number = || text.starts_with(|c: char| c.is_ascii_digit());
    (!text.is_empty() && (document.string(node).is_some() || is_number())).then_some(text)
}

fn is_scalar(document: &Document<'_>, node: NodeId) -> bool {
    matches!(document.node(document.target(node)).content, Content::Scalar { .. })
}

/// True for the hexadecimal part of a digest, as the charts of Prometheus and Grafana take it.
fn is_sha_256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
