"""The package for Debian and Ubuntu. The binary is static and depends on nothing."""

import os
import pathlib
import tempfile

from contents import SHELLS
from release import DESCRIPTION, ROOT, gzipped, run

ARCHITECTURES = {"x86_64-unknown-linux-musl": "amd64", "aarch64-unknown-linux-musl": "arm64"}

CONTROL = """\
Package: digestif
Version: {version}
Architecture: {architecture}
Maintainer: digestif maintainers <digestif@users.noreply.github.com>
Installed-Size: {kibibytes}
Recommends: ca-certificates
Section: utils
Priority: optional
{homepage}Description: {description}
 digestif is a filter: rendered manifests come in on stdin, and the same
 manifests go out on stdout, with a digest at every image. It is a
 post-renderer of Helm and a function of kustomize and kpt.
"""

COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: digestif
Comment: The licences of the crates in the binary are in THIRD-PARTY-LICENSES.txt.gz.

Files: *
Copyright: The authors of digestif
License: Apache-2.0
 On Debian systems, the full text is in /usr/share/common-licenses/Apache-2.0.
"""

# The binary is static, so one package works on every release of Debian and Ubuntu.
OVERRIDES = "digestif: statically-linked-binary [usr/bin/digestif]\ndigestif: initial-upload-closes-no-bugs\n"


def write(release, folder, target, binary, extras):
    """Writes the package of a binary, and returns its path."""
    architecture = ARCHITECTURES[target]
    package = folder / f"digestif_{release.version}_{architecture}.deb"
    with tempfile.TemporaryDirectory() as temporary:
        tree = pathlib.Path(temporary) / "digestif"
        files = files_of(release, binary, extras)
        for name, (content, mode) in files.items():
            write_file(tree / name, content, mode)
        control = CONTROL.format(
            version=release.version,
            architecture=architecture,
            kibibytes=sum(len(content) for content, _ in files.values()) // 1024,
            homepage=f"Homepage: {release.repository}\n" if release.repository else "",
            description=DESCRIPTION,
        )
        write_file(tree / "DEBIAN/control", control.encode(), 0o644)
        for path in [tree, *tree.rglob("*")]:
            if path.is_dir():
                path.chmod(0o755)
            os.utime(path, (release.epoch, release.epoch))
        # gzip, because another version of xz may give other bytes.
        options = ["--root-owner-group", "-Zgzip", "-z9", "--build"]
        env = {**os.environ, "SOURCE_DATE_EPOCH": str(release.epoch)}
        run("dpkg-deb", *options, tree, package, env=env)
    return package


def files_of(release, binary, extras):
    """The content of the package: name to (content, mode)."""
    share, documents = "usr/share", "usr/share/doc/digestif"
    files = {
        "usr/bin/digestif": (binary.read_bytes(), 0o755),
        f"{documents}/copyright": (COPYRIGHT.encode(), 0o644),
        f"{documents}/changelog.gz": (gzipped((ROOT / "CHANGELOG.md").read_bytes()), 0o644),
        f"{documents}/THIRD-PARTY-LICENSES.txt.gz": (gzipped(extras.licences), 0o644),
        f"{share}/lintian/overrides/digestif": (OVERRIDES.encode(), 0o644),
    }
    for name, page in extras.pages.items():
        files[f"{share}/man/man1/{name}.gz"] = (gzipped(page), 0o644)
    for shell, (path, _) in SHELLS.items():
        if path:
            files[f"{share}/{path}"] = (extras.completions[shell], 0o644)
    return files


def write_file(path, content, mode):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
