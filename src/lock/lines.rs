//! Lines of a text, and the comments that belong to a line.

/// The start of the line of a position.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |at| at + 1)
}

/// The start of the next line; the end of the text if there is none.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    if at > 0 && text[..at].ends_with('\n') {
        return at;
    }
    text[at..].find('\n').map_or(text.len(), |n| at + n + 1)
}

/// The start of a line, or of the comments that stand right above it and are no deeper than this:
/// those that are belong to the entry before.
pub(super) fn with_comments(text: &str, line: usize, depth: usize) -> usize {
    let mut start = line;
    while start > 0 {
        let above = line_start(text, start - 1);
        if comment_depth(&text[above..start]).is_none_or(|own| own > depth) {
            break;
        }
        start = above;
    }
    start
}

/// The start of a line, or behind the comments that stand right there and are deeper than this.
pub(super) fn behind_comments(text: &str, line: usize, depth: usize) -> usize {
    let mut end = line;
    while end < text.len() {
        let below = line_end(text, end + 1);
        if comment_depth(&text[end..below]).is_none_or(|own| own <= depth) {
            break;
        }
        end = below;
    }
    end
}

/// The indentation of a comment; none for any other line.
fn comment_depth(line: &str) -> Option<usize> {
    let trimmed = line.trim_start();
    trimmed.starts_with('#').then(|| line.len() - trimmed.len())
}
