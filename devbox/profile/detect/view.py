"""A careful, read-only view of a project: bounded, never blocking, and never out of the directory. Runs nothing.

What cannot be read is remembered in `problems`, each file once, and counts as not there.
"""

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from devbox.errors import Problem
from devbox.profile.detect.evidence import Evidence
from devbox.profile.detect.reading.json_lines import JsonError, read_json
from devbox.profile.detect.reading.xml_lines import Element, XmlError, read_xml
from devbox.profile.source import Document, Refused, decode, parse, read_file
from devbox.values import printable

_ENTRIES: Final = 2_000  # of one directory; what comes after is not looked at
_DEEP: Final = 64  # levels of a manifest; no tool writes as many
_START: Final = 1_000_000


class View:
    """The project at `directory`, a real path, as the detectors see it."""

    def __init__(self, directory: Path, *, wanted: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.wanted = wanted or {}  # by language: the version that the user's environment asks for
        self.problems: list[Problem] = []
        self._contents: dict[str, bytes | None] = {}
        self._documents: dict[str, Document | None] = {}
        self._listings: dict[str, tuple[str, ...]] = {}

    def complain(self, message: str, *, at: Evidence | None = None, hint: str | None = None) -> None:
        """Remember that something is wrong."""
        file, line = (at.file, at.line) if at else (None, None)
        problem = Problem(message=printable(message), file=file, line=line, hint=hint)
        if problem not in self.problems:
            self.problems.append(problem)

    def has(self, name: str) -> bool:
        """Whether `name` is a regular file of the project, or a link to one in it. One that leads out is a problem."""
        kind = self._kind(name)
        if kind == "link":
            self._content(name)
        return kind == "file"

    def has_directory(self, name: str) -> bool:
        """Whether `name` is a directory of the project."""
        return self._kind(name) == "directory"

    def first(self, names: Iterable[str]) -> str | None:
        """Return the first of `names` that is a file of the project."""
        return next((name for name in names if self.has(name)), None)

    def names(self, directory: str = ".") -> tuple[str, ...]:
        """Return the names in a directory of the project, sorted; none if it cannot be read."""
        if directory not in self._listings:
            try:
                with os.scandir(self.directory / directory) as entries:
                    found = sorted(entry.name for entry, _ in zip(entries, range(_ENTRIES), strict=False))
            except (OSError, ValueError):
                found = []
            self._listings[directory] = tuple(name for name in found if name.isprintable())
        return self._listings[directory]

    def text(self, name: str) -> str | None:
        """Return the text of the file `name`, whatever its bytes; None if there is none, or if it cannot be read."""
        content = self._content(name)
        if content is None:
            return None
        coding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        return content.decode(coding, "replace")

    def lines(self, name: str) -> list[tuple[int, str]]:
        """Return the lines of the file `name`, numbered from 1; none if it cannot be read."""
        return list(enumerate((self.text(name) or "").splitlines(), start=1))

    def start(self, name: str) -> str:
        """Return the first `_START` bytes of the file `name` as text; a lock file may be as large as it likes."""
        if self._kind(name) != "file":
            return ""
        try:
            with (self.directory / name).open("rb") as file:
                return file.read(_START).decode("utf-8", "replace")
        except OSError:
            return ""

    def toml(self, name: str) -> Document | None:
        """Return the TOML file `name`; None if there is none, or if it is none, which is remembered."""
        return self._document(name, lambda text: parse(text, shown=name, deep=_DEEP))

    def json(self, name: str) -> Document | None:
        """Return the JSON object in the file `name`; None if there is none, or if it is none, which is remembered."""

        def read(text: str) -> Document:
            tree, lines = read_json(text)
            return Document(tree=dict(tree), lines=lines)

        return self._document(name, read)

    def xml(self, name: str) -> Element | None:
        """Return the root of the XML file `name`; None if there is none, or if it is none, which is remembered."""
        content = self._content(name)
        if content is None:
            return None
        try:
            return read_xml(content)
        except XmlError as error:
            self.complain(str(error), at=Evidence(file=name, line=error.line, what=""))
            return None

    def _document(self, name: str, read: Callable[[str], Document]) -> Document | None:
        if name not in self._documents:
            content = self._content(name)
            self._documents[name] = None if content is None else self._parsed(name, content, read)
        return self._documents[name]

    def _parsed(self, name: str, content: bytes, read: Callable[[str], Document]) -> Document | None:
        try:
            return read(decode(content, shown=name))
        except JsonError as error:
            self.complain(str(error), at=Evidence(file=name, line=error.line, what=""))
        except Refused as refused:
            problem = refused.problem
            self.complain(problem.message, at=Evidence(file=name, line=problem.line, what=""))
        return None

    def _content(self, name: str) -> bytes | None:
        if name not in self._contents:
            self._contents[name] = self._read(name) if self._kind(name) in ("file", "link") else None
        return self._contents[name]

    def _read(self, name: str) -> bytes | None:
        try:
            return read_file(self.directory / name, shown=name, below=self.directory, kind="manifest")
        except Refused as refused:
            problem = refused.problem
            self.complain(problem.message, at=Evidence(file=name, line=problem.line, what=""))
            return None

    def _kind(self, name: str) -> str | None:
        """Return what `name` is: "file", "directory", "link" (it leads out or nowhere), or None for all else."""
        path = self.directory / name
        try:
            if not path.resolve().is_relative_to(self.directory):
                return "link" if os.path.lexists(path) else None
            mode = path.stat().st_mode
        except (OSError, ValueError, RuntimeError):
            return "link" if path.is_symlink() else None
        if stat.S_ISDIR(mode):
            return "directory"
        return "file" if stat.S_ISREG(mode) else None
