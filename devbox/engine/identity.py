"""What an engine is, read from its own description; above all whether it shares this host's files."""

import os
from collections.abc import Mapping
from typing import Any

from devbox.engine.base import EngineInfo
from devbox.engine.endpoint import Endpoint

Json = Mapping[str, Any]
_MEMORY_SLACK = 0.02  # memory that comes and goes between two looks


def describe(endpoint: Endpoint, version: Json, details: Json) -> EngineInfo:
    """Return the value for the answers of `GET /version` and `GET /info`."""
    components = [str(part.get("Name")) for part in version.get("Components") or ()]
    options = [str(option) for option in details.get("SecurityOptions") or ()]
    return EngineInfo(
        name="podman" if any("Podman" in name for name in components) else "docker",
        version=str(version.get("Version") or ""),
        api_version=str(version.get("ApiVersion") or ""),
        url=endpoint.url,
        source=endpoint.source,
        os=str(version.get("Os") or "linux"),
        architecture=str(version.get("Arch") or ""),
        cpus=int(details.get("NCPU") or 0),
        memory=int(details.get("MemTotal") or 0),
        rootless=any("name=rootless" in option for option in options),
        shares_host=endpoint.local and same_machine(version, details),
        shares_root=_is_here(str(details.get("DockerRootDir") or "/")),
    )


def _is_here(root: str) -> bool:
    """Whether the engine's own directory is to be seen here; one that we may not look into is."""
    try:
        os.stat(root)  # noqa: PTH116 (the engine's text, perhaps no path)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


def same_machine(version: Json, details: Json) -> bool:
    """Tell whether an engine behind a unix socket runs on this very kernel.

    An engine in a virtual machine (Docker Desktop, Colima, Podman machine) or behind a forwarded socket has another
    kernel release or another amount of memory. The host name says nothing: a container that was given the
    engine's socket has its own.
    """
    here = os.uname()
    if here.sysname != "Linux" or str(version.get("KernelVersion") or "") != here.release:
        return False
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return abs(int(details.get("MemTotal") or 0) - memory) <= memory * _MEMORY_SLACK
