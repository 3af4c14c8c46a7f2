"""From an entry of `packages.python.requirements` and the manifests it means to what is to be installed. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from posixpath import basename, dirname, join, normpath

from devbox.build.declared.conda import read_environment
from devbox.build.declared.pipfile import read_pipfile
from devbox.build.declared.poetry import PoetryProject
from devbox.build.declared.setuptools import Declared, dynamic_files, read_setup_cfg, read_setup_py
from devbox.build.locks.exact import Locked, table, toml
from devbox.build.locks.pdm import read_pdm_lock
from devbox.build.locks.pipfile import read_pipfile_lock
from devbox.build.locks.poetry import read_poetry_lock
from devbox.build.locks.pylock import read_pylock
from devbox.build.locks.uv import installable
from devbox.build.requirements import PYPROJECT, UnusableError, read_pyproject, split_reference
from devbox.profile.model import Python

UV_LOCK = "uv.lock"
PROJECT_LOCKS = (UV_LOCK, "poetry.lock", "pdm.lock")
_PYLOCK = re.compile(r"pylock(\.[^.]+)?\.toml\Z")
Read = Callable[[str], str | None]
"""Return the text of a manifest by its path in the repo; None if it is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UvProject:
    """A project with a uv.lock, from which uv itself installs."""

    directory: str
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is to be installed. Paths are relative to the repo.

    `files`: requirement files. `lines`: exact packages of a lock file. `requirements`: what is to be resolved.
    `indexes`: addresses of package indexes. `local`: directories that are installed with the project.
    """

    files: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    projects: tuple[UvProject, ...] = ()
    local: tuple[str, ...] = ()


class DynamicError(UnusableError):
    """Only the project's own program can tell what it needs."""


def gathered(parts: Sequence[Sources]) -> Sources:
    """Return several sources as one, nothing twice."""
    names = [each.name for each in fields(Sources)]
    return Sources(
        **{name: tuple(dict.fromkeys(one for part in parts for one in getattr(part, name))) for name in names}
    )


def entry_sources(name: str, wanted: Python, read: Read) -> Sources:
    """Return what the entry `name` of `requirements` means; `UnusableError` if its manifests cannot be used."""
    reference = split_reference(name)
    if reference is not None:
        return project_sources(normpath(dirname(reference[0]) or "."), wanted, read, extra=reference[1])
    path = normpath(name)
    directory, file = normpath(dirname(path) or "."), basename(path)
    if file in PROJECT_LOCKS:
        return _of_lock(file, directory, wanted, read, extra=None)
    if file in {"setup.py", "setup.cfg"}:
        return _of_setuptools(directory, wanted, read, extra=None)
    return _of_file(path, file, wanted, read)


def _of_file(path: str, file: str, wanted: Python, read: Read) -> Sources:
    if file == "Pipfile.lock" or (file == "Pipfile" and read(f"{path}.lock") is not None):
        lock = path if file.endswith(".lock") else f"{path}.lock"
        return _locked(read_pipfile_lock(_needed(read, lock), groups=wanted.groups), dirname(path))
    if file == "Pipfile":
        return Sources(requirements=read_pipfile(_needed(read, path), groups=wanted.groups))
    if _PYLOCK.match(file):
        locked = read_pylock(_needed(read, path), extras=wanted.extras, groups=wanted.groups)
        return _locked(locked, dirname(path))
    if file in {"environment.yml", "environment.yaml"}:
        return Sources(requirements=read_environment(_needed(read, path)))
    return Sources(files=(path,))


def project_sources(directory: str, wanted: Python, read: Read, *, extra: str | None = None) -> Sources:
    """Return what the project in `directory` needs: by its lock file, else by what its manifests declare.

    `extra`: one more extra or dependency group. Raises `DynamicError` if its own program would have to run.
    """
    locks = [name for name in PROJECT_LOCKS if read(_in(directory, name)) is not None]
    if len(locks) > 1:
        raise UnusableError(
            f"has beside it {' and '.join(locks)}, which contradict each other",
            hint=f'say which one counts: requirements = ["{_in(directory, locks[0])}"]',
        )
    if locks:
        return _of_lock(locks[0], directory, wanted, read, extra=extra)
    text = read(_in(directory, PYPROJECT))
    data = toml(text) if text is not None else {}
    if "project" not in data:
        if "poetry" in table(data.get("tool")):
            project = PoetryProject(data=data)
            groups = [*project.default_groups, *wanted.groups]
            return Sources(requirements=project.requirements(extras=_extras(wanted, extra), groups=groups))
        return _of_setuptools(directory, wanted, read, extra=extra)
    project_table = read_pyproject(text or "")
    if not project_table.static:
        return _of_dynamic(directory, wanted, read, extra=extra)
    names: list[str | None] = [*wanted.extras, *wanted.groups, extra]
    found = [each for name in names for each in project_table.requirements(name)]
    return Sources(requirements=tuple(dict.fromkeys(found)))


def _of_dynamic(directory: str, wanted: Python, read: Read, *, extra: str | None) -> Sources:
    """The dependencies of a [project] that leaves them to setuptools: files that it names, or its older manifests."""
    data = toml(_needed(read, _in(directory, PYPROJECT)))
    files = dynamic_files(data, _extras(wanted, extra))
    if files is None:
        return _of_setuptools(directory, wanted, read, extra=extra)
    return Sources(files=tuple(_in(directory, name) for name in files))


def _of_setuptools(directory: str, wanted: Python, read: Read, *, extra: str | None) -> Sources:
    found: Declared | None = None
    for name, reader in (("setup.cfg", read_setup_cfg), ("setup.py", read_setup_py)):
        text = read(_in(directory, name))
        found = found or (reader(text) if text is not None else None)
    if found is None:
        raise DynamicError(
            "has no [project] dependencies to read before the project is built",
            hint="list them there, or name a requirement file",
        )
    return Sources(requirements=found.wanted(_extras(wanted, extra)))


def _of_lock(lock: str, directory: str, wanted: Python, read: Read, *, extra: str | None) -> Sources:
    content = _needed(read, _in(directory, lock))
    extras = _extras(wanted, extra)
    if lock == "pdm.lock":
        return _locked(read_pdm_lock(content, extras=extras, groups=wanted.groups), directory)
    data = toml(_needed(read, _in(directory, PYPROJECT)))
    if lock == UV_LOCK:
        project = UvProject(directory=directory, **_choice(data, wanted, extra))
        return Sources(projects=(project,), local=tuple(_in(directory, each) for each in installable(content)))
    locked = read_poetry_lock(content, PoetryProject(data=data), extras=extras, groups=wanted.groups)
    return _locked(locked, directory)


def _choice(data: Mapping[str, object], wanted: Python, extra: str | None) -> dict[str, tuple[str, ...]]:
    """Return the extras and the groups, as uv tells them apart; `UnusableError` for what there is not."""
    extras = table(table(data.get("project")).get("optional-dependencies"))
    groups = {**table(data.get("dependency-groups"))}
    if "dev-dependencies" in table(table(data.get("tool")).get("uv")):
        groups["dev"] = []
    more = () if extra is None else (extra,)
    for name in (*wanted.extras, *wanted.groups, *more):
        if name not in extras and name not in groups:
            known = ", ".join(sorted({*extras, *groups})) or "none"
            raise UnusableError(f"there is no optional dependency or dependency group {name}; there are: {known}")
    everything = dict.fromkeys([*wanted.extras, *wanted.groups, *more])
    chosen = tuple(name for name in everything if name in extras and name not in wanted.groups)
    return {"extras": chosen, "groups": tuple(name for name in everything if name not in chosen)}


def _locked(found: Locked, directory: str) -> Sources:
    local = tuple(_in(directory, each) for each in found.local)
    return Sources(lines=found.lines, indexes=found.indexes, local=tuple(each for each in local if each != "."))


def _extras(wanted: Python, extra: str | None) -> tuple[str, ...]:
    return wanted.extras if extra is None else (*wanted.extras, extra)


def _needed(read: Read, path: str) -> str:
    text = read(path)
    if text is None:
        raise UnusableError(f"there is no {path} in the project")
    return text


def _in(directory: str, name: str) -> str:
    return normpath(join(directory, name))
