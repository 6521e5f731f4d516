//! Fields of the table and of the configuration, in one object.

use super::fields::{self, FieldPath, Form, PartsPin};
use super::walk::{Owner, Pending, Walk, is_tagged};
use super::{Class, Image, SkipReason, Writing, reference_text};
use crate::diagnostic::{Diagnostic, Failure};
use crate::text::escape::quoted;
use crate::text::yaml::{Content, NodeId};

/// What references stand behind in URLs (containerized data importer; model images of `KServe`).
const SCHEMES: [&str; 2] = [DOCKER, "oci://"];
const DOCKER: &str = "docker://";

const SCHEDULED: SkipReason =
    SkipReason::Operator("OpenShift imports it on a schedule, which it refuses for digests");

impl Walk<'_, '_> {
    /// Adds the places that a mapping with `apiVersion` and `kind` has by the table and by the
    /// configuration. Gives what is known to be no image there.
    pub(super) fn listed(&mut self, owner: &Owner, object: NodeId) -> Vec<NodeId> {
        let document = self.document;
        let text = |key| document.string_at(object, &[key]).unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let scope = self.scope;
        for field in scope.fields.iter().filter(|field| field.is_of(group, version, kind)) {
            let left = (!field.pin).then_some(SkipReason::Configured);
            for node in self.ends(&field.path, object) {
                if !field.pin {
                    self.configured.insert(node);
                }
                self.reference(owner, node, Writing::Reference, left);
            }
        }
        let mut left = Vec::new();
        for row in fields::rows(group, kind) {
            if !row.version.is_empty() && row.version != version {
                continue;
            }
            if row.form == Form::SkipReason {
                left.extend(row.path.ends(document, object, |_| ()));
                continue;
            }
            for node in self.ends(&row.path, object) {
                self.listed_field(owner, node, row);
            }
        }
        left
    }

    fn ends(&mut self, path: &FieldPath, object: NodeId) -> Vec<NodeId> {
        let document = self.document;
        path.ends(document, object, |node| self.note_aliases(node))
    }

    fn listed_field(&mut self, owner: &Owner, node: NodeId, row: &fields::Row) {
        let document = self.document;
        let untagged = || {
            let text = document.string(node).map(reference_text)?;
            let Image::Reference(written) = Image::read(text) else { return None };
            let is_bare = written.text() == written.name();
            is_bare.then_some(SkipReason::Operator(row.note))
        };
        match row.form {
            Form::Reference => self.reference(owner, node, Writing::Reference, None),
            Form::Tagged => self.reference(owner, node, Writing::Tagged, untagged()),
            Form::Versioned => self.reference(owner, node, Writing::Reference, untagged()),
            Form::Url => self.url(owner, node),
            Form::DockerImage if document.string_at(node, &["kind"]) == Some("DockerImage") => {
                let left = self.is_scheduled(node).then_some(SCHEDULED);
                for name in document.values(node, "name") {
                    self.reference(owner, name, Writing::Reference, left);
                }
            }
            Form::Parts(join, pin) => {
                let (writing, left) = match pin {
                    PartsPin::Behind => (Writing::Tag, None),
                    PartsPin::Instead => (Writing::Digest, None),
                    PartsPin::Never => (Writing::Tag, Some(SkipReason::Operator(row.note))),
                };
                // What is pinned is all right.
                let left = |image: &Image| left.filter(|_| is_tagged(image));
                self.parts(owner, node, join, Class::Parts, writing, left);
            }
            Form::Reported => self.reported(owner, node),
            Form::DockerImage | Form::SkipReason => {}
        }
    }

    fn reference(
        &mut self,
        owner: &Owner,
        node: NodeId,
        writing: Writing,
        left: Option<SkipReason>,
    ) {
        let Some(text) = self.value(node).map(reference_text) else { return };
        if text.is_empty() || !self.is_new(node) {
            return;
        }
        let left = owner.opt_out.takes(None).then_some(SkipReason::Annotation).or(left);
        let pending = Pending { writing, left, ..self.field_place(owner, node, text) };
        self.place(pending, owner.root);
    }

    /// Whether OpenShift imports a tag of an image stream again and again, which it refuses for
    /// digests (openshift, `ValidateImageStreamTagReference`).
    fn is_scheduled(&self, from: NodeId) -> bool {
        let document = self.document;
        let policy = document.node(from).parent.and_then(|tag| document.value(tag, "importPolicy"));
        let scheduled = policy.and_then(|policy| document.value(policy, "scheduled"));
        scheduled.is_some_and(|scheduled| {
            let node = document.node(document.target(scheduled));
            matches!(&node.content, Content::Scalar { text, .. } if text == "true")
        })
    }

    /// A place for the whole text of a node.
    fn field_place(&mut self, owner: &Owner, node: NodeId, text: &str) -> Pending {
        Pending {
            object: owner.object.clone(),
            container: None,
            path: self.paths.of(self.document, owner.root, node),
            node,
            part: 0..text.len(),
            class: Class::Field,
            image: Image::read(text),
            name: None,
            writing: Writing::Reference,
            left: None,
        }
    }

    fn url(&mut self, owner: &Owner, node: NodeId) {
        let Some(url) = self.value(node).map(reference_text) else { return };
        let rest = SCHEMES.iter().find_map(|scheme| url.strip_prefix(scheme));
        if let Some(text) = rest.filter(|text| !text.is_empty())
            && self.is_new(node)
        {
            let part = url.len() - text.len()..url.len();
            let left = owner.opt_out.takes(None).then_some(SkipReason::Annotation);
            let image = Image::read(text);
            // containers/image refuses a tag beside a digest there (skopeo#2367).
            let writing =
                if url.starts_with(DOCKER) { Writing::Untagged } else { Writing::Reference };
            let pending =
                Pending { part, image, writing, left, ..self.field_place(owner, node, text) };
            self.place(pending, owner.root);
        }
    }

    fn reported(&mut self, owner: &Owner, node: NodeId) {
        let Some(text) = self.value(node).map(reference_text) else { return };
        if let Image::Reference(_) = Image::read(text)
            && self.is_new(node)
        {
            let left = Some(SkipReason::Candidate);
            let pending =
                Pending { class: Class::Other, left, ..self.field_place(owner, node, text) };
            self.place(pending, owner.root);
        }
    }

    /// A reference in several fields of a mapping, joined as the operator joins them.
    pub(super) fn parts(
        &mut self,
        owner: &Owner,
        holder: NodeId,
        join: &str,
        class: Class,
        writing: Writing,
        left: impl Fn(&Image) -> Option<SkipReason>,
    ) {
        let document = self.document;
        let mut joined = String::new();
        let mut nodes = Vec::new();
        let mut last = None;
        for part in join.split_inclusive('}') {
            let (between, key) = part.split_once('{').expect("every part is a key in braces");
            let key = key.trim_end_matches('}');
            let Some(node) = document.value(holder, key) else { return };
            let Some(text) = document.string(node).map(reference_text).filter(|t| !t.is_empty())
            else {
                return;
            };
            let is_digest = between == ":" && text.starts_with("sha256:");
            joined.push_str(if is_digest { "@" } else { between });
            joined.push_str(text);
            nodes.push(node);
            last = Some((node, text));
        }
        let Some((node, text)) = last else { return };
        // What is set there wins over these parts.
        if join.starts_with("{baseImage}") && document.string_at(holder, &["image"]).is_some() {
            return;
        }
        let image = Image::read(&joined);
        let opted_out = owner.opt_out.takes(None).then_some(SkipReason::Annotation);
        let left = opted_out.or_else(|| left(&image));
        if !self.is_new(node) && !self.is_shared(node, &joined, left) {
            return;
        }
        self.note_alias(node);
        // The others are no images by themselves.
        for node in nodes {
            self.is_new(node);
        }
        let pending = Pending {
            class,
            left,
            image,
            name: Some(joined),
            writing,
            ..self.field_place(owner, node, text)
        };
        self.place(pending, owner.root);
    }

    /// Whether one field is a part of several images, all of which are left alone. Where one of them
    /// is pinned, the field can't be right for both.
    fn is_shared(&mut self, node: NodeId, joined: &str, left: Option<SkipReason>) -> bool {
        let others = self.places.iter().filter(|place| place.node == node);
        let other = others.filter_map(|place| Some((place.name.as_deref()?, place.left)));
        let Some((name, other)) = other.into_iter().find(|(name, _)| *name != joined) else {
            return false;
        };
        if left.is_some() && other.is_some() {
            return true;
        }
        let message =
            format!("one field is a part of two images, {} and {}", quoted(name), quoted(joined));
        let error = Diagnostic::error(Failure::Input, message).location(self.location(node));
        self.diagnostics
            .push(error.help("write it out for each of them, instead of merging it in"));
        false
    }
}
