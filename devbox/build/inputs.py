"""What a build reads from the repo: manifests, scripts and the sources of `copy`, by content.

`read` looks; `compose` plans from what it found; `context` sends the same bytes into a step.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from devbox.build import confined
from devbox.build.recipe import ContextFile
from devbox.errors import Problem, ProfileError
from devbox.values import format_size, printable

MANIFEST_LIMIT = 16 * 1024**2  # bytes of one manifest or script
COPY_LIMIT = 1024**3  # bytes of everything that is copied
FILES_LIMIT = 50_000
_CHUNK = 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The files that the steps need. `groups`: by the key that asks for them; `contents`: what was read whole."""

    directory: Path
    groups: Mapping[str, tuple[ContextFile, ...]] = field(default_factory=dict)
    contents: Mapping[str, bytes] = field(default_factory=dict)  # by digest
    notes: tuple[str, ...] = ()  # what was left out, for the user
    looked: tuple[str, ...] = ()  # paths that change the plan if they come or go; "/" at the end: a directory's content

    def group(self, key: str) -> tuple[ContextFile, ...]:
        """Return the files for `key`, sorted by path; none if nothing was asked for."""
        return self.groups.get(key, ())

    def text(self, key: str, path: str) -> str | None:
        """Return the text of a manifest or script in the group `key`; None if it is not there."""
        for file in self.group(key):
            if file.path == path:
                return self.contents[file.digest].decode("utf-8", "replace")
        return None


class Collector:
    """Gathers the files of one profile; problems are collected too, and raised all at once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self._groups: dict[str, dict[str, ContextFile]] = {}
        self._contents: dict[str, bytes] = {}
        self._looked: set[str] = set()
        self._copied = 0

    def exists(self, path: str) -> bool:
        """Whether `path` is in the repo, whatever it is."""
        self._looked.add(os.path.normpath(path))
        return os.path.lexists(self.directory / path)

    def has(self, group: str, path: str) -> bool:
        """Whether the file `path` was taken into `group`."""
        return os.path.normpath(path) in self._groups.get(group, {})

    def found(self, pattern: str) -> list[str]:
        """Return the files that match the glob `pattern`, relative and sorted; it leads nowhere out of the repo."""
        if pattern.startswith("/") or ".." in pattern.split("/"):
            return []
        matches = sorted(str(path.relative_to(self.directory)) for path in self.directory.glob(pattern))
        self._looked.update(_listed(pattern, matches))
        return matches

    def manifest(self, group: str, path: str, *, key: str) -> bytes | None:
        """Take the file `path` into `group` and return its content; None, with a problem, if it cannot be."""
        try:
            with confined.opened(self.directory, path) as file:
                content = file.read(MANIFEST_LIMIT + 1)
                executable = bool(os.fstat(file.fileno()).st_mode & 0o100)
        except OSError as error:
            self.complain(_why(path, error), key=key)
            return None
        if len(content) > MANIFEST_LIMIT:
            self.complain(f"{path} is larger than {format_size(MANIFEST_LIMIT)}", key=key)
            return None
        self.put(group, path, content, executable=executable)
        return content

    def put(self, group: str, path: str, content: bytes, *, executable: bool = False) -> None:
        """Take `content` into `group` as the file `path`."""
        digest = hashlib.sha256(content).hexdigest()
        self._contents[digest] = content
        self._add(group, ContextFile(path=os.path.normpath(path), digest=digest, executable=executable))

    def tree(self, group: str, path: str, *, key: str) -> bool:
        """Take the file or directory `path` into `group`; return whether it is a directory."""
        try:
            real = confined.resolve(self.directory, path)
        except OSError as error:
            self.complain(_why(path, error), key=key)
            return False
        if not real.is_dir():
            self._copy(group, os.path.normpath(path), key=key)
            return False
        for name in _walk(real, self.notes):
            self._copy(group, os.path.normpath(f"{path}/{name}"), key=key)
        return True

    def complain(self, message: str, *, key: str, line: int | None = None, hint: str | None = None) -> None:
        """Remember that something is wrong with what `key` asks for."""
        problem = Problem(message=printable(message), key=key, line=line, hint=hint)
        if problem not in self.problems:
            self.problems.append(problem)

    def finish(self) -> Inputs:
        """Return what was gathered, or raise `ProfileError` with every problem."""
        if self.problems:
            raise ProfileError("the project's files cannot be used as the profile asks", problems=self.problems)
        groups = {key: tuple(files[path] for path in sorted(files)) for key, files in self._groups.items()}
        return Inputs(
            directory=self.directory,
            groups=groups,
            contents=dict(self._contents),
            notes=tuple(self.notes),
            looked=tuple(sorted(self._looked)),
        )

    def _copy(self, group: str, path: str, *, key: str) -> None:
        full = self.directory / path
        if full.is_symlink() and (link := self._link(path)):
            digest = hashlib.sha256(link.encode("utf-8", "surrogateescape")).hexdigest()
            self._add(group, ContextFile(path=path, digest=digest, link=link))
            return
        try:
            with confined.opened(self.directory, path) as file:
                mode = os.fstat(file.fileno()).st_mode
                digest, size = digest_of(file)
        except OSError as error:
            self.complain(_why(path, error), key=key)
            return
        self._copied += size
        self._add(group, ContextFile(path=path, digest=digest, executable=bool(mode & 0o100)))
        if self._copied > COPY_LIMIT or len(self._groups[group]) > FILES_LIMIT:
            limit = f"{format_size(COPY_LIMIT)} or {FILES_LIMIT} files"
            self.complain(f"more than {limit} to copy", key=key, hint="use a mount for data of that size")

    def _link(self, path: str) -> str | None:
        """Return the target of a link that can stay one: relative, and inside of the project."""
        target = str((self.directory / path).readlink())
        inside = os.path.normpath(os.path.join(os.path.dirname(path), target))  # noqa: PTH118, PTH120 (text alone)
        return None if target.startswith("/") or inside.startswith("..") else target

    def _add(self, group: str, file: ContextFile) -> None:
        self._groups.setdefault(group, {})[file.path] = file


def digest_of(file: BinaryIO) -> tuple[str, int]:
    """Return the SHA-256 (64 hex) of the rest of `file`, and its size in bytes."""
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
        if size > COPY_LIMIT:
            break
    return digest.hexdigest(), size


def _listed(pattern: str, matches: Sequence[str]) -> Iterator[str]:
    """Yield the directories, with "/" at the end, in which something that matches `pattern` may come or go."""
    fixed = list(takewhile(lambda part: not set(part) & set("*?["), pattern.split("/")[:-1]))
    yield "/".join([*(fixed or ["."]), ""])
    for match in matches:
        yield from (f"{parent}/" for parent in PurePosixPath(match).parents if len(parent.parts) > len(fixed))


def _walk(top: Path, notes: list[str]) -> list[str]:
    """Return the files and links below `top`, relative and sorted; sockets and their like are left out, with a note."""
    found: list[str] = []
    for directory, names, files in os.walk(top):
        names[:] = sorted(name for name in names if name != ".git")
        links = [name for name in names if Path(directory, name).is_symlink()]
        for name in [*files, *links]:
            path = Path(directory, name)
            if path.is_symlink() or path.is_file():
                found.append(str(path.relative_to(top)))
            else:
                notes.append(f"{printable(str(path))} is no file and is not copied")
        if len(found) > FILES_LIMIT:
            break
    return sorted(found)


def _why(path: str, error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return f"there is no {path} in the project"
        case confined.RefusedError():
            return str(error)
        case _:
            return f"{path} cannot be read: {error.strerror or error}"
