//! Shapes: which parts of a text look like image references, where nothing but the text says so.
//!
//! A reference needs a registry host and a tag or a digest. Where the key beside it says image, a
//! name of Docker Hub is enough. What is a part of something greater (a URL, a glob, a template, an
//! e-mail address, a taint, an import path of Go) is none.

use std::ops::Range;

use super::place::Image;
use crate::image::{Written, has_host};

/// The most bytes between a text and the start of its key.
const KEY_REACH: usize = 160;

/// Hosts of things that look like images and are none: label keys and import paths of Go.
const OTHER_HOSTS: [&str; 10] = [
    "bitbucket.org",
    "github.com",
    "gitlab.com",
    "go.uber.org",
    "golang.org",
    "google.golang.org",
    "gopkg.in",
    "k8s.io",
    "kubernetes.io",
    "s3.amazonaws.com",
];

/// Effects of taints (Kubernetes API, `TaintEffect`), which stand where a tag would.
const TAINT_EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// The modes of a mounted volume, which follow its path.
const MOUNTS: [&str; 2] = ["ro", "rw"];

/// Flags whose value is the name that a build gives its result (kaniko, buildah, docker, ko, pack).
const DESTINATIONS: [&str; 8] = [
    "--destination",
    "--output-image",
    "--publish-image",
    "--tag",
    "--target-image",
    "-d",
    "-t",
    "--push-image",
];

/// The words that follow the word image in names of other things.
const OTHER_WORDS: [&str; 49] = [
    "addr",
    "address",
    "bucket",
    "catalog",
    "config",
    "count",
    "credential",
    "credentials",
    "digest",
    "dir",
    "filter",
    "format",
    "gc",
    "hash",
    "host",
    "id",
    "label",
    "labels",
    "limit",
    "list",
    "mime",
    "os",
    "pass",
    "passwd",
    "password",
    "path",
    "paths",
    "policies",
    "policy",
    "port",
    "prefix",
    "pull",
    "pulls",
    "quality",
    "regex",
    "registry",
    "repo",
    "repository",
    "scan",
    "secret",
    "secrets",
    "size",
    "stream",
    "suffix",
    "tag",
    "tags",
    "type",
    "version",
    "volume",
];

/// Texts that mean an image and are not the name of one.
const OTHER_NAMES: [&str; 7] = ["auto", "default", "false", "none", "null", "true", "latest"];

/// Something in a text that looks like an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    /// Its bytes in the text.
    pub(super) part: Range<usize>,
    /// Its meaning. A template's image is not known yet.
    pub(super) image: Image,
    /// False for a name without a tag: the program that reads it may complete it, with a tag that
    /// stands elsewhere, or with a registry.
    pub(super) can_pin: bool,
}

impl Shape {
    fn of(part: Range<usize>, written: Written) -> Self {
        let can_pin = has_tag(written.text());
        Self { part, image: Image::of(written), can_pin }
    }

    fn of_template(part: Range<usize>) -> Self {
        Self { part, image: Image::Placeholder, can_pin: true }
    }
}

/// True if a name (of a key, a variable, a flag) says that its value is an image: `image`,
/// `sidecarImage`, `RELATED_IMAGE_DB`, `--base-image`, but not `imagePullPolicy`.
pub(super) fn says_image(name: &str) -> bool {
    // Few names have these letters, and words have to be copied.
    if !name.as_bytes().windows(2).any(|letters| letters.eq_ignore_ascii_case(b"im")) {
        return false;
    }
    let words = words(name);
    let is_image = |word: &String| matches!(word.as_str(), "image" | "images" | "img");
    match words.iter().position(is_image) {
        Some(at) => {
            let rest = &words[at + 1..];
            !rest.iter().any(|word| OTHER_WORDS.contains(&word.as_str()))
        }
        None => false,
    }
}

/// The words of a name in lower case, by case and by what is no letter.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            let starts = !before.is_ascii_alphanumeric()
                || c.is_ascii_uppercase() && !before.is_ascii_uppercase();
            if starts {
                words.push(String::new());
            }
            words.last_mut().expect("just pushed").push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words
}

/// Finds the parts that look like images in a text whose key is `key`.
pub(super) fn find(text: &str, key: &str) -> Vec<Shape> {
    if text.contains('\n') {
        return inside(text, false);
    }
    let start = text.len() - text.trim_start().len();
    let part = start..start + text.trim().len();
    let whole = &text[part.clone()];
    if is_destination(&format!("{key} ")) || is_range(whole) {
        return Vec::new();
    }
    let says_image = says_image(key);
    if says_image && is_template(whole) && !whole.contains("://") {
        return vec![Shape::of_template(part)];
    }
    if may_be_image_of(key, whole)
        && let Some(written) = reference(whole)
    {
        return vec![Shape::of(part, written)];
    }
    inside(text, says_image)
}

/// Finds the parts that look like images inside a text: a list, a flag, a file of any format.
fn inside(text: &str, is_image: bool) -> Vec<Shape> {
    let mut shapes = Vec::new();
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        let before = shapes.len();
        let mut start = 0;
        while let Some(token) = next_token(line, start) {
            start = token.end;
            if !stands_alone(line, &token) {
                continue;
            }
            let token = trimmed(line, token);
            let word = &line[token.clone()];
            let may_be_named = || {
                let key = key_before(line, token.start);
                let is_word =
                    |key: &str| !has_tag(word) && is_bare(key, word) && is_code(line, &token);
                key.is_some_and(|key| may_be_image_of(key, word) && !is_word(key))
                    || is_image && has_tag(word)
            };
            let named = || if may_be_named() { reference(word) } else { None };
            if let Some(written) = image_anywhere(word).or_else(named)
                && !is_destination(&line[..token.start])
                && !is_range(word)
            {
                let part = line_start + token.start..line_start + token.end;
                shapes.push(Shape::of(part, written));
            }
        }
        if shapes.len() == before
            && let Some(part) = template_of_image(line)
        {
            let part = line_start + part.start..line_start + part.end;
            shapes.push(Shape::of_template(part));
        }
        line_start += line.len();
    }
    shapes
}

/// The bytes that references are made of.
fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/' | b':' | b'@')
}

fn next_token(line: &str, from: usize) -> Option<Range<usize>> {
    let bytes = line.as_bytes();
    let start = from + bytes[from..].iter().position(|&byte| is_of_token(byte))?;
    let length = bytes[start..].iter().position(|&byte| !is_of_token(byte));
    Some(start..length.map_or(bytes.len(), |length| start + length))
}

/// True if what surrounds a token are ends, and not the rest of a template, a glob or a URL.
fn stands_alone(line: &str, token: &Range<usize>) -> bool {
    let before = line[..token.start].chars().next_back();
    let after = line[token.end..].chars().next();
    let opens = |c: char| {
        c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '=' | ',' | ';' | '[' | '(' | '|' | '{')
    };
    let closes = |c: char| {
        c.is_whitespace()
            || matches!(c, '"' | '\'' | '`' | ',' | ';' | ']' | ')' | '|' | '}' | '\\')
    };
    before.is_none_or(opens) && after.is_none_or(closes)
}

/// A token without the punctuation of a sentence.
fn trimmed(line: &str, token: Range<usize>) -> Range<usize> {
    let text = line[token.clone()].trim_end_matches(['.', ':']);
    token.start..token.start + text.len()
}

/// The key, variable or flag that a text is the value of, as the line before it says.
fn key_before(line: &str, at: usize) -> Option<&str> {
    let mut from = at.saturating_sub(KEY_REACH);
    while !line.is_char_boundary(from) {
        from += 1;
    }
    let quote = |c: char| matches!(c, '"' | '\'' | '\\' | '`');
    let before = line[from..at].trim_end_matches(quote);
    let spaced = before.trim_end();
    let key = match spaced.strip_suffix([':', '=']) {
        Some(key) => key.trim_end_matches(|c: char| quote(c) || c.is_whitespace()),
        // `--image nginx:1`
        None if spaced.len() < before.len() => spaced,
        None => return None,
    };
    let is_of_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let start = key
        .rfind(|c: char| !is_of_key(c))
        .map_or(0, |at| at + key[at..].chars().next().map_or(1, char::len_utf8));
    let key = &key[start..];
    let is_flag = spaced.ends_with([':', '=']) || key.starts_with('-');
    is_flag.then_some(key)
}

/// True if what is before a reference says that it is pushed there: `--destination=`, `-t`, `docker push`.
fn is_destination(before: &str) -> bool {
    let mut words =
        before.trim_end_matches(['"', '\'', '=', ' ', '\t']).rsplit([' ', '\t', '"', '\'']);
    match words.next() {
        Some("push") => words.any(|word| !word.is_empty()),
        Some(flag) => DESTINATIONS.contains(&flag),
        None => false,
    }
}

/// True for a range of versions: `quay.io/acme/web:1.x`.
fn is_range(text: &str) -> bool {
    let tag = text.rsplit('/').next().and_then(|name| name.split_once(':'));
    tag.is_some_and(|(_, tag)| tag.split(['.', '-']).any(|part| matches!(part, "x" | "X")))
}

/// True if a word is a part of a program, not a value of YAML or JSON: `image=f`, `{"image": f}`.
fn is_code(line: &str, word: &Range<usize>) -> bool {
    let before = line[..word.start].trim_end();
    let is_quoted = line[..word.start].ends_with(['"', '\'']);
    let before = before.trim_end_matches(['"', '\'', '\\']).trim_end();
    let has_quoted_key =
        before.strip_suffix(':').is_some_and(|before| before.trim_end().ends_with(['"', '\'']));
    before.ends_with('=') || has_quoted_key && !is_quoted
}

/// The template that a line gives to a key that says image: `image: "{{ .Values.image }}"`.
fn template_of_image(line: &str) -> Option<Range<usize>> {
    let (key, value) = line.split_once(':')?;
    let key = key.trim_start_matches([' ', '-', '"', '\'']).trim_end_matches(['"', '\'']);
    let is_key = key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let text = value.trim().trim_end_matches(',').trim_matches(['"', '\'']);
    if !is_key || !says_image(key) || !is_template(text) || text.contains("://") {
        return None;
    }
    let start = line.len() - value.len() + value.find(text)?;
    Some(start..start + text.len())
}

/// True if something will be filled in.
fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("${") || text.contains("$(")
}

/// True if a text is an image wherever it stands.
pub(super) fn is_image_anywhere(text: &str) -> bool {
    image_anywhere(text).is_some()
}

/// A text as a reference, if it is an image wherever it stands.
fn image_anywhere(text: &str) -> Option<Written> {
    // Most words of a text have neither a host nor a tag, and parsing costs fifty times as much.
    let has_tag = text.split_once('/').is_some_and(|(_, rest)| rest.contains([':', '@']));
    if !has_tag || !has_host(text) {
        return None;
    }
    let written = text.parse::<Written>().ok()?;
    let (host, rest) = written.name().split_once('/')?;
    let tag = &text[written.name().len()..];
    let is_other =
        TAINT_EFFECTS.iter().chain(&MOUNTS).any(|other| tag.strip_prefix(':') == Some(other));
    (!rest.is_empty() && !tag.is_empty() && !is_other && is_registry(host)).then_some(written)
}

/// True if a host may be a registry's.
fn is_registry(host: &str) -> bool {
    let (name, port) = host.rsplit_once(':').map_or((host, false), |(name, _)| (name, true));
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_top_level = last.len() > 1 && last.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_other = OTHER_HOSTS.iter().any(|other| {
        let rest = name.strip_suffix(other);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    let is_known = name.starts_with("registry");
    (port || is_top_level || name == "localhost") && (is_known || !is_other)
}

/// True if a text, provided that it is a reference, is an image where it is the value of this key: any
/// reference where the key says image, and a mere name, as `ubuntu`, where it says no more than that.
fn may_be_image_of(key: &str, text: &str) -> bool {
    says_image(key)
        && (has_tag(text) || text.contains('/') || is_bare(key, text))
        && !is_address(text)
}

/// A text as a reference; none for anything else, also for a port or a time.
fn reference(text: &str) -> Option<Written> {
    let written = text.parse::<Written>().ok()?;
    written.name().bytes().any(|byte| byte.is_ascii_alphabetic()).then_some(written)
}

/// True if a text is a name and a port.
fn is_address(text: &str) -> bool {
    let port = text.split_once(':').map_or("", |(_, port)| port);
    !text.contains('/')
        && matches!(port.len(), 4..=5)
        && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_bare(key: &str, text: &str) -> bool {
    key.trim_start_matches('-') == "image" && !OTHER_NAMES.contains(&text)
}

/// True if a reference says which image of its repository is meant.
fn has_tag(text: &str) -> bool {
    let path = text.rfind('/').map_or(0, |slash| slash + 1);
    text.contains('@') || text[path..].contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'t>(text: &'t str, key: &str) -> Vec<&'t str> {
        find(text, key).into_iter().map(|shape| &text[shape.part]).collect()
    }

    #[test]
    fn a_name_that_says_image_is_told_from_one_that_does_not() {
        for name in [
            "image",
            "images",
            "sidecarImage",
            "IMAGE",
            "RELATED_IMAGE_DB",
            "CSI_IMAGE",
            "--image",
            "--base-image",
            "imageName",
            "image_uri",
            "proxy_init_image",
            "defaultImage",
            "OCI_IMG",
            "RELATED_IMAGE_KUBE_RBAC_PROXY",
            "IMAGE_SERVER",
        ] {
            assert!(says_image(name), "{name}");
        }
        for name in [
            "imagePullPolicy",
            "IMAGE_PULL_SECRETS",
            "imageTag",
            "image-version",
            "imagination",
            "IMAGE_REGISTRY",
            "--image-gc-high-threshold",
            "imageRepository",
            "name",
            "",
            "imageFormat",
            "nodeImageID",
            "IMAGE_PROXY_ADDR",
            "imagePassword",
        ] {
            assert!(!says_image(name), "{name}");
        }
    }

    #[test]
    fn an_image_is_found_wherever_it_stands() {
        for (text, images) in [
            ("quay.io/acme/web:1", &["quay.io/acme/web:1"][..]),
            ("--sidecar=quay.io/acme/web:1", &["quay.io/acme/web:1"]),
            ("a=quay.io/a:1,b=ghcr.io/b/c:2", &["quay.io/a:1", "ghcr.io/b/c:2"]),
            (
                "db: quay.io/db:1\nweb: localhost:5000/web:2\n",
                &["quay.io/db:1", "localhost:5000/web:2"],
            ),
            (r#"{"image":"nginx:1.27","x":1}"#, &["nginx:1.27"]),
            (r#"{\"image\":\"nginx:1.27\"}"#, &["nginx:1.27"]),
            ("  image: acme/web:2 # the web\n", &["acme/web:2"]),
            ("a: 1\nimage: acme/web\n", &["acme/web"]),
            (r#"{"image": "proxyv2"}"#, &["proxyv2"]),
            ("run --image nginx:1 --port 80", &["nginx:1"]),
            ("see quay.io/acme/web:1.2.", &["quay.io/acme/web:1.2"]),
            ("registry.k8s.io/pause:3.10", &["registry.k8s.io/pause:3.10"]),
        ] {
            assert_eq!(found(text, ""), images, "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_an_image_is_none() {
        for text in [
            "https://quay.io/acme/web:1",
            "oci://ghcr.io/acme/chart:1",
            "github.com/acme/web:v1",
            "sigs.k8s.io/controller-runtime:v0.1",
            "prometheus.monitoring.svc:9090",
            "prometheus.monitoring.svc:9090/api/v1",
            "node-role.kubernetes.io/control-plane:NoSchedule",
            "acme.io/dedicated:NoExecute",
            "/etc/acme.d/web:ro",
            "app.kubernetes.io/name: web",
            "quay.io/acme/*:1",
            "quay.io/acme/web:{{ .Tag }}",
            "${REGISTRY}quay.io/acme/web:1",
            "git@github.com:acme/web",
            "user@quay.io/acme:1",
            "quay.io/acme/web",
            "nginx:1.27",
            "system:serviceaccount:acme:web",
            "arn:aws:iam::1234:role/web.io/a:b",
            "1.2.3/4:5",
        ] {
            assert_eq!(found(text, ""), [""; 0], "{text}");
        }
    }

    #[test]
    fn what_a_build_pushes_to_and_words_of_programs_are_no_images() {
        for text in [
            "--destination=ghcr.io/acme/web:1",
            "--destination ghcr.io/acme/web:1",
            "buildah push ghcr.io/acme/web:1",
            "docker build -t ghcr.io/acme/web:1 .",
            "ghcr.io/acme/web:1.x",
            "web=ghcr.io/acme/web:1.x",
            "spec = dict(image=f)\nimage=f\n",
            "x = {\"image\": f}\n",
        ] {
            assert_eq!(found(text, ""), [""; 0], "{text}");
        }
        assert_eq!(found("ghcr.io/acme/web:1", "--destination"), [""; 0]);
        assert_eq!(found("push\nimage: ghcr.io/acme/web:1\n", ""), ["ghcr.io/acme/web:1"]);
        assert_eq!(found("docker run ghcr.io/acme/web:1", ""), ["ghcr.io/acme/web:1"]);
    }

    #[test]
    fn a_key_that_says_image_makes_more_an_image() {
        for (text, images) in [
            ("nginx:1.27", &["nginx:1.27"][..]),
            ("acme/web", &["acme/web"]),
            ("quay.io/acme/web", &["quay.io/acme/web"]),
            ("a/b:1,c/d:2", &["a/b:1", "c/d:2"]),
            ("{{ .Values.image }}", &["{{ .Values.image }}"]),
            ("ubuntu", &["ubuntu"]),
            ("auto", &[]),
            ("Always", &[]),
            ("1:2", &[]),
            ("/var/lib/images", &[]),
            ("https://acme.io/image.png", &[]),
            ("", &[]),
        ] {
            assert_eq!(found(text, "image"), images, "{text}");
        }
    }

    #[test]
    fn templates_of_images_are_found_in_files() {
        let text = "a: 1\n  image: \"{{ .Values.hub }}/proxy:{{ .Values.tag }}\"\nurl: {{ x }}\n";
        assert_eq!(found(text, ""), ["{{ .Values.hub }}/proxy:{{ .Values.tag }}"]);
    }
}
