"""Node.js's manifests: package.json, of workspaces too, with the lock file and the settings of the package manager."""

import json
from pathlib import Path
from typing import Any

from devbox.build.inputs import Collector
from devbox.profile.model import Node

NODE = "packages.node"
NODE_LOCKS = ("package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock")
NODE_SETTINGS = (".npmrc", ".yarnrc", "pnpm-workspace.yaml")
# What of a package.json decides about node_modules. The project's own scripts are not among it: they would run
# before the sources are there, and each edit of one would install all packages anew.
_NODE_KEYS = (
    "name", "version", "type", "private", "packageManager", "engines", "os", "cpu", "workspaces", "bin",
    "dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "peerDependenciesMeta",
    "bundleDependencies", "bundledDependencies", "overrides", "resolutions", "pnpm", "dependenciesMeta",
)  # fmt: skip


def read_node(collector: Collector, _: Node) -> None:
    """Take package.json, if there is one, and what stands beside it."""
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
