//! A run: from sources through every stage to new texts, diagnostics and what the lock records. Nothing
//! is written and nothing is printed here.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::diagnostic::{Diagnostic, Failure, Location, RuleId, sort, verdict};
use crate::fallback::Rule;
use crate::image::{Globs, PinForm, Reference, Tag};
use crate::io::delivery::stdin_is_pipe;
use crate::lock::{self, DriftGate, Locking, Record};
use crate::places::{Found, Image, Place, Scope, Writing, explain_no_object};
use crate::plan::{Entry, Name, Plan, Skips, Status, Via};
use crate::policy::{self, Digests, Policy};
use crate::registry::Layouts;
use crate::resolve::{self, Network, Session, is_in_layout};
use crate::text::escape::quoted;
use crate::text::splice::{Edit, Edits};
use crate::text::yaml::Document;
use crate::text::{Origin, Source, Span};

/// The settings of a run: how it finds, resolves and judges images.
#[derive(Debug)]
pub struct Options {
    /// The form of a pin.
    pub pin: PinForm,
    /// The user's own fields, and candidates that are pinned.
    pub scope: Scope,
    /// Images that are left alone.
    pub skips: Skips,
    /// The rules for images that do not exist, in order.
    pub rules: Vec<Rule>,
    /// Folders with image layouts, which are read before any request.
    pub layouts: Vec<PathBuf>,
    /// The access to registries.
    pub network: Network,
    /// The lock, if there is one.
    pub lock: Option<Locking>,
    /// Repositories whose images are resolved again, even if a lock or the input has a digest.
    pub update: Globs,
    /// The comparison with what registries say now.
    pub drift: DriftGate,
    /// The user's rules about images.
    pub policy: Policy,
    /// Images that are left out, as they are not new.
    pub unchanged: BTreeSet<Name>,
    /// Tells if input without any object is accepted.
    pub empty: Empty,
    /// Files that the result can't be written to.
    pub unwritable: Unwritable,
}

/// Files that the result can't be written to, each with the reason. That matters only if there is
/// something to write.
#[derive(Debug, Default)]
pub struct Unwritable {
    /// The lock.
    pub lock: Option<Diagnostic>,
    /// Sources that are to be rewritten, by their indexes.
    pub sources: BTreeMap<usize, Diagnostic>,
}

impl Unwritable {
    /// The reasons that matter for a plan: those of files that would get a digest.
    fn of(&self, plan: &Plan, places: &[Place]) -> Vec<Diagnostic> {
        let open = plan.unsettled().flat_map(|entry| &entry.places);
        let sources: BTreeSet<_> = open.map(|&n| places[n].source).collect();
        if sources.is_empty() {
            return Vec::new();
        }
        let sources = sources.iter().filter_map(|n| self.sources.get(n));
        self.lock.iter().chain(sources).cloned().collect()
    }
}

/// Tells if input without any object is accepted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// It is an error: the command before the pipe may have failed.
    #[default]
    Refused,
    /// It is accepted if an image was found, as in a file of values for a chart.
    WithImages,
    /// It is accepted.
    Allowed,
}

/// The result of a run.
#[derive(Debug, Default)]
pub struct Run<'s> {
    /// The places and all diagnostics, in the order of the input.
    pub found: Found,
    /// The images with their statuses.
    pub plan: Plan,
    /// The new text of each source, in their order; none if anything failed.
    pub texts: Option<Vec<Cow<'s, str>>>,
    /// The changes to the lock, which are written before the texts are given out.
    pub record: Option<Record>,
    /// A line for each request, if the settings ask for a log.
    pub requests: String,
}

/// Takes the sources through every stage. Nothing is written and nothing printed.
///
/// # Errors
/// The user interrupted the run.
pub fn run<'s>(sources: &'s [Source], options: &Options) -> Result<Run<'s>, resolve::Interrupted> {
    let found = locate(sources, &options.scope, options.empty);
    run_located(sources, options, found, |_, _| Ok(None))
}

/// The same for a source whose one document, with this number, was read before. If nothing failed,
/// `also` makes one more edit of the source.
///
/// # Errors
/// The user interrupted the run.
pub fn run_document<'s>(
    source: &'s Source,
    (number, document): (usize, &Document<'_>),
    options: &Options,
    also: impl FnOnce(&Found, &Plan) -> Result<Option<Edit>, Diagnostic>,
) -> Result<Run<'s>, resolve::Interrupted> {
    let sources = std::slice::from_ref(source);
    let mut found = Found::before(sources);
    found.read_document((source, 0), (number, document), &options.scope);
    found.note_idle_fields(&options.scope);
    run_located(sources, options, not_empty(found, sources, options.empty), also)
}

/// Takes what was found through the other stages.
fn run_located<'s>(
    sources: &'s [Source],
    options: &Options,
    mut found: Found,
    also: impl FnOnce(&Found, &Plan) -> Result<Option<Edit>, Diagnostic>,
) -> Result<Run<'s>, resolve::Interrupted> {
    let mut plan = Plan::new(&found.places, &options.skips).without(&options.unchanged);
    let mut requests = String::new();
    if found.complete {
        plan = ask(plan, &mut found, options, &mut requests)?;
        found.diagnostics.extend(policy::judge(&plan, &found.places, &options.policy));
        found.diagnostics.extend(policy::judge_tags(&plan, &found.places, &options.policy));
        found.diagnostics.extend(policy::uncounted(&plan, &found, &options.policy));
        found.diagnostics.extend(policy::unused(&options.skips, &options.scope, &found.places));
        found.diagnostics.extend(lock::unmatched_updates(
            &options.update,
            &found.places,
            options.lock.as_ref(),
        ));
    }
    sort(&mut found.diagnostics);
    let (mut texts, mut record) = (None, None);
    if verdict(&found.diagnostics).is_none() {
        let edited = also(&found, &plan)
            .map_err(|error| vec![error])
            .and_then(|also| edit(sources, &found, &plan, options.pin, also));
        match edited {
            Ok(edited) => {
                texts = Some(edited);
                let changed = policy::changed_jobs(changed(&found, &plan, options.pin));
                found.diagnostics.extend(changed);
                sort(&mut found.diagnostics);
                record = options.lock.as_ref().and_then(|lock| lock.record(&plan));
            }
            Err(diagnostics) => {
                found.diagnostics.extend(diagnostics);
                sort(&mut found.diagnostics);
            }
        }
    }
    Ok(Run { found, plan, texts, record, requests })
}

/// Settles a plan by the lock and by registries, in one session, and looks into the images that a
/// policy wants to know more of. What is wrong goes to the diagnostics of `found`. Each request is a line of
/// `requests`, if the settings ask for a log.
///
/// # Errors
/// The user interrupted the run.
fn ask(
    plan: Plan,
    found: &mut Found,
    options: &Options,
    requests: &mut String,
) -> Result<Plan, resolve::Interrupted> {
    let (policy, lock) = (&options.policy, options.lock.as_ref());
    let resolves = policy.digests == Digests::Given;
    let drifts = options.drift.is_on();
    if !resolves && !policy.looks_inside() && lock.is_none() && !drifts {
        return Ok(plan);
    }
    let layouts = match Layouts::read(&options.layouts) {
        Ok(layouts) => layouts,
        Err(diagnostics) => {
            found.diagnostics.extend(diagnostics);
            return Ok(plan);
        }
    };
    let mut plan = plan;
    if resolves {
        plan = plan.reopened(&options.update);
        if let Some(lock) = lock {
            plan = lock.settle(plan, &options.update);
        }
    }
    if let Some(lock) = lock {
        let impossible = lock.impossible(&plan, &options.rules, &options.update);
        if !impossible.is_empty() {
            found.diagnostics.extend(impossible);
            return Ok(plan);
        }
    }
    if resolves {
        let unwritable = options.unwritable.of(&plan, &found.places);
        if !unwritable.is_empty() {
            found.diagnostics.extend(unwritable);
            return Ok(plan);
        }
    }
    // A run that makes no request must not fail for what only requests need.
    let makes_requests = policy.looks_inside()
        || drifts
        || resolves && plan.unsettled().any(|entry| !is_in_layout(&layouts, entry));
    let network = if makes_requests { &options.network } else { &Network::Offline };
    let session = match Session::new(layouts, network, &found.pull_secrets) {
        Ok(session) => session,
        Err(diagnostic) => {
            found.diagnostics.push(diagnostic);
            return Ok(plan);
        }
    };
    if resolves {
        let statuses = session.resolve(&plan, &options.rules)?;
        plan = plan.settled(statuses);
        plan = lock::keep_unchanged(plan, &found.places, options, &session)?;
    }
    if let Some(lock) = lock {
        let (cooled, said) = lock.cool(lock.missed(plan), &found.places, &session)?;
        plan = cooled;
        found.diagnostics.extend(said);
        let diagnostics = lock.check(&plan, found, options, &session)?;
        found.diagnostics.extend(diagnostics);
    } else if drifts {
        found.diagnostics.extend(lock::input_drift(&plan, &found.places, options, &session)?);
    }
    if policy.looks_inside() {
        let inspected = session.inspect(&plan, policy, &options.rules)?;
        let diagnostics = policy::unoffered(&plan, &found.places, policy, &inspected);
        found.diagnostics.extend(diagnostics);
    }
    found.diagnostics.extend(policy::registry_warnings(&session.notes()));
    *requests = session.request_log();
    Ok(plan)
}

/// Finds the places of all sources, and refuses input without any object.
#[must_use]
pub fn locate(sources: &[Source], scope: &Scope, empty: Empty) -> Found {
    let mut found = Found::before(sources);
    for (n, source) in sources.iter().enumerate() {
        found.read(source, n, scope);
    }
    found.note_idle_fields(scope);
    not_empty(found, sources, empty)
}

/// Refuses input without any object.
fn not_empty(mut found: Found, sources: &[Source], empty: Empty) -> Found {
    let is_refused = match empty {
        Empty::Refused => true,
        Empty::WithImages => found.places.is_empty(),
        Empty::Allowed => false,
    };
    if found.complete && found.objects == 0 && is_refused {
        let locations = sources.iter().map(|source| Location::File(source.origin().display_name()));
        let nothing = sources.iter().all(|source| source.text().trim().is_empty());
        let message =
            if nothing { "the input is empty" } else { "the input holds no Kubernetes object" };
        let error = Diagnostic::error(Failure::Input, message.to_owned())
            .of(RuleId::Empty)
            .locations(locations);
        let help = if sources.iter().any(|source| source.origin() == &Origin::Stdin)
            && stdin_is_pipe()
        {
            "did the command before the pipe fail? `set -o pipefail` makes a shell notice; `--allow-empty` accepts this"
        } else {
            "an object has a `kind`; `--allow-empty` accepts this"
        };
        let error = explain_no_object(sources, error.clone()).unwrap_or_else(|| error.help(help));
        found.diagnostics.push(error);
        found.complete = false;
    }
    found
}

/// Puts every pin of the plan into its places, and another edit into the first source; gives the
/// new text of each source.
///
/// # Errors
/// Every place that can't be changed safely. Nothing may be written then.
pub fn edit<'s>(
    sources: &'s [Source],
    found: &Found,
    plan: &Plan,
    form: PinForm,
    also: Option<Edit>,
) -> Result<Vec<Cow<'s, str>>, Vec<Diagnostic>> {
    let mut edits: Vec<_> = sources.iter().map(|_| Vec::new()).collect();
    if let Some(first) = edits.first_mut() {
        first.extend(also);
    }
    let mut refused = Vec::new();
    for entry in &plan.entries {
        for place in entry.places.iter().map(|&n| &found.places[n]) {
            if is_elsewhere(place, &entry.status) {
                refused.push(not_in_parts(place, &entry.name.to_string()));
                continue;
            }
            let Some(after) = written(place, &entry.status, form) else { continue };
            match place.site.edit(&place.value, place.part.clone(), &after) {
                Some(edit) => edits[place.source].push(edit),
                None => refused.push(not_editable(place)),
            }
        }
    }
    if !refused.is_empty() {
        return Err(refused);
    }
    let texts = sources.iter().zip(edits).enumerate().map(|(n, (source, edits))| {
        let edits = Edits::new(edits)
            .map_err(|overlap| defect(n, "two changes share one text", overlap.second))?;
        let items = found.list_items.get(&n).map_or(&[][..], |items| items);
        crate::text::splice::apply(source, &edits, items)
            .map_err(|(message, span)| defect(n, &message, span))
    });
    texts.collect::<Result<_, _>>().map_err(|defect| vec![defect])
}

/// The places that get another digest than the lock has.
fn changed<'f>(
    found: &'f Found,
    plan: &'f Plan,
    form: PinForm,
) -> impl Iterator<Item = &'f Place> + use<'f> {
    let is_new = |entry: &&Entry| entry.supplier().is_some_and(|(_, pin)| pin.via != Via::Lock);
    plan.entries.iter().filter(is_new).flat_map(move |entry| {
        let places = entry.places.iter().map(|&n| &found.places[n]);
        places.filter(move |place| written(place, &entry.status, form).is_some())
    })
}

/// True if a substitute is in another repository, which a place of a tag or digest can't name.
fn is_elsewhere(place: &Place, status: &Status) -> bool {
    let Status::Substituted(substitute, _) = status else { return false };
    let asked = match &place.image {
        Image::Reference(written) => written.reference().tagged_repository(),
        Image::Invalid(error) => error.asked().map(|asked| &asked.repository),
        Image::Placeholder => None,
    };
    matches!(place.writing, Writing::Tag | Writing::Digest)
        && asked != Some(&substitute.tagged.repository)
}

fn not_in_parts(place: &Place, name: &str) -> Diagnostic {
    let message = format!(
        "the only substitute of {} is in another repository, which its field can't name",
        quoted(name)
    );
    Diagnostic::error(Failure::Absent, message)
        .location(place)
        .help("write the other repository into the fields beside it, or use a tag that exists")
}

fn not_editable(place: &Place) -> Diagnostic {
    let message = "the image is written in a way that can't be changed safely";
    Diagnostic::error(Failure::Input, message.to_owned())
        .location(place)
        .help("write the reference on one line, without escapes and without `!!binary`")
}

fn defect(source: usize, message: &str, span: Span) -> Diagnostic {
    let message = format!("the change could not be verified: {message}");
    Diagnostic::error(Failure::Input, message)
        .location(Location::Source { source, span, label: String::new() })
        .help("nothing was written; this is a defect of digestif, please report it with this document")
}

/// The text that is written at a place; none if nothing changes.
pub(crate) fn written(place: &Place, status: &Status, form: PinForm) -> Option<String> {
    let form = match place.writing {
        Writing::Tagged => PinForm::TagDigest,
        Writing::Untagged => PinForm::Digest,
        _ => form,
    };
    let (digest, tag) = match status {
        Status::Pinned(pin) => (&pin.digest, None),
        Status::Substituted(substitute, _) => {
            (&substitute.pin.digest, Some(&substitute.tagged.tag))
        }
        _ => return None,
    };
    match place.writing {
        Writing::Reference | Writing::Tagged | Writing::Untagged => reference(place, status, form),
        Writing::Digest => {
            let (before, written) =
                (&place.value[..place.part.start], &place.value[place.part.clone()]);
            // The value of a key is null where nothing but the key is written.
            let space = if written.is_empty() && before.ends_with(':') { " " } else { "" };
            Some(format!("{space}{digest}")).filter(|text| text != written)
        }
        Writing::Tag => {
            let written = &place.value[place.part.clone()];
            let tag = tag.map_or_else(|| written.split('@').next().unwrap_or(written), Tag::as_str);
            Some(format!("{tag}@{digest}")).filter(|text| text != written)
        }
    }
}

/// The reference that is written at a place; none if nothing changes.
fn reference(place: &Place, status: &Status, form: PinForm) -> Option<String> {
    match (&place.image, status) {
        (Image::Reference(written), Status::Pinned(pin)) => match written.reference() {
            // In whatever form it is: what says the same stays as it is.
            Reference::Pinned(pinned) if pinned.digest == pin.digest => None,
            _ => Some(written.pinned(&pin.digest, form)),
        },
        (image, Status::Substituted(substitute, _)) => {
            let (asked, text) = match image {
                Image::Reference(written) => (image.asked()?, written.undigested()),
                Image::Invalid(error) => (error.asked()?.clone(), place.text()),
                Image::Placeholder => return None,
            };
            let digest = &substitute.pin.digest;
            Some(asked.substituted(text, &substitute.tagged, digest, form))
        }
        _ => None,
    }
}
