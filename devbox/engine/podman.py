"""Podman's service: where it may listen already, and starting it on demand under a private socket."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from devbox import paths
from devbox.engine.endpoint import Endpoint, knock
from devbox.errors import EngineUnavailableError
from devbox.process import Processes

IDLE: Final = 900  # seconds without a request after which the service ends by itself
_PATIENCE: Final = 15.0  # seconds until a started service must listen
_LONGEST_SOCKET: Final = 107  # bytes of a unix socket's path


def sockets(environ: Mapping[str, str]) -> list[str]:
    """Return where a Podman service may be listening."""
    found = []
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        found.append(f"{runtime}/podman/podman.sock")
    if os.geteuid() == 0:
        found.append("/run/podman/podman.sock")
    home = environ.get("HOME") or paths.home()
    found += [
        f"{home}/.local/share/containers/podman/machine/podman.sock",
        paths.podman_socket(),
    ]
    return found


def serve(processes: Processes) -> Endpoint:
    """Start Podman's service, unless the private one runs; return where it listens."""
    path = paths.podman_socket()
    endpoint = Endpoint(url=f"unix://{path}", source="podman service", address=f"unix://{path}")
    if len(os.fsencode(path)) > _LONGEST_SOCKET:
        raise EngineUnavailableError(
            f"the path of Podman's socket is too long: {path}", hint="set XDG_STATE_HOME to a shorter directory"
        )
    if answers(endpoint):
        return endpoint
    log = private_place(Path(path).parent) / "log"
    Path(path).unlink(missing_ok=True)  # of a service that was killed
    processes.start(["podman", "system", "service", f"--time={IDLE}", f"unix://{path}"], log=log)
    end = time.monotonic() + _PATIENCE
    while not answers(endpoint):
        if time.monotonic() > end:
            raise EngineUnavailableError(
                "Podman's service does not start", detail=tail(log), hint="look at it: podman info"
            )
        time.sleep(0.05)
    return endpoint


def private_place(directory: Path) -> Path:
    """Return `directory`, made for this user alone; `EngineUnavailableError` if it cannot be."""
    try:
        return Path(paths.private_directory(str(directory)))
    except OSError as error:
        raise EngineUnavailableError(
            f"{directory}, where its socket would be, cannot be made: {(error.strerror or str(error)).lower()}",
            hint="set XDG_STATE_HOME to a writable directory",
        ) from error


def answers(endpoint: Endpoint) -> bool:
    """Tell whether somebody listens there."""
    try:
        knock(endpoint)
    except OSError:
        return False
    return True


def tail(log: Path) -> str:
    """Return the last lines of the log of something that was started in the background."""
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])
    except OSError:
        return ""
