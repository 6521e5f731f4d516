//! skaffold: its hook gives a program one pipe for stdout and stderr (skaffold, `pkg/skaffold/hooks/host.go`), and
//! uses everything in it as manifests.

use std::fs::File;
use std::io::Read as _;

use serde_yaml::Value;

use crate::support::pages::recipe;
use crate::{Host, example, pinned};

/// Runs the hook of the page on manifests as skaffold does. Returns the text of the pipe, and the
/// exit status.
fn hook(manifests: &str) -> (String, Option<i32>) {
    let recipe: Value = serde_yaml::from_str(&recipe("skaffold")).expect("YAML");
    let command = recipe["manifests"]["hooks"]["after"][0]["host"]["command"].as_sequence();
    let words: Vec<_> = command.into_iter().flatten().filter_map(Value::as_str).collect();
    let host = Host::new(&[]);
    let input = host.home.path().join("input.yaml");
    std::fs::write(&input, manifests).expect("writable");
    let (mut read, write) = std::io::pipe().expect("a pipe");
    let mut child = {
        let mut command = host.command(words[0], host.home.path());
        command.args(&words[1..]).stdin(File::open(&input).expect("readable"));
        command.stdout(write.try_clone().expect("a second end")).stderr(write);
        command.spawn().expect("it starts")
    };
    let mut text = String::new();
    read.read_to_string(&mut text).expect("text");
    (text, child.wait().expect("it ends").code())
}

#[test]
fn the_hook_of_the_page_prints_nothing_but_manifests() {
    let folder = example("flux/deploy");
    let manifests = ["web.yaml", "cleanup.yaml"]
        .map(|name| std::fs::read_to_string(folder.path().join(name)).expect("readable"));
    let manifests = manifests.join("---\n");
    let (text, status) = hook(&manifests);
    assert_eq!(status, Some(0), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with("# digestif: "));
    let without_comments: String = lines.flat_map(|line| [line, "\n"]).collect();
    assert_eq!(without_comments, pinned(&manifests));
    let comment = "# digestif: `docker.io/clastix/kubectl:v1.32` does not exist";
    assert!(text.starts_with(comment), "{text}");
}

#[test]
fn the_hook_of_the_page_fails_if_digestif_fails() {
    let absent = "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: 'nginx:absent'}]}\n";
    let (text, status) = hook(absent);
    assert_eq!(status, Some(1), "{text}");
    assert!(!text.contains("kind: Pod"), "{text}");
}
