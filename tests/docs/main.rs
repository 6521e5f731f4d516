//! The pages are true: each fenced block is run or has a reason, links lead to a page and a title, and every flag,
//! command and message has a row.

mod blocks;
mod ci;
mod fields;
mod links;
mod rows;
#[cfg(unix)]
mod shell;
#[path = "../support/mod.rs"]
mod support;
