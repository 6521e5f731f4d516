//! Kustomizations among the files, and secrets.

use std::fs;

use serde_json::Value;

use super::support::registry::{Content, Registry};
use super::support::{digestif, for_every_host};
use super::{EVERY_CLASS, entries, listed, reported, run};

const IMAGES: &str = "images:
- name: acme/web
  newTag: \"1.2\"
- name: acme/db
  newName: quay.io/acme/db
  newTag: v3 # of the overlay
- name: acme/proxy
  digest: sha256:0000000000000000000000000000000000000000000000000000000000000000
- name: acme/tool
  newName: quay.io/acme/tool
";

#[test]
fn tags_of_a_kustomization_are_listed_with_a_warning_and_never_pinned() {
    let text = format!("resources: [../base]\n{IMAGES}");
    let full = format!("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n{text}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let name = folder.path().display().to_string();
    fs::write(folder.path().join("pod.yaml"), "kind: Pod\n").expect("writable");
    for (file, text) in
        [("kustomization.yaml", &text), ("kustomization.yml", &text), ("any.yaml", &full)]
    {
        let path = folder.path().join(file);
        fs::write(&path, text).expect("writable");
        let flags = ["--no-config", "--offline", EVERY_CLASS, "-f", &name];
        let ran = digestif(flags.iter().copied().chain(["-i"]), "");
        let warning = "warning: the tags that a kustomization sets are left alone\n";
        assert_eq!(ran.stderr.matches(warning).count(), 1, "{}", ran.stderr);
        let reason = "kustomize 5.8 replaces the digest of a pinned image by the tag";
        assert!(ran.stderr.contains(reason), "{}", ran.stderr);
        ran.succeeded();
        assert_eq!(fs::read_to_string(&path).expect("readable"), *text);
        let listing = digestif(["images", "--format=json", "--no-config", "-f", &name], "");
        let listing = serde_json::from_str(&listing.succeeded()).expect("JSON");
        let found: Vec<_> =
            entries(&listing).into_iter().map(|(image, status, _)| (image, status)).collect();
        let expected = ["docker.io/acme/web:1.2", "quay.io/acme/db:v3"];
        assert_eq!(
            found,
            expected.map(|image| (image.to_owned(), "candidate".to_owned())),
            "{file}"
        );
        fs::remove_file(path).expect("ours");
    }
    // On stdin, only the object itself tells that it is a kustomization.
    assert_eq!(entries(&listed(&[], &full)).len(), 2);
    assert_eq!(entries(&listed(&[], &format!("kind: Pod\n---\n{text}"))), []);
    let other = format!("kind: Kustomization\napiVersion: acme.example/v1\n{text}");
    assert!(!run(&[], &other).stderr.contains("kustomization"));
}

#[test]
fn images_of_flux_for_kustomize_are_listed_and_never_pinned() {
    let indented = IMAGES.replace('\n', "\n  ");
    let flux = format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: a}}\nspec:\n  {indented}\n"
    );
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: a}\nspec: {postRenderers: [{kustomize: {images: [{name: acme/web, newTag: '1'}]}}]}\n";
    for (text, n) in [(flux.as_str(), 2), (release, 1)] {
        let listing = entries(&listed(&[], text));
        assert_eq!(listing.len(), n, "{listing:?}");
        assert!(listing.iter().all(|(_, status, _)| status == "candidate"), "{listing:?}");
        let ran = run(&[EVERY_CLASS], text);
        assert!(ran.stderr.contains("the tags that a kustomization sets are left alone"));
        assert_eq!(ran.succeeded(), text);
    }
}

#[test]
fn images_of_patches_are_listed_and_never_pinned() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("patch.yaml");
    let patch = "- op: replace\n  path: /spec/template/spec/containers/0/image\n  value: quay.io/acme/web:2\n- op: add\n  path: /spec/template/spec/containers/-\n  value: {name: b, image: nginx:1}\n- {op: add, path: /spec/replicas, value: '3'}\n";
    fs::write(&path, patch).expect("writable");
    fs::write(folder.path().join("pod.yaml"), "kind: Pod\n").expect("writable");
    let name = folder.path().display().to_string();
    let flags = ["images", "--format=json", "--no-config", "-f", &name];
    let listing: Value = serde_json::from_str(&digestif(flags, "").succeeded()).expect("JSON");
    let images: Vec<_> = entries(&listing).into_iter().map(|(image, ..)| image).collect();
    assert_eq!(images, ["quay.io/acme/web:2", "docker.io/library/nginx:1"]);
    let flags = ["--no-config", "--offline", EVERY_CLASS, "-i", "-f", &name];
    let ran = digestif(flags, "");
    assert!(ran.stderr.contains("the images of a patch are only listed"), "{}", ran.stderr);
    ran.succeeded();
    assert_eq!(fs::read_to_string(&path).expect("readable"), patch);
}

#[test]
fn no_line_of_a_secret_is_ever_shown() {
    let registry = Registry::start(Content::of(&[]));
    let every_host = for_every_host(&registry);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let report = folder.path().join("report.json");
    for text in [
        "apiVersion: v1\nkind: Secret\nstringData: {password: hunter2, image: quay.io/acme/gone:1}\n",
        "apiVersion: v1\nkind: Secret\nstringData:\n  app: 'password=hunter2 image=quay.io/acme/gone:1'\n",
        "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Secret, stringData: {a: 'hunter2 quay.io/acme/gone:1'}}]\n",
        "apiVersion: v1\nkind: Secret\nstringData: {password: hunter2, a: &a quay.io/acme/gone:1, b: *a }\n",
        "apiVersion: v1\nkind: Secret\nstringData: {password: hunter2, a: quay.io/acme/gone:1, b: *b }\n",
        "apiVersion: v1\nkind: Secret\nstringData: {password: hunter2, a: 'quay.io/acme/gone:1', b: 'image: \"{{ .x }}\"'}\n",
        "apiVersion: v1\nkind: Secret\nstringData: {password: hunter2, a: \"x quay.io\\/acme/bad:1, quay.io/acme/gone:1\"}\n",
    ] {
        let name = format!("--report={}", report.display());
        let flags = [every_host.as_str(), "--no-config", "--include=config", "-v", &name];
        let said = digestif(flags, text).failed(1);
        assert!(said.contains("`quay.io/acme/gone:1` does not exist"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        let report = fs::read_to_string(&report).expect("written");
        assert!(report.contains("quay.io/acme/gone:1") && !report.contains("hunter2"), "{report}");
        for format in ["json", "table"] {
            let format = format!("--format={format}");
            let ran = digestif(["images", "--no-config", &format], text);
            assert!(!ran.stdout.contains("hunter2") && !ran.stderr.contains("hunter2"), "{ran:?}");
        }
    }
}

#[test]
fn a_string_of_a_secret_is_a_candidate_and_its_encoded_data_is_not() {
    let text = "apiVersion: v1\nkind: Secret\ndata: {a: quay.io/acme/no:1}\nstringData: {a: 'image: quay.io/acme/web:1', image-auth: 'robot:pass', image: hunter, imageX: 'a${b}c'}\n";
    let (status, report) = reported(&["--include=config"], text);
    assert_eq!(status, 0);
    let expected = ("quay.io/acme/web:1".to_owned(), "pinned".to_owned(), String::new());
    assert_eq!(entries(&report), [expected]);
}
