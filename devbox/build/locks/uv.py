"""uv.lock: which directories of the repo belong to it. uv itself installs from it. Pure."""

from devbox.build.locks.exact import rows, table, text, toml
from devbox.build.requirements import UnusableError

_KINDS = ("editable", "virtual", "directory")


def local_directories(content: str) -> tuple[str, ...]:
    """Return the directories, relative to the lock file, whose pyproject.toml uv looks at: "." and its members."""
    data = toml(content)
    if not isinstance(data.get("version"), int):
        raise UnusableError("is not a lock file of uv")
    sources = [table(package.get("source")) for package in rows(data.get("package"))]
    found = [text(source.get(kind)) for source in sources for kind in _KINDS if kind in source]
    return tuple(sorted(set(found)))


def installable(content: str) -> tuple[str, ...]:
    """Return the directories among them that are packages, "." left out."""
    sources = [table(package.get("source")) for package in rows(toml(content).get("package"))]
    found = [text(source.get(kind)) for source in sources for kind in ("editable", "directory") if kind in source]
    return tuple(sorted(set(found) - {"."}))
