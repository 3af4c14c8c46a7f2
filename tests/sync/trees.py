"""A directory on one side, as whoever works in it sees it: scripts are run in it, and it is looked at whole."""

import io
import os
import stat
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

OURS = (".devbox", ".devbox-tmp-", ".unison", ".mutagen")  # names that a program keeps for itself


class Thing(NamedTuple):
    """What is at a path. `kind`: directory, file, link, or other; `data`: content, or the link's target."""

    kind: str
    data: bytes = b""
    executable: bool = False

    @property
    def text(self) -> str:
        """What it holds, short enough to be told."""
        text = self.data.decode("utf-8", "backslashreplace")
        return text if len(text) <= 40 else f"{text[:37]}..."


Look = dict[str, Thing]


class Tree(Protocol):
    """One side's directory."""

    def sh(self, script: str) -> str:
        """Run a script in it, and return what it said; `AssertionError` if it fails."""

    def look(self) -> Look:
        """Return all that is in it but for what belongs to the program that syncs."""

    def trash(self) -> list[bytes]:
        """Return the contents that were put aside in it."""


class HostTree:
    """One of this machine."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def sh(self, script: str) -> str:
        done = subprocess.run(
            ["sh", "-euc", script], cwd=self.path, capture_output=True, check=False, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, f"{script}: {done.stderr.decode()}"
        return done.stdout.decode("utf-8", "surrogateescape")

    def look(self) -> Look:
        return {name: found for name, found in self._walk(self.path, "") if not is_ours(name)}

    def trash(self) -> list[bytes]:
        kept = self.path / ".devbox" / "trash"
        return [found.data for _, found in self._walk(kept, "") if found.kind == "file"] if kept.exists() else []

    def _walk(self, directory: Path, prefix: str) -> Iterator[tuple[str, Thing]]:
        with os.scandir(directory) as entries:
            for entry in entries:
                name = prefix + entry.name
                try:
                    found = _thing(entry)
                except FileNotFoundError:  # it went away meanwhile, as what is temporary does
                    continue
                yield name, found
                if entry.is_dir(follow_symlinks=False) and not is_ours(name):
                    yield from self._walk(Path(entry.path), f"{name}/")


class GuestTree:
    """One inside of something: `run` starts a shell there with a script, and returns exit code, stdout and stderr."""

    def __init__(self, root: str, run: Callable[[str], tuple[int, bytes, bytes]]) -> None:
        self.root = root
        self._run = run

    def sh(self, script: str) -> str:
        return self._bytes(script).decode("utf-8", "surrogateescape")

    def look(self) -> Look:
        return {name: found for name, found in self._tar(".") if not is_ours(name)}

    def trash(self) -> list[bytes]:
        if not self.sh("[ ! -e .devbox/trash ] || echo yes"):
            return []
        return [found.data for _, found in self._tar(".devbox/trash") if found.kind == "file"]

    def _bytes(self, script: str) -> bytes:
        code, out, err = self._run(f"cd '{self.root}' && set -eu\n{script}")
        assert code == 0, f"{script}: {err.decode()}"
        return out

    def _tar(self, what: str) -> Iterator[tuple[str, Thing]]:
        data = self._bytes(f"tar -cf - {what} 2>/dev/null || true")
        with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape", encoding="utf-8") as tar:
            for entry in tar:
                name = entry.name.removeprefix("./")
                if name not in {"", "."}:
                    yield name, _packed_thing(tar, entry)


def is_ours(name: str) -> bool:
    """Whether a name belongs to the program that syncs."""
    return any(part == ours or part.startswith(ours) for part in name.split("/") for ours in OURS)


def _thing(entry: os.DirEntry[str]) -> Thing:
    mode = entry.stat(follow_symlinks=False).st_mode
    if stat.S_ISDIR(mode):
        return Thing("directory")
    if stat.S_ISLNK(mode):
        return Thing("link", os.fsencode(Path(entry.path).readlink()))
    if stat.S_ISREG(mode):
        return Thing("file", Path(entry.path).read_bytes(), bool(mode & 0o100))
    return Thing("other")


def _packed_thing(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> Thing:
    if entry.isdir():
        return Thing("directory")
    if entry.issym():
        return Thing("link", entry.linkname.encode("utf-8", "surrogateescape"))
    if entry.isfile() or entry.islnk():
        content = tar.extractfile(entry)
        return Thing("file", content.read() if content else b"", bool(entry.mode & 0o100))
    return Thing("other")
