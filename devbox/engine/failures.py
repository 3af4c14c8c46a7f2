"""What goes wrong between devbox and an engine, in plain words: the one place that knows the foreign exceptions."""

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import docker.errors
import requests
import urllib3

from devbox.engine.endpoint import Endpoint
from devbox.engine.unavailable import AGAIN, AT_THE_DOOR, DROPPED, ELSE, HANGS, SILENT, Meaning, unavailable
from devbox.errors import DevboxError, EngineError, RegistryUnreachableError

_FOREIGN: Final = (
    docker.errors.DockerException,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,  # sockets, ssl
)


@contextmanager
def explained(endpoint: Endpoint, what: str) -> Iterator[None]:
    """Turn the foreign exceptions of this block into devbox's own. `what`: "start the container", for messages."""
    try:
        yield
    except DevboxError:
        raise
    except _FOREIGN as error:
        raise _explain(error, endpoint, what) from error


def _explain(error: BaseException, endpoint: Endpoint, what: str) -> DevboxError:
    if isinstance(error, docker.errors.APIError):
        return EngineError(f"the engine did not {what}", detail=words_of(error))
    return unavailable(_chain(error), endpoint, _CONNECTION)


_CONNECTION: Final[tuple[Meaning, ...]] = (
    *AT_THE_DOOR,
    (socket.gaierror, "the engine's host is not known: {url}", "look at DOCKER_HOST or the docker context"),
    (ssl.SSLError, "no TLS connection with the engine at {url}", "look at DOCKER_CERT_PATH and DOCKER_TLS_VERIFY"),
    ((TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError), SILENT, HANGS),
    ((ConnectionError, requests.ConnectionError, requests.exceptions.ChunkedEncodingError), DROPPED, AGAIN),
    (urllib3.exceptions.ProtocolError, DROPPED, AGAIN),
    ELSE,
)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield `error` and whatever it was made from, the innermost first, so that the real cause decides."""
    seen: list[BaseException] = []
    todo = [error]
    while todo:
        item = todo.pop(0)
        if isinstance(item, BaseException) and item not in seen:
            seen.append(item)
            todo += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]
    # requests' own exceptions are OSErrors too: they say less than what they wrap
    yield from sorted(seen, key=lambda item: isinstance(item, requests.RequestException))


def words_of(error: docker.errors.APIError) -> str:
    """Return what the engine itself said."""
    return str(error.explanation or error).strip()


def is_status(error: docker.errors.APIError, *statuses: int) -> bool:
    """Tell whether the engine answered with one of `statuses`."""
    return error.status_code in statuses


_REGISTRY: Final = (
    (
        r"toomanyrequests|rate limit|429",
        "the registry refuses {ref} for now: too many requests",
        "docker login, or wait",
    ),
    (
        r"unauthorized|authentication required|denied|forbidden|no basic auth|401|403",
        "the registry refuses {ref}: it does not exist, or wants a login",
        "look at the name, or run: docker login {registry}",
    ),
    (
        r"manifest unknown|not found|does not exist|404|no such image|name unknown",
        "the registry has no image {ref}",
        "look at the name and the tag",
    ),
    (
        r"no matching manifest|does not match the specified platform|no image found in manifest list",
        "{ref} is not made for this engine's architecture",
        "choose another image",
    ),
    (
        r"invalid reference|invalid repository|must be lowercase",
        "{ref} is not the name of an image",
        "write it as name:tag",
    ),
)
_UNREACHABLE: Final = re.compile(
    r"dial |no such host|connection refused|i/o timeout|handshake timeout|network is unreachable|no route to host|"
    r"deadline exceeded|client\.timeout|request canceled|connection reset|\bEOF\b|proxyconnect|server misbehaving|"
    r"pinging container registry|temporary failure|tls: |x509|http: server gave HTTP response",
    re.IGNORECASE,
)


def registry_failure(reference: str, words: str) -> DevboxError:
    """Return the error for a pull that failed with the engine's `words`."""
    registry = registry_of(reference)
    if "x509" in words:
        return RegistryUnreachableError(
            f"the engine does not trust the certificate of the registry {registry}",
            detail=words,
            hint="install the company's CA where the engine runs, and restart it",
        )
    if _UNREACHABLE.search(words):
        return RegistryUnreachableError(
            f"no answer from the registry {registry} for {reference}",
            detail=words,
            hint="look at the network and the engine's proxy; a local image or a distribution base needs no registry",
        )
    for pattern, message, hint in _REGISTRY:
        if re.search(pattern, words, re.IGNORECASE):
            return EngineError(message.format(ref=reference), detail=words, hint=hint.format(registry=registry))
    return EngineError(f"the registry {registry} failed to give {reference}", detail=words, hint="try again later")


def registry_of(reference: str) -> str:
    """Return the registry of an image reference; the Docker Hub if it names none."""
    first, slash, _ = reference.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"
