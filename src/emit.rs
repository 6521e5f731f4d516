//! Emit: the pins as an `images:` list, for hosts that run no program but know kustomize's image
//! transformer: Flux's post-renderers and `Kustomization`, and plain kustomizations.
//!
//! Such a list maps names, as they are written, to one tag and digest each. Where that can't say
//! what was found, nothing is given out.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::Run;
use crate::diagnostic::{Diagnostic, Failure, quoted};
use crate::image::{PinForm, Reference, Repository};
use crate::places::{Image, Place};
use crate::plan::{Entry, Fate};

/// What images that are written with one name become.
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
    form: PinForm,
) -> Result<(String, Vec<Diagnostic>), Vec<Diagnostic>> {
    // What each name becomes, where it stands first; none where it is to stay as it is.
    let mut names: BTreeMap<String, (Option<Pinned>, &Place)> = BTreeMap::new();
    let (mut refused, mut warnings) = (Vec::new(), Vec::new());
    for entry in &run.plan.entries {
        for place in entry.places.iter().map(|&n| &run.found.places[n]) {
            let Some(name) = name(place) else { continue };
            let pinned = pinned(entry, &name);
            if !is_reached(place) {
                warnings.extend(pinned.map(|_| unreached(place)));
                continue;
            }
            match names.get(&name) {
                Some((known, first)) if *known != pinned => {
                    refused.push(contradiction(&name, first, place));
                }
                Some(_) => {}
                None => {
                    names.insert(name, (pinned, place));
                }
            }
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

/// The name that an image is written with; none where there is no image yet.
fn name(place: &Place) -> Option<String> {
    match &place.image {
        Image::Reference(written) => Some(written.name().to_owned()),
        Image::Invalid(error) => {
            let tag = &error.asked()?.tag;
            Some(place.text().strip_suffix(tag)?.strip_suffix(':')?.to_owned())
        }
        Image::Placeholder => None,
    }
}

/// What an image becomes that is written with this name; none where it stays as it is.
fn pinned(entry: &Entry, name: &str) -> Option<Pinned> {
    let (tagged, digest) = match &entry.fate {
        Fate::Pinned(pin) => match entry.name.parse() {
            Ok(Reference::Tagged(tagged)) => (tagged, &pin.digest),
            _ => return None,
        },
        Fate::Substituted(found, _) => (found.tagged.clone(), &found.pin.digest),
        _ => return None,
    };
    let is_same = name.parse().is_ok_and(|own: Repository| tagged.repository == own);
    Some(Pinned {
        new_name: (!is_same).then(|| tagged.repository.to_string()),
        tag: tagged.tag.to_string(),
        digest: digest.to_string(),
    })
}

/// Whether kustomize's image transformer changes a place: containers and init containers anywhere,
/// image volumes of pods and pod templates (kustomize v5.8, `builtinpluginconsts/images.go`).
fn is_reached(place: &Place) -> bool {
    let path = place.path.to_string();
    let in_list = |key: &str| path.contains(&format!("{key}["));
    let is_volume = path.ends_with(".image.reference");
    let is_plain_volume =
        path.starts_with("spec.volumes[") || path.starts_with("spec.template.spec.volumes[");
    if is_volume { is_plain_volume } else { !in_list("ephemeralContainers") }
}

fn unreached(place: &Place) -> Diagnostic {
    Diagnostic::warning("kustomize's `images:` does not reach this image".to_owned())
        .spot(place)
        .help("pin it where it is written: with `digestif -i -f FILE`, or a patch")
}

fn contradiction(name: &str, first: &Place, place: &Place) -> Diagnostic {
    let message =
        format!("{} stands for more than one image, which `images:` can't say", quoted(name));
    Diagnostic::error(Failure::Policy, message)
        .spot(first)
        .spot(place)
        .help("give them one tag, or pin the manifests themselves")
}
