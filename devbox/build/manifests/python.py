"""Python's manifests: requirement files and what they include, pyproject.toml, the project itself if editable."""

import os
from pathlib import Path

from devbox.build.inputs import Collector
from devbox.build.requirements import PYPROJECT, UnusableError, read_pyproject, read_requirements, split_reference
from devbox.profile.model import Python

PYTHON = "packages.python"
EDITABLE = "packages.python.editable"
EDITABLE_FILES = (PYPROJECT, "setup.py", "setup.cfg")


def read_python(collector: Collector, python: Python) -> None:
    """Take the manifests that `python` names."""
    for index, name in enumerate(python.requirements):
        key = f"{PYTHON}.requirements[{index}]"
        reference = split_reference(name)
        if reference is None:
            _requirement_file(collector, name, key=key, chain=())
        else:
            _pyproject(collector, reference[0], reference[1], key=key)
    if not python.editable:
        return
    present = [name for name in EDITABLE_FILES if collector.exists(name)]
    if not present:
        collector.complain("there is neither pyproject.toml nor setup.py to install", key=EDITABLE)
    for name in present:
        collector.manifest(EDITABLE, name, key=EDITABLE)


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


def _pyproject(collector: Collector, path: str, extra: str | None, *, key: str) -> None:
    content = collector.manifest(PYTHON, path, key=key)
    if content is None:
        return
    try:
        project = read_pyproject(content.decode("utf-8", "replace"))
        project.requirements(extra)
    except UnusableError as error:
        collector.complain(f"{path}: {error}", key=key)
        return
    if not project.static:
        collector.complain(
            f"{path} has no [project] dependencies to read before the project is built",
            key=key,
            hint="list them there, or name a requirement file",
        )
