"""Python's manifests: requirement files and what they include, pyproject.toml, lock files, the project if editable."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomlkit

from devbox.build.inputs import Collector
from devbox.build.locks.exact import toml
from devbox.build.locks.uv import local_directories
from devbox.build.python_sources import (
    UV_LOCK,
    DynamicError,
    Sources,
    UvProject,
    entry_sources,
    project_sources,
)
from devbox.build.requirements import PYPROJECT, UnusableError, read_requirements, split_reference
from devbox.profile.model import Python

PYTHON = "packages.python"  # requirement files
PROJECT = "packages.python.project"  # manifests that are read before anything is built
UV = "packages.python.uv"  # what uv looks at beside its lock file
EDITABLE = "packages.python.editable"
EDITABLE_FILES = (PYPROJECT, "setup.py", "setup.cfg")
# What of a pyproject.toml decides about the packages; the tables of other tools do not.
_PROJECT_KEYS = ("name", "version", "requires-python", "dependencies", "optional-dependencies", "dynamic")
_UV_KEYS = ("sources", "index", "workspace", "dev-dependencies", "default-groups", "conflicts",
            "environments", "index-url", "extra-index-url", "find-links", "no-build-isolation-package", "no-binary",
            "no-binary-package", "package", "override-dependencies", "constraint-dependencies",
            "extra-build-dependencies", "extra-build-variables", "config-settings")  # fmt: skip


def read_python(collector: Collector, python: Python) -> None:
    """Take the manifests that `python` names, and those that they lead to."""
    for index, name in enumerate(python.requirements):
        _entry(collector, name, python, key=f"{PYTHON}.requirements[{index}]")
    if not python.editable:
        return
    present = [name for name in EDITABLE_FILES if collector.exists(name)]
    if not present:
        collector.complain("there is neither pyproject.toml nor setup.py to install", key=EDITABLE)
        return
    for name in present:
        collector.manifest(EDITABLE, name, key=EDITABLE)
    try:
        _take(collector, project_sources(".", python, _reader(collector, EDITABLE)), key=EDITABLE)
    except DynamicError:
        return  # found out when the project is installed
    except UnusableError as error:
        collector.complain(f"{present[0]}: {error}", key=EDITABLE, hint=error.hint)


def _entry(collector: Collector, name: str, python: Python, *, key: str) -> None:
    reference = split_reference(name)
    path = os.path.normpath(reference[0] if reference else name)
    try:
        if reference is not None and collector.manifest(PROJECT, path, key=key) is None:
            return
        _take(collector, entry_sources(name, python, _reader(collector, key)), key=key)
    except UnusableError as error:
        collector.complain(
            str(error) if "there is no " + path in str(error) else f"{path}: {error}", key=key, hint=error.hint
        )


def _reader(collector: Collector, key: str) -> Callable[[str], str | None]:
    def read(path: str) -> str | None:
        if not collector.exists(path):
            return None
        content = collector.manifest(PROJECT, path, key=key)
        return None if content is None else content.decode("utf-8", "replace")

    return read


def _take(collector: Collector, found: Sources, *, key: str) -> None:
    for file in found.files:
        _requirement_file(collector, file, key=key, chain=())
    for project in found.projects:
        _uv_project(collector, project, key=key)


def _uv_project(collector: Collector, project: UvProject, *, key: str) -> None:
    """Take the lock file whole, and of each pyproject.toml what decides about packages."""
    lock = os.path.normpath(f"{project.directory}/{UV_LOCK}")
    content = collector.manifest(UV, lock, key=key)
    if content is None:
        return
    directories = {".", *local_directories(content.decode("utf-8", "replace"))}
    for directory in sorted(directories):
        path = os.path.normpath(f"{project.directory}/{directory}/{PYPROJECT}")
        if path.startswith(("..", "/")):
            collector.complain(f"{lock} needs {directory}, which lies outside of the project", key=key)
        elif (text := _reader(collector, key)(path)) is not None:
            collector.put(UV, path, tomlkit.dumps(_kept(toml(text))).encode())


def _kept(data: Mapping[str, Any]) -> dict[str, Any]:
    tool = data.get("tool", {})
    project, uv = data.get("project", {}), tool.get("uv", {}) if isinstance(tool, dict) else {}
    kept: dict[str, Any] = {name: data[name] for name in ("dependency-groups", "build-system") if name in data}
    kept["project"] = {name: project[name] for name in _PROJECT_KEYS if name in project}
    kept["project"]["version"] = "0"  # the project is not installed here: a release of it changes nothing
    dynamic = [name for name in kept["project"].pop("dynamic", []) if name != "version"]
    kept["project"] |= {"dynamic": dynamic} if dynamic else {}
    kept["tool"] = {"uv": {name: uv[name] for name in _UV_KEYS if name in uv}}
    return kept


def _requirement_file(collector: Collector, name: str, *, key: str, chain: tuple[str, ...]) -> None:
    path = os.path.normpath(name)
    if path in chain:
        collector.complain(f"requirement files include each other: {' -> '.join([*chain, path])}", key=key)
        return
    content = collector.manifest(PYTHON, path, key=key)
    if content is None:
        return
    try:
        found = read_requirements(content.decode("utf-8", "replace"))
    except UnusableError as error:
        collector.complain(f"{path}:{error.line}: {error}", key=key, hint=error.hint)
        return
    for _, include in found.includes:
        inside = os.path.normpath(str(Path(path).parent / include))
        if inside.startswith("..") or include.startswith("/"):
            collector.complain(f"{path} includes {include}, which lies outside of the project", key=key)
        else:
            _requirement_file(collector, inside, key=key, chain=(*chain, path))
