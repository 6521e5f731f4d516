//! Rules: what the word in front of a result means, and what to do about it in general.

/// Every rule, with what it is about and what to do; a result says more.
const RULES: [(&str, &str, &str); 21] = [
    (
        "absent",
        "An image does not exist",
        "Use a tag that exists, push this one, or add a rule for what to use instead.",
    ),
    (
        "deny-mutable",
        "A tag is one that moves",
        "Use a tag that names one release and is never pushed again.",
    ),
    (
        "drift",
        "A registry does not say any more what the lock says",
        "Look at what has changed, then take it with `digestif --lock FILE --update`, or keep to the lock.",
    ),
    (
        "expect",
        "An image is not the one that is expected",
        "Change the manifests, or the expectation if the image is right.",
    ),
    (
        "input",
        "The input is empty, is not YAML, or holds an invalid reference",
        "Fix what renders the manifests.",
    ),
    (
        "kustomize-images",
        "A list for kustomize can't say what is in the manifests",
        "Give the images of one repository one tag, or pin the manifests themselves.",
    ),
    (
        "locked",
        "An image is not in the lock",
        "Run `digestif --lock FILE` on these manifests, and commit the lock.",
    ),
    (
        "offline",
        "An image is in no image layout, and no registry may be asked",
        "Copy the image into a folder for `--layout`, or run without `--offline`.",
    ),
    (
        "placeholders",
        "An image is a placeholder that something else fills in later",
        "Run digestif behind what fills it in.",
    ),
    ("policy", "A policy is not met", "Do what the result says, or change the policy."),
    (
        "refused",
        "A registry refused to say whether an image exists",
        "Log in: the image is absent or private, which can't be told apart.",
    ),
    (
        "require-digest",
        "An image has no digest",
        "Send the manifests through `digestif` without `--require-digest`.",
    ),
    (
        "require-platform",
        "An image is not there for a platform that is required",
        "Use an image that is built for all platforms of the cluster.",
    ),
    (
        "substitution",
        "An image does not exist, and another one is used instead",
        "Use a tag that exists, or forbid this with `--no-fallback`.",
    ),
    (
        "two-tags",
        "A repository has two tags",
        "Where these are parts of one release, give them one tag.",
    ),
    (
        "unavailable",
        "A registry could not say for now whether an image exists",
        "Run it again; if it stays so, look at the network and the registry.",
    ),
    (
        "unused",
        "The lock has an image that is not used",
        "Remove it from the lock, unless another input needs it.",
    ),
    (
        "usage",
        "The call is wrong, or a file can't be read or written",
        "Fix the call; `digestif --help` shows all flags.",
    ),
    (
        "verify",
        "A digest in the manifests does not exist",
        "Pin the image again, or find out who removed it.",
    ),
    ("warning", "Something is worth a look", "Do what the result says."),
    (
        "withdrawn",
        "An image is locked by a rule that is not configured any more",
        "Configure the rule again, or ask for the image again with `--update`.",
    ),
];

/// What a rule is about, and what to do.
pub(super) fn describe(id: &str) -> (&'static str, &'static str) {
    let found = RULES.iter().find(|(known, ..)| *known == id);
    found.map_or(("A rule of digestif", "Do what the result says."), |(_, about, help)| {
        (*about, *help)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_rule_that_a_diagnostic_names_is_described() {
        let mut seen = 0;
        let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(
                    fs::read_dir(&path).expect("readable").map(|e| e.expect("read").path()),
                );
                continue;
            }
            let text = fs::read_to_string(&path).expect("text");
            let named =
                text.split(concat!(".of", "(\"")).skip(1).filter_map(|t| t.split('"').next());
            for rule in named {
                seen += 1;
                let is_known = RULES.iter().any(|(known, ..)| *known == rule);
                assert!(is_known, "{} names the rule {rule}", path.display());
            }
        }
        assert!(seen > 5, "{seen}");
        assert!(RULES.is_sorted(), "they are easier to find so");
    }
}
