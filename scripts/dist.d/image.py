"""The container image of the KRM function as an OCI image layout in a tar archive (OCI image specification 1.1).
It is the same as the image of krm/Dockerfile, for each processor, and needs no daemon."""

import datetime
import hashlib
import json
import os
import pathlib

from release import DESCRIPTION, ROOT, die, gzipped

PROCESSORS = {"x86_64-unknown-linux-musl": "amd64", "aarch64-unknown-linux-musl": "arm64"}

# `scripts/image` uses the same paths.
CERTIFICATES = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
]


def write(release, folder, binaries):
    """Writes the image of the binaries for Linux, and returns its path."""
    layout = Layout()
    annotations = labels(release)
    manifests = []
    for target, processor in PROCESSORS.items():
        if target in binaries:
            manifest = image(release, layout, processor, binaries[target], annotations)
            manifests.append({**manifest, "platform": {"architecture": processor, "os": "linux"}})
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
        "annotations": annotations,
    }
    named = {"org.opencontainers.image.ref.name": release.version}
    top = {**layout.add("application/vnd.oci.image.index.v1+json", index), "annotations": named}
    layout.files["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    layout.files["index.json"] = encoded({"schemaVersion": 2, "manifests": [top]})
    archive = folder / f"digestif-{release.version}-image.tar"
    archive.write_bytes(release.tar({name: (data, 0o644) for name, data in layout.files.items()}))
    return archive


def image(release, layout, processor, binary, annotations):
    """Adds the image for a processor, and returns its descriptor."""
    files = {
        "digestif": (binary.read_bytes(), 0o755),
        "etc/passwd": ((ROOT / "krm/passwd").read_bytes(), 0o644),
        "etc/ssl/certs/ca-certificates.crt": (certificates(), 0o644),
    }
    tar = release.tar(files)
    created = datetime.datetime.fromtimestamp(release.epoch, datetime.timezone.utc).isoformat()
    config = {
        "created": created,
        "architecture": processor,
        "os": "linux",
        "config": {"User": "nobody", "Entrypoint": ["/digestif"], "Cmd": ["fn"], "Labels": annotations},
        "rootfs": {"type": "layers", "diff_ids": [digest(tar)]},
        "history": [{"created": created, "created_by": "scripts/dist"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": layout.add("application/vnd.oci.image.config.v1+json", config),
        "layers": [layout.add("application/vnd.oci.image.layer.v1.tar+gzip", gzipped(tar))],
        "annotations": annotations,
    }
    return layout.add("application/vnd.oci.image.manifest.v1+json", manifest)


class Layout:
    """The blobs of an image layout."""

    def __init__(self):
        self.files = {}

    def add(self, media_type, content):
        """Adds a blob, and returns its descriptor."""
        data = content if isinstance(content, bytes) else encoded(content)
        self.files[f"blobs/{digest(data).replace(':', '/')}"] = data
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}


def labels(release):
    """The labels, with the names of the specification (annotations.md)."""
    names = {
        "title": "digestif",
        "description": DESCRIPTION,
        "licenses": "Apache-2.0",
        "version": release.version,
        "revision": release.commit,
        "source": release.repository,
    }
    return {f"org.opencontainers.image.{name}": value for name, value in names.items() if value}


def certificates():
    """The certificates of authorities of this machine, or those of `SSL_CERT_FILE`."""
    for path in [os.environ.get("SSL_CERT_FILE"), *CERTIFICATES]:
        if path and pathlib.Path(path).is_file():
            return pathlib.Path(path).read_bytes()
    return die("no CA certificates were found: set SSL_CERT_FILE to a file of them")


def digest(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def encoded(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
