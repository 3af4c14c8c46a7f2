"""Tar streams of tests, made by the standard library."""

import io
import tarfile
from collections.abc import Iterator


def member(name: str, **values: object) -> tarfile.TarInfo:
    """Return a member with these fields."""
    info = tarfile.TarInfo(name)
    for field, value in values.items():
        setattr(info, field, value)
    return info


def directory(name: str, **values: object) -> tarfile.TarInfo:
    return member(name, **{"type": tarfile.DIRTYPE, "mode": 0o755, **values})


def link(name: str, target: str, *, hard: bool = False) -> tarfile.TarInfo:
    kind = tarfile.LNKTYPE if hard else tarfile.SYMTYPE
    return member(name, type=kind, linkname=target, mode=0o777)


def tar(*members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Return a tar of `members`; one with content is a pair."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, errors="surrogateescape") as made:
        for one in members:
            info, content = one if isinstance(one, tuple) else (one, b"")
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Yield `data` in pieces of `size` bytes."""
    return (data[at : at + size] for at in range(0, len(data), size))
