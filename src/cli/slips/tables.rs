//! The words and flags of other tools that people try, each with what does it here.

/// Words that people try instead of a command, with what does it.
pub(super) const WORDS: [(&[&str], &str); 19] = [
    (&["pin"], "digestif pins without a command: leave `pin` out"),
    (&["fix", "write"], "digestif pins without a command; `-i` rewrites files"),
    (
        &["apply", "create", "delete", "get", "describe", "replace", "rollout"],
        "digestif reads manifests, not a cluster: `digestif FILE… | kubectl apply -f -`",
    ),
    (
        &["template", "render", "build", "kustomize", "helm"],
        "render first: `helm template … | digestif`, or `kustomize build … | digestif`",
    ),
    (
        &["update", "upgrade", "bump", "refresh"],
        "`digestif --update` resolves images again that have a digest in the lock or in the input",
    ),
    (
        &["outdated", "drift", "status"],
        "`digestif check --drift` shows which tags have moved since they were pinned",
    ),
    (
        &["unpin", "revert", "rollback", "undo"],
        "run with the older lock and `--offline`, or take the files from your version control",
    ),
    (
        &["copy", "cp", "pull", "push", "mirror", "sync", "save", "relocate", "import", "export"],
        "digestif copies no image: `digestif images --format regsync` (or `imgpkg`) makes a list for a tool that does",
    ),
    (
        &["sbom", "bom", "cyclonedx"],
        "`digestif images --format cyclonedx` prints a bill of materials",
    ),
    (&["cache", "clean", "prune"], "digestif keeps no cache"),
    (&["help"], "`digestif --help` shows all flags, `digestif COMMAND --help` those of a command"),
    (
        &["diff", "preview", "plan"],
        "`digestif --diff` shows what would change; `digestif lock diff OLD NEW` compares locks",
    ),
    (
        &["verify", "validate", "lint", "scan", "test"],
        "`digestif check` reports what is wrong, and writes nothing",
    ),
    (&["list", "ls", "find", "extract"], "`digestif images` lists the images"),
    (
        &["resolve", "digest", "inspect", "show", "manifest", "tags", "tag", "why"],
        "`digestif explain IMAGE` shows one image: its digest, its platforms, and the nearest tags",
    ),
    (&["install", "plugin"], "`digestif helm-plugin install` installs the plugin for Helm 4"),
    (&["login", "auth"], "digestif uses the logins of `docker login` and `podman login`"),
    (
        &["init", "config"],
        "`digestif suggest` prints a configuration, and `digestif schema config` its schema",
    ),
    (&["function", "krm"], "`digestif fn` runs as a KRM function"),
];

/// Flags that people try, with what does it.
pub(super) const FLAGS: [(&[&str], &str); 20] = [
    (
        &["--dry-run", "--dryrun", "--preview", "--what-if"],
        "`--diff` shows what would change, and writes nothing",
    ),
    (
        &["-n"],
        "`--diff` shows what would change; digestif reads no cluster, so that it needs no namespace",
    ),
    (&["--write", "--inplace", "-w"], "`-i` rewrites the named files"),
    (&["--file", "--files", "--input", "--manifest"], "name the file as an argument, or with `-f`"),
    (&["--recursive", "-R", "-r"], "directories are read recursively; no flag is needed"),
    (
        &["--username", "--user", "--password", "-u", "-p", "--token", "--creds"],
        "log in with `docker login HOST`, or name a file with `--auth-file`",
    ),
    (
        &["--tls-verify", "--skip-tls-verify", "--insecure-skip-tls-verify", "--insecure-registry"],
        "`--insecure HOST` does not verify the certificate of one host",
    ),
    (&["--platform", "--arch", "--os"], "`--require-platform OS/ARCH` checks that an image has it"),
    (&["--ignore", "--exclude-image"], "`--skip GLOB` leaves images alone"),
    (&["--debug", "--trace"], "`-vv` prints each request"),
    (&["--silent", "-s"], "`-q` prints errors and substitutions only"),
    (&["--lockfile", "--lock-file"], "`--lock FILE` names the lock"),
    (
        &["--frozen", "--frozen-lockfile", "--immutable"],
        "`--locked` fails if the lock lacks an image",
    ),
    (&["--no-network", "--no-net"], "`--offline` makes no request"),
    (
        &["--namespace", "--context", "--kubeconfig", "--selector", "-l", "--all-namespaces", "-A"],
        "digestif reads manifests, not a cluster: `kubectl get … -o yaml | digestif`",
    ),
    (
        &["--values", "--set", "--set-string", "--chart", "--release-name", "--version-set"],
        "render the chart first: `helm template … | digestif`",
    ),
    (&["--kustomize", "-k"], "build it first: `kustomize build DIR | digestif`"),
    (&["--tag", "-t", "--image"], "write an image as `NAME:TAG`"),
    (&["--yes", "-y", "--force", "--auto-approve"], "digestif asks no questions: leave it out"),
    (&["--no-color", "--no-colour"], "`--color never`, or `NO_COLOR=1`"),
];
