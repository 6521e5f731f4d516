//! The pages of the project: their fenced blocks, each with its place and the note before it.
//!
//! A note is a comment on the line before a block:
//!
//! - `<!-- recipe: NAME -->`: a test reads the block with [`recipe`] and uses it.
//! - `<!-- not run: REASON -->`: no test uses the block.

use std::fs;
use std::path::{Path, PathBuf};

/// The folders with pages, from the root of the checkout.
const FOLDERS: [&str; 7] = ["", "docs", "helm", "krm", "fuzz", "examples/argo-cd", "examples/flux"];

/// A page: its path from the root of the checkout, and its text.
#[derive(Debug)]
pub struct Page {
    pub path: PathBuf,
    pub text: String,
}

/// The note before a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    None,
    Recipe(String),
    NotRun(String),
}

/// A fenced block.
#[derive(Debug)]
pub struct Block {
    /// The page and the line of the fence: `docs/hosts.md:12`.
    pub place: String,
    /// The title of the section.
    pub section: String,
    /// The word after the fence.
    pub language: String,
    /// The content, without the indentation of the fence.
    pub text: String,
    pub note: Note,
}

/// Every page.
pub fn pages() -> Vec<Page> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = FOLDERS.iter().filter_map(|folder| fs::read_dir(root.join(folder)).ok()).flatten();
    let paths = files.map(|file| file.expect("readable").path());
    let paths = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut pages: Vec<_> = paths
        .map(|path| {
            let text = fs::read_to_string(&path).expect("readable");
            let path = path.strip_prefix(root).expect("it is below the root").to_owned();
            Page { path, text }
        })
        .collect();
    pages.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(pages.len() > 15, "{pages:?}");
    pages
}

/// Every fenced block of every page.
pub fn blocks() -> Vec<Block> {
    pages().iter().flat_map(blocks_of).collect()
}

/// The fenced blocks of a page.
///
/// # Panics
/// A fence is not closed, or a comment before a fence is not a note.
pub fn blocks_of(page: &Page) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut section = String::new();
    let mut before = "";
    let mut lines = page.text.lines().enumerate();
    while let Some((n, line)) = lines.next() {
        if let Some(title) = line.strip_prefix('#') {
            title.trim_start_matches('#').trim().clone_into(&mut section);
        }
        if let Some(language) = line.trim_start().strip_prefix("```") {
            let place = format!("{}:{}", page.path.display(), n + 1);
            let indentation = line.len() - line.trim_start().len();
            let mut text = String::new();
            loop {
                let Some((_, line)) = lines.next() else { panic!("{place}: the fence is open") };
                if line.trim() == "```" {
                    break;
                }
                text.push_str(line.get(indentation..).unwrap_or_default());
                text.push('\n');
            }
            let note = note(before, &place);
            blocks.push(Block {
                place,
                section: section.clone(),
                language: language.to_owned(),
                text,
                note,
            });
        }
        before = line.trim();
    }
    blocks
}

fn note(line: &str, place: &str) -> Note {
    let Some(comment) = line.strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->")) else {
        return Note::None;
    };
    match comment.trim().split_once(": ") {
        Some(("recipe", name)) => Note::Recipe(name.to_owned()),
        Some(("not run", reason)) => Note::NotRun(reason.to_owned()),
        _ => panic!("{place}: `{line}` is not a note"),
    }
}

/// The text of the block with this name.
///
/// # Panics
/// No block, or more than one block, has the name.
pub fn recipe(name: &str) -> String {
    let is_named = |block: &Block| block.note == Note::Recipe(name.to_owned());
    let mut found: Vec<_> = blocks().into_iter().filter(is_named).collect();
    assert_eq!(found.len(), 1, "`{name}` names one block: {found:?}");
    found.remove(0).text
}
