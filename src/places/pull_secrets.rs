//! Pull secrets: logins for registries that come with the manifests (Kubernetes, "Pull an Image from
//! a Private Registry"). Only their own kinds are looked into; every other secret stays closed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::SecretString;

use super::object::Object;
use crate::credentials::PullSecret;
use crate::diagnostic::{Diagnostic, Location};
use crate::text::Source;
use crate::text::yaml::{Document, NodeId};

/// The types of pull secrets, the key of each, and whether it is the older form.
const TYPES: [(&str, &str, bool); 2] = [
    ("kubernetes.io/dockerconfigjson", ".dockerconfigjson", false),
    ("kubernetes.io/dockercfg", ".dockercfg", true),
];

/// The logins of an object; or the node that should hold them and does not. None where the object
/// is no pull secret, or holds nothing.
pub(super) fn pull_secret(
    document: &Document<'_>,
    root: NodeId,
) -> Option<Result<PullSecret, NodeId>> {
    let is = |key: &str, text: &str| document.string_at(root, &[key]) == Some(text);
    if !is("kind", "Secret") || !is("apiVersion", "v1") {
        return None;
    }
    let kind = document.string_at(root, &["type"])?;
    let (_, key, is_old_form) = *TYPES.iter().find(|(name, ..)| *name == kind)?;
    let at = |holder: &str| document.value(document.value(root, holder)?, key);
    // Kubernetes takes `stringData` where both are there.
    let (node, text) = if let Some(node) = at("stringData") {
        (node, document.string(node).map(SecretString::from))
    } else {
        let node = at("data")?;
        (node, document.string(node).and_then(decoded))
    };
    let name = Object::of(document, root).to_string();
    let secret = text.and_then(|text| PullSecret::read(&name, &text, is_old_form));
    Some(secret.ok_or(node))
}

fn decoded(text: &str) -> Option<SecretString> {
    // Block scalars fold it over lines.
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    Some(SecretString::from(String::from_utf8(BASE64.decode(text).ok()?).ok()?))
}

/// A warning that says where the logins should be, without the line, which may hold half of one.
pub(super) fn unreadable(source: &Source, document: &Document<'_>, node: NodeId) -> Diagnostic {
    let at = source.position(document.node(node).span.start);
    Diagnostic::warning("the pull secret has no readable logins".to_owned())
        .location(Location::Position(source.origin().display_name(), at))
        .help("`kubectl create secret docker-registry` writes one; private images are requested without it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Origin;

    const SECRET: &str = "NeverShowThisSecret";

    /// The result for a document: a login, a warning, or nothing.
    fn found(text: &str) -> &'static str {
        let source = Source::new(Origin::Stdin, text.as_bytes().to_vec()).expect("text");
        let document = crate::text::yaml::documents(&source, 0).next().expect("one").expect("YAML");
        match pull_secret(&document, document.root().expect("one")) {
            None => "nothing",
            Some(Ok(secret)) => {
                assert!(!format!("{secret:?}").contains(SECRET));
                "a login"
            }
            Some(Err(node)) => {
                let warning = format!("{:?}", unreadable(&source, &document, node));
                assert!(!warning.contains(SECRET), "{warning}");
                "a warning"
            }
        }
    }

    #[test]
    fn only_pull_secrets_are_looked_into() {
        let new = format!("{{\"auths\": {{\"a.io\": {{\"registrytoken\": \"{SECRET}\"}}}}}}");
        let old = format!("{{\"a.io\": {{\"registrytoken\": \"{SECRET}\"}}}}");
        let (new_data, old_data) = (BASE64.encode(&new), BASE64.encode(&old));
        let [new_type, old_type] = TYPES.map(|(kind, ..)| kind);
        for (version, kind, of_type, rest, expected) in [
            (
                "v1",
                "Secret",
                new_type,
                format!("data: {{.dockerconfigjson: {new_data}}}"),
                "a login",
            ),
            (
                "v1",
                "Secret",
                new_type,
                format!("stringData: {{.dockerconfigjson: '{new}'}}"),
                "a login",
            ),
            ("v1", "Secret", old_type, format!("data: {{.dockercfg: {old_data}}}"), "a login"),
            ("v1", "Secret", old_type, format!("stringData: {{.dockercfg: '{old}'}}"), "a login"),
            (
                "v1",
                "Secret",
                new_type,
                format!("data: {{.dockerconfigjson: '{new}'}}"),
                "a warning",
            ),
            (
                "v1",
                "Secret",
                new_type,
                format!("stringData: {{.dockerconfigjson: {SECRET}}}"),
                "a warning",
            ),
            (
                "v1",
                "Secret",
                new_type,
                format!("data: {{.dockerconfigjson: [{SECRET}]}}"),
                "a warning",
            ),
            (
                "v1",
                "Secret",
                new_type,
                format!(
                    "data: {{.dockerconfigjson: {new_data}}}\nstringData: {{.dockerconfigjson: x}}"
                ),
                "a warning",
            ),
            ("v1", "Secret", new_type, format!("data: {{.dockercfg: {SECRET}}}"), "nothing"),
            ("v1", "Secret", new_type, "data: {}".to_owned(), "nothing"),
            ("v1", "Secret", new_type, "data:".to_owned(), "nothing"),
            (
                "v1",
                "Secret",
                "Opaque",
                format!("data: {{.dockerconfigjson: {new_data}}}"),
                "nothing",
            ),
            (
                "v1",
                "ConfigMap",
                new_type,
                format!("data: {{.dockerconfigjson: {new_data}}}"),
                "nothing",
            ),
            (
                "a.io/v1",
                "Secret",
                new_type,
                format!("data: {{.dockerconfigjson: {new_data}}}"),
                "nothing",
            ),
        ] {
            let text = format!("apiVersion: {version}\nkind: {kind}\ntype: {of_type}\n{rest}\n");
            assert_eq!(found(&text), expected, "{text}");
        }
    }
}
