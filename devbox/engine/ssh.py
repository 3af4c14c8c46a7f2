"""An engine behind ssh: its socket forwarded to a private one here by the user's own ssh."""

import os
import re
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from devbox import paths
from devbox.engine.endpoint import Endpoint
from devbox.engine.podman import answers, private_place, tail
from devbox.errors import EngineUnavailableError
from devbox.process import Processes
from devbox.values import short_hash

_STAY: Final = 900  # seconds; ssh ends after them as soon as no connection is open
_PATIENCE: Final = 30.0  # seconds for a login
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def tunnel_argv(url: str, socket: str) -> list[str]:
    """Return the ssh command that makes the engine at `url` ("ssh://user@host:port/path") answer at `socket`."""
    parts = urlsplit(url)
    host, user = parts.hostname or "", parts.username
    if not _HOST.fullmatch(host) or (user is not None and not _USER.fullmatch(user)):
        raise EngineUnavailableError(f"not an engine's address: {url}", hint="write it as ssh://user@host")
    remote = parts.path if parts.path not in ("", "/") else "/var/run/docker.sock"
    argv = ["ssh", "-T", "-oBatchMode=yes", "-oExitOnForwardFailure=yes", "-oForwardAgent=no", "-oForwardX11=no"]
    argv += ["-oStreamLocalBindUnlink=yes", "-oStreamLocalBindMask=0177", "-oControlPath=none"]
    argv += [f"-l{user}"] if user else []
    argv += [f"-p{parts.port}"] if parts.port else []
    return [*argv, f"-L{socket}:{remote}", "--", host, f"sleep {_STAY}"]


def forward(endpoint: Endpoint, processes: Processes) -> Endpoint:
    """Return `endpoint` with the address of its forwarded socket, forwarding it unless that is done already."""
    directory = private_place(Path(paths.podman_socket()).parent.parent / "ssh")
    socket = str(directory / f"{short_hash(endpoint.url)}.sock")
    if len(os.fsencode(socket)) > 90:  # ssh binds a longer temporary name first
        raise EngineUnavailableError(
            f"the path of the forwarded socket is too long: {socket}", hint="set XDG_STATE_HOME"
        )
    here = Endpoint(url=endpoint.url, source=endpoint.source, address=f"unix://{socket}", local=False)
    if answers(here):
        return here
    log = directory / f"{short_hash(endpoint.url)}.log"
    processes.start(tunnel_argv(endpoint.url, socket), log=log)
    end = time.monotonic() + _PATIENCE
    while not answers(here):
        if time.monotonic() > end:
            raise EngineUnavailableError(
                f"ssh does not reach the engine at {endpoint.url}",
                detail=tail(log) or f"log: {log}",
                hint=f"try it: ssh {urlsplit(endpoint.url).netloc}",
            )
        time.sleep(0.1)
    return here
