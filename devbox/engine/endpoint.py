"""Where an engine is, and what holds for every request to it, whichever client sends it."""

import json
import shlex
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from devbox.faults import fault

CONNECT_TIMEOUT: Final = 5.0  # seconds
PROBE_TIMEOUT: Final = 5.0  # seconds; a busy engine needs more than one
ANSWER_TIMEOUT: Final = 60.0  # seconds, for what an engine does at once
NEWEST_API: Final = (1, 44)  # what this code was written against

_PATIENT: Final = ("/commit", "/images/create", "/images/load", "/build")  # as long as it takes
_PATIENT_ENDS: Final = ("/wait", "/attach", "/logs", "/start", "/stop", "/export", "/get")
_QUIET_ENDS: Final = ("/wait", "/attach", "/resize")  # POSTs that change nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """TLS material, as paths. Without `verify` the engine's certificate is not looked at."""

    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an engine is expected. `url`: as a person would set DOCKER_HOST; `address`: what is connected to."""

    url: str
    source: str
    address: str
    tls: TlsFiles | None = None
    local: bool = True  # an address on this machine that leads nowhere else


def knock(endpoint: Endpoint) -> None:
    """Connect to a unix socket and leave again: says at once, and by its own `OSError`, why nobody can."""
    if not endpoint.address.startswith("unix://"):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.settimeout(CONNECT_TIMEOUT)
        door.connect(endpoint.address.removeprefix("unix://"))


def agreed_version(newest: str, oldest: str) -> str:
    """Return the API version to speak: the engine's newest that this code knows, or its oldest if that is newer."""
    wanted = min(version_of(newest), NEWEST_API)
    return ".".join(map(str, max(wanted, version_of(oldest))))


def version_of(text: str) -> tuple[int, int]:
    """Return a version of the API as numbers."""
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (1, 41)


def pasteable(endpoint: Endpoint, method: str, path: str, body: object) -> str:
    """Return the request as a curl command, without the values of environment variables."""
    words = ["curl", "-s"]
    host = "http://engine"
    if endpoint.address.startswith("unix://"):
        words += ["--unix-socket", endpoint.address.removeprefix("unix://")]
    else:
        host = endpoint.address.replace("tcp://", "https://" if endpoint.tls else "http://", 1)
        words += _tls_words(endpoint.tls)
    if method != "GET":
        words += ["-X", method]
    if isinstance(body, bytes | str) and body:
        words += ["-H", "Content-Type: application/json", "-d", _masked(body)]
    elif body is not None:
        words += ["-H", "Content-Type: application/x-tar", "--data-binary", "@-"]
    return shlex.join([*words, host + path])


def _masked(body: bytes | str) -> str:
    try:
        value = json.loads(body)
    except ValueError:
        return "..."
    if isinstance(value, dict) and isinstance(value.get("Env"), list):
        value["Env"] = [str(item).partition("=")[0] + "=***" for item in value["Env"]]
    return json.dumps(value, ensure_ascii=False)


def _tls_words(tls: TlsFiles | None) -> list[str]:
    if tls is None:
        return []
    pairs = (("--cacert", tls.ca), ("--cert", tls.cert), ("--key", tls.key))
    words = [word for option, path in pairs if path for word in (option, path)]
    return words if tls.verify else [*words, "-k"]


def patience(route: str) -> float | None:
    """Return the seconds that an answer to `route` may take; None: as long as it takes."""
    return None if route.startswith(_PATIENT) or route.endswith(_PATIENT_ENDS) else ANSWER_TIMEOUT


@contextmanager
def changing(method: str, route: str) -> Iterator[None]:
    """Pass the fault points around a request, if it changes something."""
    if method not in ("POST", "DELETE") or route.endswith(_QUIET_ENDS):
        yield
        return
    parts = route.split("/")[1:]
    name = f"{parts[0]} {parts[-1]}" if len(parts) > 2 or parts[-1] == "create" else parts[0]
    fault(f"engine {method.lower()} {name}")
    yield
    fault(f"engine {method.lower()} {name} done")
