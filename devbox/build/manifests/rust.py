"""Rust's manifests: Cargo.toml, of all members and of dependencies in the project, and Cargo.lock."""

import tomllib
from collections.abc import Iterator, Mapping
from posixpath import dirname, join, normpath
from typing import Any

import tomlkit

from devbox.build.inputs import Collector

RUST = "packages.rust"
CARGO_LOCK = "Cargo.lock"
MANIFEST = "Cargo.toml"
SETTINGS = (".cargo/config.toml", ".cargo/config")
# What of a Cargo.toml decides about packages. Targets are not among it: their sources are not there yet.
_KEYS = (
    "cargo-features", "package", "workspace", "dependencies", "dev-dependencies", "build-dependencies",
    "dev_dependencies", "build_dependencies", "target", "features", "patch", "replace",
)  # fmt: skip
_PARTS = {
    "package": ("name", "version", "edition", "rust-version", "resolver", "workspace", "publish"),
    "workspace": ("members", "exclude", "default-members", "resolver", "package", "dependencies"),
}
_SETTING_KEYS = ("source", "registries", "registry", "net", "http", "patch", "paths")  # the others are for the compiler
_DEPENDENCIES = ("dependencies", "dev-dependencies", "build-dependencies", "dev_dependencies", "build_dependencies")


def read_rust(collector: Collector) -> None:
    """Take the Cargo.toml of the project and of what belongs to it, the lock file and cargo's settings."""
    if not collector.exists(MANIFEST):
        return
    _package(collector, ".", MANIFEST)
    if collector.exists(CARGO_LOCK):
        collector.manifest(RUST, CARGO_LOCK, key=RUST)
    for name in SETTINGS:
        if collector.exists(name):
            _take(collector, name, _SETTING_KEYS)


def _package(collector: Collector, directory: str, needed_by: str) -> None:
    path = normpath(join(directory, MANIFEST))
    if path.startswith(("../", "/")):
        collector.complain(f"{needed_by} needs {directory}, which lies outside of the project", key=RUST)
        return
    if collector.has(RUST, path):
        return
    manifest = _take(collector, path, _KEYS)
    workspace = _table(manifest, "workspace")
    excluded = {normpath(join(directory, str(name))) for name in _list(workspace, "exclude")}
    for pattern in _list(workspace, "members"):
        wanted = normpath(join(directory, str(pattern)))
        found = collector.found(f"{wanted}/{MANIFEST}") if set(wanted) & set("*?[") else [f"{wanted}/{MANIFEST}"]
        for member in found:
            if dirname(member) not in excluded:
                _package(collector, dirname(member), path)
    for local in _local(manifest):
        _package(collector, normpath(join(directory, local)), path)


def _take(collector: Collector, path: str, keys: tuple[str, ...]) -> Mapping[str, Any]:
    """Take `path` with `keys` alone; return that."""
    content = collector.manifest(RUST, path, key=RUST)
    if content is None:
        return {}
    try:
        manifest = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        collector.complain(f"{path} is not valid TOML: {error}", key=RUST)
        return {}
    kept = {name: manifest[name] for name in keys if name in manifest}
    for name, parts in _PARTS.items():
        if name in kept and isinstance(kept[name], dict):
            kept[name] = {key: kept[name][key] for key in parts if key in kept[name]}
    collector.put(RUST, path, tomlkit.dumps(kept, sort_keys=True).encode())
    return kept


def _local(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield the directories of dependencies that lie beside the package."""
    tables = [_table(manifest, name) for name in _DEPENDENCIES]
    tables.append(_table(_table(manifest, "workspace"), "dependencies"))
    for target in _table(manifest, "target").values():
        tables += [_table(target, name) for name in _DEPENDENCIES]
    for name in ("patch", "replace"):
        table = _table(manifest, name)
        tables += [table, *(_table(table, source) for source in table)]
    for table in tables:
        for wanted in table.values():
            if isinstance(wanted, dict) and isinstance(wanted.get("path"), str):
                yield wanted["path"]


def _table(value: object, name: str) -> Mapping[str, Any]:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _list(value: object, name: str) -> list[object]:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, list) else []
