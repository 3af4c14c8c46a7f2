"""A root file system as a docker-archive of our own making, so that the image's id is known before it is loaded.

The same tar, labels and date give the same id on every machine. Source: the Docker Image Specification v1.2.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_CHUNK = 1024**2
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class RootImage:
    """An image of one layer. `layer`: an uncompressed tar."""

    layer: Path
    epoch: int
    architecture: str
    labels: Mapping[str, str]
    created_by: str

    def config(self) -> bytes:
        """Return the image's configuration; its SHA-256 is the image's id."""
        created = datetime.fromtimestamp(self.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        values = {
            "architecture": self.architecture,
            "config": {"Cmd": ["bash"], "Env": [_PATH], "Labels": dict(self.labels)},
            "created": created,
            "history": [{"created": created, "created_by": self.created_by}],
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{file_digest(self.layer)}"]},
        }
        return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()


def file_digest(path: Path) -> str:
    """Return the SHA-256 (64 hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def archive(image: RootImage, config: bytes, *, tag: str) -> Iterator[bytes]:
    """Yield the docker-archive of `image`, which the engine will hold as `tag`. `config`: of `image.config()`."""
    name = hashlib.sha256(config).hexdigest()
    manifest = [{"Config": f"{name}.json", "Layers": ["layer.tar"], "RepoTags": [tag]}]
    yield from _member(f"{name}.json", config)
    yield from _member("manifest.json", json.dumps(manifest).encode())
    size = image.layer.stat().st_size
    yield _header("layer.tar", size)
    with image.layer.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
    yield b"\0" * (-size % tarfile.BLOCKSIZE) + b"\0" * 1024


def _member(name: str, content: bytes) -> Iterator[bytes]:
    yield _header(name, len(content))
    yield io.BytesIO(content).read() + b"\0" * (-len(content) % tarfile.BLOCKSIZE)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)
