//! Reading: `PinImages`, the one schema of `digestif.yaml`, of a function's `functionConfig` and of the
//! data of a `ConfigMap`, where every value is a string.
//!
//! Reading checks everything: a [`Config`] that exists can be used. Errors have line and column.

use std::path::Path;

use schemars::generate::SchemaSettings;

use super::config::Config;
use super::pin_images::PinImages;
use super::trust::Owner;
use super::wrong::{Shown, Wrong};
use crate::diagnostic::Diagnostic;
use crate::report;
use crate::text::{Source, Span};

/// Reads a configuration file.
///
/// # Errors
/// It is not YAML, has unknown or duplicate keys, values that make no sense, or values that its owner
/// must not set: with their places.
pub fn read(source: &Source, owner: Owner<'_>) -> Result<Config, Vec<Diagnostic>> {
    let folder = source.origin().path().and_then(Path::parent).unwrap_or(Path::new(""));
    let mut config = read_part(source.text(), owner, folder).map_err(|wrong| {
        let diagnostic = |wrong: Wrong| wrong.diagnostic(source, |offset| offset, Shown::Yes);
        wrong.into_iter().map(diagnostic).collect::<Vec<_>>()
    })?;
    // A path in a file counts from the file, not from the working directory.
    if let (Some(lock), Some(file)) = (&mut config.lock, source.origin().path()) {
        *lock = file.with_file_name(&lock);
    }
    Ok(config)
}

/// Reads the configuration of a function, which is a part of its input.
///
/// # Errors
/// As [`read`].
pub fn read_function(
    source: &Source,
    part: Span,
    owner: Owner<'_>,
) -> Result<Config, Vec<Diagnostic>> {
    // In the column where it stands, so that its lines still make one mapping.
    let column = source.position(part.start).column - 1;
    let text = " ".repeat(column) + source.slice(part);
    read_part(&text, owner, Path::new("")).map_err(|wrong| {
        let offset =
            |at: usize| (part.start + at).saturating_sub(column).clamp(part.start, part.end);
        let diagnostic = |wrong: Wrong| wrong.diagnostic(source, offset, Shown::No);
        wrong.into_iter().map(diagnostic).collect()
    })
}

/// Reads a text that is one `PinImages` object. The paths of certificates count from `folder`.
fn read_part(text: &str, owner: Owner<'_>, folder: &Path) -> Result<Config, Vec<Wrong>> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        // Hosts that write YAML anew change what looks like a number: 1.30 becomes 1.3.
        no_schema: true,
        // A thousand rules are far from it.
        budget: serde_saphyr::budget! { max_nodes: 50_000 },
    };
    let raw: PinImages = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| vec![Wrong::of_file(&error, text)])?;
    let missing = match (raw.api_version.is_none(), raw.kind.is_none()) {
        (true, true) => Some("`apiVersion` and `kind` are missing"),
        (true, false) => Some("`apiVersion` is missing"),
        (false, true) => Some("`kind` is missing"),
        (false, false) => None,
    };
    if let Some(missing) = missing {
        return Err(vec![Wrong::at(None, missing).help(
            "a configuration starts with `apiVersion: digestif.dev/v1alpha1` and `kind: PinImages`",
        )]);
    }
    let refused = owner.refusals(&raw, folder);
    if refused.is_empty() { raw.checked(folder) } else { Err(refused) }
}

/// The JSON Schema of a configuration, as JSON text.
#[must_use]
pub fn schema() -> String {
    let settings = SchemaSettings::draft2020_12();
    report::json::text(&settings.into_generator().into_root_schema_for::<PinImages>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "apiVersion: digestif.dev/v1alpha1\nkind: PinImages\n";

    /// The messages about a configuration, each with what it points at.
    fn wrongs(text: &str) -> Vec<(String, String)> {
        let text = format!("{HEAD}{text}");
        let wrongs = read_part(&text, Owner::Caller, Path::new("")).expect_err("it is wrong");
        let pointed = |wrong: &Wrong| {
            let span = wrong.span.filter(|_| wrong.shown == Shown::Yes);
            span.map_or("", |span| &text[span.start..span.end])
        };
        wrongs.iter().map(|wrong| (wrong.to_string(), pointed(wrong).to_owned())).collect()
    }

    #[test]
    fn what_is_wrong_is_said_where_it_stands() {
        for (text, message, place) in [
            (
                "kubeVersio: 1.32",
                "unknown key `kubeVersio`, did you mean `kubeVersion`?",
                "kubeVersio",
            ),
            ("colour: red", "unknown key `colour`", "colour"),
            ("pin: digest\npin: digest", "the key `pin` occurs twice", "pin"),
            ("pin: tag", "unknown value `tag`", "tag"),
            ("pin: digets", "unknown value `digets`, did you mean `digest`?", "digets"),
            ("kubeVersion: new", "`new` is not a version such as 1.32", "new"),
            ("kubeVersion: [1]", "expected a string", "["),
            ("skip: quay.io/**", "expected a list", "quay.io/**"),
            (
                "skip: ['a[']",
                "error parsing glob 'a[': unclosed character class; missing ']'",
                "'a['",
            ),
            ("fallbacks: {}", "expected a list", "{"),
            ("fallbacks: [a]", "expected a mapping", "a"),
            (
                "fallbacks:\n- name: a\n  imagse: []",
                "unknown key `imagse`, did you mean `images`?",
                "imagse",
            ),
            ("fallbacks:\n- {name: a, try: [b]}", "the rule has no `images`", "{"),
            ("fallbacks:\n- {images: [b/c], try: [b]}", "the rule has no `name`", "{"),
            ("fallbacks:\n- {name: a, images: [], try: [b]}", "`images` is empty", "{"),
            ("fallbacks:\n- {name: a, images: [b/c], try: []}", "`try` is empty", "["),
            ("fallbacks:\n- {name: a, images: [b/c], try: ['']}", "there is nothing to try", "''"),
            (
                "fallbacks:\n- {name: a, images: [b/c], try: [$1]}",
                "the regular expression has no group 1, which `$1` names",
                "$1",
            ),
            (
                "fallbacks:\n- {name: a, images: [b/c], try: [x, $tga]}",
                "unknown `$tga`, did you mean `$tag`?",
                "$tga",
            ),
            (
                "fallbacks:\n- {name: a, images: [b/c], tag: '(', try: [x]}",
                "the regular expression is wrong: unclosed group",
                "'('",
            ),
            (
                "fallbacks:\n- {name: a, images: [b/c], tag: x}",
                "the rule has no `try`, `version` or `kubernetesVersion`",
                "{",
            ),
            (
                "fallbacks:\n- {name: a, images: [b/c], try: [x], version: {within: minor}}",
                "the rule has both `try` and `version`",
                "{",
            ),
            (
                "fallbacks:\n- {name: a, images: [b/c], tag: x, version: {within: minor}}",
                "`tag` is only for rules with `try`",
                "{",
            ),
            (
                "fallbacks:\n- {name: a, images: [b/c], version: {within: weeks}}",
                "unknown value `weeks`",
                "weeks",
            ),
            (
                "fallbacks:\n- {name: a, images: [b/c], version: {prefer: closest}}",
                "the key `within` is missing",
                "prefer",
            ),
            (
                "fallbacks:\n- {name: a, images: [b/c], kubernetesVersion: {maxMinorSkew: -1}}",
                "expected a whole number",
                "-1",
            ),
            (
                "fallbacks:\n- {name: a, images: [b/c], kubernetesVersion: {maxMinorSkew: 21}}",
                "`maxMinorSkew` is at most 20",
                "21",
            ),
            ("fallbacks:\n- {name: a, images: [b/c], try: [x], when: []}", "`when` is empty", "{"),
            (
                "fallbacks:\n- {name: a, images: [b/c], try: [x], when: [denied]}",
                "`when` lacks `missing`",
                "{",
            ),
            (
                "fallbacks:\n- {name: a, images: [b/c], try: [x], when: [mising]}",
                "unknown value `mising`, did you mean `missing`?",
                "mising",
            ),
            ("fallbacks:\n- preset: bitnami", "unknown value `bitnami`", "bitnami"),
            (
                "fallbacks:\n- preset: kube-rbac-prox",
                "unknown value `kube-rbac-prox`, did you mean `kube-rbac-proxy`?",
                "kube-rbac-prox",
            ),
            ("fallbacks:\n- {preset: bitnamilegacy, try: [x]}", "a preset has its own `try`", "{"),
            (
                "fallbacks:\n- {preset: bitnamilegacy, kubernetesVersion: {}}",
                "`kubernetesVersion` is only for the preset `kubernetes-version`",
                "{",
            ),
            (
                "fallbacks:\n- preset: bitnamilegacy\n- preset: bitnamilegacy",
                "two rules are called `bitnamilegacy`",
                "",
            ),
            ("registries: [{url: 'https://a'}]", "the key `host` is missing", "url"),
            (
                "registries: [{host: a.io}]",
                "the entry has only a `host`: add `url`, `mirrors`, `cache`, `plainHttp`, `insecure`, `caFile` or `clientCert`",
                "{",
            ),
            (
                "registries: [{host: a.io, url: a.b}]",
                "it is not a URL, such as `https://mirror.example.com`",
                "",
            ),
            (
                "registries: [{host: 'a b', cache: true}]",
                "`a b` is not the host of a registry, such as `registry.local:5000`",
                "'a b'",
            ),
            ("kubeVersion: 1.30", "YAML reads `1.30` as a number, null or true: quote it", "1.30"),
            (
                "fallbacks:\n- {name: a, images: [b/c], try: [1.30]}",
                "YAML reads `1.30` as a number, null or true: quote it",
                "1.30",
            ),
            (
                "skip: [nginx]",
                "`nginx` can't match an image: a full name has a registry, for example `docker.io/library/nginx`",
                "nginx",
            ),
            (
                "fallbacks:\n- {name: a, images: [b/c], try: ['q.io/a:1@sha256:x']}",
                "digestif finds the digest: end with a tag, for example `…:$tag`",
                "'q.io/a:1@sha256:x'",
            ),
            (
                "fallbacks:\n- {name: a, images: [b/c], tag: '(?<name>.+)', try: [x]}",
                "a group can't be called `name`, which is a built-in variable",
                "'(?<name>.+)'",
            ),
            (
                "registries: [{host: a.io, url: 'https://u:hunter2@b'}]",
                "the URL must not contain credentials",
                "",
            ),
            ("pin: [digest]", "expected a string", "["),
            (
                "skip: [null]",
                "expected a glob, or an object with `group`, `kind`, `namespace` or `name`",
                "null",
            ),
            ("fallbacks: [{preset: bitnamilegacy, enabled: 1}]", "expected true or false", "1"),
            (
                "fallbacks:\n- {name: kubernetes-version, images: [b/c], try: [x]}",
                "`kubernetes-version` is the name of a preset",
                "{",
            ),
            (
                "registries: [{host: docker.io, cache: true}, {host: index.docker.io, cache: true}]",
                "there are two entries for `docker.io`",
                "index.docker.io",
            ),
            ("a: [", "unknown key `a`", "a"),
            ("---\nkind: PinImages", "there is more than one document in it", ""),
        ] {
            let expected = (message.to_owned(), place.to_owned());
            assert_eq!(wrongs(text), [expected], "{text}");
        }
    }

    #[test]
    fn every_wrong_rule_is_said_at_once() {
        let text = "fallbacks:\n- {name: a, images: [b/c], try: [$1, $2]}\n- {name: b, try: [x]}\n";
        assert_eq!(wrongs(text).len(), 3, "{:?}", wrongs(text));
    }

    #[test]
    fn a_configuration_says_what_it_is() {
        for (text, missing) in [
            ("", "`apiVersion` and `kind` are missing"),
            ("# nothing", "`apiVersion` and `kind` are missing"),
            ("pin: digest", "`apiVersion` and `kind` are missing"),
            ("apiVersion: digestif.dev/v1alpha1", "`kind` is missing"),
            ("kind: PinImages", "`apiVersion` is missing"),
        ] {
            let wrongs =
                read_part(text, Owner::Caller, Path::new("")).expect_err("it says nothing");
            assert_eq!(wrongs[0].to_string(), missing, "{text}");
        }
        let wrongs =
            read_part("apiVersion: digestif.dev/v2\nkind: PinImages", Owner::Caller, Path::new(""))
                .expect_err("v2");
        assert_eq!(
            wrongs[0].to_string(),
            "unknown value `digestif.dev/v2`, did you mean `digestif.dev/v1alpha1`?"
        );
        assert!(read_part(HEAD, Owner::Caller, Path::new("")).is_ok());
    }
}
