"""The engine's classic builder: the last resort for a Dockerfile, where no docker or podman command is installed."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from devbox.errors import EngineError

_CHUNK = 1024**2


def context_files(directory: Path, dockerfile: str) -> list[str]:
    """Return the paths that a build of `directory` sees, sorted; .dockerignore is honoured."""
    from docker.utils.build import exclude_paths  # lazy: most bases have no Dockerfile, and the SDK costs 150 ms

    ignored = directory / ".dockerignore"
    patterns = ignored.read_text(encoding="utf-8", errors="replace").splitlines() if ignored.is_file() else []
    kept = [line.strip() for line in patterns if line.strip() and not line.startswith("#")]
    found = exclude_paths(str(directory), kept, dockerfile=dockerfile)
    return sorted({*found, dockerfile})


def context_archive(directory: Path, dockerfile: str) -> Iterator[bytes]:
    """Yield the build context of `directory` as a tar."""
    from docker.utils.build import create_archive  # lazy, as above

    with tempfile.TemporaryFile() as spool:
        create_archive(str(directory), files=context_files(directory, dockerfile), fileobj=spool)
        spool.seek(0)
        while chunk := spool.read(_CHUNK):
            yield chunk


def build_classic(
    client: Any,  # noqa: ANN401 (docker.APIClient; its `build` is untyped)
    context: Iterable[bytes],
    *,
    dockerfile: str,
    target: str | None,
    tag: str,
    labels: Mapping[str, str],
) -> Iterator[str]:
    """Build with the classic builder, yielding its lines; `EngineError` with its words if it fails.

    Nothing half-made stays: failed steps' containers are removed (`forcerm`), and images carry `labels`.
    """
    events = client.build(
        fileobj=_Readable(context),
        custom_context=True,
        dockerfile=dockerfile,
        target=target,
        tag=tag,
        labels=dict(labels),
        rm=True,
        forcerm=True,
        decode=True,
    )
    failure = ""
    for event in events:  # read to the end even after a failure, or the connection would stay open
        failure = failure or str(event.get("error") or "")
        if line := str(event.get("stream") or event.get("status") or "").strip():
            yield line
    if failure:
        raise EngineError("the classic builder failed", detail=failure)


class _Readable:
    """The SDK asks whether there is something to read; the request takes any iterable."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._chunks)
