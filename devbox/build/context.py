"""What a step is given over its stdin: one tar stream, the same bytes for the same content.

Members: `ca.pem`, the same as `ca.jks`, `secrets/NAME`, `context/PATH` (files of the repo, then texts that the plan
wrote); sorted, one date (the recipe's epoch; zip files know none before 1980), root's, modes normalised (B-05). GNU
format, which every tar reads.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from devbox.build import confined
from devbox.build.inputs import Inputs
from devbox.build.recipe import ContextFile
from devbox.build.truststore import truststore
from devbox.errors import BuildFailedError

_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What goes into one step. Secrets never show in its repr."""

    files: tuple[ContextFile, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()  # path, text
    epoch: int = 0  # seconds
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_bundle: bytes | None = field(default=None, repr=False)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to send."""
        return not (self.files or self.texts or self.secrets or self.ca_bundle)


def stream(delivery: Delivery, inputs: Inputs) -> Iterator[bytes]:
    """Yield the tar of `delivery`; `BuildFailedError` if a file of the repo is no longer what was planned with."""
    for block in _members(delivery, inputs):
        yield _dated(block, delivery.epoch) if isinstance(block, tarfile.TarInfo) else block
    yield b"\0" * 1024


def _dated(info: tarfile.TarInfo, epoch: int) -> bytes:
    info.mtime = epoch
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _members(delivery: Delivery, inputs: Inputs) -> Iterator[tarfile.TarInfo | bytes]:
    if delivery.ca_bundle:
        yield from _member("ca.pem", delivery.ca_bundle)
        yield from _member("ca.jks", truststore(delivery.ca_bundle))
    for name, value in sorted(delivery.secrets.items()):
        yield from _member(f"secrets/{name}", value.encode("utf-8", "surrogateescape"), mode=0o600)
    for directory in _directories([*(file.path for file in delivery.files), *(path for path, _ in delivery.texts)]):
        yield _header(f"context/{directory}", kind=tarfile.DIRTYPE, mode=0o755)
    for file in sorted(delivery.files, key=lambda each: each.path):
        yield from _context_file(file, inputs)
    for path, text in sorted(delivery.texts):
        yield from _member(f"context/{path}", text.encode("utf-8", "surrogateescape"))


def _directories(paths: Sequence[str]) -> list[str]:
    parents = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    return sorted(parents - {"."})


def _context_file(file: ContextFile, inputs: Inputs) -> Iterator[tarfile.TarInfo | bytes]:
    name = f"context/{file.path}"
    mode = 0o755 if file.executable else 0o644
    if file.link is not None:
        yield _header(name, kind=tarfile.SYMTYPE, link=file.link)
    elif file.digest in inputs.contents:
        yield from _member(name, inputs.contents[file.digest], mode=mode)
    else:
        yield from _from_disk(file, inputs, mode=mode)


def _from_disk(file: ContextFile, inputs: Inputs, *, mode: int) -> Iterator[tarfile.TarInfo | bytes]:
    """Read and check at once; the step has not begun before the last byte, so a mismatch stops it in time."""
    digest = hashlib.sha256()
    try:
        with confined.opened(inputs.directory, file.path) as source:
            left = size = os.fstat(source.fileno()).st_size
            yield _header(f"context/{file.path}", size=size, mode=mode)
            while left and (chunk := source.read(min(left, _CHUNK))):
                left -= len(chunk)
                digest.update(chunk)
                yield chunk
    except OSError as error:
        raise _changed(file) from error
    if left or digest.hexdigest() != file.digest:
        raise _changed(file)
    yield _padding(size)


def _changed(file: ContextFile) -> BuildFailedError:
    return BuildFailedError(
        f"{file.path} changed while it was being copied", hint="let it be written to its end, then run devbox again"
    )


def _member(name: str, content: bytes, *, mode: int = 0o644) -> Iterator[tarfile.TarInfo | bytes]:
    yield _header(name, size=len(content), mode=mode)
    view = io.BytesIO(content)
    while chunk := view.read(_CHUNK):
        yield chunk
    yield _padding(len(content))


def _header(
    name: str, *, size: int = 0, mode: int = 0o644, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.type, info.linkname = size, mode, kind, link
    return info


def _padding(size: int) -> bytes:
    return b"\0" * (-size % tarfile.BLOCKSIZE)
