//! Any text: pinning every image in it gives the same YAML except for these images, and a second
//! run changes nothing.

#![no_main]

use digestif::diagnostic::Diagnostic;
use digestif::image::{Algorithm, Digest, PinForm};
use digestif::places::{Found, Place, Scope, Writing};
use digestif::plan::{Pin, Plan, Skips, Status, Via};
use digestif::text::{Origin, Source};
use libfuzzer_sys::fuzz_target;

/// Candidates of every class are pinned as well, because they can be in the middle of strings.
fn scope() -> Scope {
    let classes = ["env", "args", "config", "annotations", "other", "values"];
    let include = classes.map(|class| class.parse().expect("a class"));
    Scope { include: include.into(), ..Scope::default() }
}

fn found(source: &Source) -> (Found, Plan) {
    let mut found = Found::default();
    found.read(source, 0, &scope());
    let plan = Plan::new(&found.places, &Skips::default());
    (found, plan)
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(source) = Source::new(Origin::Stdin, bytes.to_vec()) else { return };
    let (before, plan) = found(&source);
    if before.diagnostics.iter().any(|diagnostic| diagnostic.failure().is_some()) {
        return;
    }
    let digest = Digest::of(Algorithm::Sha256, b"fuzz");
    let pin = || Status::Pinned(Pin { digest: digest.clone(), via: Via::Layout });
    let tagged = plan.unsettled().filter(|entry| entry.status == Status::Tagged);
    let results = tagged.map(|entry| (entry.name.clone(), pin())).collect();
    let plan = plan.settled(results);
    let sources = [source];
    let texts = match digestif::edit(&sources, &before, &plan, PinForm::TagDigest, None) {
        Ok(texts) => texts,
        Err(refused) => {
            let defect = |found: &Diagnostic| found.message.contains("proved");
            assert!(!refused.iter().any(defect), "{refused:?}");
            return;
        }
    };
    let text = texts[0].clone().into_owned();
    // If a pin replaces an alias, it looks the same as an inserted pin.
    let is_alias = |place: &Place| sources[0].slice(place.site.node()).starts_with('*');
    let is_digest = |place: &Place| place.writing == Writing::Digest;
    let undoable = !sources[0].text().contains(digest.hex())
        && !before.places.iter().any(|place| is_alias(place) || is_digest(place));
    if undoable {
        assert_eq!(text.replace(&format!("@{digest}"), ""), sources[0].text());
    }
    let again = Source::new(Origin::Stdin, text.into_bytes()).expect("it was text before");
    let (after, plan) = found(&again);
    assert_eq!(after.places.len(), before.places.len());
    assert!(!plan.unsettled().any(|entry| entry.status == Status::Tagged));
});
