"""A look at the engine while something else goes on."""

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def ahead(look: Callable[[], T]) -> Callable[[], T]:
    """Call `look` in a thread, and return what waits for its result and returns or raises that.

    For what changes nothing: nobody may come for the result.
    """
    found: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(look())
        except BaseException as error:  # noqa: BLE001 (raised in the thread that waits)
            failed.append(error)

    def result() -> T:
        thread.join()
        if failed:
            raise failed[0]
        return found[0]

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return result
