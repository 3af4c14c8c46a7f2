"""Host paths that no environment gets, trusted or not: they would hand over the host itself."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from devbox import paths

_KERNEL_AND_SYSTEM: Final = ("/proc", "/sys", "/dev", "/etc", "/boot", "/var/lib/docker", "/var/lib/containers")
_CREDENTIALS: Final = (".ssh", ".gnupg")  # below the home
_SOCKETS: Final = ("/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock")
_ENGINE_SOCKET_NAMES: Final = frozenset({"docker.sock", "podman.sock", "containerd.sock", "crio.sock"})


def why_forbidden(path: Path, environ: Mapping[str, str]) -> str | None:
    """Return why the real path `path` is never given to an environment, or None if trust is enough.

    A path is forbidden also when it contains one that is (the home's parent holds the home).
    """
    if path == Path("/"):
        return "is the whole host"
    if path == Path(paths.home()).resolve():
        return "is your whole home"
    if path.name in _ENGINE_SOCKET_NAMES or path in _sockets(environ):
        return "is the engine's socket, by which the environment would own the host"
    for place in _trees(environ):
        if path.is_relative_to(place):
            lies = "is one of those that" if path == place else f"lies in {place}, which"
            return f"{lies} no environment gets"
    for place in (*_trees(environ), *_sockets(environ), Path(paths.home()).resolve()):
        if place.is_relative_to(path):
            return f"contains {place}, which no environment gets"
    return None


def _trees(environ: Mapping[str, str]) -> Iterator[Path]:
    for name in _KERNEL_AND_SYSTEM:
        yield Path(name).resolve()
    home = Path(paths.home())
    for name in _CREDENTIALS:
        yield (home / name).resolve()
    yield Path(paths.state_root()).resolve()  # what the user agreed to
    yield Path(os.path.dirname(paths.user_profile())).resolve()  # noqa: PTH120 (paths has strings)
    config = environ.get("DOCKER_CONFIG", "")
    yield (Path(config) if config.startswith("/") else home / ".docker").resolve()


def _sockets(environ: Mapping[str, str]) -> frozenset[Path]:
    found = [Path(name) for name in _SOCKETS]
    for variable in ("DOCKER_HOST", "CONTAINER_HOST"):
        scheme, _, rest = environ.get(variable, "").partition("://")
        if scheme == "unix" and rest.startswith("/"):
            found.append(Path(rest))
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        found += [Path(runtime, "docker.sock"), Path(runtime, "podman", "podman.sock")]
    return frozenset(path.resolve() for path in found)
