"""Pipfile, where there is no lock file beside it. Pure."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from devbox.build.locks.exact import table, text, texts, toml
from devbox.build.requirements import UnusableError


def read_pipfile(content: str, *, groups: Collection[str] = ()) -> tuple[str, ...]:
    """Return the requirements of [packages], and of [dev-packages] or another category that `groups` name."""
    data = toml(content)
    wanted = ["packages", *("dev-packages" if name in {"dev", "develop"} else name for name in groups)]
    return tuple(line for name in dict.fromkeys(wanted) for line in _category(table(data.get(name))))


def _category(packages: Mapping[str, Any]) -> Iterator[str]:
    for name, value in packages.items():
        package = table(value) or {"version": value}
        if "path" in package or "file" in package:
            raise UnusableError(f"{name} is a path, and sources are not there yet when packages are installed")
        extras = f"[{','.join(texts(package.get('extras')))}]" if package.get("extras") else ""
        version = text(package.get("version")).strip()
        condition = f" ; {text(package.get('markers'))}" if package.get("markers") else ""
        if "git" in package:
            point = f"@{package['ref']}" if package.get("ref") else ""
            yield f"{name}{extras} @ git+{package['git']}{point}{condition}"
        else:
            yield f"{name}{extras}{'' if version == '*' else version}{condition}"
