//! Template: the file of a chart from which Helm rendered an object. A position in a rendered stream
//! does not help to find it.

use std::ops::Range;

/// The comment that Helm writes above each object (`helm template`, `# Source:`).
const COMMENT: &str = "# Source: ";

/// The annotation that Helm 4 adds for a post-renderer (helm/helm, `postrenderer.go`).
const ANNOTATION: &str = "postrenderer.helm.sh/postrender-filename: ";

/// The templates of a rendered text: the start of each document, and the bytes of its template's name.
#[derive(Debug)]
pub(super) struct Templates(Vec<(usize, Option<Range<usize>>)>);

impl Templates {
    /// Reads the comments and the annotations of all documents. Each message needs them, and a document may
    /// be as large as the text.
    pub(super) fn of(text: &str) -> Self {
        let mut documents = vec![(0, None)];
        let mut has_comment = false;
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            if line.starts_with("---") && start > 0 {
                documents.push((start, None));
                has_comment = false;
            }
            let comment = line.strip_prefix(COMMENT);
            let name = comment.or_else(|| line.trim_start().strip_prefix(ANNOTATION));
            let (_, template) = documents.last_mut().expect("there is one from the start");
            if let Some(name) = name
                && (template.is_none() || comment.is_some() && !has_comment)
            {
                has_comment = comment.is_some();
                *template = bytes(name, start + line.len());
            }
            start += line.len();
        }
        Self(documents)
    }

    /// The bytes of the template's name for the object at an offset; none if neither a comment nor an
    /// annotation names it.
    pub(super) fn at(&self, offset: usize) -> Option<Range<usize>> {
        let document = self.0.partition_point(|&(start, _)| start <= offset);
        self.0[document.saturating_sub(1)].1.clone()
    }
}

/// The bytes of a name without blanks and quotes, given that it is followed by `end`; none if it is empty.
fn bytes(name: &str, end: usize) -> Option<Range<usize>> {
    let is_around = |c: char| c.is_whitespace() || matches!(c, '\'' | '"');
    let start = end - name.trim_start_matches(is_around).len();
    let end = end - (name.len() - name.trim_end_matches(is_around).len());
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_of_each_object_is_found() {
        let text = "---\n# Source: web/templates/a.yaml\nkind: A\nx: 1\n---\nkind: B\nmetadata:\n  annotations:\n    postrenderer.helm.sh/postrender-filename: 'web/templates/b.yaml'\nx: 2\n--- # end\nkind: C\nx: 3\n";
        for (needle, expected) in [
            ("x: 1", Some("web/templates/a.yaml")),
            ("kind: B", Some("web/templates/b.yaml")),
            ("x: 2", Some("web/templates/b.yaml")),
            ("x: 3", None),
        ] {
            let at = text.find(needle).expect("it is in the text");
            let found = Templates::of(text).at(at).map(|name| &text[name]);
            assert_eq!(found, expected, "{needle}");
        }
        assert_eq!(Templates::of("kind: A\n").at(8), None);
        assert_eq!(Templates::of("# Source: \nkind: A\n").at(12), None);
    }
}
