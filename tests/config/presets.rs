//! Presets.

use crate::support::registry::Content;
use crate::{Setup, denied, existence, pinned, refused};

#[test]
fn a_preset_is_off_until_it_is_named() {
    for (preset, image, candidates) in [
        (
            "bitnamilegacy",
            "docker.io/bitnami/redis:7.2.4-debian-12-r9",
            &["docker.io/bitnamilegacy/redis:7.2.4-debian-12-r9"][..],
        ),
        ("registry.k8s.io", "k8s.gcr.io/pause:3.9", &["registry.k8s.io/pause:3.9"]),
        (
            "registry.k8s.io",
            "k8s.gcr.io/sig-storage/csi-provisioner:v3.0.0",
            &["registry.k8s.io/sig-storage/csi-provisioner:v3.0.0"],
        ),
        (
            "kube-rbac-proxy",
            "gcr.io/kubebuilder/kube-rbac-proxy:v0.13.1",
            &[
                "registry.k8s.io/kubebuilder/kube-rbac-proxy:v0.13.1",
                "quay.io/brancz/kube-rbac-proxy:v0.13.1",
            ],
        ),
    ] {
        // The last candidate is used, after a proof that each candidate before it is absent.
        for n in 0..candidates.len() {
            let existing: Vec<_> = candidates[n..]
                .iter()
                .map(|found| found.split_once(':').expect("a tag"))
                .map(|(repository, tag)| (repository, [tag]))
                .collect();
            let existing: Vec<(&str, &[&str])> =
                existing.iter().map(|(repository, tags)| (*repository, &tags[..])).collect();
            let config = format!("fallbacks: [{{preset: {preset}}}]\n");
            let setup = Setup::new(&config, Content::of(&existing));
            let (status, said, report) = setup.reported(&[], &[image]);
            assert_eq!((status, &report["images"][0]["rule"]), (0, &preset.into()), "{said}");
            assert_eq!(report["images"][0]["written"], pinned(candidates[n]));
            let mut requests = refused(image).to_vec();
            requests.extend(candidates[..n].iter().flat_map(|candidate| refused(candidate)));
            requests.push(existence(candidates[n]));
            assert_eq!(setup.requests(), requests);

            for config in ["", &config.replace("}]", ", enabled: false}]")] {
                let setup = Setup::new(config, Content::of(&existing));
                let said = setup.run(&[], &[image]).failed(1);
                assert!(said.contains(&format!("error: `{image}` does not exist: ")), "{said}");
                // The preset is proposed if its target has the tag.
                let proposed = format!("`--preset {preset}` would use `{}`", candidates[n]);
                assert!(said.contains(&proposed), "{said}");
                assert!(setup.requests().starts_with(&refused(image)), "{config}");
            }
        }
    }
}

#[test]
fn a_preset_can_accept_more_images_and_denied_images() {
    const CONFIG: &str = "fallbacks:\n- {preset: bitnamilegacy, images: ['quay.io/bitnami/*'], when: [missing, denied]}\n";
    let legacy = ("docker.io/bitnamilegacy/redis", &["7.2"][..]);
    for image in ["quay.io/bitnami/redis:7.2", "docker.io/bitnami/redis:7.2"] {
        for fault in [None, Some(denied("bitnami/redis", 401))] {
            let content = fault.into_iter().fold(Content::of(&[legacy]), Content::with_fault);
            let setup = Setup::new(CONFIG, content);
            assert_eq!(setup.images(&[], &[image]), [pinned("docker.io/bitnamilegacy/redis:7.2")]);
        }
    }
    let setup = Setup::new(CONFIG, Content::of(&[legacy]));
    setup.run(&[], &["ghcr.io/bitnami/redis:7.2"]).failed(1);
}
