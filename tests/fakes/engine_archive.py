"""Reads the docker-archive that FakeEngine is asked to load."""

import hashlib
import io
import json
import tarfile

from devbox.engine.base import ImageInfo
from devbox.errors import EngineError


def read_archive(archive: bytes) -> list[ImageInfo]:
    """Return the images of a docker-archive tar; `EngineError` if it is none."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            return [_image(tar, item) for item in json.loads(_content(tar, "manifest.json"))]
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise EngineError("the engine did not load the image archive", detail=str(error)) from error


def _image(tar: tarfile.TarFile, item: dict[str, object]) -> ImageInfo:
    raw = _content(tar, str(item["Config"]))
    content = json.loads(raw)
    config = content.get("config") or {}
    tags = item.get("RepoTags") or []
    assert isinstance(tags, list)
    return ImageInfo(
        id="sha256:" + hashlib.sha256(raw).hexdigest(),
        tags=tuple(map(str, tags)),
        digests=(),
        labels=config.get("Labels") or {},
        env=tuple(tuple(pair.split("=", 1)) for pair in config.get("Env") or ()),
        workdir=config.get("WorkingDir") or "",
        user=config.get("User") or "",
        architecture=content["architecture"],
        size=len(raw),
        created=content.get("created") or "",
        layers=tuple(content["rootfs"]["diff_ids"]),
        volumes=tuple(config.get("Volumes") or ()),
    )


def _content(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None
    return file.read()
