"""Which files a profile's build needs: the one place that knows manifests by name."""

import json
import os
from pathlib import Path
from typing import Any

from devbox.build.inputs import Collector, Inputs
from devbox.build.requirements import PYPROJECT, UnusableError, read_pyproject, read_requirements, split_reference
from devbox.profile.model import Profile, Python

PYTHON = "packages.python"
EDITABLE = "packages.python.editable"
NODE = "packages.node"
NODE_LOCKS = ("package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock")
EDITABLE_FILES = (PYPROJECT, "setup.py", "setup.cfg")
NODE_SETTINGS = (".npmrc", ".yarnrc", "pnpm-workspace.yaml")
# What of a package.json decides about node_modules. The project's own scripts are not among it: they would run
# before the sources are there, and each edit of one would install all packages anew.
_NODE_KEYS = (
    "name", "version", "type", "private", "packageManager", "engines", "os", "cpu", "workspaces", "bin",
    "dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "peerDependenciesMeta",
    "bundleDependencies", "bundledDependencies", "overrides", "resolutions", "pnpm", "dependenciesMeta",
)  # fmt: skip


def read_inputs(profile: Profile, directory: Path) -> Inputs:
    """Read what the build of `profile` needs from the project at `directory`.

    Raises `ProfileError` with every problem: missing files, links that lead out of the project, manifests that
    cannot be read.
    """
    collector = Collector(directory)
    if profile.packages.python is not None:
        _python(collector, profile.packages.python)
    if profile.packages.node is not None:
        _node(collector)
    for index, step in enumerate(profile.provision):
        key = f"provision[{index}]"
        if step.script is not None:
            collector.manifest(key, step.script, key=f"{key}.script")
        if step.copy_ is not None:
            collector.tree(key, step.copy_.source, key=f"{key}.copy.from")
    return collector.finish()


def _python(collector: Collector, python: Python) -> None:
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


def _node(collector: Collector) -> None:
    manifest = _package_json(collector, "package.json")
    if manifest is None:
        return
    for name in [*NODE_LOCKS, *NODE_SETTINGS]:
        if collector.exists(name):
            collector.manifest(NODE, name, key=NODE)
    for path in _members(collector.directory, manifest.get("workspaces")):
        _package_json(collector, path)


def _package_json(collector: Collector, path: str) -> dict[str, Any] | None:
    if not collector.exists(path):
        return None
    content = collector.manifest(NODE, path, key=NODE)
    if content is None:
        return None
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as error:
        collector.complain(f"{path} is not valid JSON: {error}", key=NODE)
        return None
    if not isinstance(manifest, dict):
        collector.complain(f"{path} is not a JSON object", key=NODE)
        return None
    kept = {name: manifest[name] for name in _NODE_KEYS if name in manifest}
    collector.put(NODE, path, (json.dumps(kept, sort_keys=True, indent=2) + "\n").encode())
    return kept


def _members(directory: Path, workspaces: object) -> list[str]:
    """Return the package.json files of npm workspaces: plain directories and "directory/*"."""
    patterns = workspaces.get("packages") if isinstance(workspaces, dict) else workspaces
    found: set[str] = set()
    for pattern in patterns if isinstance(patterns, list) else ():
        if isinstance(pattern, str) and pattern and not pattern.startswith(("/", "!")) and ".." not in pattern:
            found |= {str(path.relative_to(directory)) for path in directory.glob(f"{pattern}/package.json")}
    return sorted(found)
