//! Placeholders: texts that another tool replaces before a cluster reads them.

/// The marks around a variable of tools for deployments: Octopus and Azure Pipelines, Concourse, Maven,
/// and of Windows.
const MARKS: [(&str, &str); 4] = [("#{", "}"), ("((", "))"), ("@@", "@@"), ("%", "%")];

/// True for a text with a variable of a shell, of OpenShift, Tekton or kustomize, with a template, with
/// a word in angle brackets or between other tools' marks, for an import path of ko, and for a value
/// that SOPS has encrypted.
pub(super) fn is_placeholder(text: &str) -> bool {
    // Few texts have one of these characters, and the search for each form costs more than all else.
    let may_be =
        |byte| matches!(byte, b'$' | b'<' | b'%' | b'_' | b'#' | b'(' | b'@' | b'{' | b'[');
    if !text.bytes().any(may_be) && !text.starts_with("ko://") {
        return false;
    }
    let variable = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '{' | '(');
    let angle = text.split_once('<').is_some_and(|(_, rest)| rest.contains('>'));
    text.starts_with("ko://")
        || text.starts_with("ENC[")
        || text.contains("{{")
        || text.split('$').skip(1).any(|rest| rest.starts_with(variable))
        || angle
        || MARKS.iter().any(|(open, close)| has_variable(text, open, close))
        || text.split(['/', ':']).any(is_between_underscores)
}

/// True if a text has a name between these marks. No reference has such characters.
fn has_variable(text: &str, open: &str, close: &str) -> bool {
    let is_name = |name: &str| {
        let is_part =
            |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | ' ');
        !name.is_empty() && name.chars().all(is_part)
    };
    let name = text.split_once(open).and_then(|(_, rest)| rest.split_once(close));
    name.is_some_and(|(name, _)| is_name(name))
}

/// True for `__NAME__` as a whole part of a reference: a tag may start with an underscore.
fn is_between_underscores(part: &str) -> bool {
    let name = part.strip_prefix("__").and_then(|rest| rest.strip_suffix("__"));
    name.is_some_and(|name| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_other_tools_are_told_from_references() {
        for text in [
            "#{image}#",
            "quay.io/acme/web:#{tag}#",
            "#{Project.Registry}/web",
            "%IMAGE%",
            "web:%TAG%",
            "@@IMAGE@@",
            "acme/web:@@TAG@@",
            "((image))",
            "acme/web:((vault:acme/web.tag))",
            "__IMAGE__",
            "__REGISTRY__/web:1",
            "acme/web:__TAG__",
            "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in [
            "web:1",
            "acme/web__x__:1",
            "web:__",
            "web:____",
            "web:_a_",
            "web:1%",
            "web:%%",
            "#{}#",
            "(())",
            "web@@x",
            "acme/a__b:c__d",
        ] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
