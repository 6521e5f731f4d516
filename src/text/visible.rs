//! Visible: which characters a reader can see and tell from others. The rest is shown as code points.
//!
//! Sources: Unicode's default ignorable code points and spaces (DerivedCoreProperties.txt, PropList.txt),
//! and the characters that its list of confusables maps to ASCII (UTS #39). Letters of Greek, Cyrillic and
//! other scripts are shown as they are in words of their own, and as code points beside Latin letters.

/// Characters that take no room, look like a blank, or turn the order of text around (CVE-2021-42574).
const INVISIBLE: [(char, char); 21] = [
    ('\u{a0}', '\u{a0}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{1680}', '\u{1680}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{2000}', '\u{200f}'),
    ('\u{2028}', '\u{202f}'),
    ('\u{205f}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3000}', '\u{3000}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Characters that look like ASCII wherever they stand: other forms of letters, digits and punctuation.
const LOOKS_LIKE_ASCII: [(char, char); 15] = [
    ('\u{1c3}', '\u{1c3}'),
    ('\u{2b0}', '\u{2ff}'),
    ('\u{589}', '\u{589}'),
    ('\u{5c3}', '\u{5c3}'),
    ('\u{2010}', '\u{2012}'),
    ('\u{2024}', '\u{2024}'),
    ('\u{2044}', '\u{2044}'),
    ('\u{2100}', '\u{214f}'),
    ('\u{2170}', '\u{217f}'),
    ('\u{2212}', '\u{2216}'),
    ('\u{2236}', '\u{2236}'),
    ('\u{29f8}', '\u{29f9}'),
    ('\u{a789}', '\u{a789}'),
    ('\u{ff00}', '\u{ff5e}'),
    ('\u{1d400}', '\u{1d7ff}'),
];

/// Scripts with letters that look like Latin ones.
const LOOKS_LIKE_LATIN: [(char, char); 9] = [
    ('\u{250}', '\u{2af}'),
    ('\u{370}', '\u{3ff}'),
    ('\u{400}', '\u{52f}'),
    ('\u{530}', '\u{588}'),
    ('\u{13a0}', '\u{13ff}'),
    ('\u{1d00}', '\u{1dbf}'),
    ('\u{2c60}', '\u{2c7f}'),
    ('\u{2c80}', '\u{2cff}'),
    ('\u{a4d0}', '\u{a4ff}'),
];

/// True if a character is visible and does not look like an ASCII character.
pub(super) fn is_visible(c: char) -> bool {
    !c.is_control() && !is_in(&INVISIBLE, c) && !is_in(&LOOKS_LIKE_ASCII, c)
}

/// True if a word mixes Latin letters with letters that look like them.
pub(super) fn is_mixed(word: &str) -> bool {
    word.contains(|c: char| c.is_ascii_alphanumeric()) && word.contains(looks_like_latin)
}

/// True for a letter of a script with letters that look like Latin ones.
pub(super) fn looks_like_latin(c: char) -> bool {
    is_in(&LOOKS_LIKE_LATIN, c)
}

fn is_in(ranges: &[(char, char)], c: char) -> bool {
    !c.is_ascii() && ranges.iter().any(|&(first, last)| (first..=last).contains(&c))
}
