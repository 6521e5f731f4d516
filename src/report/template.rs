//! Template: the file of a chart from which Helm rendered an object. A position in a rendered stream
//! does not help to find it.

/// The comment that Helm writes above each object (`helm template`, `# Source:`).
const COMMENT: &str = "# Source: ";

/// The annotation that Helm 4 adds for a post-renderer (helm/helm, `postrenderer.go`).
const ANNOTATION: &str = "postrenderer.helm.sh/postrender-filename: ";

/// The template of the object at an offset of a rendered text; none if neither a comment nor an annotation
/// names it.
pub(super) fn template(text: &str, at: usize) -> Option<&str> {
    let start = text[..at].rfind("\n---").map_or(0, |start| start + 1);
    let end = text[at..].find("\n---").map_or(text.len(), |end| at + end);
    let lines = || text[start..end].lines();
    let comment = lines().find_map(|line| line.strip_prefix(COMMENT));
    let annotation = || lines().find_map(|line| line.trim_start().strip_prefix(ANNOTATION));
    let name = comment.or_else(annotation)?.trim().trim_matches(['\'', '"']);
    (!name.is_empty()).then_some(name)
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
            assert_eq!(template(text, at), expected, "{needle}");
        }
        assert_eq!(template("kind: A\n", 8), None);
        assert_eq!(template("# Source: \nkind: A\n", 12), None);
    }
}
