//! Spans and positions: ranges of bytes, and places in a text as people count them.

use std::ops::Range;

/// A range of bytes in a [`Source`](super::Source); the end is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset after the last byte.
    pub end: usize,
}

impl Span {
    /// The span from `start` up to but not including `end`.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// This span in offsets that count from `base`.
    #[must_use]
    pub fn relative_to(self, base: usize) -> Self {
        Self::new(self.start - base, self.end - base)
    }

    /// This span, which counts from `base`, in offsets of the whole.
    #[must_use]
    pub fn behind(self, base: usize) -> Self {
        Self::new(self.start + base, self.end + base)
    }

    /// This span with both ends moved back to the start of a character of `text`.
    #[must_use]
    pub fn at_characters(self, text: &str) -> Self {
        let back = |at: usize| {
            let at = at.min(text.len());
            (0..=at).rfind(|&at| text.is_char_boundary(at)).unwrap_or(0)
        };
        Self::new(back(self.start), back(self.end))
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// True if it has no bytes.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// True if `other` lies within this span.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

/// A place in a text as people count it: both from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        span.start..span.end
    }
}
