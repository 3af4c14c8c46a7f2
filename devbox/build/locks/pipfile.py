"""Pipfile.lock, as pipenv writes it. Pure."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from devbox.build.locks.exact import Locked, direct, exact, git, rows, table, text, texts, tree
from devbox.build.requirements import UnusableError

_USUAL = "pypi"  # what pipenv calls the index that everybody has


def read_pipfile_lock(content: str, *, groups: Collection[str] = ()) -> Locked:
    """Return the packages of "default", and of "develop" or another category that `groups` name ("dev" for it)."""
    data = tree(content)
    wanted = ["default", *("develop" if name in {"dev", "develop"} else name for name in groups)]
    lines = [line for name in dict.fromkeys(wanted) for line in _category(table(data.get(name)))]
    sources = rows(table(data.get("_meta")).get("sources"))
    return Locked(
        lines=tuple(dict.fromkeys(lines)),
        indexes=tuple(text(each.get("url")) for each in sources if each.get("name") != _USUAL),
    )


def _category(packages: Mapping[str, Any]) -> Iterator[str]:
    for name, value in packages.items():
        package = table(value)
        marker, version = text(package.get("markers")), text(package.get("version"))
        if "git" in package:
            address = git(text(package["git"]), text(package.get("ref")), text(package.get("subdirectory")))
            yield direct(name, address, marker)
        elif "file" in package:
            yield direct(name, text(package["file"]), marker, texts(package.get("hashes")))
        elif version.startswith("=="):
            yield exact(name, version.removeprefix("=="), texts(package.get("hashes")), marker)
        elif "path" not in package and not marker:  # one whose marker did not hold has no version
            raise UnusableError(f"there is no version of {name}", hint="write the lock file anew: pipenv lock")
