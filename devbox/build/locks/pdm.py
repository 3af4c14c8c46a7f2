"""pdm.lock, as PDM writes it. Pure."""

from collections.abc import Collection, Mapping
from typing import Any

from devbox.build.locks.exact import Locked, direct, exact, git, rows, table, text, texts, toml
from devbox.build.requirements import UnusableError


def read_pdm_lock(content: str, *, extras: Collection[str] = (), groups: Collection[str] = ()) -> Locked:
    """Return the packages that `pdm sync` installs: the default and development ones, with these extras and groups."""
    data = toml(content)
    metadata = table(data.get("metadata"))
    if "inherit_metadata" not in texts(metadata.get("strategy")):
        raise UnusableError(
            "says of no package for which group it is", hint="write it anew: pdm lock -S inherit_metadata"
        )
    known = texts(metadata.get("groups"))
    for name in (*extras, *groups):
        if name not in known:
            raise UnusableError(f"holds no group {name}; there are: {', '.join(known)}", hint=f"pdm lock -G {name}")
    wanted = {"default", "dev", *extras, *groups}
    lines, local = [], []
    for package in rows(data.get("package")):
        if wanted.isdisjoint(texts(package.get("groups"))):
            continue
        if "path" in package:
            local.append(text(package["path"]))
        else:
            lines.append(_line(package))
    return Locked(lines=tuple(dict.fromkeys(lines)), local=tuple(dict.fromkeys(local)))


def _line(package: Mapping[str, Any]) -> str:
    name, marker = text(package.get("name")), text(package.get("marker"))
    hashes = [text(file.get("hash")) for file in rows(package.get("files"))]
    if "git" in package:
        return direct(name, git(text(package["git"]), text(package.get("revision"))), marker)
    if "url" in package:
        return direct(name, text(package["url"]), marker, hashes)
    return exact(name, text(package.get("version")), hashes, marker)
