"""PHP's manifests: composer.json, without what is for people, composer.lock, and packages that lie in the project."""

import hashlib
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
    _named_autoloader(collector, manifest)
    if collector.exists(COMPOSER_LOCK):
        collector.manifest(PHP, COMPOSER_LOCK, key=PHP)
    for pattern in _local(manifest):
        for found in collector.found(normpath(f"{pattern}/{COMPOSER}")):
            _composer(collector, found)


def _named_autoloader(collector: Collector, manifest: Mapping[str, Any]) -> None:
    """Name the autoloader after the manifest, where the project names none: Composer would, another each time."""
    config = manifest.get("config") or {}
    if isinstance(config, dict) and "autoloader-suffix" not in config:
        suffix = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:32]
        _put(collector, COMPOSER, {**manifest, "config": {**config, "autoloader-suffix": suffix}})


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
    _put(collector, path, kept)
    return kept


def _put(collector: Collector, path: str, manifest: Mapping[str, Any]) -> None:
    collector.put(PHP, path, (json.dumps(manifest, indent=2) + "\n").encode())


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
