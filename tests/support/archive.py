"""Images of one layer, made without an engine and without network, and loaded where they are not there yet."""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping

from devbox.engine.base import Engine, ImageInfo

TIME = 1_700_000_000  # when all in them was changed the last time
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def archive(name: str, layer: bytes, settings: Mapping[str, object]) -> tuple[bytes, str]:
    """Return a docker-archive of the image `name` with this layer and configuration, and the image's id."""
    config = json.dumps(
        {
            "architecture": _MACHINES.get(os.uname().machine, os.uname().machine),
            "os": "linux",
            "created": "2023-11-14T22:13:20Z",
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
            "history": [{"created": "2023-11-14T22:13:20Z", "created_by": "devbox-test"}],
        },
        sort_keys=True,
    ).encode()
    digest = hashlib.sha256(config).hexdigest()
    manifest = [{"Config": f"{digest}.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        add(tar, f"{digest}.json", config)
        add(tar, "layer.tar", layer)
        add(tar, "manifest.json", json.dumps(manifest).encode())
    return buffer.getvalue(), "sha256:" + digest


def add(tar: tarfile.TarFile, name: str, data: bytes, *, mode: int = 0o644) -> None:
    """Put a file of root's into `tar`."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(data), mode, TIME
    tar.addfile(entry, io.BytesIO(data))


def loaded(engine: Engine, name: str, data: bytes, image_id: str) -> ImageInfo:
    """Return the image `name`, loading it if this engine has another or none. The image stays: it is a cache."""
    found = engine.image(name)
    if found is None or found.id != image_id:
        engine.load(_pieces(data))
        found = engine.image(name)
    assert found is not None
    return found


def _pieces(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), 65536):
        yield data[start : start + 65536]
