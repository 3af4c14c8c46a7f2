"""PHP's manifests: composer.json, without what is for people, composer.lock, and packages that lie in the project."""

import json
from collections.abc import Mapping
from posixpath import normpath
from typing import Any

from devbox.build.inputs import Collector

PHP = "packages.php"
COMPOSER = "composer.json"
COMPOSER_LOCK = "composer.lock"
# What of a composer.json decides about vendor. The scripts are not among it: they want the sources.
_KEYS = (
    "name", "version", "type", "require", "require-dev", "conflict", "replace", "provide", "minimum-stability",
    "prefer-stable", "repositories", "extra", "config", "autoload", "autoload-dev", "bin", "include-path", "target-dir",
)  # fmt: skip


def read_php(collector: Collector) -> None:
    """Take the project's composer.json, its lock file, and the composer.json of packages in the project."""
    if not collector.exists(COMPOSER):
        return
    manifest = _composer(collector, COMPOSER)
    if collector.exists(COMPOSER_LOCK):
        collector.manifest(PHP, COMPOSER_LOCK, key=PHP)
    for pattern in _local(manifest):
        for found in collector.found(normpath(f"{pattern}/{COMPOSER}")):
            _composer(collector, found)


def _composer(collector: Collector, path: str) -> Mapping[str, Any]:
    content = collector.manifest(PHP, path, key=PHP)
    if content is None:
        return {}
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as error:
        collector.complain(f"{path} is not valid JSON: {error}", key=PHP)
        return {}
    if not isinstance(manifest, dict):
        collector.complain(f"{path} is not a JSON object", key=PHP)
        return {}
    kept = {name: manifest[name] for name in _KEYS if name in manifest}
    collector.put(PHP, path, (json.dumps(kept, indent=2) + "\n").encode())
    return kept


def _local(manifest: Mapping[str, Any]) -> list[str]:
    """Return where packages of the project lie: patterns, as composer takes them."""
    repositories = manifest.get("repositories")
    if isinstance(repositories, dict):
        repositories = list(repositories.values())
    return [
        one["url"]
        for one in (repositories if isinstance(repositories, list) else ())
        if isinstance(one, dict) and one.get("type") == "path" and isinstance(one.get("url"), str)
    ]
