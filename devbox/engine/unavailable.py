"""What it means that an engine does not answer, in plain words, by Python's own exceptions."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from devbox.engine.endpoint import Endpoint
from devbox.errors import EngineUnavailableError

Meaning = tuple[type[BaseException] | tuple[type[BaseException], ...], str, str]  # kinds, message, hint

AGAIN: Final = "when it is up again, run the same command again"
_START: Final = "start it: sudo systemctl start docker; then look again: devbox doctor"
_PERMISSION: Final = (
    "join its group: sudo usermod -aG docker $USER, then log in again; or use a rootless engine: devbox doctor"
)
DROPPED: Final = "the engine at {url} dropped the connection"
SILENT: Final = "the engine at {url} does not answer"
HANGS: Final = "look whether it hangs: sudo systemctl restart docker"

AT_THE_DOOR: Final[tuple[Meaning, ...]] = (
    (FileNotFoundError, "the engine is not running: there is no socket at {url}", _START),
    (ConnectionRefusedError, "the engine is not running: nobody listens at {url}", _START),
    (PermissionError, "no permission to use the engine's socket at {url}", _PERMISSION),
)
ELSE: Final[Meaning] = (
    OSError,
    "the engine at {url} cannot be reached",
    "look at DOCKER_HOST or the docker context",
)
_SOCKET: Final[tuple[Meaning, ...]] = (
    *AT_THE_DOOR,
    (TimeoutError, SILENT, HANGS),
    (ConnectionError, DROPPED, AGAIN),
    ELSE,
)


@contextmanager
def reached(endpoint: Endpoint) -> Iterator[None]:
    """Turn the `OSError` of this block into `EngineUnavailableError`."""
    try:
        yield
    except OSError as error:
        raise unavailable([error], endpoint, _SOCKET) from error


def unavailable(
    chain: Iterable[BaseException], endpoint: Endpoint, meanings: Sequence[Meaning]
) -> EngineUnavailableError:
    """Return the error for exceptions that led to one another, the innermost first."""
    errors = list(chain)
    for kinds, message, hint in meanings:
        found = next((item for item in errors if isinstance(item, kinds)), None)
        if found is not None:
            detail = f"{type(found).__name__}: {found}"
            return EngineUnavailableError(
                message.format(url=endpoint.url), detail=detail, hint=hint.format(url=endpoint.url)
            )
    return EngineUnavailableError(
        f"the engine at {endpoint.url} cannot be used", detail=str(errors[0]), hint="look at it: devbox doctor"
    )
