"""pylock.toml, the common format (PEP 751). Pure."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from devbox.build.locks.exact import Locked, direct, exact, git, rows, table, text, texts, toml
from devbox.build.requirements import UnusableError

_CHOICE = re.compile(r"""(?:(['"])(?P<before>[^'"]+)\1\s+(?P<not1>not\s+)?in\s+(?P<set1>extras|dependency_groups))""")
_TRUE, _FALSE = 'python_version >= "0"', 'python_version < "0"'


def read_pylock(content: str, *, extras: Collection[str] = (), groups: Collection[str] = ()) -> Locked:
    """Return the packages of a pylock.toml, with these extras and groups beyond the default ones."""
    data = toml(content)
    if not text(data.get("lock-version")).startswith("1."):
        raise UnusableError("is of a format that this version of devbox does not know")
    chosen = {"extras": set(extras), "dependency_groups": {*texts(data.get("default-groups")), *groups}}
    lines, local = [], []
    for package in rows(data.get("packages")):
        marker = chosen_marker(text(package.get("marker")), chosen)
        if "directory" in package:
            local.append(text(table(package["directory"]).get("path")))
        else:
            lines.append(_line(package, marker))
    return Locked(lines=tuple(dict.fromkeys(lines)), local=tuple(dict.fromkeys(local)))


def chosen_marker(marker: str, chosen: Mapping[str, Collection[str]]) -> str:
    """Return `marker` with what it asks of extras and groups answered, since installers answer only the rest."""

    def answer(match: re.Match[str]) -> str:
        holds = match["before"] in chosen[match["set1"]]
        return _TRUE if holds != bool(match["not1"]) else _FALSE

    return _CHOICE.sub(answer, marker)


def _line(package: Mapping[str, Any], marker: str) -> str:
    name = text(package.get("name"))
    if "vcs" in package:
        vcs = table(package["vcs"])
        address = git(text(vcs.get("url")), text(vcs.get("commit-id")), text(vcs.get("subdirectory")))
        return direct(name, address, marker)
    if "archive" in package:
        archive = table(package["archive"])
        return direct(name, text(archive.get("url")), marker, _hashes(archive))
    files = [*rows(package.get("wheels")), *([package["sdist"]] if isinstance(package.get("sdist"), dict) else [])]
    return exact(name, text(package.get("version")), [each for file in files for each in _hashes(file)], marker)


def _hashes(file: Mapping[str, Any]) -> list[str]:
    value = table(file.get("hashes")).get("sha256")
    return [f"sha256:{value}"] if isinstance(value, str) else []
