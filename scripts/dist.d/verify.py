"""Verifies artefacts: installs and runs each as a user would, with the tools that a user has.

A check that needs a missing tool or another system is skipped, and the last lines list the skipped checks.
Signatures are verified with the keys of published.toml, or with the keys in the files that
DIGESTIF_MINISIGN_PUBLIC and DIGESTIF_GPG_KEYRING name.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import subprocess
import tarfile
import tempfile
import tomllib

from build import cargo_home
from release import ROOT, die, run, say

QUICKSTART = ROOT / "testdata/quickstart"
NATIVE = f"{platform.machine()}-unknown-linux-musl"


class Missing(Exception):
    """A tool or a system that a check needs is missing."""


def main(arguments):
    parser = argparse.ArgumentParser(prog="scripts/dist verify", description=__doc__)
    parser.add_argument("folder", type=pathlib.Path, metavar="DIR")
    folder = parser.parse_args(arguments).folder.resolve()
    skipped = []
    checks = [checksums, archives, deb, wheels, action, hooks, plugin, image, components, formula]
    for check in checks:
        with tempfile.TemporaryDirectory() as temporary:
            try:
                for line in check(folder, pathlib.Path(temporary)):
                    say(f"ok: {line}")
            except Missing as missing:
                skipped.append(f"{check.__name__}: {missing}")
    for line in skipped:
        say(f"SKIPPED: {line}")
    say("verified" + (", except the skipped checks" if skipped else ""))


def needs(tool):
    """The path of a tool."""
    found = shutil.which(tool)
    if not found:
        raise Missing(f"{tool} is not installed")
    return found


def one(folder, pattern):
    """The only file that matches this pattern."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        die(f"expected one {pattern} in {folder}, found {len(found)}")
    return found[0]


def published(key):
    return tomllib.loads((ROOT / "published.toml").read_text())[key]


def expect(is_right, what):
    if not is_right:
        die(f"not verified: {what}")


def refused(reason, *command, **options):
    """Runs a command that must fail for a reason."""
    command = [str(word) for word in command]
    ran = subprocess.run(command, capture_output=True, check=False, text=True, **options)
    said = ran.stdout + ran.stderr
    right = ran.returncode != 0 and reason in said
    expect(right, f"`{' '.join(command)}` must fail with '{reason}', but its output is: {said}")


def pins(*program, **options):
    """Pins the quick start with a program, and returns the output."""
    layout = ["--layout", QUICKSTART / "images", "--offline", "--quiet"]
    printed = run(*program, QUICKSTART / "web.yaml", QUICKSTART / "cleanup.yaml", *layout, **options)
    expect(printed.count("@sha256:") >= 4, f"{program} pins the quick start")
    return printed


def checksums(folder, temporary):
    """SHA256SUMS names every file, and its signature matches the key."""
    run("sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS", cwd=folder)
    named = {line.split()[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    there = {path.name for path in folder.iterdir() if not path.name.startswith("SHA256SUMS")}
    expect(named == there, "SHA256SUMS names every file")
    yield f"SHA256SUMS of {len(named)} files"
    if not (folder / "SHA256SUMS.minisig").exists():
        raise Missing("SHA256SUMS is not signed")
    minisign = needs("minisign")
    file, key = os.environ.get("DIGESTIF_MINISIGN_PUBLIC"), published("minisign")
    if not file and not key:
        die("SHA256SUMS is signed, but no public key is known: see published.toml")
    key = ["-p", file] if file else ["-P", key]
    run(minisign, "-V", *key, "-m", folder / "SHA256SUMS")
    shutil.copy(folder / "SHA256SUMS.minisig", temporary)
    (temporary / "SHA256SUMS").write_text((folder / "SHA256SUMS").read_text().replace("0", "1", 1))
    refused("Signature verification failed", minisign, "-V", *key, "-m", temporary / "SHA256SUMS")
    yield "the signature of minisign; a changed file is refused"


def archives(folder, temporary):
    """Each archive has a binary that runs, manual pages, completions and licences."""
    first = None
    for archive in sorted([*folder.glob("digestif-*.tar.gz"), *folder.glob("digestif-*-windows-*.zip")]):
        shutil.unpack_archive(archive, temporary, **({"filter": "data"} if has_filter(archive) else {}))
        name = archive.name.removesuffix(".zip").removesuffix(".tar.gz")
        tree = temporary / name
        for path in ["LICENSE", "README.md", "CHANGELOG.md", "THIRD-PARTY-LICENSES.txt", "man/digestif.1"]:
            expect((tree / path).stat().st_size > 0, f"{path} in {archive.name}")
        for shell in ["digestif.bash", "_digestif", "digestif.fish", "digestif.ps1"]:
            expect((tree / "completions" / shell).stat().st_size > 0, f"{shell} in {archive.name}")
        program = next(path for path in tree.glob("digestif*") if path.is_file())
        private = [ROOT / "src", cargo_home(), pathlib.Path.home() / ".rustup"]
        binary = program.read_bytes()
        found = [str(path) for path in private if str(path).encode() in binary]
        expect(not found, f"no path of the builder in {archive.name}, but {found}")
        target = name.split("-", 2)[2]
        runner = runner_of(target)
        if runner is None:
            yield f"{archive.name}, whose binary can't run here"
            continue
        version = run(*runner, program, "version")
        expect(target in version and "commit unknown" not in version, f"{version} of {archive.name}")
        printed = pins(*runner, program)
        first = first or printed
        expect(printed == first, f"{archive.name} pins like the other binaries")
        yield f"{archive.name} prints {version.strip()}"


def has_filter(archive):
    return archive.suffix == ".gz" and hasattr(tarfile, "data_filter")


def runner_of(target):
    """The command that starts a binary for this target; `None` if this machine can't run it."""
    if target == NATIVE:
        return []
    if "linux" in target:
        emulator = shutil.which(f"qemu-{target.split('-')[0]}-static")
        return [emulator] if emulator else None
    return None


def deb(folder, temporary):
    """dpkg installs the package, and the installed program runs."""
    dpkg = needs("dpkg")
    architecture = run(dpkg, "--print-architecture").strip()
    package = one(folder, f"digestif_*_{architecture}.deb")
    if os.geteuid() != 0:
        raise Missing("dpkg installs only for root")
    (temporary / "var/lib/dpkg").mkdir(parents=True)
    (temporary / "var/lib/dpkg/status").touch()
    run(dpkg, f"--root={temporary}", "--install", package)
    pins(temporary / "usr/bin/digestif")
    for path in ["man/man1/digestif.1.gz", "bash-completion/completions/digestif", "doc/digestif/copyright"]:
        expect((temporary / "usr/share" / path).exists(), f"{path} in {package.name}")
    yield f"{package.name} is installed by dpkg"
    if shutil.which("lintian"):
        said = run("lintian", "--fail-on=error", package)
        yield f"lintian finds no error in it; {len(said.splitlines())} hints"


def wheels(folder, temporary):
    """pip installs the wheel without a network, and twine accepts its metadata."""
    all_wheels = sorted(folder.glob("*.whl"))
    run(tools() / "twine", "check", "--strict", *all_wheels)
    yield f"twine accepts {len(all_wheels)} wheels"
    run("python3", "-m", "venv", temporary)
    run(temporary / "bin/pip", "install", "--quiet", "--no-index", f"--find-links={folder}", "digestif")
    pins(temporary / "bin/digestif")
    yield "pip installs the wheel, and it runs"
    run(temporary / "bin/pip", "uninstall", "--quiet", "--yes", "digestif")
    expect(not (temporary / "bin/digestif").exists(), "pip removes the program")


def tools():
    return pathlib.Path(run(ROOT / "scripts/tools").strip())


def action(folder, temporary):
    """The step of action.yml installs the archive, and refuses one with another checksum."""
    needs("curl")
    script = ROOT / "scripts/action"
    archive = one(folder, f"digestif-*-{NATIVE}.tar.gz")
    env = {
        "PATH": os.environ["PATH"],
        "RUNNER_OS": "Linux",
        "RUNNER_ARCH": {"x86_64": "X64", "aarch64": "ARM64"}[platform.machine()],
        "RUNNER_TEMP": str(temporary),
        "GITHUB_PATH": str(temporary / "path"),
        "GITHUB_OUTPUT": str(temporary / "output"),
        "GITHUB_SERVER_URL": "https://github.invalid",
        "GITHUB_ACTION_REPOSITORY": "acme/digestif",
        "DIGESTIF_ACTION_VERSION": "",
        "DIGESTIF_ACTION_SHA256": "",
        "DIGESTIF_ACTION_URL": folder.as_uri(),
    }
    run(script, env=env)
    added = (temporary / "path").read_text().strip()
    pins(pathlib.Path(added) / "digestif")
    expect("digestif " in (temporary / "output").read_text(), "the output of the action")
    changed = temporary / "changed"
    changed.mkdir()
    shutil.copy(folder / "SHA256SUMS", changed)
    (changed / archive.name).write_bytes(archive.read_bytes() + b"\0")
    for name, value, reason in [
        ("URL", changed.as_uri(), "has the checksum"),
        ("SHA256", "0" * 64, "has the checksum"),
        ("SHA256", "$(id)", "there is no checksum for"),
        ("VERSION", "../0.1.0", "is not a version"),
        ("VERSION", "9.9.9", "there is no checksum for"),
        ("URL", "http://127.0.0.1:9", "can't be downloaded"),
    ]:
        refused(reason, script, env={**env, f"DIGESTIF_ACTION_{name}": value})
    refused("there is no digestif for Plan9", script, env={**env, "RUNNER_OS": "Plan9"})
    yield "the action installs the archive, and refuses a changed one"


def hooks(folder, temporary):
    """pre-commit runs each hook with the wheel."""
    needs("git")
    definitions = (ROOT / ".pre-commit-hooks.yaml").read_text()
    wheel = next(w for w in folder.glob("*.whl") if f"manylinux2014_{platform.machine()}" in w.name)
    # The hooks as `repo: local`, with the wheel instead of the source.
    local = definitions.replace("\n  language: rust\n", f"\n  language: python\n  additional_dependencies: ['{wheel}']\n")
    indented = "".join(f"  {line}\n" for line in local.splitlines() if not line.startswith("#"))
    repository = temporary / "repository"
    shutil.copytree(QUICKSTART, repository / "deploy", ignore=shutil.ignore_patterns("images"))
    (repository / ".pre-commit-config.yaml").write_text(f"repos:\n- repo: local\n  hooks:\n{indented}")
    run("git", "init", "--quiet", cwd=repository)
    run("git", "add", ".", cwd=repository)
    env = {
        **os.environ,
        "PRE_COMMIT_HOME": str(temporary / "cache"),
        "DIGESTIF_LAYOUT": str(QUICKSTART / "images"),
        "DIGESTIF_OFFLINE": "true",
    }
    command = [tools() / "pre-commit", "run", "--all-files"]
    refused("has no digest", *command, "digestif-check", cwd=repository, env=env)
    # A hook that changes files fails, so that the user checks and stages them.
    refused("files were modified by this hook", *command, "digestif-pin", cwd=repository, env=env)
    expect("@sha256:" in (repository / "deploy/web.yaml").read_text(), "the hook pins")
    run("git", "add", ".", cwd=repository)
    run(*command, "digestif-check", cwd=repository, env=env)
    run(*command, "digestif-pin", cwd=repository, env=env)
    run(*command, "--hook-stage=manual", "digestif-update", cwd=repository, env=env)
    yield "pre-commit runs the hooks check, pin and update"


def plugin(folder, temporary):
    """Helm 4 installs the plugin, with verification if it is signed, and runs it."""
    package = one(folder, "digestif-*.tgz")
    helm = client("helm4")
    env = {**os.environ, "HOME": str(temporary), "HELM_DATA_HOME": str(temporary / "data")}
    for name in ["HELM_PLUGINS", "XDG_DATA_HOME"]:
        env.pop(name, None)
    install = [helm, "plugin", "install"]
    if package.with_name(f"{package.name}.prov").exists():
        keyring = os.environ.get("DIGESTIF_GPG_KEYRING")
        if not keyring:
            die("the plugin is signed: DIGESTIF_GPG_KEYRING must name a file with the public key")
        changed = temporary / "changed"
        changed.mkdir()
        shutil.copy(f"{package}.prov", changed)
        (changed / package.name).write_bytes(package.read_bytes() + b"\0")
        refused("sha256 sum does not match", *install, changed / package.name, "--keyring", keyring, env=env)
        run(*install, package, "--keyring", keyring, env=env)
        yield "Helm 4 verifies and installs the plugin, and refuses a changed one"
    else:
        run(*install, package, "--verify=false", env=env)
        yield "Helm 4 installs the plugin, which is not signed"
    chart = temporary / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 0.1.0\n")
    shutil.copy(QUICKSTART / "web.yaml", chart / "templates")
    layout = ["--post-renderer-args=--offline", f"--post-renderer-args=--layout={QUICKSTART / 'images'}"]
    rendered = run(helm, "template", "web", chart, "--post-renderer=digestif", *layout, env=env)
    expect("@sha256:" in rendered, "Helm 4 runs the plugin")
    yield "Helm 4 pins a chart with it"


def client(name):
    """A real client of scripts/clients."""
    needs("go")
    return pathlib.Path(run(ROOT / "scripts/clients", name).strip()) / name


def image(folder, temporary):
    """podman reads the image, and kustomize and kpt run it."""
    podman = needs("podman")
    if os.geteuid() != 0:
        raise Missing("containers are tested only as root")
    archive = one(folder, "digestif-*-image.tar")
    layout = temporary / "layout"
    shutil.unpack_archive(archive, layout)
    env = containers(temporary, podman)
    loaded = run(podman, "pull", "--quiet", f"oci-archive:{archive}", env=env).strip()
    run(podman, "tag", loaded, "localhost/digestif:dev", env=env)
    labels = json.loads(run(podman, "inspect", "--format={{json .Labels}}", loaded, env=env))
    commit = labels["org.opencontainers.image.revision"]
    said = run(podman, "run", "--rm", loaded, "version", env=env)
    expect(f" ({commit[:12]}, {NATIVE})" in said, f"{said} of the image with the label {commit}")
    yield f"podman runs the image, labelled with {commit[:12]}"
    files = ["--mount", f"type=bind,src={QUICKSTART / 'images'},dst=/images"]
    files += ["-e", "DIGESTIF_LAYOUT=/images", "-e", "DIGESTIF_OFFLINE=true"]
    kustomize = [client("kustomize"), "build", "--enable-alpha-plugins", "--network"]
    built = run(*kustomize, ROOT / "krm/examples/kustomize-container", *files, env=env)
    expect("@sha256:" in built, "kustomize runs the image")
    evaluate = ["fn", "eval", ROOT / "krm/examples/kpt", "--image=localhost/digestif:dev"]
    evaluate += ["--image-pull-policy=never", "--network", "--output=unwrap", *files]
    built = run(client("kpt"), *evaluate, env={**env, "KRM_FN_RUNTIME": "podman"})
    expect("@sha256:" in built, "kpt runs the image")
    yield "kustomize and kpt run the image with podman"
    run(client("crane"), "validate", "--tarball", docker_archive(podman, loaded, temporary, env))
    yield "crane finds no error in the image"


def containers(temporary, podman):
    """An environment in which podman keeps everything in a folder, and the command `docker` is podman."""
    (temporary / "bin").mkdir()
    docker = temporary / "bin/docker"
    docker.write_text(f'#!/bin/sh\nexec {podman} "$@"\n')
    docker.chmod(0o755)
    storage = f"[storage]\ndriver='vfs'\ngraphroot='{temporary}/graph'\nrunroot='{temporary}/run'\n"
    (temporary / "storage.conf").write_text(storage)
    limits = "[containers]\ndefault_ulimits=['nofile=1000:1000','nproc=1000:1000']\n"
    (temporary / "containers.conf").write_text(limits)
    return {
        **os.environ,
        "PATH": f"{temporary}/bin:{os.environ['PATH']}",
        "CONTAINERS_STORAGE_CONF": str(temporary / "storage.conf"),
        "CONTAINERS_CONF": str(temporary / "containers.conf"),
    }


def docker_archive(podman, name, temporary, env):
    """The image as a file that crane can read."""
    archive = temporary / "docker.tar"
    run(podman, "save", "--quiet", "--format=docker-archive", f"--output={archive}", name, env=env)
    return archive


def components(folder, _):
    """The list of components matches the schema of CycloneDX, and each component has a checksum."""
    sbom = one(folder, "*.cdx.json")
    code = (
        "import sys; from cyclonedx.validation.json import JsonStrictValidator as V;"
        "from cyclonedx.schema import SchemaVersion as S;"
        "sys.exit(str(V(S.V1_6).validate_str(open(sys.argv[1]).read()) or '') or 0)"
    )
    run(tools() / "python", "-c", code, sbom)
    listed = json.loads(sbom.read_text())["components"]
    expect(all("hashes" in component for component in listed), "each component has a checksum")
    yield f"the list of {len(listed)} components matches the schema of CycloneDX 1.6"


def formula(folder, _):
    """The formula names existing archives with their checksums."""
    sums = (folder / "SHA256SUMS").read_text()
    text = (folder / "digestif.rb").read_text()
    digests = [line.split('"')[1] for line in text.splitlines() if line.strip().startswith("sha256 ")]
    expect(digests and all(digest in sums for digest in digests), "the checksums of the formula")
    if shutil.which("ruby"):
        run("ruby", "-c", folder / "digestif.rb")
    yield f"the formula has the checksums of {len(digests)} archives (Homebrew was not run)"
