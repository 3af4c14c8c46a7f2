"""poetry.lock, as Poetry 1.1 and newer write it. Pure.

Since format 2.1 each package says for which groups and under which marker it is wanted; before that, it is found by
the way from what pyproject.toml asks for.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from devbox.build.declared.poetry import PoetryProject, dependency_marker
from devbox.build.locks.conditions import reached
from devbox.build.locks.exact import Locked, direct, exact, git, normal, rows, table, text, texts, toml
from devbox.build.requirements import UnusableError

_EXTRA = re.compile(r"""extra\s*(?P<how>==|!=)\s*(?P<q>['"])(?P<name>[^'"]+)(?P=q)""")
_NAMED = re.compile(r"\s*([A-Za-z0-9._-]+)")
_TRUE, _FALSE = 'python_version >= "0"', 'python_version < "0"'
_ANEW = "write it anew: poetry lock"
_Node = tuple[str, str]  # name, extra ("" for the package itself)


def read_poetry_lock(
    content: str, project: PoetryProject, *, extras: Collection[str] = (), groups: Collection[str] = ()
) -> Locked:
    """Return the packages that `poetry install` installs without the project: its groups, these extras and groups."""
    data = toml(content)
    packages = rows(data.get("package"))
    _check(packages, project)
    if any("groups" in package for package in packages):
        chosen = _by_groups(packages, {"main", *project.default_groups, *groups}, extras)
    else:
        chosen = _by_ways(packages, project, extras, [*project.default_groups, *groups])
    old = table(table(data.get("metadata")).get("files"))
    lines, local, indexes = [], [], []
    for package, marker in chosen:
        source = table(package.get("source"))
        if source.get("type") == "directory":
            local.append(text(source.get("url")))
            continue
        if source.get("type") == "legacy":
            indexes.append(text(source.get("url")))
        lines.append(_line(package, marker, old))
    return Locked(lines=tuple(lines), indexes=tuple(dict.fromkeys(indexes)), local=tuple(dict.fromkeys(local)))


def _check(packages: list[Mapping[str, Any]], project: PoetryProject) -> None:
    held = {normal(text(package.get("name"))) for package in packages}
    for name in project.names():
        if normal(name) not in held:
            raise UnusableError(f"does not hold {name}, which pyproject.toml asks for", hint=_ANEW)


def _by_groups(
    packages: list[Mapping[str, Any]], groups: Collection[str], extras: Collection[str]
) -> Iterator[tuple[Mapping[str, Any], str]]:
    for package in packages:
        shared = [group for group in texts(package.get("groups")) if group in groups]
        markers = package.get("markers", "")
        ways = [text(markers.get(group)) if isinstance(markers, dict) else text(markers) for group in shared]
        if shared:
            unlike = list(dict.fromkeys(ways))
            marker = "" if "" in ways else unlike[0] if len(unlike) == 1 else " or ".join(f"({way})" for way in unlike)
            yield package, _EXTRA.sub(lambda match: _answer(match, extras), marker)


def _answer(match: re.Match[str], extras: Collection[str]) -> str:
    """An installer that is given a bare line knows nothing of the project's extras."""
    holds = normal(match["name"]) in {normal(extra) for extra in extras}
    return _TRUE if holds == (match["how"] == "==") else _FALSE


def _by_ways(
    packages: list[Mapping[str, Any]], project: PoetryProject, extras: Collection[str], groups: Collection[str]
) -> Iterator[tuple[Mapping[str, Any], str]]:
    by_name: dict[str, Mapping[str, Any]] = {}
    for package in packages:
        name = normal(text(package.get("name")))
        if name in by_name:
            raise UnusableError(f"holds {name} in several versions, in a format of Poetry 1", hint=_ANEW)
        by_name[name] = package

    def edges(node: _Node) -> Iterator[tuple[_Node, str]]:
        name, extra = node
        package = by_name.get(name)
        if package is None:
            raise UnusableError(f"does not hold {name}", hint=_ANEW)
        wanted = {normal(_name_of(each)) for each in texts(table(package.get("extras")).get(extra))} if extra else None
        for other, values in table(package.get("dependencies")).items():
            for value in values if isinstance(values, list) else [values]:
                optional = bool(table(value).get("optional"))
                if (normal(other) in wanted) if wanted is not None else not optional:
                    yield from _ways_to(other, value)

    roots = [way for name, value in project.wanted(extras=extras, groups=groups) for way in _ways_to(name, value)]
    found = reached(roots, edges)
    for name, package in by_name.items():
        if (name, "") in found:
            yield package, found[name, ""]


def _ways_to(name: str, value: object) -> Iterator[tuple[_Node, str]]:
    marker = dependency_marker(value)
    yield (normal(name), ""), marker
    for extra in texts(table(value).get("extras")):
        yield (normal(name), extra), marker


def _name_of(requirement: str) -> str:
    match = _NAMED.match(requirement)
    return match[1] if match else requirement


def _line(package: Mapping[str, Any], marker: str, old: Mapping[str, Any]) -> str:
    name, source = text(package.get("name")), table(package.get("source"))
    hashes = [text(file.get("hash")) for file in rows(package.get("files") or old.get(name))]
    match source.get("type"):
        case "git":
            commit = text(source.get("resolved_reference"))
            return direct(name, git(text(source.get("url")), commit, text(source.get("subdirectory"))), marker)
        case "url":
            return direct(name, text(source.get("url")), marker, hashes)
        case "file":
            raise UnusableError(
                f"has {name} from a file of the repo, which is not there yet when packages are installed"
            )
        case _:
            return exact(name, text(package.get("version")), hashes, marker)
