"""The list of the crates in the binaries, as CycloneDX 1.6."""

import datetime
import json
import tomllib
import uuid

from release import DESCRIPTION, ROOT


def write(release, folder, crates):
    """Writes the list, and returns its path."""
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    checksums = {(p["name"], p["version"]): p.get("checksum") for p in lock["package"]}
    own = next(crate for crate in crates if crate["source"] is None)
    others = [crate for crate in crates if crate["source"] is not None]
    time = datetime.datetime.fromtimestamp(release.epoch, datetime.timezone.utc)
    root = {**component(own, None), "type": "application", "description": DESCRIPTION}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # It depends only on the commit.
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, f"digestif:{release.commit}").urn,
        "version": 1,
        "metadata": {"timestamp": time.isoformat(), "component": root},
        "components": [component(c, checksums[c["name"], c["version"]]) for c in others],
        "dependencies": [
            {"ref": purl(own), "dependsOn": sorted(purl(crate) for crate in others)}
        ],
    }
    sbom = folder / f"digestif-{release.version}.cdx.json"
    sbom.write_text(json.dumps(document, indent=1) + "\n")
    return sbom


def component(crate, checksum):
    """A crate as a component."""
    # Older crates write a slash instead of OR.
    expression = crate["license"].replace("/", " OR ")
    described = {
        "type": "library",
        "bom-ref": purl(crate),
        "name": crate["name"],
        "version": crate["version"],
        "purl": purl(crate),
        "licenses": [{"expression": expression}],
    }
    if checksum:
        described["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return described


def purl(crate):
    return f"pkg:cargo/{crate['name']}@{crate['version']}"
