"""What requirement files and pyproject.toml say that matters before pip reads them. Pure.

Sources: pip's "Requirements File Format"; the specifications of [project], [dependency-groups] (PEP 735).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import tomli

PYPROJECT = "pyproject.toml"
_INCLUDE = re.compile(r"(?P<option>-r|--requirement|-c|--constraint)(?:\s*=\s*|\s+|(?<=-r)|(?<=-c))(?P<path>\S.*)\Z")
_LOCAL = re.compile(
    r"(?:-e|--editable)(?:\s|=)|\.{0,2}/|\.(?:\[|\Z)|file:|--find-links[\s=]+(?!https?:)|-f\s+(?!https?:)"
)
_OPTION = re.compile(
    r"--?(?:i|index-url|extra-index-url|no-index|f|find-links|no-binary|only-binary|pre|trusted-host)(?:[\s=]|\Z)"
)
_COMMENT = re.compile(r"(^|\s)#.*\Z")
_REFERENCE = re.compile(r"(?P<name>pyproject\.toml|.*/pyproject\.toml)(?:\[(?P<extra>[A-Za-z0-9._-]+)\])?\Z")
_SELF = re.compile(r"\s*(?P<name>[A-Za-z0-9._-]+)\s*\[(?P<extras>[^\]]*)\]\s*\Z")


class UnusableError(ValueError):
    """A manifest that a build cannot use; `line` counts from 1, `hint` says what to write instead."""

    def __init__(self, message: str, *, line: int | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementFile:
    """What one requirement file says. `includes`: as written, relative to the file's own directory."""

    includes: tuple[tuple[int, str], ...]  # line, path
    hashed: bool
    options: tuple[str, ...] = ()  # where packages come from and in which form, a line each


def split_reference(reference: str) -> tuple[str, str | None] | None:
    """Return `(path, extra)` if `reference` means a pyproject.toml ("pyproject.toml[test]"), else None."""
    match = _REFERENCE.match(reference)
    return (match["name"], match["extra"]) if match else None


def read_requirements(text: str) -> RequirementFile:
    """Return what the requirement file `text` includes; `UnusableError` for what lies outside of manifests."""
    includes: list[tuple[int, str]] = []
    options: list[str] = []
    hashed = False
    for number, line in _logical_lines(text):
        hashed = hashed or "--hash=" in line or line.startswith("--require-hashes")
        if match := _INCLUDE.match(line):
            if "://" not in match["path"]:
                includes.append((number, match["path"].strip()))
        elif _LOCAL.match(line):
            raise UnusableError(
                f"{line!r} is a path, and sources are not there yet when packages are installed",
                line=number,
                hint="for the project itself write packages.python.editable = true; else a provision step",
            )
        elif _OPTION.match(line):
            options.append(line)
    return RequirementFile(includes=tuple(includes), hashed=hashed, options=tuple(options))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield `(number of its first line, line)`, comments off, continued lines joined."""
    start, gathered = 0, ""
    for number, raw in enumerate(text.splitlines(), start=1):
        start = start or number
        if raw.endswith("\\") and not raw.lstrip().startswith("#"):
            gathered += raw[:-1] + " "
            continue
        line = _COMMENT.sub("", gathered + raw).strip()
        if line:
            yield start, line
        start, gathered = 0, ""
    if gathered.strip():
        yield start, gathered.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What pyproject.toml says of the project. `static`: its dependencies stand there to be read."""

    name: str
    static: bool
    _data: Mapping[str, Any]

    def requirements(self, extra: str | None = None) -> tuple[str, ...]:
        """Return the project's dependencies, and those of `extra`: an optional dependency or a dependency group."""
        found = list(_strings(self._table("project").get("dependencies", []), "[project] dependencies"))
        if extra is not None:
            found += self._extra(extra, seen=frozenset())
        return tuple(dict.fromkeys(found))

    def _extra(self, extra: str, *, seen: frozenset[str]) -> list[str]:
        if extra in seen:
            raise UnusableError(f"{extra} includes itself")
        optional = self._table("project").get("optional-dependencies", {})
        groups = self._table("dependency-groups")
        entries = optional.get(extra) if extra in optional else groups.get(extra)
        if not isinstance(entries, list):
            known = ", ".join(sorted({*optional, *groups})) or "none"
            raise UnusableError(f"there is no optional dependency or dependency group {extra}; there are: {known}")
        found: list[str] = []
        for entry in entries:
            found += self._entry(entry, seen=seen | {extra})
        return found

    def _entry(self, entry: object, *, seen: frozenset[str]) -> list[str]:
        if isinstance(entry, dict) and isinstance(entry.get("include-group"), str):
            return self._extra(entry["include-group"], seen=seen)
        (text,) = _strings([entry], "a group")
        match = _SELF.match(text)
        if match and self.name and _normal(match["name"]) == _normal(self.name):
            names = [name.strip() for name in match["extras"].split(",") if name.strip()]
            return [each for name in names for each in self._extra(name, seen=seen)]
        return [text]

    def _table(self, name: str) -> Mapping[str, Any]:
        table = self._data.get(name, {})
        return table if isinstance(table, dict) else {}


def read_pyproject(text: str) -> Project:
    """Return what pyproject.toml says; `UnusableError` if it is no TOML."""
    try:
        data = tomli.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableError(f"is not valid TOML: {error}") from error
    project = data.get("project")
    table = project if isinstance(project, dict) else {}
    static = bool(table) and "dependencies" not in table.get("dynamic", [])
    name = table.get("name", "")
    return Project(name=name if isinstance(name, str) else "", static=static, _data=data)


def _strings(values: object, what: str) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise UnusableError(f"{what} is not a list of strings")
    if any("\n" in value or "\r" in value for value in values):
        raise UnusableError(f"{what} holds a line break")
    return values


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
