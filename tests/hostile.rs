//! Hostile inputs: too much nesting, too many aliases and merges, texts of megabytes. Each run ends
//! with the right status and within bounded memory, and stdout is empty or correct.
//!
//! These tests do not measure time. They bound memory, and a quadratic algorithm would take
//! minutes.

mod support;

use std::process::Command;

use support::registry::{Content, Registry};
use support::{Ran, command, digest_of, finish, for_every_host, start};

/// The limit of a run's address space, in KiB: twenty times the largest input here.
const MEMORY: usize = 512 * 1024;

/// The limit of a message's length. A longer message is a copy of the input.
const MESSAGE: usize = 4096;

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n";

/// Runs the binary with a limit on its memory, if the system supports that.
fn bounded(args: &[&str], stdin: &str) -> Ran {
    let mut run = command(args);
    if cfg!(target_os = "linux") {
        let mut shell = Command::new("sh");
        shell.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        shell.args(["-c", &format!("ulimit -v {MEMORY} && exec \"$@\""), "sh"]);
        shell.arg(run.get_program()).args(run.get_args());
        run = shell;
    }
    finish(start(&mut run), stdin.as_bytes())
}

/// Pins `nginx:1.27` in a text, with a registry that has every tag.
fn pinned(text: &str) -> Ran {
    let registry = Registry::start(Content::everything());
    bounded(&[&for_every_host(&registry)], text)
}

/// The text with its first `n` images pinned.
fn with_digests(text: &str, n: usize) -> String {
    text.replacen("nginx:1.27", &format!("nginx:1.27@{}", digest_of("nginx:1.27")), n)
}

#[track_caller]
fn assert_output(ran: Ran, expected: &str) {
    // These texts are too long to print.
    assert!(ran.succeeded() == expected, "the output is not the input with its digests");
}

#[test]
fn too_much_nesting_is_refused() {
    let indented: String = (0..2_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        "? ".repeat(100_000),
        format!("{POD}spec: {}", "[".repeat(100_000)),
        format!("{POD}spec: {}{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("{POD}spec:\n{indented}"),
    ] {
        let said = pinned(&text).failed(3);
        assert!(said.starts_with("error: the input is not YAML: "), "{said}");
        assert!(said.contains("--> <stdin>:") && said.len() < MESSAGE, "{said}");
    }
}

#[test]
fn endless_tokens_are_refused() {
    for open in ["\"", "'", "[\"", "# c\na: |\n  ", "- &", "- !<", "%", "..."] {
        let said = pinned(&format!("{open}{}", "a".repeat(2_000_000))).failed(3);
        assert!(said.starts_with("error: ") && said.len() < MESSAGE, "{open}: {said:.1000}");
    }
}

#[test]
fn aliases_are_never_expanded() {
    let bomb = |seed: &str, item: &str| {
        let levels = (1..20).map(|n| {
            let item = item.replace('*', &format!("*x{} ", n - 1));
            format!("x{n}: &x{n} [{}]\n", [item.as_str(); 10].join(", "))
        });
        format!("{POD}x0: &x0 {seed}\n{}spec: {{containers: *x0 }}\n", levels.collect::<String>())
    };
    for text in [
        bomb("[{image: nginx:1.27}]", "*"),
        bomb("[{image: nginx:1.27}]", "{containers: *}"),
        bomb("[{image: nginx:1.27}]", "{spec: {initContainers: *, containers: *}}"),
        bomb("[{image: nginx:1.27}]", "{kind: List, items: *}"),
    ] {
        let ran = pinned(&text);
        let expected = with_digests(&text, 1);
        assert_output(ran, &expected);
    }
}

#[test]
fn a_list_of_containers_may_have_thousands_of_aliases() {
    for text in [
        format!("{POD}x: &x\n- image: nginx:1.27\ny:\n{}", "- containers: *x\n".repeat(20_000)),
        format!(
            "{POD}x: &x {{image: nginx:1.27}}\nspec:\n  containers:\n{}",
            "  - *x\n".repeat(20_000)
        ),
        format!(
            "{POD}spec:\n  containers:\n  - image: &x nginx:1.27\n{}",
            "  - image: *x\n".repeat(20_000)
        ),
        format!(
            "{POD}x: &x {{image: nginx:1.27}}\nspec:\n  containers:\n{}",
            "  - {<<: [*x, *x, *x]}\n".repeat(20_000)
        ),
    ] {
        let expected = with_digests(&text, 1);
        assert_output(pinned(&text), &expected);
    }
}

#[test]
fn a_huge_mapping_may_have_thousands_of_aliases() {
    let keys: String = (0..50_000).map(|n| format!("k{n}: 1, ")).collect();
    for item in ["*x , ", "{<<: *x }, "] {
        let items = item.repeat(20_000);
        let text =
            format!("{POD}x: &x {{{keys}image: nginx:1.27}}\nspec:\n  containers: [{items}]\n");
        let ran = pinned(&text);
        let expected = with_digests(&text, 1);
        assert_output(ran, &expected);
    }
}

#[test]
fn duplicate_keys_are_not_multiplied_by_aliases() {
    let images = "image: nginx:1.27, ".repeat(2_000);
    let containers = "*c , ".repeat(2_000);
    let references = format!("r: &r {{{}}}", "reference: nginx:1.27, ".repeat(120));
    let volume = format!("v: &v {{{}}}", "image: *r , ".repeat(120));
    for (text, places) in [
        (format!("{POD}c: &c {{{images}}}\nspec: {{containers: [{containers}]}}\n"), 2_000),
        (
            format!(
                "{POD}{references}\n{volume}\nspec: {{containers: [], volumes: [{}]}}\n",
                "*v , ".repeat(120)
            ),
            120,
        ),
    ] {
        let ran = pinned(&text);
        assert!(
            ran.stderr.contains(&format!("pinned 1 image at {places} places")),
            "{}",
            ran.stderr
        );
        assert_eq!(ran.succeeded().matches("@sha256:").count(), places);
    }
}

#[test]
fn long_lists_of_merges_are_refused() {
    let many = "*c , ".repeat(20_000);
    for text in [
        format!(
            "{POD}c: &c {{image: nginx:1.27}}\nm: &m {{<<: [{many}]}}\nspec: {{containers: [{{<<: *m }}]}}\n"
        ),
        format!(
            "{POD}c: &c {{image: nginx:1.27}}\nl: &l [{many}]\nspec: {{containers: [{{<<: *l }}]}}\n"
        ),
    ] {
        let said = pinned(&text).failed(3);
        assert!(said.contains("a mapping merges more than 100 others"), "{said}");
    }
}

#[test]
fn long_names_are_not_repeated_for_every_image() {
    let name = "n".repeat(100_000);
    let containers = "- image: ${X}\n  ".repeat(400);
    let text =
        format!("kind: Pod\nmetadata: {{name: {name}}}\nspec:\n  containers:\n  {containers}\n");
    assert!(pinned(&text).stderr.len() < 20 * MESSAGE);
}

#[test]
fn merges_of_merges_are_bounded() {
    let chain = |length: usize| {
        let links: String =
            (1..length).map(|n| format!("m{n}: &m{n} {{<<: *m{}}}\n", n - 1)).collect();
        let last = length - 1;
        format!("{POD}m0: &m0 {{image: nginx:1.27}}\n{links}spec: {{containers: [*m{last} ]}}\n")
    };
    let long = chain(100);
    let expected = with_digests(&long, 1);
    assert_output(pinned(&long), &expected);
    let said = pinned(&chain(100_000)).failed(3);
    assert!(said.contains("a mapping merges more than 100 others"), "{said}");
}

#[test]
fn an_image_of_megabytes_is_refused_and_not_repeated() {
    let long = "a".repeat(1_000_000);
    for image in [
        long.repeat(10),
        format!("'a:{long}'"),
        format!("'a/A{long}'"),
        format!("a@sha256:{long}"),
        format!("'{long} {long}'"),
        format!("\"{}\"", "\\u0061".repeat(200_000)),
    ] {
        let text = format!("{POD}spec: {{containers: [{{image: {image}}}]}}\n");
        let said = pinned(&text).failed(3);
        assert!(said.contains(" is not a valid image reference: "), "{said:.1000}");
        assert!(said.len() < MESSAGE, "{said:.1000}");
        let listed = bounded(&["images"], &text).succeeded();
        assert!(listed.len() < MESSAGE, "{listed:.1000}");
    }
    let block =
        format!("{POD}spec:\n  containers:\n  - image: |\n{}", "      aaaa\n".repeat(100_000));
    let said = pinned(&block).failed(3);
    assert!(said.len() < MESSAGE, "{said:.1000}");
}

#[test]
fn megabytes_of_json_on_one_line_are_pinned() {
    let blanks = "x".repeat(2_400);
    let pods: Vec<_> = (0..10_000)
        .map(|n| {
            // Each warning has a column. It must not be counted from the start of the line each
            // time.
            let image = if n % 10 == 0 { "${IMAGE}" } else { "nginx:1.27" };
            format!(
                r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"p{n}","annotations":{{"a":"{blanks}"}}}},"spec":{{"containers":[{{"name":"c","image":"{image}"}}]}}}}"#
            )
        })
        .collect();
    let text = format!(r#"{{"apiVersion":"v1","kind":"List","items":[{}]}}"#, pods.join(","));
    assert!(text.len() > 25_000_000);
    let expected = with_digests(&text, usize::MAX);
    let ran = pinned(&text);
    assert!(ran.stderr.len() < 2 * MESSAGE, "{:.1000}", ran.stderr);
    assert_output(ran, &expected);
    let listed = bounded(&["images", "--format=json"], &text).succeeded();
    assert_eq!(listed.matches("\"column\"").count(), 10_000);
}

/// Pins candidates of every class in a text, with a registry that has every tag.
fn candidates_pinned(text: &str) -> Ran {
    let registry = Registry::start(Content::everything());
    let include = "--include=env,args,config,annotations,other";
    bounded(&[&for_every_host(&registry), include], text)
}

#[test]
fn a_string_may_contain_thousands_of_candidates() {
    let head = "apiVersion: v1\nkind: ConfigMap\n";
    for text in [
        format!("{head}data:\n  a: |\n{}", "    image: nginx:1.27\n".repeat(20_000)),
        format!("{head}data: {{a: 'image={}'}}\n", "image=nginx:1.27 ".repeat(20_000)),
        format!(
            "{head}data: {{a: \"{}\"}}\n",
            "\\\"image\\\": \\\"nginx:1.27\\\", ".repeat(20_000)
        ),
        format!("{head}data: {{a: '{}image: nginx:1.27'}}\n", "a:1/".repeat(500_000)),
        format!("{head}data: {{a: '{} image: nginx:1.27'}}\n", "quay.io/a".repeat(200_000)),
        format!("{head}data: {{a: '{} image: nginx:1.27'}}\n", "image: ".repeat(200_000)),
        format!(
            "{head}data:\n  a: |\n    image: nginx:1.27\n{}",
            "    image: {{ .x }}\n".repeat(20_000)
        ),
    ] {
        let expected = with_digests(&text, usize::MAX);
        assert_output(candidates_pinned(&text), &expected);
        bounded(&["images", "--format=json"], &text).succeeded();
    }
}

#[test]
fn candidates_may_have_any_depth() {
    const WIDGET: &str = "apiVersion: acme.example/v1\nkind: Widget\n";
    let levels = 240;
    let deep = |inner: &str| {
        let open = "{image: nginx:1.27, a: ".repeat(levels);
        format!("{WIDGET}spec: {open}{inner}{}\n", "}".repeat(levels))
    };
    let key = "k".repeat(100_000);
    for text in [
        deep("1"),
        deep(&format!("[{}]", "{image: nginx:1.27}, ".repeat(20_000))),
        format!("{WIDGET}? {key}\n: [{}]\n", "{image: nginx:1.27}, ".repeat(20_000)),
        format!(
            "{WIDGET}spec: [{}]\n",
            "{apiVersion: tekton.dev/v1, kind: Task, image: nginx:1.27}, ".repeat(5_000)
        ),
    ] {
        let expected = with_digests(&text, usize::MAX);
        assert_output(candidates_pinned(&text), &expected);
        // No path in the output is as long as the key above.
        let listed = bounded(&["images", "--format=json"], &text).succeeded();
        assert!(listed.len() < 20_000_000 + 40 * text.len(), "{}", listed.len());
    }
}

#[test]
fn fields_of_the_table_may_have_thousands_of_aliases() {
    let job = "apiVersion: apps.kruise.io/v1beta1\nkind: ImageListPullJob\n";
    let aliases = "*x , ".repeat(5_000);
    // Each alias of a non-image is written out here.
    let text = format!("{job}x: &x nginx:1.27\nspec: {{images: [{aliases}]}}\n");
    let pinned_image = format!("nginx:1.27@{}", digest_of("nginx:1.27"));
    assert_output(pinned(&text), &text.replace("*x", &pinned_image));
    for text in [
        format!("{job}spec: {{images: [&x nginx:1.27, {aliases}]}}\n"),
        format!("{job}spec: {{images: [&x [nginx:1.27], {aliases}]}}\n"),
    ] {
        let expected = with_digests(&text, 1);
        assert_output(pinned(&text), &expected);
    }
}

#[test]
fn thousands_of_skip_comments_are_obeyed() {
    let lines = "  - image: nginx:1.27 # digestif: skip\n".repeat(20_000);
    let text = format!("{POD}spec:\n  containers:\n{lines}  - image: nginx:1.27\n");
    let (skipped, last) = text.split_at(text.len() - "  - image: nginx:1.27\n".len());
    let expected = skipped.to_owned() + &with_digests(last, 1);
    assert_output(pinned(&text), &expected);
    let one = format!(
        "{POD}spec: {{containers: [{{image: nginx:1.27}}]}} {}\n",
        "# digestif: skip ".repeat(100_000)
    );
    assert_output(pinned(&one), &one);
}

#[test]
fn many_documents_are_pinned() {
    let text = "---\nkind: Pod\nspec: {containers: [{image: nginx:1.27}]}\n".repeat(5_000);
    let expected = with_digests(&text, usize::MAX);
    assert_output(pinned(&text), &expected);
    let glued = "---kind: Pod\nspec: {containers: [{image: nginx:1.27}]}\n".repeat(5_000);
    let expected = with_digests(&glued, usize::MAX);
    assert_output(pinned(&glued), &expected);
}
