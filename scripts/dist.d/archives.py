"""An archive for each target: .tar.gz, and .zip for Windows."""

import datetime
import io
import zipfile

from contents import SHELLS
from release import ROOT, gzipped


def write(release, folder, target, binary, extras):
    """Writes the archive of a binary, and returns its path."""
    name = f"digestif-{release.version}-{target}"
    files = {f"{name}/{path}": content for path, content in files_of(binary, extras).items()}
    if "windows" in target:
        archive, data = folder / f"{name}.zip", zipped(release, files)
    else:
        archive, data = folder / f"{name}.tar.gz", gzipped(release.tar(files))
    archive.write_bytes(data)
    return archive


def files_of(binary, extras):
    """The content of an archive: name to (content, mode)."""
    files = {binary.name: (binary.read_bytes(), 0o755)}
    for name in ["LICENSE", "README.md", "CHANGELOG.md"]:
        files[name] = ((ROOT / name).read_bytes(), 0o644)
    files["THIRD-PARTY-LICENSES.txt"] = (extras.licences, 0o644)
    for name, page in extras.pages.items():
        files[f"man/{name}"] = (page, 0o644)
    for shell, (_, name) in SHELLS.items():
        files[f"completions/{name}"] = (extras.completions[shell], 0o644)
    return files


def zipped(release, files):
    """A zip archive of these files: name to (content, mode)."""
    buffer = io.BytesIO()
    time = datetime.datetime.fromtimestamp(release.epoch, datetime.timezone.utc).timetuple()[:6]
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, (content, mode) in files.items():
            entry = zipfile.ZipInfo(name, time)
            # The modes of Unix, on every system.
            entry.create_system, entry.external_attr = 3, (0o100000 | mode) << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=9)
    return buffer.getvalue()
