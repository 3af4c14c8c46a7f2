"""The values of detection, and the careful reading that all detectors share."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devbox.profile.source import Refused, read_file

DEFAULT_IMAGE = "debian:12"
NEWER_IMAGE = "debian:13"  # Python 3.13, Node.js 20; debian:12 has 3.11 and 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Why something is thought to be so."""

    file: str  # relative to the project
    line: int | None
    what: str  # "Flask", "a lock file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One language of a project, as the profile will have it.

    `profile`: the base profile to extend. `packages`: the line below [packages]. `ports`: (number, framework).
    `provision`: (name, command) of steps at create. `newer`: it needs more than `DEFAULT_IMAGE` has.
    """

    profile: str
    packages: str
    evidence: tuple[Evidence, ...]
    ports: tuple[tuple[int, str], ...] = ()
    provision: tuple[tuple[str, str], ...] = ()
    newer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What a project is made of. `name` is the slug of its directory."""

    name: str
    stacks: tuple[Stack, ...] = ()

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """All that was found, in order."""
        return tuple(evidence for stack in self.stacks for evidence in stack.evidence)


def text_of(directory: Path, name: str) -> str | None:
    """Return the text of the file `name`, None if there is none that can be read."""
    try:
        return read_file(directory / name, shown=name).decode("utf-8", "replace")
    except Refused:
        return None


def line_of(text: str, pattern: str) -> int | None:
    """Return the line of the first match of the regular expression `pattern`."""
    match = re.search(pattern, text, re.MULTILINE | re.IGNORECASE)
    return text.count("\n", 0, match.start()) + 1 if match else None


def first_numbers(requirement: str) -> tuple[int, ...]:
    """Return the lowest version that a requirement as ">=3.11" or "^20" begins with, as numbers."""
    match = re.search(r"(\d{1,4})(?:\.(\d{1,4}))?", requirement)
    return tuple(int(part) for part in match.groups() if part) if match else ()


def frameworks(
    text: str, file: str, known: dict[str, tuple[str, int]], form: str
) -> Iterator[tuple[Evidence, tuple[int, str]]]:
    """Yield evidence and port of each framework in `known` that `text` names as `form` says ("{}" is its name)."""
    for package, (name, port) in known.items():
        line = line_of(text, form.format(re.escape(package)))
        if line is not None:
            yield Evidence(file=file, line=line, what=name), (port, package)
