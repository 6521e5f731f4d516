//! The plugin for Helm 4: `digestif helm-plugin` installs it, and `scripts/helm-plugin` packages
//! it. `scripts/test` builds Helm and sets `DIGESTIF_TEST_CLIENTS` to its folder.

#![cfg(unix)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::pages::recipe;
use support::{Ran, clients, command, digestif, finish, start, testdata};
use tempfile::TempDir;

/// A folder on the build's file system, so that it can have a hard link to the binary.
fn temporary() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder")
}

/// Runs a program with only these variables and a `PATH`.
fn run(program: &Path, args: &[&str], variables: &[(&str, &Path)]) -> Ran {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    finish(start(command.args(args).envs(variables.iter().copied())), b"")
}

/// Runs `digestif helm-plugin install` for the plugins in a folder.
fn install(plugins: &Path) -> Ran {
    let mut command = command(["helm-plugin", "install"]);
    finish(start(command.env("HELM_PLUGINS", plugins)), b"")
}

const DEPLOYMENT: &str = "\
kind: Deployment
apiVersion: apps/v1
metadata: {name: web}
spec:
  template:
    spec:
      containers:
      - name: web
        image: nginx:1.29.1
";

const HOOK: &str = "\
kind: Job
apiVersion: batch/v1
metadata:
  name: crds
  annotations: {helm.sh/hook: pre-install}
spec:
  template:
    spec:
      containers:
      - name: kubectl
        image: clastix/kubectl:v1.32
";

/// The expected images after pinning.
fn pinned_images() -> Vec<String> {
    let layout = format!("--layout={}", testdata("quickstart/images").display());
    images(&digestif([&layout, "--offline"], format!("{HOOK}---\n{DEPLOYMENT}")).succeeded())
}

/// The images in a text, sorted, because Helm has its own order.
fn images(text: &str) -> Vec<String> {
    let images = text.lines().filter_map(|line| line.trim().strip_prefix("image: "));
    let mut images: Vec<_> = images.map(String::from).collect();
    images.sort();
    images
}

/// Renders a chart of both manifests with Helm 4 and this post-renderer.
fn template(clients: &Path, variables: &[(&str, &Path)]) -> Ran {
    let home = temporary();
    let chart = home.path().join("chart");
    fs::create_dir_all(chart.join("templates")).expect("writable");
    for (name, text) in [
        ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
        ("templates/deployment.yaml", DEPLOYMENT),
        ("templates/hook.yaml", HOOK),
    ] {
        fs::write(chart.join(name), text).expect("writable");
    }
    let layout =
        format!("--post-renderer-args=--layout={}", testdata("quickstart/images").display());
    let chart = chart.display().to_string();
    let args = ["template", "web", &chart, "--post-renderer=digestif", &layout];
    let args = [&args[..], &["--post-renderer-args=--offline"]].concat();
    run(&clients.join("helm4"), &args, &[variables, &[("HOME", home.path())]].concat())
}

/// Every entry below a folder, with the content of a file or the target of a link.
fn entries(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_symlink() {
            let target = fs::read_link(&path).expect("a link");
            all.insert(path, target.display().to_string());
        } else if path.is_dir() {
            all.extend(entries(&path));
        } else {
            let text = fs::read_to_string(&path).expect("text");
            all.insert(path, text);
        }
    }
    all
}

#[test]
fn helm_4_runs_the_installed_plugin_whatever_its_path() {
    let Some(clients) = clients() else { return };
    let folder = temporary();
    let plugins = folder.path().join("my plugins");
    let tools = folder.path().join("it's my $HOME: ${PATH} #1");
    fs::create_dir(&tools).expect("writable");
    let binary = tools.join("digestif");
    fs::hard_link(env!("CARGO_BIN_EXE_digestif"), &binary).expect("the same file system");
    let variables: &[(&str, &Path)] = &[("HELM_PLUGINS", &plugins)];

    let said = run(&binary, &["helm-plugin", "install"], variables);
    assert_eq!(said.stderr, "");
    let expected = format!(
        "Installed in {}, to run {}.\n\
         With Helm 4: helm upgrade --install NAME CHART --post-renderer digestif\n",
        plugins.join("digestif").display(),
        binary.display(),
    );
    assert_eq!(said.succeeded(), expected);
    let pinned = images(&template(&clients, variables).succeeded());
    assert!(pinned[0].starts_with("clastix/kubectl:v1.31@sha256:"), "the hook's: {pinned:?}");
    assert!(pinned[1].starts_with("nginx:1.29.1@sha256:"), "{pinned:?}");
    assert_eq!(pinned, pinned_images());

    let before = entries(&plugins);
    run(&binary, &["helm-plugin", "install"], variables).succeeded();
    assert_eq!(entries(&plugins), before);

    let said = run(&binary, &["helm-plugin", "print"], &[]).failed(2);
    let expected = format!("error: Helm can't run `{}` as it is written\n", binary.display());
    assert!(said.starts_with(&expected), "{said}");
    let help = "= help: `digestif helm-plugin install` works with every path; or move the binary\n";
    assert!(said.contains(help), "{said}");
}

#[test]
fn helm_4_runs_the_printed_plugin() {
    let Some(clients) = clients() else { return };
    let plugins = temporary();
    let folder = plugins.path().join("digestif");
    fs::create_dir(&folder).expect("writable");
    let printed = digestif(["helm-plugin", "print"], "").succeeded();
    let expected = format!(
        "# Written by `digestif helm-plugin`, which may replace it.\n\
         apiVersion: v1\n\
         type: postrenderer/v1\n\
         name: digestif\n\
         version: {}\n\
         runtime: subprocess\n\
         runtimeConfig:\n  platformCommand:\n    - command: '{}'\n",
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_BIN_EXE_digestif"),
    );
    assert_eq!(printed, expected);
    fs::write(folder.join("plugin.yaml"), printed).expect("writable");
    let rendered = template(&clients, &[("HELM_PLUGINS", plugins.path())]).succeeded();
    assert_eq!(images(&rendered), pinned_images());
    install(plugins.path()).succeeded();
}

/// Packages the plugin with these binaries.
fn package(dist: &Path, binaries: &[&Path]) -> Ran {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/helm-plugin");
    let paths = [&[dist], binaries].concat();
    let args: Vec<_> = paths.iter().map(|path| path.to_str().expect("a plain path")).collect();
    run(&script, &args, &[])
}

#[test]
fn helm_4_installs_and_runs_the_package() {
    let Some(clients) = clients() else { return };
    let home = temporary();
    let variables: &[(&str, &Path)] = &[("HELM_DATA_HOME", home.path()), ("HOME", home.path())];
    let helm = |args: &[&str]| run(&clients.join("helm4"), args, variables).succeeded();
    let packaged =
        package(&home.path().join("dist"), &[env!("CARGO_BIN_EXE_digestif").as_ref()]).succeeded();
    let packaged = packaged.trim_end();
    let file = format!("digestif-{}.tgz", env!("CARGO_PKG_VERSION"));
    assert_eq!(Path::new(packaged), home.path().join("dist").join(&file));

    let page = recipe("packaged-plugin");
    let words = page.split(" #").next().expect("a command").split_whitespace();
    let words: Vec<_> = words.skip(1).collect();
    assert_eq!(words[2], format!("./{file}"));
    assert_eq!(words[3], "--keyring");
    // This package is not signed. `scripts/dist verify` installs a signed one as the page says.
    helm(&[words[0], words[1], packaged, "--verify=false"]);
    assert_eq!(images(&template(&clients, variables).succeeded()), pinned_images());

    let installed = home.path().join("plugins/digestif");
    for binary in fs::read_dir(installed.join("bin")).expect("readable") {
        // The binary is large, and this test does not compare its content.
        fs::write(binary.expect("readable").path(), "").expect("writable");
    }
    let theirs = home.path().join("theirs").display().to_string();
    let installed = installed.display().to_string();
    helm(&["plugin", "package", "--sign=false", "-d", &theirs, &installed]);
    assert_eq!(listing(packaged), listing(&format!("{theirs}/{file}")));
}

#[test]
fn a_package_names_the_binaries_that_are_in_it() {
    let home = temporary();
    let write = |name: &str, start: &[u8], at: usize, processor: &[u8]| {
        let mut program = vec![0; 128];
        program[..start.len()].copy_from_slice(start);
        program[at..at + processor.len()].copy_from_slice(processor);
        let path = home.path().join(name);
        fs::write(&path, program).expect("writable");
        path
    };
    // A binary for Windows starts with a stub for DOS, which contains the position of the rest.
    let stub = [&b"MZ"[..], &[0; 58], &[64]].concat();
    let programs = [
        write("linux-amd64", b"\x7fELF", 18, &[0x3e]),
        write("linux-arm64", b"\x7fELF", 18, &[0xb7]),
        write("darwin-amd64", b"\xcf\xfa\xed\xfe", 4, &[7, 0, 0, 1]),
        write("darwin-arm64", b"\xcf\xfa\xed\xfe", 4, &[12, 0, 0, 1]),
        write("windows-amd64", &stub, 64, b"PE\0\0\x64\x86"),
    ];
    let programs: Vec<_> = programs.iter().map(PathBuf::as_path).collect();
    let manifest = |binaries: &[&Path]| {
        let packaged = package(home.path(), binaries).succeeded();
        let args = ["-xzOf", packaged.trim_end(), "digestif/plugin.yaml"];
        run(Path::new("tar"), &args, &[]).succeeded()
    };
    let head = format!(
        "apiVersion: v1\ntype: postrenderer/v1\nname: digestif\nversion: {}\n\
         runtime: subprocess\nruntimeConfig:\n  platformCommand:\n",
        env!("CARGO_PKG_VERSION")
    );
    let arm = "    - os: linux\n      arch: arm64\n      command: ${HELM_PLUGIN_DIR}/bin/digestif-linux-arm64\n";
    assert_eq!(manifest(&programs[1..2]), format!("{head}{arm}    - command: digestif\n"));

    let all = manifest(&programs);
    for name in ["linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"] {
        assert!(all.contains(&format!("/bin/digestif-{name}\n")), "{all}");
    }
    assert!(all.contains("\\bin\\digestif-windows-amd64.exe\n"), "{all}");

    for (binaries, message) in [
        (&[programs[0], programs[0]][..], "an earlier argument is also a digestif-linux-amd64"),
        (&[Path::new(file!())], "not a program for a platform of helm/plugin.yaml"),
    ] {
        let said = package(home.path(), binaries).failed(1);
        assert!(said.ends_with(&format!("{message}\n")), "{said}");
    }
}

/// The mode and name of each entry of an archive.
fn listing(archive: &str) -> Vec<String> {
    let list = run(Path::new("tar"), &["-tvzf", archive], &[]).succeeded();
    let entry = |line: &str| {
        let (mode, name) = (line.split(' ').next()?, line.rsplit(' ').next()?);
        Some(format!("{mode} {}", name.trim_end_matches('/')))
    };
    list.lines().filter_map(entry).collect()
}

#[test]
fn files_that_digestif_did_not_write_stay() {
    for (path, text) in [
        ("plugin.yaml", "apiVersion: v1\nname: digestif\n"),
        ("plugin.yaml", ""),
        ("notes.txt", "mine"),
        ("digestif", "a program"),
    ] {
        let plugins = temporary();
        let folder = plugins.path().join("digestif");
        fs::create_dir(&folder).expect("writable");
        fs::write(folder.join(path), text).expect("writable");
        let before = entries(plugins.path());
        let said = install(plugins.path()).failed(2);
        let expected = format!(
            "error: the folder has files that `digestif helm-plugin` did not write\n--> {}\n",
            folder.display(),
        );
        assert!(said.starts_with(&expected), "{said}");
        let help = "= help: move it away, or remove it with `helm plugin uninstall digestif`; nothing was written\n";
        assert!(said.contains(help), "{said}");
        assert_eq!(entries(plugins.path()), before);
    }
}

#[test]
fn a_foreign_program_in_the_plugins_folder_also_stays() {
    let plugins = temporary();
    install(plugins.path()).succeeded();
    let binary = plugins.path().join("digestif/digestif");
    fs::remove_file(&binary).expect("writable");
    fs::hard_link(env!("CARGO_BIN_EXE_digestif"), &binary).expect("the same file system");
    let said = run(&binary, &["helm-plugin", "install"], &[("HELM_PLUGINS", plugins.path())]);
    let said = said.failed(2);
    assert!(said.contains(&format!("--> {}\n", binary.display())), "{said}");
    assert!(!binary.is_symlink());
}

#[test]
fn an_older_plugin_is_replaced_at_the_target_of_its_link() {
    let folder = temporary();
    let [plugins, elsewhere] = ["plugins", "elsewhere"].map(|name| folder.path().join(name));
    for folder in [&plugins, &elsewhere] {
        fs::create_dir(folder).expect("writable");
    }
    symlink(&elsewhere, plugins.join("digestif")).expect("writable");
    let older = "# Written by `digestif helm-plugin`, which may replace it.\nversion: 0.0.1\n";
    fs::write(elsewhere.join("kept.yaml"), older).expect("writable");
    symlink("kept.yaml", elsewhere.join("plugin.yaml")).expect("writable");
    symlink("/gone/digestif", elsewhere.join("digestif")).expect("writable");
    // A killed run leaves such a file.
    symlink("/gone/digestif", elsewhere.join("digestif.new")).expect("writable");

    install(&plugins).succeeded();
    let fresh = folder.path().join("fresh");
    install(&fresh).succeeded();
    let manifest = |path: PathBuf| fs::read_to_string(path).expect("text");
    assert_eq!(manifest(elsewhere.join("kept.yaml")), manifest(fresh.join("digestif/plugin.yaml")));
    let target = fs::read_link(elsewhere.join("digestif")).expect("a link");
    assert_eq!(target, Path::new(env!("CARGO_BIN_EXE_digestif")));
    assert!(plugins.join("digestif").is_symlink());
    assert_eq!(fs::read_dir(&elsewhere).expect("readable").count(), 3);
}

#[test]
fn the_plugin_is_installed_in_the_first_folder_of_helm_4() {
    let Some(clients) = clients() else { return };
    let folder = temporary();
    let at = |name: &str| folder.path().join(name);
    let list = std::env::join_paths([PathBuf::new(), at("first"), at("second")]).expect("no colon");
    let list = Path::new(&list);
    let (home, none) = (at("home"), Path::new(""));
    for (variables, shared) in [
        (&[("HELM_PLUGINS", list)][..], false),
        (&[("HELM_DATA_HOME", &at("data")), ("XDG_DATA_HOME", &at("xdg"))], false),
        (&[("HELM_DATA_HOME", none), ("XDG_DATA_HOME", &at("xdg"))], true),
        (&[("XDG_DATA_HOME", none)], true),
        (&[("HELM_PLUGINS", &at("home/.local/share/helm/plugins"))], cfg!(target_os = "linux")),
    ] {
        let variables = [variables, &[("HOME", &home)]].concat();
        let helm = run(&clients.join("helm4"), &["env", "HELM_PLUGINS"], &variables).succeeded();
        let mut looked = helm.trim_end().split(':').filter(|folder| !folder.is_empty());
        let plugin = Path::new(looked.next().expect("a folder")).join("digestif");
        let ran =
            run(Path::new(env!("CARGO_BIN_EXE_digestif")), &["helm-plugin", "install"], &variables);
        let warning = "warning: if you also use Helm 3, it now loads none of its plugins";
        assert_eq!(ran.stderr.starts_with(warning), shared, "{variables:?}: {}", ran.stderr);
        let installed = format!("Installed in {}, ", plugin.display());
        assert!(ran.succeeded().starts_with(&installed), "{variables:?}: {installed}");
        assert!(plugin.join("plugin.yaml").is_file());
    }
}

#[test]
fn helm_3_cannot_run_its_plugins_if_this_plugin_is_in_the_same_folder() {
    let Some(clients) = clients() else { return };
    let plugins = temporary();
    let other = plugins.path().join("other");
    fs::create_dir(&other).expect("writable");
    fs::write(other.join("plugin.yaml"), "name: other\nversion: 1.0.0\ncommand: 'true'\n")
        .expect("writable");
    let helm3 = |args: &[&str]| {
        let variables = [("HELM_PLUGINS", plugins.path()), ("HOME", plugins.path())];
        run(&clients.join("helm3"), args, &variables)
    };
    helm3(&["other"]).succeeded();
    install(plugins.path()).succeeded();
    let said = helm3(&["other"]).failed(1);
    assert!(said.contains("unknown field \"apiVersion\""), "{said}");
    assert!(said.contains("unknown command \"other\""), "{said}");
}

#[test]
fn nothing_is_written_without_a_plugin_folder() {
    let binary = Path::new(env!("CARGO_BIN_EXE_digestif"));
    for (variables, message) in [
        (
            &[("HELM_PLUGINS", Path::new(""))][..],
            "`HELM_PLUGINS` is set, but does not name a folder",
        ),
        (&[("HOME", Path::new(""))], "the folder of Helm's plugins is not known"),
    ] {
        let said = run(binary, &["helm-plugin", "install"], variables).failed(2);
        assert!(said.starts_with(&format!("error: {message}\n")), "{said}");
    }
}
