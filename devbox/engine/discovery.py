"""Which engine? In this order: DOCKER_HOST, the docker context, the usual sockets of Docker, Podman.

What the user has named (DOCKER_HOST, a context, DEVBOX_ENGINE) is taken or is an error; never silently another.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.engine import contexts, podman, ssh
from devbox.engine.base import Engine
from devbox.engine.endpoint import Endpoint, TlsFiles, knock
from devbox.engine.lean import LeanEngine
from devbox.engine.own.engine import OwnEngine
from devbox.engine.own.rooms import lacking
from devbox.engine.unavailable import reached
from devbox.errors import EngineUnavailableError, UsageError
from devbox.process import Processes
from devbox.reporter import Reporter

CHOICES: Final = ("docker", "podman")
DOCKER_SOCKET: Final = "/var/run/docker.sock"
_INSTALL: Final = "install and start one: devbox doctor --fix; or name one with DOCKER_HOST"


def connect(environ: Mapping[str, str], processes: Processes, reporter: Reporter) -> Engine:
    """Return the engine to use; `EngineUnavailableError`, its detail naming each one tried, if none answers."""
    named = named_endpoint(environ)
    if named is not None:
        return _open(named, processes, reporter)
    choice = _choice(environ)
    tried: list[tuple[Endpoint, EngineUnavailableError]] = []
    for endpoint in _existing(usual_endpoints(environ, choice)):
        try:
            return _open(endpoint, processes, reporter)
        except EngineUnavailableError as error:
            tried.append((endpoint, error))
    if choice != "docker" and processes.which("podman") and not any(map(_is_stopped_docker, tried)):
        try:
            return _open(podman.serve(processes), processes, reporter)
        except EngineUnavailableError as error:
            if not tried:
                raise
            tried.append((Endpoint(url="", source="podman service", address=""), error))
    nobody = _nobody(tried, choice)
    if not tried and choice is None and _makes_machines(processes):
        return OwnEngine(Path(paths.own_images()), nobody)
    raise nobody


def reachable(environ: Mapping[str, str], processes: Processes, reporter: Reporter) -> list[Engine]:
    """Return all engines that answer, the one of `connect` first; starts none but a Podman that devbox used before."""
    endpoints = list(_existing(usual_endpoints(environ, _choice(environ))))
    engines: list[Engine] = []
    seen: set[str] = set()
    try:
        named = named_endpoint(environ)
        endpoints = [named, *endpoints] if named else endpoints
        if Path(paths.podman_socket()).parent.is_dir() and processes.which("podman"):
            endpoints.append(podman.serve(processes))
    except EngineUnavailableError as error:
        reporter.debug(f"left out: {error.message}")
    for endpoint in endpoints:
        place = os.path.realpath(endpoint.address.removeprefix("unix://"))
        if place in seen:
            continue
        seen.add(place)
        try:
            engines.append(_open(endpoint, processes, reporter))
        except EngineUnavailableError as error:
            reporter.debug(f"left out: {error.message}")
    return engines


def named_endpoint(environ: Mapping[str, str]) -> Endpoint | None:
    """Return the engine that the user has named by DOCKER_HOST, CONTAINER_HOST or a docker context."""
    choice = _choice(environ)
    variable = "CONTAINER_HOST" if choice == "podman" else "DOCKER_HOST"
    host = environ.get(variable, "").strip()
    if host:
        return Endpoint(
            url=host, source=variable, address=host, tls=_tls(environ, host), local=host.startswith("unix://")
        )
    if choice == "podman":
        return None
    context = contexts.chosen_context(environ)
    return contexts.endpoint_of(context, environ) if context else None


def usual_endpoints(environ: Mapping[str, str], choice: str | None) -> list[Endpoint]:
    """Return where engines listen if nobody has said anything else, the likeliest first."""
    home = environ.get("HOME") or str(Path.home())
    docker = [(DOCKER_SOCKET, "default socket")]
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        docker.append((f"{runtime}/docker.sock", "rootless Docker"))
    docker += [
        (f"{home}/.docker/run/docker.sock", "Docker Desktop"),
        (f"{home}/.docker/desktop/docker.sock", "Docker Desktop"),
        (f"{home}/.colima/default/docker.sock", "Colima"),
        (f"{home}/.orbstack/run/docker.sock", "OrbStack"),
        (f"{home}/.rd/docker.sock", "Rancher Desktop"),
    ]
    found = docker if choice != "podman" else []
    if choice != "docker":
        found = [*found, *((path, "podman service") for path in podman.sockets(environ))]
    return [Endpoint(url=f"unix://{path}", source=source, address=f"unix://{path}") for path, source in found]


def _choice(environ: Mapping[str, str]) -> str | None:
    choice = environ.get("DEVBOX_ENGINE", "").strip() or None
    if choice is not None and choice not in CHOICES:
        raise UsageError(f"DEVBOX_ENGINE is {choice!r}", hint="set it to docker or podman, or unset it")
    return choice


def _open(endpoint: Endpoint, processes: Processes, reporter: Reporter) -> Engine:
    scheme = endpoint.address.partition("://")[0]
    if scheme == "ssh":
        endpoint = ssh.forward(endpoint, processes)
    elif scheme not in ("unix", "tcp", "http", "https") or "://" not in endpoint.address:
        raise EngineUnavailableError(
            f"{endpoint.source} is not an engine's address: {endpoint.url}",
            hint="write it as unix:///path, tcp://host:port or ssh://user@host",
        )
    if scheme == "unix":
        with reached(endpoint):
            knock(endpoint)
        lean = LeanEngine(endpoint, reporter, full=lambda: _full(endpoint, reporter))
        if lean.look():
            return lean
        lean.close()
    return _full(endpoint, reporter)


def _full(endpoint: Endpoint, reporter: Reporter) -> Engine:
    from devbox.engine.sdk import SdkEngine  # lazy: the docker SDK costs 150 ms

    return SdkEngine(endpoint, reporter)


def _existing(endpoints: Iterable[Endpoint]) -> Iterable[Endpoint]:
    return (endpoint for endpoint in endpoints if os.path.lexists(endpoint.address.removeprefix("unix://")))


def _makes_machines(processes: Processes) -> bool:
    """Tell whether images can be made here by this host's own programs, and something but an engine can run them."""
    return processes.which(f"qemu-system-{os.uname().machine}") is not None and lacking(processes) is None


def _is_stopped_docker(tried: tuple[Endpoint, EngineUnavailableError]) -> bool:
    """Tell whether a Docker is there that should be started or mended rather than replaced."""
    endpoint, error = tried
    return endpoint.source != "podman service" and not isinstance(error.__cause__, PermissionError)


def _nobody(tried: list[tuple[Endpoint, EngineUnavailableError]], choice: str | None) -> EngineUnavailableError:
    detail = "\n".join(f"{endpoint.source}: {error.message}" for endpoint, error in tried)
    if tried:
        first = tried[0][1]
        return EngineUnavailableError(first.message, detail=detail, hint=first.hint)
    what = {"docker": "Docker", "podman": "Podman"}.get(choice or "", "container engine")
    return EngineUnavailableError(f"no {what} is running here", detail=f"no socket at {DOCKER_SOCKET}", hint=_INSTALL)


def _tls(environ: Mapping[str, str], host: str) -> TlsFiles | None:
    if host.startswith("unix://") or not (environ.get("DOCKER_TLS_VERIFY") or host.startswith("https://")):
        return None
    directory = Path(environ.get("DOCKER_CERT_PATH") or contexts.config_directory(environ))
    files = {name: str(directory / f"{name}.pem") for name in ("ca", "cert", "key")}
    missing = [path for path in files.values() if not Path(path).is_file()]
    if missing:
        raise EngineUnavailableError(
            f"a file for TLS with the engine is missing: {missing[0]}", hint="look at DOCKER_CERT_PATH"
        )
    return TlsFiles(ca=files["ca"], cert=files["cert"], key=files["key"])
