"""Poetry's own tables in pyproject.toml, and its constraints in the words that all tools know. Pure.

Source: Poetry's "Dependency specification".
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from devbox.build.requirements import UnusableError

_CLAUSE = re.compile(r"(?P<how>\^|~(?!=)|===|==|!=|<=|>=|~=|<|>|)\s*(?P<version>\*|[0-9][A-Za-z0-9.*+!_-]*)\Z")
_SEPARATOR = re.compile(r"\s*,\s*|(?<=[0-9A-Za-z*])\s+(?=[\^~<>=!0-9])")
_BARE = re.compile(r"[^\r\n]*\Z")


def constraint(written: str) -> str:
    """Return Poetry's constraint as a version specifier: "^1.2" is ">=1.2,<2.0"; "" for any version."""
    if "||" in written or "|" in written:
        raise UnusableError(f"{written!r} has alternatives", hint="keep a poetry.lock: poetry lock")
    clauses = [_clause(part) for part in _SEPARATOR.split(written.strip()) if part]
    return ",".join(clause for clause in clauses if clause)


def _clause(written: str) -> str:
    match = _CLAUSE.match(written)
    if match is None:
        raise UnusableError(f"{written!r} is not a version constraint")
    how, version = match["how"], match["version"]
    if version == "*":
        return ""
    if how == "^":
        return f">={version},<{_next(version, _first_that_counts(version))}"
    if how == "~":
        return f">={version},<{_next(version, min(1, version.count('.')))}"
    return f"{how or '=='}{version}"


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3]] or [0]


def _first_that_counts(version: str) -> int:
    numbers = _numbers(version)
    return next((index for index, number in enumerate(numbers) if number), len(numbers) - 1)


def _next(version: str, place: int) -> str:
    numbers = _numbers(version)
    return ".".join(map(str, [*numbers[:place], numbers[place] + 1, *([0] * (len(numbers) - place - 1))]))


def python_marker(written: str) -> str:
    """Return the environment marker for a constraint on Python: "^3.8" is python_full_version >= "3.8" and ..."""
    ways = [_python_way(part) for part in re.split(r"\s*\|\|?\s*", written.strip())]
    if any(not way for way in ways):
        return ""
    return ways[0] if len(ways) == 1 else " or ".join(f"({way})" for way in ways)


def _python_way(written: str) -> str:
    clauses = [clause for clause in constraint(written).split(",") if clause]
    parts = [re.match(r"([<>=!~]+)(.*)", clause) for clause in clauses]
    return " and ".join(f'{_variable(part[2])} {part[1]} "{part[2]}"' for part in parts if part)


def _variable(version: str) -> str:
    return "python_full_version" if version.count(".") > 1 and "*" not in version else "python_version"


def dependency_marker(value: object) -> str:
    """Return the environment marker of a dependency's table; "" for always."""
    if not isinstance(value, dict):
        return ""
    found = [str(value.get("markers") or ""), python_marker(str(value.get("python") or "*"))]
    if value.get("platform"):
        found.append(f'sys_platform == "{value["platform"]}"')
    present = [marker for marker in found if marker]
    return present[0] if len(present) == 1 else " and ".join(f"({marker})" for marker in present)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoetryProject:
    """The tables [tool.poetry...] of a pyproject.toml."""

    data: Mapping[str, Any]

    @property
    def default_groups(self) -> tuple[str, ...]:
        """The groups that `poetry install` takes without being told."""
        groups = self._groups()
        named = [name for name, group in groups.items() if not _table(group).get("optional")]
        return (*(["dev"] if self._poetry().get("dev-dependencies") else []), *named, *self._standard())

    def names(self) -> tuple[str, ...]:
        """Return the names of everything that is asked for, Python left out."""
        return tuple(name for name, _ in self._main())

    def wanted(self, *, extras: Collection[str], groups: Collection[str]) -> Iterator[tuple[str, object]]:
        """Yield name and value of the dependencies with these extras and groups."""
        declared = _table(self._poetry().get("extras"))
        chosen = {name for extra in extras for name in declared.get(extra, ())}
        for name, value in self._main():
            if not _table(value).get("optional") or name in chosen:
                yield name, value
        for group in dict.fromkeys(groups):
            for name, values in self._of_group(group).items():
                for value in values if isinstance(values, list) else [values]:
                    yield name, value

    def requirements(self, *, extras: Collection[str], groups: Collection[str]) -> tuple[str, ...]:
        """Return the dependencies as requirements; `UnusableError` for what has no such form."""
        return tuple(_requirement(name, value) for name, value in self.wanted(extras=extras, groups=groups))

    def _main(self) -> Iterator[tuple[str, object]]:
        for name, values in _table(self._poetry().get("dependencies")).items():
            if name.lower() != "python":
                for value in values if isinstance(values, list) else [values]:
                    yield name, value

    def _of_group(self, name: str) -> Mapping[str, Any]:
        groups = self._groups()
        if name in groups:
            return _table(_table(groups[name]).get("dependencies"))
        if name == "dev" and "dev-dependencies" in self._poetry():
            return _table(self._poetry()["dev-dependencies"])
        if name in self._standard():
            return {}
        known = ", ".join(sorted(groups)) or "none"
        raise UnusableError(f"there is no group {name}; there are: {known}")

    def _poetry(self) -> Mapping[str, Any]:
        return _table(_table(self.data.get("tool")).get("poetry"))

    def _groups(self) -> Mapping[str, Any]:
        return _table(self._poetry().get("group"))

    def _standard(self) -> tuple[str, ...]:
        return tuple(_table(self.data.get("dependency-groups")))


def _requirement(name: str, value: object) -> str:
    table: Mapping[str, Any] = value if isinstance(value, dict) else {"version": value}
    if "path" in table:
        raise UnusableError(f"{name} is a directory of the repo", hint="keep a poetry.lock: poetry lock")
    extras = f"[{','.join(table['extras'])}]" if table.get("extras") else ""
    marker = dependency_marker(table)
    condition = f" ; {marker}" if marker else ""
    if "git" in table:
        point = next((f"@{table[key]}" for key in ("rev", "tag", "branch") if table.get(key)), "")
        found = f"{name}{extras} @ git+{table['git']}{point}{condition}"
    elif "url" in table:
        found = f"{name}{extras} @ {table['url']}{condition}"
    else:
        found = f"{name}{extras}{constraint(str(table.get('version') or '*'))}{condition}"
    if not _BARE.match(found):
        raise UnusableError(f"the dependency {name} holds a line break")
    return found


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
