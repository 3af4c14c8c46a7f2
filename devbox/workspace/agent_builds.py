"""Builds of the agent's program that nothing needs any more: each upgrade of devbox leaves one (see `prune`)."""

import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from devbox import paths, record
from devbox.agent import program
from devbox.engine.base import ContainerInfo, Engine, MountKind
from devbox.errors import EngineError, EngineUnavailableError
from devbox.values import LABEL_AGENT, printable
from devbox.workspace.context import Host
from devbox.workspace.state import is_held

_BUILD: Final = re.compile(r"[0-9a-f]{16}")


def unneeded_builds(host: Host, *, dead: Collection[str]) -> tuple[str, ...]:
    """Return the builds (16 hex) that are not this devbox's and that no container mounts, halted ones included.

    Containers on every engine in reach count, whoever's they are, but for those in `dead` (ids). None may go while a
    command is going on, since it may be about to mount one, or while an engine does not answer that a Record names.
    """
    found = set(_kept()) - {program.build_id()}
    if not found or in_use_elsewhere(host):
        return ()
    engines = _engines(host)
    unseen = next(_unseen(engines), None)
    if unseen:
        host.reporter.note(f"{unseen}, so all builds of the agent stay")
        return ()
    try:
        mounted = {build for engine in engines for build in _mounted(engine.containers({LABEL_AGENT: ""}), dead)}
    except (EngineError, EngineUnavailableError) as error:
        host.reporter.warn(f"all builds of the agent stay: {error.message}")
        return ()
    return tuple(sorted(found - mounted))


def remove_builds(builds: Iterable[str]) -> tuple[str, ...]:
    """Remove them and return those that are gone; what cannot be removed stays for the next time."""
    gone = []
    for build in builds:
        with suppress(OSError):
            shutil.rmtree(Path(paths.agents_root()) / build)
            gone.append(build)
    return tuple(gone)


def _kept() -> Iterator[str]:
    with suppress(OSError):
        for entry in os.scandir(paths.agents_root()):
            if _BUILD.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                yield entry.name


def _hashes() -> list[str]:
    with suppress(OSError):
        return sorted(os.listdir(paths.workspaces_root()))  # noqa: PTH208 (names alone)
    return []


def in_use_elsewhere(host: Host) -> bool:
    """Whether a command is going on in any Workspace that this host knows."""
    return any(is_held(host, path_hash) for path_hash in _hashes())


def _engines(host: Host) -> Sequence[Engine]:
    """Return the engine in use and all others in reach, each once."""
    return list({_place(engine.info.url): engine for engine in (*host.engines(), host.engine)}.values())


def _unseen(engines: Sequence[Engine]) -> Iterator[str]:
    """Yield why there may be Environments that are on none of `engines`, by the Records."""
    reached = {_place(engine.info.url) for engine in engines}
    for path_hash in _hashes():
        try:
            entries = record.read(paths.record_file(path_hash))
        except record.RecordFromTheFuture:
            yield "only a newer devbox knows where one of your environments is"
            continue
        url = entries["engine"] if entries else ""
        if url and _place(url) not in reached:
            yield f"{printable(url)} does not answer"


def _place(url: str) -> str:
    return os.path.realpath(url.removeprefix("unix://")) if url.startswith("unix://") else url


def _mounted(containers: Iterable[ContainerInfo], dead: Collection[str]) -> Iterator[str]:
    """Yield the builds in `containers`, by name: an engine in a virtual machine may have other paths than this host."""
    for one in containers:
        if one.id not in dead:
            yield from (Path(mount.source).parent.name for mount in one.mounts if mount.kind is MountKind.BIND)
