"""What the fakes' processes have in common: how a program waits in one, and the programs that several suites know."""

import threading
from collections.abc import Callable, Mapping
from typing import Protocol


class Waits:
    """A process whose program can wait for what its host does; `_changed` is told of each such thing."""

    signals: list[int]
    closed: bool
    _changed: threading.Condition

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that the host does, or for its going."""
        with self._changed:
            self._changed.wait_for(lambda: condition() or self.closed)

    def wait_for_signal(self) -> int:
        """Return the first signal; 0 if the host went without one."""
        with self._changed:
            self._changed.wait_for(lambda: self.signals or self.closed)
            return self.signals[0] if self.signals else 0


class Process(Protocol):
    """What a program sees of the process that it runs in."""

    def say(self, data: bytes, stream: int = 1) -> None: ...

    def read(self) -> bytes: ...

    def wait_for_signal(self) -> int: ...


def cat(process: Process) -> int:
    while data := process.read():
        process.say(data)
    return 0


def sleep(process: Process) -> int:
    return 128 + process.wait_for_signal()


def sh(process: Process, line: str, env: Mapping[str, str] = {}) -> int:
    """Be a shell that knows the lines of the contract suites."""
    if line.startswith("exit "):
        return int(line[5:])
    if line == "echo out; echo err >&2":
        process.say(b"out\n")
        process.say(b"err\n", 2)
    if line.startswith("echo $"):
        process.say(env.get(line[6:], "").encode() + b"\n")
    return 0
