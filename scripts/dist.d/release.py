"""The common parts of all artefacts: the version, the commit, the time of the files in them, and archives
that have the same bytes for the same input."""

import dataclasses
import gzip
import io
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

DESCRIPTION = "Pins every image of Kubernetes manifests to a digest, and changes no other byte"


def die(message):
    sys.exit(f"scripts/dist: {message}")


def say(message):
    print(f"==> {message}", file=sys.stderr, flush=True)


def run(*command, **options):
    """Runs a command that must succeed, and returns its stdout. Its output is shown only if it fails."""
    command = [str(word) for word in command]
    try:
        ran = subprocess.run(command, check=False, text=True, capture_output=True, **options)
    except FileNotFoundError:
        die(f"{command[0]} is not installed")
    if ran.returncode != 0:
        sys.stderr.write(ran.stdout + ran.stderr)
        die(f"`{' '.join(command)}` failed with status {ran.returncode}")
    return ran.stdout


@dataclasses.dataclass(frozen=True)
class Release:
    """A release: `epoch` is the commit's time in seconds."""

    version: str
    commit: str
    epoch: int
    repository: str
    image: str

    @classmethod
    def of_checkout(cls, allow_dirty):
        def git(*words):
            # A job that runs as root may be in a checkout of another user.
            return run("git", "-C", ROOT, "-c", f"safe.directory={ROOT}", *words).strip()

        if not allow_dirty and git("status", "--porcelain"):
            die("the checkout has changes; commit them, or use --allow-dirty for a trial")
        published = tomllib.loads((ROOT / "published.toml").read_text())
        return cls(
            version=re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1],
            commit=git("rev-parse", "HEAD"),
            epoch=int(os.environ.get("SOURCE_DATE_EPOCH") or git("log", "-1", "--format=%ct")),
            repository=published["repository"],
            image=published["image"],
        )

    def tar(self, files):
        """An uncompressed tar archive of these files: name to (content, mode), owned by root."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name, (content, mode) in sorted({**folders_of(files), **files}.items()):
                entry = tarfile.TarInfo(name)
                entry.mode, entry.mtime = mode, self.epoch
                if content is None:
                    entry.type = tarfile.DIRTYPE
                    archive.addfile(entry)
                else:
                    entry.size = len(content)
                    archive.addfile(entry, io.BytesIO(content))
        return buffer.getvalue()


def folders_of(files):
    """The folders of these files."""
    folders = {str(folder) for name in files for folder in pathlib.PurePath(name).parents}
    return {folder: (None, 0o755) for folder in folders - {"."}}


def gzipped(data):
    """The compressed data, without a name and a time."""
    return gzip.compress(data, compresslevel=9, mtime=0)
