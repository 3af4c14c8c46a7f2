"""Docker contexts, read as the docker command keeps them: `config.json` and `contexts/meta/*/meta.json`.

Source: docker/cli `cli/context/store`; a context's directory is the SHA-256 of its name.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from devbox.engine.endpoint import Endpoint, TlsFiles
from devbox.errors import EngineUnavailableError

_LIMIT: Final = 1024 * 1024  # bytes; these files have some hundred


def config_directory(environ: Mapping[str, str]) -> Path:
    """Return where the docker command keeps its configuration."""
    given = environ.get("DOCKER_CONFIG")
    return Path(given) if given else Path(environ.get("HOME") or str(Path.home())) / ".docker"


def chosen_context(environ: Mapping[str, str]) -> str | None:
    """Return the name of the context in use; None if it is the default one."""
    name = environ.get("DOCKER_CONTEXT") or _current(config_directory(environ) / "config.json")
    return None if name in ("", "default") else name


def endpoint_of(name: str, environ: Mapping[str, str]) -> Endpoint:
    """Return the endpoint of the context `name`; `EngineUnavailableError` if there is none or it cannot be read."""
    directory = config_directory(environ) / "contexts"
    digest = hashlib.sha256(name.encode()).hexdigest()
    file = directory / "meta" / digest / "meta.json"
    if not file.is_file():
        raise EngineUnavailableError(
            f'there is no docker context "{name}"',
            hint="see which there are: docker context ls; or unset DOCKER_CONTEXT",
        )
    content = _read(file)
    endpoints = content.get("Endpoints")
    docker = endpoints.get("docker") if isinstance(endpoints, dict) else None
    host = docker.get("Host") if isinstance(docker, dict) else None
    if not isinstance(docker, dict) or not isinstance(host, str) or not host:
        raise EngineUnavailableError(f'the docker context "{name}" names no engine', detail=str(file))
    tls = _tls(directory / "tls" / digest / "docker", skip=bool(docker.get("SkipTLSVerify")))
    return Endpoint(url=host, source=f"context {name}", address=host, tls=tls, local=host.startswith("unix://"))


def _current(file: Path) -> str:
    if not file.is_file():
        return ""
    name = _read(file).get("currentContext", "")
    return name if isinstance(name, str) else ""


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as source:
            value = json.loads(source.read(_LIMIT))
    except (OSError, ValueError, RecursionError) as error:
        raise EngineUnavailableError(
            f"docker's configuration cannot be read: {file}", detail=str(error), hint="mend or remove that file"
        ) from error
    if not isinstance(value, dict):
        raise EngineUnavailableError(f"docker's configuration is no object: {file}", hint="mend or remove that file")
    return value


def _tls(directory: Path, *, skip: bool) -> TlsFiles | None:
    found = {
        name: str(directory / f"{name}.pem") for name in ("ca", "cert", "key") if (directory / f"{name}.pem").is_file()
    }
    if not found and not skip:
        return None
    return TlsFiles(ca=found.get("ca"), cert=found.get("cert"), key=found.get("key"), verify=not skip)
