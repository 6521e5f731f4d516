//! The outline of a document: its objects, the nodes of each that the rules look at, and what is
//! left out.
//!
//! An alias is not followed, because its target comes earlier in the document and is visited there.
//! Only a target that is left out is visited for its alias.

use std::collections::HashSet;
use std::rc::Rc;

use super::context::Context;
use super::finding::Owner;
use super::image_triggers::ImageTriggers;
use super::object::Object;
use super::scope::OptOuts;
use super::skip_annotation::OptOut;
use crate::text::Span;
use crate::text::yaml::{Content, Document, NodeId};

/// The annotation that Helm 4 sets on each object for a post-renderer (helm, `pkg/action/action.go`).
const HELM_4_MARK: [&str; 3] =
    ["metadata", "annotations", "postrenderer.helm.sh/postrender-filename"];

/// The objects of a document.
#[derive(Default)]
pub(super) struct Outline {
    /// The objects that the rules look at.
    pub(super) owners: Vec<Owner>,
    /// The roots of all objects, also of those that the rules do not look at.
    pub(super) roots: Vec<NodeId>,
    /// The number of roots that count as objects.
    pub(super) objects: usize,
    /// An object has the annotation of Helm 4.
    pub(super) is_from_helm_4: bool,
    /// Nodes that are left out.
    excluded: Vec<Span>,
    /// The targets of aliases, each with the number of the owner that has the alias.
    aliased: Vec<(usize, NodeId)>,
}

/// True if an object has the annotation of Helm 4.
pub(crate) fn is_from_helm_4(document: &Document<'_>, root: NodeId) -> bool {
    document.string_at(root, &HELM_4_MARK).is_some()
}

/// Lists the objects of a document, items of lists included.
pub(super) fn outline(ctx: Context<'_, '_>, root: NodeId) -> Outline {
    let document = ctx.document;
    let mut outline = Outline::default();
    let mut open = vec![root];
    let mut seen = HashSet::new();
    while let Some(root) = open.pop() {
        if !seen.insert(root) {
            continue;
        }
        let items = list_items(document, root);
        open.extend(items.iter().rev().map(|&item| document.target(item)));
        outline.roots.push(root);
        outline.objects += usize::from(is_object(document, root) && items.is_empty());
        outline.is_from_helm_4 |= is_from_helm_4(document, root);
        // Fields beside the items of a function's input belong to the function.
        if document.string_at(root, &["kind"]) != Some("ResourceList") {
            outline.add(ctx, root, &items);
        }
    }
    outline.follow(ctx);
    outline
}

impl Outline {
    /// Adds an object, down to those of its `items` that are objects.
    fn add(&mut self, ctx: Context<'_, '_>, root: NodeId, items: &[NodeId]) {
        let document = ctx.document;
        let object = Object::of(document, root);
        if configures_kpt(&object) {
            self.excluded.push(document.node(root).span);
            return;
        }
        let has_patterns =
            object.group() == "kyverno.io" || object.group().ends_with(".kyverno.io");
        let mut owner = Owner {
            root,
            object: Rc::new(object),
            has_patterns,
            opt_out: match ctx.scope.opt_outs {
                OptOuts::Obeyed => OptOut::of(document, root),
                OptOuts::Ignored => OptOut::default(),
            },
            triggers: ImageTriggers::of(document, root),
            mappings: Vec::new(),
            objects: Vec::new(),
            texts: Vec::new(),
        };
        if owner.is_definition() {
            self.excluded.push(document.node(root).span);
        } else {
            let aliases = self.visit(ctx, &mut owner, root, &items.iter().copied().collect());
            let n = self.owners.len();
            self.aliased.extend(aliases.into_iter().map(|target| (n, target)));
        }
        self.owners.push(owner);
    }

    /// Visits the targets that are left out where they are written, for the objects that have aliases
    /// of them. An alias may come before the object that is left out is known.
    fn follow(&mut self, ctx: Context<'_, '_>) {
        let mut owners = std::mem::take(&mut self.owners);
        let mut followed = HashSet::new();
        while let Some((n, target)) = self.aliased.pop() {
            if self.is_excluded(ctx.document, target) && followed.insert((n, target)) {
                let aliases = self.visit(ctx, &mut owners[n], target, &HashSet::new());
                self.aliased.extend(aliases.into_iter().map(|target| (n, target)));
            }
        }
        self.owners = owners;
    }

    /// Collects the nodes of an object from one on. Returns the targets of its aliases.
    fn visit(
        &mut self,
        ctx: Context<'_, '_>,
        owner: &mut Owner,
        from: NodeId,
        items: &HashSet<NodeId>,
    ) -> Vec<NodeId> {
        let document = ctx.document;
        let root = owner.root;
        let mut open = vec![from];
        let mut aliases = Vec::new();
        while let Some(id) = open.pop() {
            match &document.node(id).content {
                Content::Sequence(children) => {
                    open.extend(children.iter().filter(|child| !items.contains(child)));
                }
                Content::Mapping { entries, .. } => {
                    owner.mappings.push(id);
                    let mut has_version = false;
                    for &(key, value) in entries {
                        let key = document.string(key).unwrap_or_default();
                        has_version |= key == "apiVersion";
                        let is_status = key == "status" && id == root;
                        if is_status || key == "validate" && owner.has_patterns {
                            self.excluded.push(document.node(value).span);
                        } else {
                            open.push(value);
                        }
                    }
                    owner.objects.extend((has_version || id == root).then_some(id));
                }
                Content::Scalar { text, string: true, .. } => {
                    let is_text = may_be_image(text) || ctx.key(id) == Some("image");
                    owner.texts.extend(is_text.then_some(id));
                }
                Content::Alias(target) => aliases.push(*target),
                _ => {}
            }
        }
        aliases
    }

    fn is_excluded(&self, document: &Document<'_>, id: NodeId) -> bool {
        let span = document.node(id).span;
        self.excluded.iter().any(|excluded| excluded.contains(span))
    }
}

impl Owner {
    /// True for a custom resource definition, which has no image but defaults of fields.
    pub(super) fn is_definition(&self) -> bool {
        self.object.kind == "CustomResourceDefinition"
    }
}

/// True for a mapping with a kind. A list without items, as `kubectl get` prints it, is no object:
/// it is handled like empty input. A function's empty list is an object.
fn is_object(document: &Document<'_>, root: NodeId) -> bool {
    let Some(kind) = document.string_at(root, &["kind"]) else { return false };
    let items = document.value(root, "items").map(|items| document.target(items));
    let is_empty = items.is_some_and(|items| {
        matches!(&document.node(items).content, Content::Sequence(items) if items.is_empty())
    });
    !(is_empty && kind.ends_with("List") && kind != "ResourceList")
}

/// The objects of a list, and of an OpenShift template. kubectl takes every mapping with `items` for a
/// list, whatever its kind is (apimachinery, `unstructuredJSONScheme`).
fn list_items(document: &Document<'_>, root: NodeId) -> Vec<NodeId> {
    let is_template = document.string_at(root, &["kind"]) == Some("Template");
    let keys = if is_template { &["items", "objects"][..] } else { &["items"] };
    let lists = keys.iter().flat_map(|key| document.values(root, key));
    lists.flat_map(|list| document.items(list)).copied().collect()
}

/// True for objects that configure kpt, whose images are functions. The annotation
/// `config.kubernetes.io/local-config` does not count: only kustomize leaves out objects that have it,
/// while kubectl and `kpt fn eval -o unwrap` do not.
fn configures_kpt(object: &Object) -> bool {
    let group = object.group();
    group == "kpt.dev" || group.ends_with(".kpt.dev")
}

/// True if a text may contain an image. This check comes first because most texts fail it.
fn may_be_image(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'/' | b':' | b'@' | b'$'))
}
