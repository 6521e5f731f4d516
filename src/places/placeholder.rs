//! Placeholders: texts that another tool replaces before a cluster reads them.

/// True for a text with a variable of a shell, of OpenShift, Tekton or kustomize, with a template, or
/// with a word in angle brackets, and for an import path of ko.
pub(super) fn is_placeholder(text: &str) -> bool {
    let variable = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '{' | '(');
    let angle = text.split_once('<').is_some_and(|(_, rest)| rest.contains('>'));
    text.starts_with("ko://")
        || text.contains("{{")
        || text.split('$').skip(1).any(|rest| rest.starts_with(variable))
        || angle
}
