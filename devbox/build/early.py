"""A container that is started before anybody knows what to ask in it.

To start one takes as long as it takes Python to read devbox and the profile. Both can go on at once, if what the
container is made of was written down when the Image was made. What it is asked comes over stdin. It serves a question
only if the request for that one is the very same; otherwise it is removed, and nothing is lost but the attempt.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Final

from devbox.engine.base import ContainerRequest, Engine, Mount, MountKind, Stream
from devbox.errors import DevboxError
from devbox.interrupts import uninterrupted

_PAIRS: Final = ("labels", "env")
_WORDS: Final = ("command", "entrypoint", "capabilities", "devices")


def as_text(request: ContainerRequest) -> str:
    """Return `request`, which has nothing that has to be agreed to, as `from_text` takes it."""
    values = asdict(request)
    del values["allowance"]
    return json.dumps(values, default=lambda kind: kind.value)  # of a mount, the one thing that is no text


def from_text(text: str) -> ContainerRequest | None:
    """Return the request that `as_text` has written; None for anything else."""
    try:
        values = json.loads(text)
        request = _request(values)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return request if as_text(request) == text else None


def _request(values: dict[str, Any]) -> ContainerRequest:
    lists = {name: tuple(values[name]) for name in _WORDS}
    lists |= {name: _pairs(values[name]) for name in _PAIRS}
    mounts = tuple(
        Mount(**{**one, "kind": MountKind(one["kind"]), "labels": _pairs(one["labels"])}) for one in values["mounts"]
    )
    return ContainerRequest(**{**values, **lists, "mounts": mounts})


def _pairs(values: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in values)


class Early:
    """One container that is being made and started meanwhile, for whoever comes with the same request."""

    def __init__(self, engine: Callable[[], Engine], request: ContainerRequest) -> None:
        self._engine = engine
        self._request = request
        self._container: str | None = None
        self._stream: Stream | None = None
        self._created = threading.Event()
        self._thread = threading.Thread(target=self._make, daemon=True)
        self._thread.start()

    @property
    def container(self) -> str:
        """The id of the container while it is nobody else's; empty if there is none."""
        self._created.wait()
        return self._container or ""

    def take(self, request: ContainerRequest) -> tuple[str, Stream] | None:
        """Return the running container and the connection to it, now the caller's; None if it will not do."""
        if request != self._request:
            return None
        self._thread.join()
        container, stream = self._container, self._stream
        if container is None or stream is None:
            return None
        self._container = self._stream = None
        return container, stream

    def drop(self) -> None:
        """Remove the container that nobody has taken; idempotent."""
        self._thread.join()
        stream, self._stream = self._stream, None
        container, self._container = self._container, None
        with contextlib.suppress(DevboxError):
            if stream is not None:
                stream.close()
            if container is not None:
                self._engine().remove(container)

    def _make(self) -> None:
        # Whoever is told that there is none asks in the ordinary way, and hears there what is wrong.
        with contextlib.suppress(DevboxError):
            try:
                engine = self._engine()
                self._container = engine.create(self._request)
            finally:
                self._created.set()
            stream = engine.attach(self._container)
            try:
                engine.start(self._container)
            except BaseException:
                stream.close()
                raise
            self._stream = stream


@contextmanager
def early(engine: Callable[[], Engine], text: str) -> Iterator[Early | None]:
    """Within, a container as `text` says (see `as_text`) is made and stands ready; it does not outlive this."""
    request = from_text(text)
    if request is None:
        yield None
        return
    made = Early(engine, request)
    try:
        yield made
    finally:
        with uninterrupted():
            made.drop()
