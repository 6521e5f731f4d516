//! The report for people who look at a pull request: Markdown, as GitHub and GitLab render it.
//!
//! Everything in it may come from somebody else's manifest, so nothing in it can be markup: no
//! cell or line of a table can be ended, no link, mention or HTML begun. It stays within what a
//! comment may have.

use std::fmt::Write as _;

use super::counted;
use super::finding::{Finding, FindingLocation, counts, verdict};
use crate::Run;
use crate::diagnostic::Severity;
use crate::plan::{Entry, Status};
use crate::text::Source;
use crate::text::escape::{escaped, inert, redacted, shortened};

/// Bytes of the longest table. A comment on GitHub may have 65,536 characters, and there are three.
const MAX_TABLE: usize = 15_000;

/// Rows of the longest table that is not folded.
const MAX_ROWS: usize = 10;

/// Places that a cell names.
const SHOWN_PLACES: usize = 3;

/// Hexadecimal digits of a digest that are shown: enough to tell two apart.
const SHOWN_DIGITS: usize = 12;

/// The report of a run, as Markdown.
pub(super) fn report(run: &Run<'_>, sources: &[Source], findings: &[Finding<'_>]) -> String {
    let (substituted, problems): (Vec<_>, Vec<_>) =
        findings.iter().partition(|finding| finding.said.severity == Severity::Substitution);
    let mut text = format!("**digestif {}**{}\n", verdict(findings), counts(run, findings));
    if !substituted.is_empty() {
        let rows = substituted.iter().map(|finding| row(finding));
        let rows: Vec<_> = rows.map(|[_, said, place]| [said, place]).collect();
        let title = format!("{} substituted", counted(rows.len(), "image"));
        write!(text, "\n**⚠ {title}**\n\n{}", table(["substitution", "place"], &rows))
            .expect("a string takes all");
    }
    let rows: Vec<_> = problems.iter().map(|finding| row(finding)).collect();
    text += &section("problem", ["level", "problem", "place"], &rows);
    let images = run.plan.entries.iter().filter(|entry| entry.status != Status::Candidate);
    let rows: Vec<_> = images.map(|entry| image(entry, run, sources)).collect();
    text += &section("image", ["image", "status", "digest", "places"], &rows);
    let candidates = run.plan.entries.len() - rows.len();
    if candidates > 0 {
        let texts = counted(candidates, "text");
        writeln!(text, "\n{texts} that may be images left alone; `digestif images` lists them.")
            .expect("a string takes all");
    }
    inert(&text).into_owned()
}

/// A table under what is in it; folded where it is long.
fn section<const N: usize>(noun: &str, header: [&str; N], rows: &[[String; N]]) -> String {
    let table = table(header, rows);
    match rows.len() {
        0 => String::new(),
        1..=MAX_ROWS => format!("\n{table}"),
        n => format!("\n<details><summary>{}</summary>\n\n{table}\n</details>\n", counted(n, noun)),
    }
}

fn table<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    let mut text = format!("| {} |\n|{}\n", header.join(" | "), "---|".repeat(N));
    for (n, row) in rows.iter().enumerate() {
        let line = format!("| {} |\n", row.join(" | "));
        if text.len() + line.len() > MAX_TABLE {
            let rest = rows.len() - n;
            writeln!(text, "\nand {rest} more, which the report as JSON has")
                .expect("it takes all");
            return text;
        }
        text += &line;
    }
    text
}

/// A finding: its level, what it says, and where.
fn row(finding: &Finding<'_>) -> [String; 3] {
    let text: Vec<_> =
        finding.lines().flat_map(|text| text.lines().map(prose).collect::<Vec<_>>()).collect();
    let places = listed(&finding.locations, place);
    [finding.level().to_owned(), text.join("<br>"), places]
}

fn image(entry: &Entry, run: &Run<'_>, sources: &[Source]) -> [String; 4] {
    let digest = entry.supplier().map(|(_, pin)| &pin.digest);
    let digest = digest.map(|digest| {
        let whole = digest.to_string();
        let shown = whole.len() - digest.hex().len() + SHOWN_DIGITS;
        code(&format!("{}…", &whole[..shown]))
    });
    let status = match &entry.status {
        Status::Substituted(found, _) => {
            format!("**substituted** by {}", code(&found.tagged.to_string()))
        }
        status => status.word().as_str().to_owned(),
    };
    let place = |&n: &usize| {
        let place = &run.found.places[n];
        let source = &sources[place.source];
        let line = source.position(place.site.text().start).line;
        code(&format!("{}:{line}", source.origin().report_name()))
    };
    [
        code(&entry.name.to_string()),
        status,
        digest.unwrap_or_default(),
        listed(&entry.places, place),
    ]
}

/// The first few of them, and how many more there are.
fn listed<T>(all: &[T], shown: impl Fn(&T) -> String) -> String {
    let mut lines: Vec<_> = all.iter().take(SHOWN_PLACES).map(shown).collect();
    if all.len() > SHOWN_PLACES {
        lines.push(format!("and {} more", all.len() - SHOWN_PLACES));
    }
    lines.join("<br>")
}

fn place(location: &FindingLocation<'_>) -> String {
    let gap = if location.label.is_empty() { "" } else { " " };
    format!("{}{gap}{}", code(&location.position()), prose(location.label))
}

/// A text as code, in which nothing is markup. Where the fence of backticks could be broken (as by a
/// backslash before the pipe that ends a cell), no character is left that could mean something.
pub(crate) fn code(text: &str) -> String {
    let text = escaped(&redacted(&shortened(text)));
    let is_odd = text.contains(['`', '|', '\\']) || text.trim() != text;
    match text.as_str() {
        "" => String::new(),
        _ if !is_odd => format!("`{text}`"),
        _ => {
            let entity = |c: char| match c {
                _ if c.is_ascii_punctuation() => format!("&#{};", u32::from(c)),
                _ => c.to_string(),
            };
            format!("<code>{}</code>", text.chars().map(entity).collect::<String>())
        }
    }
}

/// A line of text as text, and what it has in backticks as code.
fn prose(text: &str) -> String {
    let text = redacted(text);
    let parts: Vec<_> = text.split('`').collect();
    let mut line = String::new();
    for (n, part) in parts.iter().enumerate() {
        match n % 2 {
            // The last backtick has no other that ends it.
            1 if n + 1 == parts.len() => line += &plain(&format!("`{part}")),
            1 => line += &code(part),
            _ => line += &plain(part),
        }
    }
    line
}

/// A text without markup. What stays a sign of its own even as an entity, since mentions and links
/// are made of what has been rendered, is parted from what follows by a space of no width.
fn plain(text: &str) -> String {
    let mut line = String::new();
    let text = escaped(text);
    let mut rest = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = rest.next() {
        let is_last = rest.peek().is_none_or(|next| next.is_whitespace());
        match c {
            '@' | '#' | '!' => write!(line, "&#{};&#8203;", u32::from(c)),
            ':' if !is_last => write!(line, "&#58;&#8203;"),
            '.' if matches!(before, 'w' | 'W') => write!(line, "&#46;&#8203;"),
            ' ' | ',' | '.' | '-' | '/' | '\'' | '"' | '(' | ')' | ';' | '=' | '?' | ':' => {
                line.push(c);
                Ok(())
            }
            _ if c.is_ascii_punctuation() => write!(line, "&#{};", u32::from(c)),
            _ => {
                line.push(c);
                Ok(())
            }
        }
        .expect("a string takes all");
        before = c;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_holds_whatever_is_put_into_it() {
        for (text, expected) in [
            ("docker.io/library/web:1", "`docker.io/library/web:1`"),
            ("@octocat #1 <b> [a](b)", "`@octocat #1 <b> [a](b)`"),
            ("a`b", "<code>a&#96;b</code>"),
            ("a|b", "<code>a&#124;b</code>"),
            ("a\\|@b", "<code>a&#92;&#124;&#64;b</code>"),
            ("`", "<code>&#96;</code>"),
            ("a\nb", "<code>a&#92;nb</code>"),
            ("https://bob:pw@h/x", "`https://******@h/x`"),
            ("", ""),
        ] {
            assert_eq!(code(text), expected);
        }
    }

    #[test]
    fn text_is_text_whatever_stands_in_it() {
        for (text, expected) in [
            ("`web:1` does not exist: no such tag", "`web:1` does not exist: no such tag"),
            ("`a`@octocat`b`", "`a`&#64;&#8203;octocat`b`"),
            ("a ` @b", "a &#96; &#64;&#8203;b"),
            ("<img src=x>", "&#60;img src=x&#62;"),
            (
                "[a](http://b) **c** _d_ | e",
                "&#91;a&#93;(http&#58;&#8203;//b) &#42;&#42;c&#42;&#42; &#95;d&#95; &#124; e",
            ),
            (
                "www.evil.example &lt; acme#1",
                "www&#46;&#8203;evil.example &#38;lt; acme&#35;&#8203;1",
            ),
            ("a\\|b", "a&#92;&#124;b"),
            (
                "https://bob:pw@h/x",
                "https&#58;&#8203;//&#42;&#42;&#42;&#42;&#42;&#42;&#64;&#8203;h/x",
            ),
        ] {
            assert_eq!(prose(text), expected);
        }
    }

    #[test]
    fn a_table_is_no_longer_than_a_comment_may_be() {
        let rows: Vec<_> = (0..1_000).map(|n| [n.to_string(), "x".repeat(100)]).collect();
        let text = section("image", ["a", "b"], &rows);
        assert!(text.len() < MAX_TABLE + 200, "{}", text.len());
        assert!(text.starts_with(
            "\n<details><summary>1000 images</summary>\n\n| a | b |\n|---|---|\n| 0 | x"
        ));
        assert!(text.ends_with(" more, which the report as JSON has\n\n</details>\n"), "{text}");
    }
}
