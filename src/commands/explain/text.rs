//! The text form of an explanation, in sections with a title each.

use std::fmt::Write as _;

use super::Explanation;
use super::candidates::Candidate;
use crate::diagnostic::{Diagnostic, Severity};
use crate::fallback::{Nearby, Suggestion};
use crate::plan::{Name, Pin, Status};
use crate::text::escape::{escaped, inert, redacted};

impl Explanation {
    /// As text for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = Sections(format!("{}\n", escaped(&self.entry.name.to_string())));
        self.add_question(&mut text);
        for rule in &self.rules {
            let mut lines = rule.lines();
            lines.extend(rule.note.clone());
            text.add(&format!("rule {}", rule.rule), &lines);
        }
        if matches!(self.entry.status, Status::Pinned(_)) {
            text.add("rules", &["no rule is tried, because the image exists".to_owned()]);
        }
        let notes = self.entry.status.search().map(|search| &search.notes[..]).unwrap_or_default();
        if !notes.is_empty() {
            text.add("notes", notes);
        }
        text.add("result", &self.result());
        if self.entry.supplier().is_none() && !self.candidates.is_empty() {
            let lines: Vec<_> =
                self.candidates.iter().flat_map(|one| self.described(one)).collect();
            text.add("images that exist", &lines);
        }
        for suggestion in &self.suggestions {
            add_suggestion(&mut text, suggestion);
        }
        inert(&redacted(&text.0)).into_owned()
    }

    /// Adds the answer to the reference as it is written, and what its tag means.
    fn add_question(&self, text: &mut Sections) {
        if let (Name::Tagged(tagged), Some(search)) = (&self.entry.name, self.entry.status.search())
            && let Some(refusal) = search.refusal_of(tagged)
        {
            let outcome = format!("{tagged}  {} ({})", refusal.outcome.word(), refusal.detail);
            text.add("as written", &[outcome]);
        }
        let reading = self.reading();
        if !self.rules.is_empty() && !reading.is_empty() {
            let parts = reading.iter().map(|part| format!("{} {}", part.meaning, part.text));
            text.add("the tag", &[parts.collect::<Vec<_>>().join(", ")]);
        }
    }

    fn result(&self) -> Vec<String> {
        let mut lines = match &self.entry.status {
            Status::Pinned(pin) => self.pinned(&self.entry.name.to_string(), pin),
            Status::Substituted(found, _) => {
                let mut lines = self.pinned(&found.tagged.to_string(), &found.pin);
                let rule = &found.rule;
                lines.push(format!("it is another image than was asked for, by rule {rule}"));
                lines
            }
            Status::Already => vec!["it already has a digest and stays unchanged".to_owned()],
            Status::Skipped(skip) => vec![format!("it is left alone: {skip}")],
            _ => Vec::new(),
        };
        lines.extend(self.age.clone());
        // The lines above say that an image is substituted.
        let said = self.diagnostics.iter().filter(|said| said.severity != Severity::Substitution);
        lines.extend(said.flat_map(said_lines));
        let nearest = self.entry.status.search().map(|search| &search.nearest[..]);
        if let Some(nearest @ [_, ..]) = nearest {
            lines.push("nearest tags:".to_owned());
            let near = |near: &Nearby| format!("  {}  {}", near.tag, near.reason);
            lines.extend(nearest.iter().map(near));
        }
        lines
    }

    /// The digest of the result, its source, and its platforms.
    fn pinned(&self, name: &str, pin: &Pin) -> Vec<String> {
        let lines = [
            format!("{name}@{}", pin.digest),
            format!("the digest comes from a {}", pin.via.word()),
        ];
        lines.into_iter().chain(self.candidates.first().map(Candidate::said)).collect()
    }

    fn described(&self, candidate: &Candidate) -> Vec<String> {
        let equal = self.equal_to(candidate).map(|other| other.tagged.to_string());
        let equal: Vec<_> = equal.collect();
        let equal =
            (!equal.is_empty()).then(|| format!("  the same digest as {}", equal.join(", ")));
        let lines = [
            candidate.tagged.to_string(),
            format!("  {}", candidate.digest),
            format!("  {}", candidate.said()),
        ];
        lines.into_iter().chain(equal).collect()
    }
}

/// A text in sections.
struct Sections(String);

impl Sections {
    fn add(&mut self, title: &str, lines: &[String]) {
        write!(self.0, "\n{}\n", escaped(title)).expect("a string takes all");
        for line in lines.iter().flat_map(|line| line.split('\n')) {
            writeln!(self.0, "  {}", escaped(line)).expect("a string takes all");
        }
    }
}

fn said_lines(diagnostic: &Diagnostic) -> Vec<String> {
    let help = diagnostic.help.iter().map(|help| format!("help: {help}"));
    std::iter::once(diagnostic.message.clone()).chain(help).collect()
}

fn add_suggestion(text: &mut Sections, suggestion: &Suggestion) {
    let title = if suggestion.is_tied {
        "one of the rules that would help"
    } else {
        "a rule that would help"
    };
    let leads_to = format!("it leads to {}@{}", suggestion.tagged, suggestion.digest);
    let lines = suggestion.flag.iter().cloned().chain([leads_to]).chain(suggestion.note.clone());
    text.add(title, &lines.collect::<Vec<_>>());
    let title = match suggestion.flag {
        Some(_) => "the same in `fallbacks` of digestif.yaml",
        None => "it goes into `fallbacks` of digestif.yaml",
    };
    text.add(title, &[suggestion.yaml()]);
}
