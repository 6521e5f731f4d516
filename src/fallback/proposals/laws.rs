//! Laws of everything that is used or proposed: the tags are built from parts whose meaning is known,
//! so that the model of tags does not judge itself.

use proptest::prelude::*;

use super::{Asked, DEFAULT_SKEW, KubernetesVersion, Outcome, Rule, Tag, first, proposals, ranked};

/// A tag with the meaning of each of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Built {
    product: &'static str,
    architecture: &'static str,
    v: bool,
    version: Vec<u8>,
    pre_release: &'static str,
    flavour: &'static str,
    base: &'static str,
    is_architecture_first: bool,
}

impl Built {
    fn text(&self) -> String {
        let v = if self.v { "v" } else { "" };
        let numbers: Vec<_> = self.version.iter().map(ToString::to_string).collect();
        let version = format!("{v}{}", numbers.join("."));
        let before = if self.is_architecture_first { self.architecture } else { "" };
        let behind = if self.is_architecture_first { "" } else { self.architecture };
        let parts =
            [before, self.product, &version, self.pre_release, self.flavour, self.base, behind];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("-")
    }

    fn tag(&self) -> Tag {
        self.text().parse().expect("a tag")
    }

    /// The reason why this tag may not replace another one.
    fn wrong_for(&self, asked: &Self) -> Option<&'static str> {
        let is_less_exact_base = asked.base.starts_with(self.base) && !self.base.is_empty();
        let is_final = self.pre_release.is_empty() && self.has_version_of(asked);
        let is_pre_release = |one: &Self| !one.pre_release.is_empty();
        if self.architecture != asked.architecture {
            Some("another architecture")
        } else if self.product != asked.product {
            Some("another product")
        } else if self.flavour != asked.flavour {
            Some("another flavour")
        } else if self.base != asked.base && !is_less_exact_base {
            Some("another base")
        } else if is_pre_release(self) != is_pre_release(asked) && !is_final {
            Some("a pre-release, or none")
        } else if asked.version.len() > 1 && self.version[0] != asked.version[0] {
            Some("another major")
        } else {
            None
        }
    }

    /// True if both have the same version, perhaps with zeros that one of them leaves out.
    fn has_version_of(&self, other: &Self) -> bool {
        self.version.iter().zip(&other.version).all(|(one, other)| one == other)
    }
}

fn built() -> impl Strategy<Value = Built> {
    let one_of = |words: &'static [&'static str]| prop::sample::select(words);
    (
        one_of(&["", "", "", "api", "web"]),
        one_of(&["", "", "", "arm64", "amd64"]),
        any::<bool>(),
        prop::collection::vec(0u8..4, 1..4),
        one_of(&["", "", "", "rc.1", "rc2", "beta.3", "nightly"]),
        one_of(&["", "", "", "slim", "fips", "jdk17", "jdk21", "cuda12.1"]),
        one_of(&["", "", "alpine", "alpine3.19", "bookworm", "ubi9"]),
        any::<bool>(),
    )
        .prop_map(|(product, architecture, v, version, pre_release, flavour, base, first)| {
            Built {
                product,
                architecture,
                v,
                version,
                pre_release,
                flavour,
                base,
                is_architecture_first: first,
            }
        })
}

/// A tag, and others that are like it: each has some of its parts.
fn asked_and_existing() -> impl Strategy<Value = (Built, Vec<Built>)> {
    let mixed = |asked: Built| {
        let other = (built(), any::<[bool; 6]>()).prop_map({
            let asked = asked.clone();
            move |(mut other, same)| {
                let keep = |same: bool, own: &mut &'static str, asked: &'static str| {
                    *own = if same { asked } else { *own };
                };
                keep(same[0], &mut other.product, asked.product);
                keep(same[1], &mut other.architecture, asked.architecture);
                keep(same[2], &mut other.pre_release, asked.pre_release);
                keep(same[3], &mut other.flavour, asked.flavour);
                keep(same[4], &mut other.base, asked.base);
                if same[5] {
                    other.version.clone_from(&asked.version);
                }
                other
            }
        });
        (Just(asked), prop::collection::vec(other, 1..8))
    };
    built().prop_flat_map(mixed)
}

/// The tag to which the built-in rule leads, and those to which the proposals lead.
fn leads(asked: &Asked, tags: &[Tag]) -> Vec<Tag> {
    let built_in =
        Rule::built_in(KubernetesVersion { cluster: None, max_minor_skew: DEFAULT_SKEW });
    let used = first(&built_in, asked, tags).cloned();
    let rules = [built_in];
    let proposed = proposals(asked, Some(Outcome::MissingTag), &rules, tags).into_iter();
    let digest = format!("sha256:{}", "0".repeat(64));
    let found = proposed.filter_map(|proposal| {
        let tag = first(&proposal.rule, asked, tags)?.clone();
        let tagged = crate::image::Tagged { repository: asked.repository.clone(), tag };
        let digest = digest.parse().expect("a digest");
        proposal.found(asked, tagged, digest).map(|found| found.tagged.tag)
    });
    used.into_iter().chain(found).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_used_or_proposed_that_may_be_another_image(
        (asked, existing) in asked_and_existing(),
        name in prop::sample::select(&["acme/app", "acme/kubectl"][..]),
    ) {
        let tags: Vec<_> = existing.iter().map(Built::tag).collect();
        let image: Asked = format!("{name}:{}", asked.text()).parse().expect("an image");
        for tag in leads(&image, &tags) {
            let one = existing.iter().find(|one| one.tag() == tag).expect("it exists");
            prop_assert_eq!(one.wrong_for(&asked), None, "{} for {}", tag, image.tag);
        }
    }

    #[test]
    fn the_order_of_the_tags_does_not_matter(
        (asked, existing) in asked_and_existing(),
        turn in 0usize..8,
    ) {
        let tags: Vec<_> = existing.iter().map(Built::tag).collect();
        let mut turned = tags.clone();
        turned.rotate_left(turn % tags.len());
        let image: Asked = format!("acme/app:{}", asked.text()).parse().expect("an image");
        let order = |tags: &[Tag]| {
            ranked(&image, tags).iter().map(|one| one.tag.to_string()).collect::<Vec<_>>()
        };
        prop_assert_eq!(order(&tags), order(&turned));
        prop_assert_eq!(leads(&image, &tags), leads(&image, &turned));
    }
}
