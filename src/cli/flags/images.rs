//! Flags about images: which are pinned, and what replaces a tag that does not exist.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::fallback::{MAX_SKEW, MinorVersion, Preset, Rule};
use crate::places::{Inclusion, ObjectPattern};

/// The images to pin.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Images")]
pub struct ImageFlags {
    /// Leave images alone if this glob matches their full repository name, for example `quay.io/**`; repeatable
    #[arg(long, value_name = "GLOB")]
    pub skip: Vec<String>,

    /// Leave the images of these objects alone, for example `Job` or `Job/batch/migrate`; repeatable
    #[arg(long, value_name = "KIND[/NAMESPACE/NAME]")]
    pub skip_kind: Vec<ObjectPattern>,

    /// Also pin candidates of these classes: `values`, `env`, `args`, `config`, `annotations`, `other`. A class can
    /// be limited to a kind or a field (`config:ConfigMap:data.image`). `digestif images` lists them
    #[arg(long, value_name = "CLASS[:KIND[:PATH]]", value_delimiter = ',')]
    pub include: Vec<Inclusion>,
}

/// The presets, by their names.
fn presets() -> impl TypedValueParser<Value = Preset> {
    PossibleValuesParser::new(Preset::ALL.map(Preset::name))
        .map(|name| Preset::named(&name).expect("each name is that of a preset"))
}

/// Rules for tags that do not exist.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Missing tags")]
pub struct MissingTagFlags {
    /// A rule for tags that do not exist: a regular expression over the whole tag, and a tag or reference, which may
    /// use `$1`, `${group}`, `$tag`, `$name` and `$repository`. With `GLOB:`, only for matching repositories, for
    /// example `ghcr.io/acme/*:`; repeatable
    #[arg(long, value_name = "[GLOB:]REGEX=TRY")]
    pub fallback: Vec<Rule>,

    /// A rule that comes with digestif, for images that have moved; repeatable
    #[arg(
        long,
        value_name = "NAME",
        value_parser = presets()
    )]
    pub preset: Vec<Preset>,

    /// Apply no rule, not even the built-in one: a missing tag is an error
    #[arg(long)]
    pub no_fallback: bool,

    /// The cluster's version. Rules for Kubernetes client tools count from it
    #[arg(long, value_name = "X.Y")]
    pub kube_version: Option<MinorVersion>,

    /// How many minor versions a Kubernetes client tool may step down [default: 1]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_SKEW))
    )]
    pub max_minor_skew: Option<u32>,
}
