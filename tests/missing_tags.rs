//! Missing tags from public reports: the tag that is used or proposed instead of each. A case is a
//! line of `testdata/missing-tags/cases.txt`.

mod support;

use std::collections::BTreeMap;

use serde_json::Value;
use support::registry::{Content, Fault, Misbehaviour, Registry};
use support::{digestif, for_every_host, testdata};

struct Case<'t> {
    source: &'t str,
    /// A case and its registry.
    asked: String,
    existing: BTreeMap<String, Vec<&'t str>>,
    is_denied: bool,
    expected: &'t str,
}

impl<'t> Case<'t> {
    fn parse(line: &'t str) -> Self {
        let fields: Vec<_> = line.split(" | ").map(str::trim).collect();
        let [source, asked, existing, expected] = fields[..] else { panic!("four fields: {line}") };
        let is_denied = asked.starts_with('!');
        let asked = full(asked.trim_start_matches('!'));
        let own = asked.rsplit_once(':').expect("a tag").0;
        let mut repositories: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for text in existing.split(' ') {
            let (repository, tag) = text.rsplit_once(':').unwrap_or((own, text));
            repositories.entry(repository.to_owned()).or_default().push(tag);
        }
        Self { source, existing: repositories, is_denied, expected, asked }
    }

    fn registry(&self) -> Registry {
        let content: Vec<(&str, &[&str])> =
            self.existing.iter().map(|(name, tags)| (name.as_str(), &tags[..])).collect();
        let content = Content::of(&content);
        let own = self.asked.rsplit_once(':').expect("a tag").0;
        let denied = || {
            Fault::on(&format!("/v2/{own}/"), Misbehaviour::Status(401, Vec::new(), String::new()))
        };
        Registry::start(if self.is_denied { content.with_fault(denied()) } else { content })
    }

    /// The substitute, or the images of the first proposals.
    fn choice(&self) -> (String, Value) {
        let registry = self.registry();
        let every_host = for_every_host(&registry);
        let ran = digestif(["explain", &self.asked, &every_host, "--format=json"], "");
        let explained: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        let own = self.asked.rsplit_once(':').expect("a tag").0;
        let short = |reference: &str| {
            let tag = reference.strip_prefix(own).and_then(|rest| rest.strip_prefix(':'));
            tag.unwrap_or(reference).to_owned()
        };
        if let Some(written) = explained["written"].as_str() {
            return (short(written.split('@').next().expect("a name")), explained);
        }
        let suggestions = explained["suggestions"].as_array().cloned().unwrap_or_default();
        let reference = |one: &Value| short(one["reference"].as_str().expect("a reference"));
        let tied: Vec<_> = suggestions.iter().filter(|one| one["tied"] == true).collect();
        let choice = match (&tied[..], suggestions.first()) {
            (_, None) => "-".to_owned(),
            ([], Some(first)) => reference(first),
            (tied, _) => tied.iter().map(|one| reference(one)).collect::<Vec<_>>().join(" = "),
        };
        (choice, explained)
    }
}

/// The full name of an image of Docker Hub.
fn full(image: &str) -> String {
    match image.split_once('/') {
        None => format!("docker.io/library/{image}"),
        Some((host, _)) if host.contains('.') => image.to_owned(),
        Some(_) => format!("docker.io/{image}"),
    }
}

/// Writes the first proposal into a configuration, and returns what is wrong with its result.
fn pasted(case: &Case<'_>, explained: &Value) -> Option<String> {
    let first = explained["suggestions"].as_array()?.first()?;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("digestif.yaml");
    let head = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\nfallbacks:\n";
    let yaml = first["yaml"].as_str().expect("YAML");
    std::fs::write(&path, format!("{head}{yaml}\n")).expect("it is writable");
    let config = format!("--config={}", path.display());
    let registry = case.registry();
    let every_host = for_every_host(&registry);
    let ran = digestif(["explain", &case.asked, &every_host, "--format=json", &config], "");
    let found: Value = serde_json::from_str(&ran.stdout).ok()?;
    let expected = format!("{}@{}", first["reference"].as_str()?, first["digest"].as_str()?);
    let is_right = found["written"] == expected;
    (!is_right).then(|| {
        format!(
            "{}: pasted, it leads to {}:\n{yaml}\n{}",
            case.source, found["written"], ran.stderr
        )
    })
}

#[test]
fn the_substitute_or_first_proposal_is_the_choice_of_an_operator() {
    let path = testdata("missing-tags/cases.txt");
    let text = std::fs::read_to_string(path).expect("it is there");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let cases: Vec<_> = lines.map(Case::parse).collect();
    let mut wrong = Vec::new();
    for case in &cases {
        let (choice, explained) = case.choice();
        wrong.extend(pasted(case, &explained));
        if choice != case.expected {
            let Case { source, asked, expected, .. } = case;
            wrong.push(format!(
                "{source}: {asked}: {choice}, not {expected}\n  {}",
                explained["nearest"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
