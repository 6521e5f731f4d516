"""The plugin for Helm 4, with its provenance (Helm, 'Helm Provenance and Integrity')."""

import hashlib
import os
import tarfile

from release import ROOT, run


def write(release, folder, binaries):
    """Writes the plugin, signed if `DIGESTIF_GPG_KEY` names a key, and returns the paths."""
    package = folder / run(ROOT / "scripts/helm-plugin", folder, *binaries.values()).strip()
    key = os.environ.get("DIGESTIF_GPG_KEY")
    if not key:
        return [package]
    with tarfile.open(package) as archive:
        manifest = archive.extractfile("digestif/plugin.yaml").read().decode()
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    statement = f"{manifest}\n...\nfiles:\n  {package.name}: sha256:{digest}\n"
    provenance = package.with_name(f"{package.name}.prov")
    # The signature contains a time. It is the commit's, so that a second run gives the same signature.
    options = ["--batch", "--yes", "--faked-system-time", f"{release.epoch}!", "--digest-algo=SHA512"]
    provenance.write_text(run("gpg", *options, "--local-user", key, "--clear-sign", input=statement))
    return [package, provenance]
