//! Resolve: from the distinct references of a run to their digests.
//!
//! One answer a reference, however many places want it and however it is written. Layouts are
//! looked at before the network. The only stage that waits for anything; after it, Ctrl-C is no
//! longer deadly, so that files are written to the end or not at all.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use crate::diagnostic::{Diagnostic, Failure};
use crate::digest::Digest;
use crate::image::Tagged;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::registry::{Layouts, Lookup, Outcome, Refusal, Registry, Settings};

/// Who supplied a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A registry.
    Registry,
    /// An image layout on disk.
    Layout,
}

impl Via {
    /// One word for it, as reports write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Layout => "layout",
        }
    }
}

/// What a reference is pinned to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The digest.
    pub digest: Digest,
    /// Where it comes from.
    pub via: Via,
}

/// The answer to every reference of the plan.
pub type Pins = BTreeMap<Tagged, Result<Pin, Refusal>>;

/// Whether and how registries are asked.
#[derive(Debug)]
pub enum Network {
    /// Never.
    Offline,
    /// As these settings say; with a line of progress on a terminal, unless it is to be quiet.
    Online {
        /// How they are reached.
        registries: Settings,
        /// Whether nothing is to be shown while waiting.
        quiet: bool,
    },
}

/// The user pressed Ctrl-C while registries were asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

/// Finds a digest for every reference of the plan that needs one.
///
/// # Errors
/// The user interrupted it.
pub fn resolve(
    plan: &Plan,
    layouts: &Layouts,
    network: &Network,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Plan, Interrupted> {
    let offline = matches!(network, Network::Offline);
    let plan = plan.resolved(&from_layouts(plan.tagged(), layouts, offline));
    let Network::Online { registries, quiet } = network else { return Ok(plan) };
    if plan.tagged().next().is_none() {
        return Ok(plan);
    }
    let registry = match Registry::new(registries, plan.tagged().map(|tagged| &tagged.repository)) {
        Ok(registry) => registry,
        Err(reason) => {
            let message = format!("the certificates can't be used: {reason}");
            diagnostics.push(
                Diagnostic::error(Failure::Usage, message)
                    .help("check the file named with `--ca-file`"),
            );
            return Ok(plan);
        }
    };
    let progress = Progress::new(*quiet);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime on this thread needs nothing but a poller");
    let pins = runtime.block_on(async {
        tokio::select! {
            pins = from_registries(plan.tagged(), &registry, &progress) => Ok(pins),
            never = progress.show() => match never {},
            Ok(()) = tokio::signal::ctrl_c() => Err(Interrupted),
        }
    });
    // Names are looked up on threads of their own, which nothing can stop: where no DNS server
    // answers, waiting for them would take many times the budget.
    runtime.shutdown_background();
    Ok(plan.resolved(&pins?))
}

/// Finds what the layouts have. What they don't is for the network: it is left out, or refused
/// where `offline` forbids to ask.
fn from_layouts<'p>(
    plan: impl IntoIterator<Item = &'p Tagged>,
    layouts: &Layouts,
    offline: bool,
) -> Pins {
    let answer = |tagged: &Tagged| match layouts.find(tagged) {
        Lookup::Found(digest) => Some(Ok(Pin { digest, via: Via::Layout })),
        _ if !offline => None,
        Lookup::NoSuchTag => {
            let detail = "the layout has the repository without this tag";
            Some(Err(Refusal { outcome: Outcome::MissingTag, detail: detail.to_owned() }))
        }
        Lookup::NoSuchRepository => {
            let detail = "no layout has the repository";
            Some(Err(Refusal { outcome: Outcome::NotRecorded, detail: detail.to_owned() }))
        }
    };
    plan.into_iter().filter_map(|tagged| Some((tagged.clone(), answer(tagged)?))).collect()
}

/// Asks the registries about all of these at once; the registry bounds what is in flight.
async fn from_registries<'p>(
    asked: impl IntoIterator<Item = &'p Tagged>,
    registry: &Registry,
    progress: &Progress,
) -> Pins {
    let mut answers: FuturesUnordered<_> = asked
        .into_iter()
        .map(async |tagged: &Tagged| (tagged.clone(), registry.digest(tagged).await))
        .collect();
    progress.expect(answers.len());
    let mut pins = Pins::new();
    while let Some((tagged, answer)) = answers.next().await {
        progress.step();
        pins.insert(tagged, answer.map(|digest| Pin { digest, via: Via::Registry }));
    }
    pins
}
