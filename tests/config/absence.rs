//! Rules for absent images, and for denied images.

use crate::support::registry::{Content, Fault, Misbehaviour};
use crate::{APP, Setup, denied, existence, pinned, refused, written};

#[test]
fn a_denied_image_is_substituted_only_by_a_rule_with_when_denied() {
    const ORDINARY: &str = "- {name: ordinary, images: ['**'], try: [z]}\n";
    const BRAVE: &str = "- {name: brave, images: ['**'], try: ['y'], when: [missing, denied]}\n";
    let asked = format!("{APP}:x");
    for status in [401, 403] {
        for rules in [BRAVE.to_owned(), format!("{ORDINARY}{BRAVE}"), format!("{BRAVE}{ORDINARY}")]
        {
            let content =
                Content::of(&[(APP, &["y", "z"])]).with_fault(denied("manifests/x", status));
            let setup = Setup::new(&format!("fallbacks:\n{rules}"), content);
            let (code, said, report) = setup.reported(&["-q"], &[&asked]);
            assert_eq!(code, 0, "{said}");
            let note =
                "rule brave treats a denied image as absent, by its `when: [missing, denied]`";
            let first =
                format!("warning: `{asked}` is absent or private: `{APP}:y` is used instead\n");
            assert!(said.starts_with(&first), "{said}");
            assert!(said.contains("= rule: brave\n"), "{said}");
            assert!(said.contains(&format!("= note: {note}\n")), "{said}");
            assert!(said.contains(&format!("= tried: `{asked}` (denied: {status} ")), "{said}");
            let entry = &report["images"][0];
            assert_eq!(
                (&entry["status"], &entry["rule"]),
                (&"substituted".into(), &"brave".into())
            );
            assert_eq!(entry["written"], pinned(&format!("{APP}:y")));
            assert_eq!(entry["tried"][0]["outcome"], "denied");
            assert_eq!(entry["notes"], serde_json::json!([note]));
            let found = vec![existence(&format!("{APP}:y"))];
            assert_eq!(setup.requests(), [denial(&asked, status), found].concat());
        }
        let content = Content::of(&[(APP, &["y", "z"])]).with_fault(denied("manifests/x", status));
        let setup = Setup::new(&format!("fallbacks:\n{ORDINARY}"), content);
        let (code, said, report) = setup.reported(&["--fallback=.+=y"], &[&asked]);
        assert_eq!((code, &report["images"][0]["status"]), (6, &"indeterminate".into()), "{said}");
        assert!(said.starts_with(&format!("error: `{asked}` is absent or private: ")), "{said}");
        assert_eq!(setup.requests(), denial(&asked, status), "no rule was tried");
    }
}

#[test]
fn no_rule_applies_to_an_image_without_a_usable_answer() {
    use Misbehaviour::{ErrorCode, Html404};
    const BRAVE: &str =
        "fallbacks:\n- {name: brave, images: ['**'], try: ['y', z], when: [missing, denied]}\n";
    let asked = format!("{APP}:x");
    for fault in [ErrorCode(429, "TOOMANYREQUESTS"), ErrorCode(500, "UNKNOWN"), Html404] {
        let content = || Content::of(&[(APP, &["y", "z"])]);
        let setup =
            Setup::new(BRAVE, content().with_fault(Fault::on("manifests/x", fault.clone())));
        let said = setup.run(&["--retries=0"], &[&asked]).failed(4);
        assert!(said.contains(&asked) && !said.contains("instead"), "{fault:?}: {said}");
        assert!(setup.requests().iter().all(|line| line.ends_with("/x")), "{fault:?}");
        // The same is true for a candidate, whether the image in the input is absent or denied.
        for asked_for in [None, Some(denied("manifests/x", 403))] {
            let content = content().with_fault(Fault::on("manifests/y", fault.clone()));
            let content = asked_for.into_iter().fold(content, Content::with_fault);
            let setup = Setup::new(BRAVE, content);
            let said = setup.run(&["--retries=0"], &[&asked]).failed(4);
            let message = format!("and `{APP}:y` could not be checked as its substitute\n");
            assert!(said.contains(&message), "{fault:?}: {said}");
            assert!(!setup.requests().iter().any(|line| line.ends_with("/z")), "{fault:?}");
        }
    }
}

#[test]
fn a_denied_candidate_ends_the_search_unless_its_rule_treats_it_as_absent() {
    let asked = format!("{APP}:x");
    for (when, of_asked, found) in [
        ("[missing, denied]", None, Some("z")),
        ("[denied, missing]", Some(401), Some("z")),
        ("[missing]", None, None),
    ] {
        for status in [401, 403] {
            let rule = format!(
                "fallbacks:\n- {{name: own, images: ['**'], try: ['y', z], when: {when}}}\n"
            );
            let content = Content::of(&[(APP, &["y", "z"])]);
            let content = content.with_fault(denied("manifests/y", status));
            let faults = of_asked.map(|status| denied("manifests/x", status));
            let setup = Setup::new(&rule, faults.into_iter().fold(content, Content::with_fault));
            let ran = setup.run(&[], &[&asked]);
            let Some(tag) = found else {
                let said = ran.failed(6);
                let message = format!(
                    "error: `{asked}` does not exist, and `{APP}:y` could not be checked as its substitute\n"
                );
                assert!(said.starts_with(&message), "{said}");
                let denial = denial(&format!("{APP}:y"), status);
                assert_eq!(setup.requests(), [refused(&asked).to_vec(), denial].concat());
                continue;
            };
            let tried = format!("`{APP}:y` (denied: {status} ");
            assert!(ran.stderr.contains(&tried), "{}", ran.stderr);
            let expected = [pinned(&format!("{APP}:{tag}"))];
            assert_eq!(written(&ran.succeeded()), expected, "{when}");
        }
    }
}

#[test]
fn an_image_is_absent_or_private_if_every_candidate_is_denied() {
    const BRAVE: &str =
        "fallbacks:\n- {name: brave, images: ['**'], try: ['y', z], when: [missing, denied]}\n";
    let asked = format!("{APP}:x");
    let content = Content::of(&[(APP, &[])]).with_fault(denied("manifests", 403));
    let setup = Setup::new(BRAVE, content);
    let (status, said, report) = setup.reported(&[], &[&asked]);
    assert_eq!(status, 6, "{said}");
    let outcomes = report["images"][0]["tried"].as_array().expect("a list");
    let outcomes: Vec<_> = outcomes.iter().map(|tried| &tried["outcome"]).collect();
    assert_eq!(outcomes, ["denied", "denied", "denied"]);
    let requests = ["x", "y", "z"].map(|tag| refused(&format!("{APP}:{tag}")));
    assert_eq!(setup.requests(), requests.concat());
}

#[test]
fn an_image_denied_by_a_private_copy_is_found_at_the_next_place() {
    let content = Content::of(&[("docker.io/bitnamilegacy/redis", &["7.2"])])
        .with_fault(denied("registry.example.com", 403));
    let setup = Setup::example("bitnami-moved.yaml", content);
    let found = setup.images(&[], &["registry.example.com/bitnami/redis:7.2"]);
    assert_eq!(found, [pinned("docker.io/bitnamilegacy/redis:7.2")]);
    let asked = ["bitnami", "bitnamilegacy"]
        .map(|project| refused(&format!("registry.example.com/{project}/redis:7.2")));
    let last = vec![existence("docker.io/bitnamilegacy/redis:7.2")];
    assert_eq!(setup.requests(), [asked.concat(), last].concat());
}

/// The requests that prove that a tag is denied: only a GET explains the status, and a 401 without
/// a challenge needs a request to `/v2/`, which may have one.
fn denial(reference: &str, status: u16) -> Vec<String> {
    let base = (status == 401).then(|| "GET ".to_owned());
    refused(reference).into_iter().chain(base).collect()
}
