//! Emit: the pins as an `images:` list, for hosts that run no program but know kustomize's image
//! transformer: Flux's post-renderers and `Kustomization`, and plain kustomizations.
//!
//! Such a list maps names, as they are written, to one tag and digest each. Where that can't say
//! what was found, nothing is given out.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use crate::Run;
use crate::diagnostic::{Diagnostic, Failure, Location, RuleId};
use crate::image::{PinForm, Repository};
use crate::places::{Class, Place};
use crate::plan::Entry;
use crate::text::Source;
use crate::text::escape::quoted;
use crate::text::yaml::{self, Document, NodeId};

/// The pin of all images that are written with one name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pinned {
    new_name: Option<String>,
    tag: String,
    digest: String,
}

/// The list for a run in which nothing failed, and warnings about places that kustomize does not
/// reach.
///
/// # Errors
/// One name stands for images that become different things.
pub fn kustomize_images(
    run: &Run<'_>,
    sources: &[Source],
    form: PinForm,
) -> Result<(String, Vec<Diagnostic>), Vec<Diagnostic>> {
    // The pin of each name and its first place; none if the name stays as it is.
    let mut names: BTreeMap<String, (Option<Pinned>, &Place)> = BTreeMap::new();
    let (mut refused, mut warnings) = (Vec::new(), Vec::new());
    for entry in &run.plan.entries {
        for place in entry.places.iter().map(|&n| &run.found.places[n]) {
            let name = name(place.text()).to_owned();
            let pinned = pinned(entry, &name);
            if !is_reached(place) {
                warnings.extend(pinned.map(|_| unreached(place)));
                continue;
            }
            if pinned.is_some() && !is_known(place.text()) {
                refused.push(unknown(place));
                continue;
            }
            match names.get(&name) {
                Some((known, first)) if *known != pinned => {
                    refused.push(contradiction(&name, first).location(place));
                }
                Some(_) => {}
                None => {
                    names.insert(name, (pinned, place));
                }
            }
        }
    }
    for (name, at) in left_alone(run, sources) {
        if let Some((Some(_), first)) = names.get(&name) {
            refused.push(contradiction(&name, first).location(at));
        }
    }
    if !refused.is_empty() {
        return Err(refused);
    }
    let items: String = names
        .iter()
        .filter_map(|(name, (pinned, _))| Some(pinned.as_ref()?.item(name, form)))
        .collect();
    let list =
        if items.is_empty() { "images: []\n".to_owned() } else { format!("images:\n{items}") };
    Ok((list, warnings))
}

impl Pinned {
    /// An item of the list. Texts are quoted, as a tag may look like a number.
    fn item(&self, name: &str, form: PinForm) -> String {
        let Self { new_name, tag, digest } = self;
        let mut item = format!("- name: \"{name}\"\n");
        if let Some(new_name) = new_name {
            writeln!(item, "  newName: \"{new_name}\"").expect("a string takes all");
        }
        if form == PinForm::TagDigest {
            writeln!(item, "  newTag: \"{tag}\"").expect("a string takes all");
        }
        item + &format!("  digest: {digest}\n")
    }
}

/// The name in a text, as kustomize finds it: what is before the tag or digest (kustomize v5.8,
/// `api/internal/image/image.go`).
fn name(text: &str) -> &str {
    let tagged = text.split('@').next().unwrap_or(text);
    let path = tagged.rfind('/').map_or(0, |slash| slash + 1);
    tagged[path..].find(':').map_or(tagged, |colon| &tagged[..path + colon])
}

/// True if kustomize takes a text for an image with its tag (the same, `isImageMatched`).
fn is_known(text: &str) -> bool {
    let rest = text[name(text).len()..].trim_start_matches(':');
    rest.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '{' | '}' | '-'))
}

/// Images that kustomize would change and that are no places, with their names: in objects that
/// digestif leaves alone, as the patterns of policies.
fn left_alone(run: &Run<'_>, sources: &[Source]) -> Vec<(String, Location)> {
    let places: HashSet<_> = run.found.places.iter().map(|p| (p.source, p.site.node())).collect();
    let mut found = Vec::new();
    for (n, source) in sources.iter().enumerate() {
        // Everything could be read before.
        for document in yaml::documents(source, n).filter_map(Result::ok) {
            for id in document.ids().filter(|&id| is_container(&document, id)) {
                let values = document.values(id, "image").filter_map(|value| {
                    let span = document.node(value).span;
                    let text = document.string(value).filter(|_| !places.contains(&(n, span)))?;
                    let label = String::new();
                    Some((name(text).to_owned(), Location::Source { source: n, span, label }))
                });
                found.extend(values);
            }
        }
    }
    found
}

/// True if a node is an item of a list under one of the keys that kustomize looks for anywhere.
fn is_container(document: &Document<'_>, id: NodeId) -> bool {
    let list = document.node(id).parent;
    let holder = list.and_then(|list| document.node(list).parent);
    let key = holder.zip(list).and_then(|(holder, list)| {
        let (key, _) = document.entries(holder).get(document.node(list).position)?;
        document.string(*key)
    });
    matches!(key, Some("containers" | "initContainers"))
}

/// The pin of an image that is written with this name; none if it stays unchanged.
fn pinned(entry: &Entry, name: &str) -> Option<Pinned> {
    let (tagged, pin) = entry.supplier()?;
    let is_same = name.parse().is_ok_and(|own: Repository| tagged.repository == own);
    Some(Pinned {
        new_name: (!is_same).then(|| tagged.repository.to_string()),
        tag: tagged.tag.to_string(),
        digest: pin.digest.to_string(),
    })
}

/// True if kustomize's image transformer changes a place: containers and init containers anywhere,
/// image volumes of pods and pod templates (kustomize v5.8, `builtinpluginconsts/images.go`). It changes no
/// other field of a custom resource, no variable and no text.
fn is_reached(place: &Place) -> bool {
    if place.class != Class::Pod {
        return false;
    }
    let path = place.path.to_string();
    let in_list = |key: &str| path.contains(&format!("{key}["));
    let is_volume = path.ends_with(".image.reference");
    let is_plain_volume =
        path.starts_with("spec.volumes[") || path.starts_with("spec.template.spec.volumes[");
    if is_volume { is_plain_volume } else { !in_list("ephemeralContainers") }
}

fn unreached(place: &Place) -> Diagnostic {
    Diagnostic::warning("kustomize's `images:` does not change this image".to_owned())
        .of(RuleId::KustomizeImages)
        .location(place)
        .help("pin it where it is written: with `digestif -i -f FILE`, or a patch")
}

fn unknown(place: &Place) -> Diagnostic {
    let message = "kustomize does not read this as an image, so `images:` would not change it";
    Diagnostic::error(Failure::Policy, message.to_owned())
        .of(RuleId::KustomizeImages)
        .location(place)
        .help("fix the tag in the chart, or pin the manifests themselves")
}

fn contradiction(name: &str, first: &Place) -> Diagnostic {
    let message =
        format!("{} means more than one image, which `images:` can't express", quoted(name));
    Diagnostic::error(Failure::Policy, message)
        .of(RuleId::KustomizeImages)
        .location(first)
        .help("use one tag, or pin the manifests themselves")
}
