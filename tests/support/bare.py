"""An image as a distroless one is: a static program, and nothing else."""

import hashlib
import io
import json
import os
import tarfile

from devbox.engine.base import Engine, ImageInfo
from tests.support import images

BARE = "devbox-test/bare:1"
PROGRAM = "/busybox"  # does what its first argument says; there is no /bin/sh that leads to it


def bare_image(engine: Engine) -> ImageInfo:
    """Return the image, loading it if this engine does not have it. It stays: it is a cache."""
    archive, image_id = _archive()
    found = engine.image(BARE)
    if found is None or found.id != image_id:
        engine.load(iter([archive]))
        found = engine.image(BARE)
    assert found is not None
    return found


def _archive() -> tuple[bytes, str]:
    layer = _tar({"busybox": images._busybox().read_bytes()}, mode=0o755)
    config = json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
            "os": "linux",
            "created": "2023-11-14T22:13:20Z",
            "config": {"Entrypoint": [PROGRAM]},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
            "history": [{"created": "2023-11-14T22:13:20Z", "created_by": "devbox-test"}],
        },
        sort_keys=True,
    ).encode()
    digest = hashlib.sha256(config).hexdigest()
    manifest = [{"Config": f"{digest}.json", "RepoTags": [BARE], "Layers": ["layer.tar"]}]
    parts = {f"{digest}.json": config, "layer.tar": layer, "manifest.json": json.dumps(manifest).encode()}
    return _tar(parts, mode=0o644), "sha256:" + digest


def _tar(files: dict[str, bytes], *, mode: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(data), mode, 1_700_000_000
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
