"""The wheel: the binary for pip, pipx, uvx and pre-commit (PyPA, 'Binary distribution format')."""

import base64
import hashlib

from archives import zipped
from release import DESCRIPTION, ROOT

# A static binary runs with every C library, even with older ones than these.
PLATFORMS = {
    "x86_64-unknown-linux-musl": "manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64",
    "aarch64-unknown-linux-musl": "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
    "x86_64-pc-windows-gnu": "win_amd64",
    "aarch64-apple-darwin": "macosx_11_0_arm64",
    "x86_64-apple-darwin": "macosx_10_12_x86_64",
}

METADATA = """\
Metadata-Version: 2.4
Name: digestif
Version: {version}
Summary: {description}
Keywords: kubernetes,helm,kustomize,oci,digest
License-Expression: Apache-2.0
License-File: LICENSE
License-File: THIRD-PARTY-LICENSES.txt
Requires-Python: >=3.8
{links}Description-Content-Type: text/markdown

{readme}"""


def write(release, folder, target, binary, extras):
    """Writes the wheel of a binary, and returns its path."""
    platforms = PLATFORMS[target]
    base = f"digestif-{release.version}"
    information = f"{base}.dist-info"
    tags = "".join(f"Tag: py3-none-{platform}\n" for platform in platforms.split("."))
    links = f"Project-URL: Repository, {release.repository}\n" if release.repository else ""
    # The links of the README lead to files of the repository, so it is used only with a repository.
    readme = (ROOT / "README.md").read_text() if release.repository else f"{DESCRIPTION}.\n"
    metadata = METADATA.format(
        version=release.version, description=DESCRIPTION, links=links, readme=readme
    )
    files = {
        f"{base}.data/scripts/{binary.name}": (binary.read_bytes(), 0o755),
        f"{information}/licenses/LICENSE": ((ROOT / "LICENSE").read_bytes(), 0o644),
        f"{information}/licenses/THIRD-PARTY-LICENSES.txt": (extras.licences, 0o644),
        f"{information}/METADATA": (metadata.encode(), 0o644),
        f"{information}/WHEEL": (
            f"Wheel-Version: 1.0\nGenerator: digestif\nRoot-Is-Purelib: false\n{tags}".encode(),
            0o644,
        ),
    }
    record = f"{information}/RECORD"
    lines = [f"{name},{hashed(content)},{len(content)}\n" for name, (content, _) in files.items()]
    files[record] = ("".join([*lines, f"{record},,\n"]).encode(), 0o644)
    wheel = folder / f"{base}-py3-none-{platforms}.whl"
    wheel.write_bytes(zipped(release, files))
    return wheel


def hashed(content):
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
    return f"sha256={digest.decode().rstrip('=')}"
