//! `digestif lock diff`.

use std::fs;

use crate::support::registry::Content;
use crate::{EXTPROC, HEAD, KUBECTL, Setup, entry, lock_of, own, says};

#[test]
fn a_difference_is_shown_for_people_and_for_pull_requests() {
    let setup = Setup::new(Content::everything());
    let digest = |c: &str| format!("sha256:{}", c.repeat(64));
    let kubectl = format!("{KUBECTL}:v1.32");
    let rule = Some("kubernetes-version");
    let old = lock_of(&[
        own("docker.io/acme/same:v1"),
        entry("docker.io/acme/web:v1", "v1", &digest("1"), None),
        entry(&kubectl, "v1.31", &digest("2"), rule),
        entry(&format!("{EXTPROC}:v0.3.0"), "v0.3.0", &digest("3"), None),
    ]);
    let new = lock_of(&[
        own("docker.io/acme/same:v1"),
        entry("docker.io/acme/web:v2", "v2", &digest("4"), None),
        entry(&kubectl, "v1.32", &digest("5"), None),
        entry(&format!("{EXTPROC}:v0.3.0"), "v0.3.0", &digest("6"), None),
    ]);
    fs::write(setup.folder.path().join("old.yaml"), &old).expect("writable");
    fs::write(setup.folder.path().join("new.yaml"), &new).expect("writable");
    let diff = |flags: &[&str], stdin: &str| {
        let flags: Vec<_> = ["lock", "diff"].iter().chain(flags).copied().collect();
        setup.without(&[], &flags, stdin)
    };
    let text = format!(
        "- docker.io/acme/web:v1\n    - {}\n+ docker.io/acme/web:v2\n    + {}\n~ {kubectl}\n    - {}, of v1.31 by rule kubernetes-version\n    + {}\n~ {EXTPROC}:v0.3.0\n    - {}\n    + {}\n1 added, 1 removed, 2 changed\n",
        digest("1"),
        digest("4"),
        digest("2"),
        digest("5"),
        digest("3"),
        digest("6"),
    );
    assert_eq!(diff(&["old.yaml", "new.yaml"], "").succeeded(), text);
    assert_eq!(diff(&["-", "new.yaml"], &old).succeeded(), text);
    let markdown = format!(
        "**Image lock**: 1 added, 1 removed, 2 changed\n\n| | image | before | after |\n|---|---|---|---|\n| removed | `docker.io/acme/web:v1` | `{}` |  |\n| added | `docker.io/acme/web:v2` |  | `{}` |\n| changed | `{kubectl}` | `{}`, of `v1.31` by rule `kubernetes-version` | `{}` |\n| changed | `{EXTPROC}:v0.3.0` | `{}` | `{}` |\n",
        digest("1"),
        digest("4"),
        digest("2"),
        digest("5"),
        digest("3"),
        digest("6"),
    );
    assert_eq!(diff(&["old.yaml", "new.yaml", "--format=markdown"], "").succeeded(), markdown);
    assert_eq!(diff(&["old.yaml", "old.yaml"], "").succeeded(), "no image differs\n");
    says(&diff(&["/dev/null", "new.yaml"], "").succeeded(), &["\n4 added\n"]);
    says(&diff(&["nowhere", "new.yaml"], "").failed(2), &["the lock can't be read", "nowhere"]);
    for flags in [["-o", "old.yaml"], ["-o", "./new.yaml"]] {
        let said = diff(&["old.yaml", "new.yaml", flags[0], flags[1]], "").failed(2);
        says(&said, &["error: `--output` names one of the locks that are compared"]);
    }
    let kept =
        ["old.yaml", "new.yaml"].map(|name| fs::read_to_string(setup.folder.path().join(name)));
    assert_eq!(kept.map(|text| text.expect("there")), [old.clone(), new.clone()]);
    diff(&["old.yaml", "new.yaml", "-o", "diff.txt"], "").succeeded();
    says(&diff(&["-", "-"], &old).failed(2), &["only one of the two locks can be stdin"]);
    let wrong = format!("{HEAD}x: 1\n");
    says(&diff(&["-", "new.yaml"], &wrong).failed(2), &["unknown key `x`"]);
}
