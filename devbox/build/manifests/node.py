"""Node.js's manifests: package.json, of workspaces too, with the lock file and the settings of the package manager."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from devbox.build.inputs import Collector
from devbox.profile.model import Node

NODE = "packages.node"
PACKAGE_JSON = "package.json"
NODE_LOCKS = ("package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock")
FOREIGN_LOCKS = ("bun.lock", "bun.lockb")
_WORKSPACE = "pnpm-workspace.yaml"
NODE_SETTINGS = (".npmrc", ".yarnrc", ".yarnrc.yml", _WORKSPACE, ".pnpmfile.cjs", ".pnpmfile.mjs")
# Files that yarn itself is made of, and patches that change packages.
_FILES = (".yarn/releases/*.cjs", ".yarn/plugins/**/*.cjs", ".yarn/patches/**/*.patch", "patches/**/*.patch")
# What of a package.json decides about node_modules. The project's own scripts are not among it: they would run
# before the sources are there, and each edit of one would install all packages anew.
_NODE_KEYS = (
    "name", "version", "type", "private", "packageManager", "engines", "os", "cpu", "workspaces", "bin",
    "dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "peerDependenciesMeta",
    "bundleDependencies", "bundledDependencies", "overrides", "resolutions", "pnpm", "dependenciesMeta",
    "installConfig", "allowScripts",
)  # fmt: skip
_DEPENDENCIES = ("dependencies", "devDependencies", "optionalDependencies")
_LOCAL = re.compile(r"(?:file|link|portal):(?P<path>.+)\Z")
_LIST = re.compile(r"packages:\s*(#.*)?\Z")
_ITEM = re.compile(r"""\s*-\s+(?P<quote>['"]?)(?P<value>[^'"#]+?)(?P=quote)\s*(#.*)?\Z""")


def read_node(collector: Collector, _: Node) -> None:
    """Take package.json, if there is one, and what stands beside it."""
    manifest = _package_json(collector, PACKAGE_JSON)
    if manifest is None:
        return
    for name in [*NODE_LOCKS, *FOREIGN_LOCKS, *NODE_SETTINGS]:
        if collector.exists(name):
            collector.manifest(NODE, name, key=NODE)
    for pattern in _FILES:
        for path in collector.found(pattern):
            collector.manifest(NODE, path, key=NODE)
    for path in _members(collector, [*_patterns(manifest.get("workspaces")), *_pnpm_patterns(collector)]):
        member = _package_json(collector, path)
        _local(collector, path, member or {})
    _local(collector, PACKAGE_JSON, manifest)


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
    if path == PACKAGE_JSON:
        kept.pop("version", None)  # nothing depends on the project itself: a release of it changes nothing
    collector.put(NODE, path, (json.dumps(kept, sort_keys=True, indent=2) + "\n").encode())
    return kept


def _patterns(workspaces: object) -> list[str]:
    patterns = workspaces.get("packages") if isinstance(workspaces, dict) else workspaces
    return [each for each in patterns if isinstance(each, str)] if isinstance(patterns, list) else []


def _pnpm_patterns(collector: Collector) -> list[str]:
    if not collector.exists(_WORKSPACE):
        return []
    content = collector.manifest(NODE, _WORKSPACE, key=NODE)
    return list(_yaml_list((content or b"").decode("utf-8", "replace")))


def _yaml_list(text: str) -> Iterator[str]:
    """Yield the entries of the list `packages` of a pnpm-workspace.yaml."""
    inside = False
    for line in text.splitlines():
        if _LIST.match(line):
            inside = True
        elif inside and (match := _ITEM.match(line)):
            yield match["value"]
        elif line.strip() and not line.lstrip().startswith("#"):
            inside = False


def _members(collector: Collector, patterns: list[str]) -> list[str]:
    """Return the package.json files of the members of a workspace."""
    found: set[str] = set()
    for pattern in patterns:
        names = collector.found(f"{pattern.removeprefix('!').removeprefix('./').rstrip('/')}/{PACKAGE_JSON}")
        members = {name for name in names if "node_modules" not in name.split("/")}
        found = found - members if pattern.startswith("!") else found | members
    return sorted(found - {PACKAGE_JSON})


def _local(collector: Collector, path: str, manifest: Mapping[str, Any]) -> None:
    """Take the package.json of directories of the repo that a dependency leads to, as "file:../lib"."""
    for key in _DEPENDENCIES:
        table = manifest.get(key)
        for value in table.values() if isinstance(table, dict) else ():
            match = _LOCAL.match(value) if isinstance(value, str) else None
            place = os.path.normpath(os.path.join(os.path.dirname(path), match["path"])) if match else ".."  # noqa: PTH118, PTH120 (text alone)
            if not place.startswith(("..", "/")) and place != ".":
                _package_json(collector, f"{place}/{PACKAGE_JSON}")
