"""What is inside an image that devbox did not make: the distribution, a shell, tar. Looked at once per image id."""

import contextlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from devbox import paths
from devbox.engine.base import ContainerRequest, Engine, ImageInfo, Labels
from devbox.errors import BaseImageError, EngineError
from devbox.interrupts import uninterrupted
from devbox.values import LABEL_ROLE, ROLE_STEP

_FAMILIES = {"debian": "debian", "ubuntu": "debian", "alpine": "alpine", "fedora": "fedora", "rhel": "fedora"}
_LOOK = "cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release 2>/dev/null; echo; command -v tar"
_LIMIT = 64 * 1024
_NO_SHELL = re.compile(r"/bin/sh\W.*(no such file|not found)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the inside of an image says of itself."""

    family: str
    distribution: str
    version: str
    tar: bool
    sh: bool


_BARE = Facts(family="unknown", distribution="unknown", version="", tar=False, sh=False)


def parse_facts(output: str) -> Facts:
    """Return the facts from what `_LOOK` printed: os-release, and the path of tar if there is one."""
    fields: dict[str, str] = {}
    for line in output.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            fields[name.strip()] = value.strip().strip("\"'")
    own = fields.get("ID", "unknown").lower()
    likes = [own, *fields.get("ID_LIKE", "").lower().split()]
    family = next((_FAMILIES[name] for name in likes if name in _FAMILIES), "unknown")
    # A busybox that runs its applets itself names them without a path.
    tar = any(
        line.strip() == "tar" or (line.startswith("/") and line.rstrip().endswith("tar"))
        for line in output.splitlines()
    )
    return Facts(family=family, distribution=own, version=fields.get("VERSION_ID", ""), tar=tar, sh=True)


def probe(engine: Engine, image: ImageInfo, *, reference: str, labels: Labels) -> Facts:
    """Return the facts of `image`, from the cache or by one short container, which `labels` go on.

    `BaseImageError` if its shell does not run here.
    """
    file = Path(paths.bases_root(), image.id.removeprefix("sha256:") + ".json")
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Facts(**json.loads(file.read_text(encoding="utf-8")))
    said = _look(engine, image, reference=reference, labels=labels)
    facts = _BARE if said is None else parse_facts(said)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs a second each time
        paths.private_directory(paths.bases_root())
        temporary = file.with_suffix(f".{os.getpid()}")
        temporary.touch(mode=0o600)  # whatever the umask
        temporary.write_text(json.dumps(asdict(facts)), encoding="utf-8")
        temporary.replace(file)
    return facts


def _look(engine: Engine, image: ImageInfo, *, reference: str, labels: Labels) -> str | None:
    """Return what `_LOOK` prints in the image; None if there is no shell to run it."""
    request = ContainerRequest(
        name=None,
        image=image.id,
        command=("/bin/sh", "-c", _LOOK),
        labels=tuple(sorted({**labels, LABEL_ROLE: ROLE_STEP}.items())),
        network="none",
    )
    container = None
    try:
        with uninterrupted():
            container = engine.create(request)
        stream = engine.attach(container)
        try:
            engine.start(container)
            output = b""
            while (frame := stream.receive()) is not None and len(output) < _LIMIT:
                output += frame[1]
        finally:
            stream.close()
        engine.wait(container)
    except EngineError as error:
        if _NO_SHELL.search(f"{error.message} {error.detail or ''}"):
            return None
        raise BaseImageError(
            f"the image {reference} has a shell (/bin/sh) that does not run here, so nothing can be built on it",
            detail=error.detail,
            hint="choose a base with a shell, as debian:12; for a Dockerfile, an earlier stage as base.target",
        ) from error
    finally:
        if container is not None:
            engine.remove(container)
    return output.decode("utf-8", "replace")
