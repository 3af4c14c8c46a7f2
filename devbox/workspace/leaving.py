"""Instances that go while others come: what takes their place is made meanwhile, and starts when they have ended."""

import os
import select
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from devbox.errors import EngineError
from devbox.runtimes.base import Instance


@contextmanager
def leaving(instances: Iterable[Instance], *, name: str) -> Iterator[Callable[[], None]]:
    """Within, `instances` end and are removed; none has `name` any more. When it is left, they are gone.

    Yields what waits until nothing runs in them, and raises what went wrong: two must never have the same volumes.
    """
    going: list[_Departure] = []
    try:
        for instance in instances:
            if instance.name == name and not _renamed(instance):
                instance.remove()
            else:
                going.append(_Departure(instance))
        yield lambda: _all(one.ended for one in going)
    except BaseException:
        for one in going:
            one.join()
        raise
    _all(one.gone for one in going)


def _renamed(instance: Instance) -> bool:
    try:
        instance.release_name()
    except EngineError:  # it can still go first, and what takes its place is made then
        return False
    return True


def _all(waits: Iterable[Callable[[], None]]) -> None:
    for wait in waits:
        wait()


class _Departure:
    """One of them, in a thread of its own."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._error: BaseException | None = None
        self._has_ended = threading.Event()
        descriptor = instance.watch()
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()
        if descriptor is not None:
            threading.Thread(target=self._watch, args=(descriptor,), daemon=True).start()

    def _watch(self, descriptor: int) -> None:
        """Know of its end before the engine has cleared up after it, and so says it."""
        try:
            select.select([descriptor], [], [])
        finally:
            os.close(descriptor)
        self._has_ended.set()

    def _go(self) -> None:
        try:
            self._instance.kill()
            self._has_ended.set()
            self._instance.remove()
        except BaseException as error:  # noqa: BLE001 (raised in the thread that waits)
            self._error = error
        finally:
            self._has_ended.set()

    def join(self) -> None:
        """Wait until it is gone, or cannot be."""
        self._thread.join()

    def ended(self) -> None:
        """Wait until nothing of it runs; raise why that cannot be."""
        self._has_ended.wait()
        if self._error is not None:
            raise self._error

    def gone(self) -> None:
        """Wait until it is removed; raise why that cannot be."""
        self.join()
        if self._error is not None:
            raise self._error
