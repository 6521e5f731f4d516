"""The checksums of all artefacts, signed with minisign if `DIGESTIF_MINISIGN_KEY` names a file with a key."""

import hashlib
import os

from release import run


def write(release, folder):
    """Writes SHA256SUMS for the files in the folder, and its signature."""
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("SHA256SUMS"))
    sums = folder / "SHA256SUMS"
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    sums.write_text("".join(lines))
    if key := os.environ.get("DIGESTIF_MINISIGN_KEY"):
        # The comment is signed too. By default it contains the time, which differs in a second run.
        comment = f"digestif {release.version} {release.commit}"
        run("minisign", "-S", "-s", key, "-m", sums, "-t", comment)
