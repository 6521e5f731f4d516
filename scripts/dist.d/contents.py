"""The files that accompany a binary: manual pages, completions, and the licences of its crates."""

import json
import pathlib
import re
import subprocess

from release import ROOT, die, run

# Where each shell looks for completions on Debian, below /usr/share, and the name in an archive.
SHELLS = {
    "bash": ("bash-completion/completions/digestif", "digestif.bash"),
    "fish": ("fish/vendor_completions.d/digestif.fish", "digestif.fish"),
    "zsh": ("zsh/vendor-completions/_digestif", "_digestif"),
    "powershell": (None, "digestif.ps1"),
}

LICENCE_FILE = re.compile("(licen[cs]e|copying|notice|unlicense)", re.I)


def runnable(binaries):
    """The first of these binaries that runs here."""
    for binary in binaries:
        try:
            if subprocess.run([binary, "version"], capture_output=True, check=False).returncode == 0:
                return binary
        except OSError:
            pass  # It is for another system or processor.
    return die("no binary runs on this machine, but one must print its manual pages")


def manual_pages(binary):
    """The manual pages by their file names."""
    whole = run(binary, "man")
    names = re.findall(r"^digestif\\-(\S+)\(1\)", whole, re.M)
    pages = {"digestif.1": whole}
    for name in (name.replace("\\-", "-") for name in names):
        pages[f"digestif-{name}.1"] = run(binary, "man", name)
    return {name: text.encode() for name, text in pages.items()}


def completions(binary):
    """The completions of each shell."""
    return {shell: run(binary, "completions", shell).encode() for shell in SHELLS}


def packages(targets):
    """The crates in the binaries for these targets, as `cargo metadata` describes them, sorted."""
    found = {}
    for target in targets:
        command = ["cargo", "metadata", "--format-version=1", "--locked", f"--filter-platform={target}"]
        metadata = json.loads(run(*command, cwd=ROOT))
        described = {package["id"]: package for package in metadata["packages"]}
        nodes = {node["id"]: node["deps"] for node in metadata["resolve"]["nodes"]}
        seen, rest = set(), [metadata["resolve"]["root"]]
        while rest:
            package = rest.pop()
            if package not in seen:
                seen.add(package)
                rest.extend(d["pkg"] for d in nodes[package] if any(not k["kind"] for k in d["dep_kinds"]))
        found.update((package, described[package]) for package in seen)
    return sorted(found.values(), key=lambda package: (package["name"], package["version"]))


def licences(crates):
    """The licences of all crates except digestif, each text once."""
    texts = {}
    for crate in crates:
        if crate["source"] is None:
            continue
        folder = pathlib.Path(crate["manifest_path"]).parent
        files = sorted(f for f in folder.iterdir() if f.is_file() and LICENCE_FILE.match(f.name))
        if not files:
            die(f"{crate['name']} {crate['version']} has no file with its licence ({crate['license']})")
        for file in files:
            text = file.read_text(errors="replace").replace("\r\n", "\n").strip()
            texts.setdefault(text, []).append(f"{crate['name']} {crate['version']} ({crate['license']})")
    head = "digestif contains these crates. Each of their licences follows once, after the crates that have it.\n"
    rule = "=" * 80
    parts = [f"{rule}\n{chr(10).join(names)}\n{rule}\n\n{text}\n" for text, names in texts.items()]
    return "\n".join([head, *parts]).encode()
