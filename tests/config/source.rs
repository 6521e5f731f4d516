//! Which configuration file is read, and files that are not configurations.

use std::fs;

use crate::support::registry::Content;
use crate::support::{digest_of, for_every_host};
use crate::{HEAD, NOTHING, Setup, pods, run_in, write, written};

#[test]
fn one_configuration_is_read_and_the_command_line_can_choose_it() {
    const OWN: &str = "web@";
    const OTHER: &str = "web:1";
    const NONE: &str = "web:1@";
    let content = Content::of(&[("docker.io/library/web", &["1"])]);
    let setup = Setup::new("pin: digest\n", content);
    write(setup.folder.path(), "other.yaml", format!("{HEAD}skip: ['**']\n"));
    let digest = digest_of("web:1");
    for (env, flags, read) in [
        (&[][..], &[][..], OWN),
        (&[], &["-c", "other.yaml"], OTHER),
        (&[], &["--config=digestif.yaml"], OWN),
        (&[], &["--no-config"], NONE),
        (&[("DIGESTIF_CONFIG", "other.yaml")], &[], OTHER),
        (&[("DIGESTIF_CONFIG", "")], &[], OWN),
        (&[("DIGESTIF_CONFIG", "other.yaml")], &["-c", "digestif.yaml"], OWN),
        (&[("DIGESTIF_CONFIG", "nowhere.yaml")], &["--no-config"], NONE),
        (&[("DIGESTIF_NO_CONFIG", "true")], &[], NONE),
        (&[("DIGESTIF_NO_CONFIG", "false")], &[], OWN),
        (&[("DIGESTIF_NO_CONFIG", "")], &[], OWN),
        (&[("DIGESTIF_NO_CONFIG", "true")], &["-c", "other.yaml"], OTHER),
    ] {
        let ran = setup.run_with(env, flags, &["web:1"]);
        let digest = if read == OTHER { "" } else { &digest };
        assert_eq!(written(&ran.succeeded()), [format!("{read}{digest}")], "{env:?} {flags:?}");
    }
    let both = [("DIGESTIF_CONFIG", "other.yaml"), ("DIGESTIF_NO_CONFIG", "true")];
    let contradiction = "error: the argument '--no-config' cannot be used with '--config'\n";
    let no_value = "error: a value is required for '--config <FILE>' but none was supplied\n";
    for (env, flags, message) in [
        (&[][..], &["-c", "other.yaml", "--no-config"][..], contradiction),
        (&both, &[], contradiction),
        (&[], &["-c="], no_value),
    ] {
        let said = setup.run_with(env, flags, &["web:1"]).failed(2);
        assert!(said.starts_with(message), "{said}");
    }
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let every_host = for_every_host(&setup.registry);
    let ran = run_in(elsewhere.path(), &[], &[&every_host], &pods(&["web:1"]));
    assert_eq!(written(&ran.succeeded()), [format!("web:1@{digest}")]);
}

#[test]
fn commands_without_settings_read_no_configuration() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "digestif.yaml", "wrong");
    for args in [&["schema", "config"][..], &["man"], &["completions", "bash"]] {
        assert!(!run_in(folder.path(), &[], args, "").succeeded().is_empty(), "{args:?}");
    }
    for args in [&[][..], &["images"], &["explain", "a:1", "--offline"]] {
        let said = run_in(folder.path(), &[], args, &pods(&["a:1"])).failed(2);
        let expected = "error: the configuration is wrong: it is not a mapping with `apiVersion` and `kind`\n--> digestif.yaml:1:1";
        assert!(said.starts_with(expected), "{args:?}: {said}");
    }
    write(folder.path(), "digestif.yaml", format!("{HEAD}skip: [docker.io/library/a]\n"));
    let listed = run_in(folder.path(), &[], &["images"], &pods(&["a:1"])).succeeded();
    assert!(listed.contains("  skipped  "), "{listed}");
}

#[test]
fn the_error_for_a_file_that_is_not_a_configuration_names_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("folder.yaml")).expect("writable");
    let utf_16: Vec<u8> =
        "\u{feff}kind: PinImages".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let file = |name: &str, text: &[u8]| write(folder.path(), name, text);
    file("utf-16.yaml", &utf_16);
    file("latin.yaml", b"a: 1\nb: \xfc\n");
    file("empty.yaml", b"");
    file("comment.yaml", b"# nothing\n");
    file("text.yaml", b"hello\n");
    file("list.yaml", b"- a\n");
    file("two.yaml", format!("{HEAD}---\n{HEAD}").as_bytes());
    file("pod.yaml", b"apiVersion: v1\nkind: Pod\n");
    let missing = "error: the configuration is wrong: `apiVersion` and `kind` are missing\n";
    for (name, message, place) in [
        (
            "nowhere.yaml",
            "error: the file can't be read: No such file or directory (os error 2)\n",
            "--> nowhere.yaml\n",
        ),
        (
            "folder.yaml",
            "error: the file can't be read: Is a directory (os error 21)\n",
            "--> folder.yaml\n",
        ),
        ("utf-16.yaml", "error: the file is UTF-16\n", "--> utf-16.yaml:1:1\n"),
        ("latin.yaml", "error: the file is not UTF-8: byte 0xfc\n", "--> latin.yaml:2:4\n"),
        ("empty.yaml", missing, " --> empty.yaml:1:1\n"),
        ("comment.yaml", missing, " --> comment.yaml:1:1\n"),
        (
            "text.yaml",
            "error: the configuration is wrong: it is not a mapping with `apiVersion` and `kind`\n",
            "--> text.yaml:1:1\n",
        ),
        (
            "list.yaml",
            "error: the configuration is wrong: it is not a mapping with `apiVersion` and `kind`\n",
            "--> list.yaml:1:1\n",
        ),
        (
            "two.yaml",
            "error: the configuration is wrong: there is more than one document in it\n",
            " --> two.yaml:4:1\n",
        ),
        (
            "pod.yaml",
            "error: the configuration is wrong: it is a `Pod` of `v1`\n",
            " --> pod.yaml:1:13\n",
        ),
    ] {
        let said = run_in(folder.path(), &[], &["-c", name], NOTHING).failed(2);
        assert!(said.starts_with(&format!("{message}{place}")), "{name}: {said}");
        // The same is true for a file that is found, because it is there on purpose.
        let own = tempfile::tempdir().expect("a temporary folder");
        if name != "nowhere.yaml" {
            let there = folder.path().join(name);
            fs::rename(there, own.path().join("digestif.yaml")).expect("one file system");
            let said = run_in(own.path(), &[], &[], NOTHING).failed(2);
            let place = place.replace(name, "digestif.yaml");
            assert!(said.starts_with(&format!("{message}{place}")), "{name}: {said}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_configuration_may_be_a_symbolic_link() {
    let content = Content::of(&[("docker.io/library/web", &["1"])]);
    let setup = Setup::new("pin: digest\n", content);
    let linked = Setup { folder: tempfile::tempdir().expect("a temporary folder"), ..setup };
    let target = write(linked.folder.path(), "real.yaml", format!("{HEAD}pin: digest\n"));
    let link = linked.folder.path().join("digestif.yaml");
    std::os::unix::fs::symlink(target, link).expect("writable");
    let expected = [format!("web@{}", digest_of("web:1"))];
    assert_eq!(linked.images(&[], &["web:1"]), expected);
    assert_eq!(linked.images(&["-c", "digestif.yaml"], &["web:1"]), expected);
}
