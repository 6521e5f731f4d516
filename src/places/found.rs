//! Found: everything that the sources of a run contain.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use super::context::Context;
use super::finding::{FieldSeen, Findings};
use super::outline::outline;
use super::place::{Class, Place};
use super::scope::Scope;
use super::values::named::NamedValues;
use super::{
    candidates, field_rules, json_patch, kustomization, mistaken, pod_spec, pull_secrets, readers,
    schema, settle, values,
};
use crate::credentials::PullSecret;
use crate::diagnostic::{Diagnostic, Failure, Location, RuleId};
use crate::text::escape::quoted;
use crate::text::yaml::{BlockItem, Content, Document, Node, NodeId, documents};
use crate::text::{Source, Span};

/// Everything that was found in the input.
#[derive(Debug)]
pub struct Found {
    /// The places, in the order of the input.
    pub places: Vec<Place>,
    /// The number of Kubernetes objects: mappings with a `kind`, items of lists included.
    pub objects: usize,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// Images that are empty.
    pub empty: Vec<Location>,
    /// The items of lists such as `kubectl get` prints and functions get, by the index of their source.
    pub list_items: BTreeMap<usize, Vec<BlockItem>>,
    /// Logins for registries, in the order of the input.
    pub pull_secrets: Vec<PullSecret>,
    /// True if every document could be read.
    pub complete: bool,
    /// True if an object has the annotation by which Helm 4 takes a post-renderer's output apart.
    pub is_from_helm_4: bool,
    /// The objects that have values of charts.
    named: Rc<NamedValues>,
    /// The fields of the configuration that occur in the input, by their numbers.
    seen: BTreeMap<usize, FieldSeen>,
}

impl Default for Found {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            objects: 0,
            diagnostics: Vec::new(),
            empty: Vec::new(),
            list_items: BTreeMap::new(),
            pull_secrets: Vec::new(),
            complete: true,
            is_from_helm_4: false,
            named: Rc::default(),
            seen: BTreeMap::new(),
        }
    }
}

impl Found {
    /// Nothing yet, before these sources are read.
    #[must_use]
    pub fn before(sources: &[Source]) -> Self {
        Self { named: Rc::new(NamedValues::of(sources)), ..Self::default() }
    }

    /// Reads a source and adds what it contains.
    pub fn read(&mut self, source: &Source, index: usize, scope: &Scope) {
        for (n, document) in documents(source, index).enumerate() {
            match document {
                Ok(document) => {
                    self.read_document((source, index), (n + 1, &document), scope);
                }
                Err(diagnostic) => {
                    self.complete = false;
                    let diagnostic = mistaken::explain_syntax_error(source, diagnostic);
                    self.unreadable(without_secrets(source, diagnostic));
                }
            }
        }
    }

    /// Adds a warning for each field of the configuration whose kind is in the input and that matches
    /// nothing there.
    pub fn note_idle_fields(&mut self, scope: &Scope) {
        for (n, seen) in &self.seen {
            let field = scope.fields.get(*n).filter(|field| !field.kind.is_empty());
            let Some(field) = field.filter(|_| *seen == FieldSeen::Kind) else { continue };
            let (path, kind) = (quoted(&field.path.to_string()), quoted(&field.kind));
            let message = format!("{path} in `fields` matches nothing in any {kind}");
            self.diagnostics.push(Diagnostic::warning(message).help(
                "`digestif images` prints the paths of candidates; `fields` takes them as they are",
            ));
        }
    }

    /// Adds an error that ended the reading of a source; one for all templates of a chart.
    fn unreadable(&mut self, error: Diagnostic) {
        let is_same = |other: &&mut Diagnostic| {
            (&other.message, &other.help) == (&error.message, &error.help)
        };
        match self.diagnostics.iter_mut().find(is_same) {
            Some(other) if mistaken::is_template(&error) => other.locations.extend(error.locations),
            _ => self.diagnostics.push(error),
        }
    }

    /// Adds what a document contains. The source comes with its index, and the document with its number,
    /// from 1.
    pub fn read_document(
        &mut self,
        (source, index): (&Source, usize),
        (number, document): (usize, &Document<'_>),
        scope: &Scope,
    ) {
        let named = Rc::clone(&self.named);
        let ctx = Context { source, index, number, document, scope, named: &named };
        let Some(root) = document.root() else { return };
        let node = document.node(root);
        if !matches!(node.content, Content::Mapping { .. }) {
            let patch = json_patch::find(ctx, root);
            self.no_object(ctx.source, ctx.index, (ctx.number, node), patch.is_some());
            if self.complete
                && let Some(found) = patch
            {
                let (places, diagnostics) =
                    settle::places(ctx, found, &HashSet::new(), self.places.len());
                self.places.extend(places);
                self.diagnostics.extend(diagnostics);
            }
            return;
        }
        if let Some(error) = readers::object_as_key(ctx, root) {
            self.complete = false;
            self.diagnostics.push(error);
            return;
        }
        if let Some((_, items)) = document.own_entry(root, "items") {
            self.list_items.entry(index).or_default().extend(document.block_items(source, items));
        }
        let outline = outline(ctx, root);
        self.objects += outline.objects;
        self.is_from_helm_4 |= outline.is_from_helm_4;
        let owners = &outline.owners;
        self.diagnostics.extend(readers::disagreements(ctx, &outline.roots, owners));
        for &root in &outline.roots {
            self.pull_secret(ctx.source, document, root);
        }
        let found = kustomization::find(ctx, owners, Findings::default());
        let found = pod_spec::find(ctx, owners, found);
        let (found, no_image) = field_rules::find(ctx, owners, found);
        let (found, values) = values::find(ctx, owners, &no_image, found);
        // `--include values` includes files of values.
        let is_input = values.are_file && ctx.scope.includes_some(Class::Values);
        self.objects += usize::from(is_input && outline.objects == 0);
        let found = candidates::find(ctx, owners, &no_image, &values, found);
        let mut found = schema::find(ctx, owners, found);
        self.empty.append(&mut found.empty);
        for (n, seen) in std::mem::take(&mut found.seen) {
            let known = self.seen.entry(n).or_insert(seen);
            *known = seen.max(*known);
        }
        let configured = field_rules::configured(ctx, owners);
        let (places, diagnostics) = settle::places(ctx, found, &configured, self.places.len());
        self.places.extend(places);
        self.diagnostics.extend(diagnostics);
    }

    fn pull_secret(&mut self, source: &Source, document: &Document<'_>, root: NodeId) {
        match pull_secrets::pull_secret(document, root) {
            Some(Ok(secret)) => self.pull_secrets.push(secret),
            Some(Err(node)) => {
                self.diagnostics.push(pull_secrets::unreadable(source, document, node));
            }
            None => {}
        }
    }

    /// Handles a document that is no object. In a file, a list may be a patch for kustomize beside
    /// the manifests; on stdin, and as plain text, it is a sign that something failed.
    fn no_object(
        &mut self,
        source: &Source,
        index: usize,
        (number, node): (usize, &Node<'_>),
        is_patch: bool,
    ) {
        let found = describe(&node.content);
        let note = format!("document {number} is {found}, not a mapping with `kind`");
        let may_be_left =
            source.origin().path().is_some() && matches!(node.content, Content::Sequence(_));
        let diagnostic = if may_be_left {
            let message = "a document that is not a Kubernetes object is left alone";
            let warning = Diagnostic::warning(message.to_owned());
            let help = "the images of a patch are only listed: pin the output of kustomize";
            if is_patch { warning.help(help) } else { warning }
        } else {
            self.complete = false;
            let message = "the input holds no Kubernetes object".to_owned();
            Diagnostic::error(Failure::Input, message).of(RuleId::Empty).help(
                "check the command that renders it: its output may be an error message or a web page",
            )
        };
        let span = Span::new(node.span.start, node.span.end.min(node.span.start + 1));
        let location = if source.origin().path().is_none() {
            Location::Source { source: index, span, label: String::new() }
        } else {
            // It may be a link to a file of somebody's secrets.
            Location::Position(source.origin().display_name(), source.position(span.start))
        };
        self.diagnostics.push(diagnostic.location(location).note("note", note));
    }
}

/// An error about a document that can't be read, without its lines if they may be secret.
fn without_secrets(source: &Source, mut diagnostic: Diagnostic) -> Diagnostic {
    for location in &mut diagnostic.locations {
        if let Location::Source { span, .. } = location
            && !may_be_shown(source, span.start)
        {
            let name = source.origin().display_name();
            *location = Location::Position(name, source.position(span.start));
        }
    }
    diagnostic
}

/// True if the document around an offset looks like an object that is no `Secret`. It can't be parsed, so
/// its lines have to tell. Argo CD showed the lines of other files (CVE-2022-24904).
fn may_be_shown(source: &Source, at: usize) -> bool {
    let text = source.text();
    let start = text[..at].rfind("\n---").map_or(0, |start| start + 1);
    let end = text[at..].find("\n---").map_or(text.len(), |end| at + end);
    let document = &text[start..end];
    let has = |key: &str| {
        document
            .lines()
            .any(|line| line.trim_start_matches(['{', '"', ' ', '\'', '-']).starts_with(key))
    };
    // The caller chose stdin; a file may be a link.
    let is_meant = source.origin().path().is_none() || has("apiVersion") && has("kind");
    is_meant && !document.contains("Secret")
}

fn describe(content: &Content<'_>) -> &'static str {
    match content {
        Content::Sequence(_) => "a list",
        Content::Mapping { .. } => "a mapping",
        Content::Scalar { .. } => "a text",
        Content::Alias(_) | Content::UnknownAlias(_) => "an alias",
    }
}
